"""The same phases on JAX: equal losses and weights, on one device and on two."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from vsr.train.backend import place, prepare_backend
from vsr.train.data import open_source
from vsr.train.phases import build_phase
from vsr.train.recipe import TrainRecipe, train_recipe_from_dict

needs_jax = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="needs the package jax"
)


def three_steps(recipe: TrainRecipe, devices: str) -> list[dict[str, float]]:
    """Losses of three steps from weights that no backend's random numbers decide, and the
    sum of the averaged weights after them."""
    prepare_backend(1, "float32", devices)
    phase = build_phase(recipe)
    rng = np.random.default_rng(0)
    for name, variable in sorted(phase.state.items()):
        if "kernel" in name and name.startswith(("generator", "discriminator")):
            variable.assign(rng.normal(0, 0.05, variable.shape).astype("float32"))
    hr = rng.uniform(-1, 1, (4, 32, 32, 3)).astype("float32")
    lr = np.ascontiguousarray(hr[:, ::2, ::2])
    out = []
    for index in range(3):
        logs = phase.step(place(lr), place(hr), 1.0, index)
        out.append({k: float(keras.ops.convert_to_numpy(v)) for k, v in logs.items()})
    average = sum(np.abs(keras.ops.convert_to_numpy(v.value)).sum() for v in phase.average)
    return [*out, {"average": float(average)}]


def patches(recipe: TrainRecipe, dataset: Path) -> tuple[int, float]:
    """On how many devices a batch made on the accelerator lies, and the mean of its HR."""
    recipe = replace(recipe, data=replace(recipe.data, source="device"))
    _, hr = next(iter(open_source(recipe, dataset).batches(0)))
    parts = {str(shard.index) for shard in hr.addressable_shards}
    return len(parts), float(keras.ops.convert_to_numpy(hr).mean())


@needs_jax
def test_jax_trains_like_tensorflow_on_one_device_and_on_two(
    tiny, dataset: Path, tmp_path: Path
) -> None:
    recipe = tiny(loss={"adversarial": 0.1}, optimiser={"kind": "muon"})
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(recipe.to_dict()))
    env = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
        "KERAS_BACKEND": "jax",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
    }
    done = subprocess.run(
        [sys.executable, __file__, str(path), str(dataset)],
        env=env, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    on_tensorflow, on_jax = three_steps(recipe, "one"), json.loads(done.stdout.splitlines()[-1])
    assert on_jax["devices"] == 2
    (whole, mean), (split, same) = on_jax["patches"]
    assert (whole, split) == (1, 2)
    assert same == pytest.approx(mean)
    for other in (on_jax["one"], on_jax["all"]):
        for mine, theirs in zip(on_tensorflow, other, strict=True):
            assert mine.keys() == theirs.keys()
            for name, value in mine.items():
                assert theirs[name] == pytest.approx(value, rel=5e-3), name


if __name__ == "__main__":  # the child, on JAX
    import jax

    tables = json.loads(Path(sys.argv[1]).read_text())
    child = train_recipe_from_dict(tables, Path("child.toml"))
    results: dict[str, Any] = {"patches": []}
    for devices in ("one", "all"):
        results[devices] = three_steps(child, devices)
        results["patches"].append(patches(child, Path(sys.argv[2])))
    print(json.dumps({"devices": len(jax.devices()), **results}))
