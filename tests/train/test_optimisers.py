from __future__ import annotations

import json

import keras
import numpy as np
import pytest

from vsr.core.errors import UsageError
from vsr.train.backend import prepare_backend
from vsr.train.checkpoint import load_checkpoint, save_checkpoint
from vsr.train.loop import train
from vsr.train.optimiser import ConvMuon
from vsr.train.phases import PixelPhase

CLASSES = {
    "adam": keras.optimizers.Adam,
    "adamax": keras.optimizers.Adamax,
    "lion": keras.optimizers.Lion,
    "muon": ConvMuon,
}


def weights(phase: PixelPhase) -> list[np.ndarray]:
    return [np.array(keras.ops.convert_to_numpy(v.value)) for v in phase.variables]


@pytest.mark.parametrize("kind", CLASSES)
def test_a_kinds_checkpoint_holds_its_whole_state(tiny, tmp_path, kind: str) -> None:
    prepare_backend(1, "float32", "one")
    hr = np.random.default_rng(0).uniform(-1, 1, (2, 32, 32, 3)).astype("float32")
    lr = hr.reshape(2, 16, 2, 16, 2, 3).mean((2, 4))
    recipe = tiny(optimiser={"kind": kind, "rate": 1e-3})
    phase, later = PixelPhase(recipe), PixelPhase(recipe)
    assert type(phase.optimiser) is CLASSES[kind]
    start = weights(phase)
    phase.step(lr, hr, rate=1.0, index=0)
    save_checkpoint(tmp_path / "c.npz", phase.state, {"step": 1})
    load_checkpoint(tmp_path / "c.npz", later.state)
    for one in (phase, later):
        one.step(lr, hr, rate=1.0, index=1)
    for before, one, other in zip(start, weights(phase), weights(later), strict=True):
        assert (before != one).any()
        np.testing.assert_array_equal(one, other)


def test_an_unknown_kind_is_refused(tiny) -> None:
    with pytest.raises(
        UsageError, match="kind: got 'nadam', expected one of 'adam', 'adamax', 'li"
    ):
        tiny(optimiser={"kind": "nadam"})


def test_a_run_of_an_older_recipe_goes_on(tiny, dataset, tmp_path) -> None:
    """Keys that came later count as their defaults, other values are still refused."""
    recipe = tiny(loop={"steps": 4})
    train(recipe, dataset, tmp_path / "run")
    path = tmp_path / "run" / "recipe.json"
    old = json.loads(path.read_text())
    del old["optimiser"]["kind"]
    path.write_text(json.dumps(old))
    lines: list[str] = []
    train(recipe, dataset, tmp_path / "run", report=lines.append)
    assert lines[0] == "resumes at step 4"
    old["optimiser"]["rate"] = 0.5
    path.write_text(json.dumps(old))
    with pytest.raises(UsageError, match=r"\[optimiser\] differs"):
        train(recipe, dataset, tmp_path / "run")
