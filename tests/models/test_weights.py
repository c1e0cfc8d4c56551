"""Weights on disk: float16, hash first, strict shapes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from vsr.core.errors import ModelError
from vsr.models.registry import build
from vsr.models.spec import spec_from_dict
from vsr.models.weights import check_sha256, file_sha256, load_weights, save_weights


def _other(values: dict[str, Any], **generator: Any) -> Any:
    values["generator"] = {**values["generator"], **generator}
    return build(spec_from_dict(values, "test"))


def test_float16_keeps_the_picture(
    tiny_model: Any, values: dict[str, Any], tmp_path: Path, face: np.ndarray
) -> None:
    path = tmp_path / "a.weights.h5"
    save_weights(tiny_model, path)
    assert [p.name for p in tmp_path.iterdir()] == ["a.weights.h5"]
    again = _other(values)
    load_weights(again, path)
    x = face[None].astype(np.float32) / 127.5 - 1
    difference = np.abs(np.asarray(tiny_model(x)) - np.asarray(again(x))) * 127.5
    assert 0 < difference.max() < 0.25
    assert all(v.dtype == "float32" for v in again.weights)


def test_arrays_are_half_precision_and_keras_reads_them(
    tiny_model: Any, values: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "a.weights.h5"
    save_weights(tiny_model, path)
    types = set()
    with h5py.File(path) as file:
        file.visititems(
            lambda _, item: types.add(item.dtype) if isinstance(item, h5py.Dataset) else None
        )
    assert types == {np.dtype(np.float16)}
    again = _other(values)
    again.load_weights(path)
    for ours, theirs in zip(tiny_model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(ours).astype(np.float16), np.asarray(theirs))


def test_the_same_weights_give_the_same_file(tiny_model: Any, tmp_path: Path) -> None:
    a, b = tmp_path / "a.weights.h5", tmp_path / "b.weights.h5"
    save_weights(tiny_model, a)
    save_weights(tiny_model, b)
    assert file_sha256(a) == file_sha256(b)


def test_hash_is_checked_before_the_file_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "a.weights.h5"
    path.write_bytes(b"no HDF5 at all")
    check_sha256(path, file_sha256(path))
    with pytest.raises(ModelError, match=r"weights have SHA-256 .*, the spec wants 000000000000"):
        check_sha256(path, "0" * 64)
    with pytest.raises(ModelError, match=r"cannot be read \(No such file"):
        check_sha256(tmp_path / "none.h5", "0" * 64)
    with pytest.raises(ModelError, match="not a readable HDF5 file"):
        load_weights(_Empty(), path)  # type: ignore[arg-type]


class _Empty:
    weights: tuple[Any, ...] = ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"filters": 12}, r"e\.g\. shape"),
        ({"blocks": 3}, "holds 14 arrays, the generator wants 18"),
        ({"activation": "prelu"}, r"e\.g\. shape"),
    ],
)
def test_another_generators_weights(
    tiny_model: Any, values: dict[str, Any], tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    path = tmp_path / "a.weights.h5"
    save_weights(tiny_model, path)
    with pytest.raises(ModelError, match=words):
        load_weights(_other(values, **change), path)


def test_same_shapes_under_other_names(
    tiny_model: Any, values: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "a.weights.h5"
    save_weights(tiny_model, path)
    with h5py.File(path, "r+") as file:
        file.move("layers/conv2d", "layers/dense")
    with pytest.raises(ModelError, match="does not fit the generator"):
        load_weights(_other(values), path)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e6])
def test_weights_that_float16_cannot_hold_are_refused(
    values: dict[str, Any], tmp_path: Path, bad: float
) -> None:
    model = _other(values)
    model.weights[0].assign(np.full(model.weights[0].shape, bad))
    with pytest.raises(ModelError, match="head_conv/kernel is not finite in float16"):
        save_weights(model, tmp_path / "a.weights.h5")
    assert list(tmp_path.iterdir()) == []
