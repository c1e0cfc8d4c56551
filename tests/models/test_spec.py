"""Specs: strict reading, one-line errors, lossless writing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vsr.core.errors import ModelError
from vsr.models.spec import read_spec, spec_from_dict, write_spec

pytestmark = pytest.mark.fast


def test_written_and_read_back_it_is_the_same(values: dict[str, Any], tmp_path: Path) -> None:
    spec = spec_from_dict(values, "test")
    write_spec(spec, tmp_path / "a.json")
    assert read_spec(tmp_path / "a.json") == spec
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]
    assert spec.training is not None
    assert (spec.training.seed, spec.runs_at(2), spec.runs_at(4)) == (3, True, False)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("name", "Tiny X2", "name: got 'Tiny X2'"),
        ("name", "../x", r"name: got '\.\./x'"),
        ("family", "gan", "family: got 'gan', expected one of"),
        ("scale", 3, "scale: got 3, expected one of"),
        ("scale", 4, "generator.scale: got 2, expected the model's scale, 4"),
        ("generator", [], "generator: got"),
        ("value_range", [1, -1], "value_range: got"),
        ("value_range", [0, 1, 2], "value_range: got"),
        ("min_side", 0, "min_side: got 0"),
        ("multiple_of", 1.5, "multiple_of: got 1.5"),
        ("parameters", True, "parameters: got True"),
        ("weights_file", "../../etc/x.weights.h5", "weights_file: got"),
        ("weights_file", "model.pkl", "weights_file: got 'model.pkl'"),
        ("weights_sha256", "abc", "weights_sha256: got 'abc', expected 64 hex"),
        ("bfloat16_error", "small", "bfloat16_error: got 'small'"),
        ("figures", {"psnr": "good"}, "figures: got"),
        ("terms", None, "terms: got None, expected text"),
        ("training", "none", "training: got 'none'"),
        ("training", {"command": "", "data": "x", "seed": 1}, "training.command: got ''"),
        ("training", {"command": "a", "data": "x"}, "key 'training.seed' is missing"),
        ("training", {"comand": "a"}, "unknown key 'training.comand'; did you mean 'command'"),
        ("weigths_file", "x", "unknown key 'weigths_file'; did you mean 'weights_file'"),
        ("format", 3, "format is 3, expected 1 to 2"),
    ],
)
def test_a_wrong_value_is_one_line(
    values: dict[str, Any], key: str, value: Any, words: str
) -> None:
    with pytest.raises(ModelError, match=words) as caught:
        spec_from_dict({**values, key: value}, "my.json")
    assert str(caught.value).startswith("my.json: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["name", "family", "scale"])
def test_a_missing_key_is_named(values: dict[str, Any], key: str) -> None:
    del values[key]
    with pytest.raises(ModelError, match=f"key '{key}' is missing"):
        spec_from_dict(values, "my.json")


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', "\x00\xff"])
def test_no_spec_at_all(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ModelError, match=r"bad\.json: "):
        read_spec(path)
    with pytest.raises(ModelError, match="No such file"):
        read_spec(tmp_path / "none.json")


def test_interpolation_has_no_scale_of_its_own(values: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="null for interpolation"):
        spec_from_dict({**values, "family": "interpolation"}, "x")
    spec = spec_from_dict(
        {"format": 1, "name": "area", "family": "interpolation", "scale": None}, "x"
    )
    assert all(spec.runs_at(scale) for scale in (2, 4, 8))


def test_json_is_for_people(values: dict[str, Any], tmp_path: Path) -> None:
    write_spec(spec_from_dict(values, "test"), tmp_path / "a.json")
    text = (tmp_path / "a.json").read_text()
    assert text.count("\n") > 20
    assert next(iter(json.loads(text))) == "format"
