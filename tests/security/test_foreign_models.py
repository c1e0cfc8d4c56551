"""A model from a stranger: ``vsr models`` and ``vsr images`` show it, and run nothing of it."""

from __future__ import annotations

import io
import json
import pickle
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.security.test_data import Evil, poison

h5py = pytest.importorskip("h5py")


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """A folder as 'vsr train' leaves it, with a spec and weights that load."""
    from tests.fuzz.seeds import texts

    texts(tmp_path, ("spec",))
    return tmp_path / "model"


def keras_archive(mark: Path) -> bytes:
    """A .keras file whose only layer is a Lambda with marshalled code, and a pickle beside it."""
    layer = {"class_name": "Lambda", "config": {"function": {"class_name": "__lambda__",
             "config": {"code": "4wEAAAAAAAAA", "defaults": None, "closure": None}}}}  # fmt: skip
    config = {"class_name": "Sequential", "config": {"layers": [layer]}}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("config.json", json.dumps(config))
        made.writestr("metadata.json", "{}")
        made.writestr("model.weights.h5", pickle.dumps(Evil(mark)))
    return file.getvalue()


def arrays(kind: str, mark: Path) -> bytes:
    """A .npy or .npz with a pickled object."""
    file = io.BytesIO()
    data = np.array([Evil(mark)], object)
    if kind == "npy":
        np.save(file, data, allow_pickle=True)
    else:
        np.savez(file, x=data)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["pickle", "npy", "npz", "keras", "attribute", "external"])
def test_adding_weights_that_hold_code(refused, trap, export, tmp_path, kind):
    weights, mark, store = export / "tiny-x2.weights.h5", tmp_path / "ran", tmp_path / "store"
    if kind == "pickle":
        weights.write_bytes(pickle.dumps(Evil(mark)))
    elif kind in ("npy", "npz"):
        weights.write_bytes(arrays(kind, mark))
    elif kind == "keras":
        weights.write_bytes(keras_archive(mark))
    else:
        with h5py.File(weights, "r+") as file:
            poison(file, "pickle" if kind == "attribute" else kind, trap, mark)
    trap.opened()
    line = refused("models", "add", export, "--to", store, code=5)
    assert "tiny-x2" in line
    assert not mark.exists()
    assert not store.exists() or not list(store.iterdir()), "something was registered"


@pytest.mark.parametrize("suffix", ["keras", "pkl", "npz", "pt", "h5"])
@pytest.mark.parametrize("command", ["run", "show"])
def test_a_model_that_is_a_file_of_another_kind(refused, clip, tmp_path, suffix, command):
    mark = tmp_path / "ran"
    path = tmp_path / f"evil.{suffix}"
    data = {"keras": keras_archive(mark), "npz": arrays("npz", mark)}
    path.write_bytes(data.get(suffix, pickle.dumps(Evil(mark))))
    if command == "run":
        refused("run", clip, "-o", tmp_path / "out.mp4", "--model", path, code=5)
    else:
        refused("models", "show", path, code=5)
    assert not mark.exists()


def test_a_spec_and_a_card_cannot_steer_the_terminal(here, export):
    path = export / "tiny-x2.json"
    spec = json.loads(path.read_text())
    spec["terms"] = "\x1b[2J\x9b31m [bold]free[/bold] \u202e"
    path.write_text(json.dumps(spec))
    (export / "tiny-x2.md").write_text(
        "# \x1b]0;title\x07 card\n\n[a](http://127.0.0.1:9/)\x9b2J\n"
    )
    for words in (("show", path), ("show", path, "--json")):
        outcome = here("models", *words)
        assert outcome.code == 0, outcome.stderr
        assert all(c.isprintable() or c == "\n" for c in outcome.stdout), outcome.stdout
    assert json.loads(outcome.stdout)["terms"] == spec["terms"]


def test_listing_foreign_models(here, export, tmp_path, monkeypatch):
    folder = tmp_path / "mine"
    shutil.copytree(export, folder)
    path = folder / "tiny-x2.json"
    spec = json.loads(path.read_text())
    spec["terms"] = "\x1b[2J [red]mine"
    path.write_text(json.dumps(spec))
    (folder / "evil.json").write_bytes(pickle.dumps(Evil(tmp_path / "ran")))
    monkeypatch.setenv("VSR_MODELS", str(folder))
    outcome = here("models", "list")
    assert outcome.code == 0, outcome.stderr
    assert "[red]mine" in outcome.stdout
    assert all(c.isprintable() or c == "\n" for c in outcome.stdout + outcome.stderr)
    assert not (tmp_path / "ran").exists()
