from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from vsr.core.errors import DataError, OutputError
from vsr.train.checkpoint import load_checkpoint, save_checkpoint


@pytest.fixture
def state() -> dict[str, keras.Variable]:
    return {
        "net/kernel": keras.Variable(np.arange(6, dtype="float32").reshape(2, 3)),
        "adam/steps": keras.Variable(7, dtype="int64"),
    }


def test_a_checkpoint_brings_everything_back(state, tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    assert save_checkpoint(path, state, {"step": 12, "seconds": 3.5})
    before = {name: np.array(v.value) for name, v in state.items()}
    state["net/kernel"].assign(np.zeros((2, 3)))
    state["adam/steps"].assign(0)
    assert load_checkpoint(path, state) == {"step": 12, "seconds": 3.5}
    for name, variable in state.items():
        np.testing.assert_array_equal(np.array(variable.value), before[name])
    assert [p.name for p in tmp_path.iterdir()] == ["c.npz"]


def test_broken_weights_never_replace_good_ones(state, tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    save_checkpoint(path, state, {"step": 1})
    good = path.read_bytes()
    state["net/kernel"].assign(np.full((2, 3), np.nan))
    assert not save_checkpoint(path, state, {"step": 2})
    assert path.read_bytes() == good


def test_what_does_not_fit_is_one_clear_line(state, tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    path.write_bytes(b"half a file")
    with pytest.raises(DataError, match="not a readable checkpoint"):
        load_checkpoint(path, state)
    save_checkpoint(path, state, {})
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match="not a readable checkpoint"):
        load_checkpoint(path, state)
    save_checkpoint(path, state, {})
    other = {**state, "net/kernel": keras.Variable(np.zeros((2, 4), "float32"))}
    with pytest.raises(DataError, match=r"'net/kernel' is \(2, 3\), expected \(2, 4\)"):
        load_checkpoint(path, other)


def test_a_full_disk_leaves_the_old_checkpoint(state, tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "c.npz"
    save_checkpoint(path, state, {"step": 1})

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OutputError, match=r"cannot be written \(No space left on device\)"):
        save_checkpoint(path, state, {"step": 2})
    assert [p.name for p in tmp_path.iterdir()] == ["c.npz"]
    assert load_checkpoint(path, state) == {"step": 1}
