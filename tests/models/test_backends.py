"""The same weights give the same picture on every Keras backend that is installed."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

_CODE = """
import sys
import numpy as np
from vsr.models.upscale import UpscaleConfig, load_upscaler
batch = np.load(sys.argv[1])
upscaler = load_upscaler(UpscaleConfig(model="srresnet-x2", precision="float32", device="cpu"))
high = [upscaler(batch), upscaler(batch[:3]), upscaler(batch[:, :20])]
traces = upscaler.traces
for part in (batch, batch[:3], batch[:, :20], batch[:4]):
    upscaler(part)
if sys.argv[3] != "torch":
    assert upscaler.traces == traces, "a known shape was traced again"
np.save(sys.argv[2], high[0])
"""


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_agree_with_tensorflow(
    backend: str, tmp_path: Path, face: np.ndarray
) -> None:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    np.save(tmp_path / "in.npy", np.stack([face[i : i + 32, i : i + 40] for i in (0, 9, 20, 33)]))
    pictures = {}
    for name in ("tensorflow", backend):
        out = tmp_path / f"{name}.npy"
        subprocess.run(
            [sys.executable, "-c", _CODE, str(tmp_path / "in.npy"), str(out), name],
            env={**os.environ, "KERAS_BACKEND": name},
            check=True,
        )
        pictures[name] = np.load(out).astype(int)
    assert np.abs(pictures["tensorflow"] - pictures[backend]).max() <= 1
