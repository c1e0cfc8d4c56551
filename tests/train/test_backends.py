"""The same phases on JAX: equal losses, a run that goes on, and two devices like one."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

needs_jax = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="needs the package jax"
)

CHILD = """
import json, sys
from pathlib import Path
import numpy as np
from vsr.train.recipe import train_recipe_from_dict
from vsr.train.backend import place, prepare_backend
from vsr.train.phases import build_phase
import keras
recipe = train_recipe_from_dict(json.loads(Path(sys.argv[1]).read_text()), Path("child.toml"))
prepare_backend(1, "float32", recipe.loop.devices)
phase = build_phase(recipe)
rng = np.random.default_rng(0)
for name, v in sorted(phase.state.items()):  # the same weights whatever the backend draws
    if "kernel" in name and name.startswith(("generator", "discriminator")):
        v.assign(rng.normal(0, 0.05, v.shape).astype("float32"))
hr = rng.uniform(-1, 1, (4, 32, 32, 3)).astype("float32")
lr = np.ascontiguousarray(hr[:, ::2, ::2])
out = []
for index in range(3):
    logs = phase.step(place(lr), place(hr), 1.0, index)
    out.append({k: float(keras.ops.convert_to_numpy(v)) for k, v in logs.items()})
out.append(float(sum(np.abs(keras.ops.convert_to_numpy(v.value)).sum() for v in phase.average)))
print("RESULT", json.dumps(out))
"""


def run(recipe: Path, backend: str, **more: str) -> list:
    env = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3", **more}
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(recipe)], env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    line = next(li for li in done.stdout.splitlines() if li.startswith("RESULT"))
    return json.loads(line.removeprefix("RESULT "))


@needs_jax
def test_jax_trains_like_tensorflow_on_one_device_and_on_two(tiny, tmp_path: Path) -> None:
    # no batch-norm: over two devices its statistics are those of the whole batch all the same,
    # but rounding differs in another order
    values = tiny(loss={"adversarial": 0.1}, discriminator={"batch_norm": False}).to_dict()
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    one.write_text(json.dumps(values))
    two.write_text(json.dumps({**values, "loop": {**values["loop"], "devices": "all"}}))
    on_tensorflow, on_jax = run(one, "tensorflow"), run(one, "jax")
    two_devices = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    on_two = run(two, "jax", **two_devices)
    for other in (on_jax, on_two):
        for mine, theirs in zip(on_tensorflow[:3], other[:3], strict=True):
            assert mine.keys() == theirs.keys()
            for name in mine:
                assert theirs[name] == pytest.approx(mine[name], rel=2e-3), name
        assert np.isclose(other[3], on_tensorflow[3], rtol=1e-3)
