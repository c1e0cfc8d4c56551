"""A tiny generator, its spec and its export: real networks that build in a moment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from vsr.models.backend import start_backend

if TYPE_CHECKING:
    from vsr.models.network import GeneratorUpscaler

TINY: dict[str, Any] = {
    "scale": 2,
    "filters": 8,
    "blocks": 2,
    "head_kernel": 3,
    "normalisation": "none",
    "activation": "relu",
    "upsampling": "direct",
    "image_skip": "bicubic",
    "activation_out": "linear",
}


def spec_values(scale: int = 2, **changes: Any) -> dict[str, Any]:
    values = {
        "format": 1,
        "name": f"tiny-x{scale}",
        "family": "srresnet",
        "scale": scale,
        "generator": {**TINY, "scale": scale},
        "weights_file": f"tiny-x{scale}.weights.h5",
        "weights_sha256": "0" * 64,
        "bfloat16_error": 0.2,
        "training": {"command": "vsr train FACES -o RUN", "data": "noise", "seed": 3},
        "figures": {"psnr_gain_db": 3.5},
        "terms": "tests only",
    }
    return {**values, **changes}


@pytest.fixture
def values() -> dict[str, Any]:
    """The JSON values of a valid spec."""
    return spec_values()


@pytest.fixture(scope="session")
def tiny_model() -> Any:
    """A seeded x2 generator of 8 filters, 2 blocks, whose residual is not negligible."""
    start_backend()
    import keras

    from vsr.models.registry import build
    from vsr.models.spec import spec_from_dict

    keras.utils.set_random_seed(7)
    model = build(spec_from_dict(spec_values(), "test"))
    rng = np.random.default_rng(7)
    for variable in model.weights:
        if "out_conv" in variable.path:
            variable.assign(rng.normal(0, 0.03, variable.shape))
        elif variable.path.endswith("bias"):
            variable.assign(rng.normal(0, 0.05, variable.shape))
    return model


@pytest.fixture
def run_folder(tmp_path: Path, tiny_model: Any) -> Path:
    """What a training run leaves behind."""
    from vsr.models.export import write_export

    run = tmp_path / "run"
    run.mkdir()
    write_export(run, tiny_model, spec_values())
    return run


@pytest.fixture
def user_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of the user's own models."""
    folder = tmp_path / "models"
    monkeypatch.setenv("VSR_MODELS", str(folder))
    return folder


@pytest.fixture(scope="session")
def face() -> np.ndarray:
    """A real face, 96x96 uint8."""
    from skimage.data import astronaut

    return np.ascontiguousarray(astronaut()[30:222:2, 150:342:2])


@pytest.fixture(scope="session")
def tiny_network(tiny_model: Any) -> Callable[..., GeneratorUpscaler]:
    """Makes an upscaler of the tiny generator, computing in a given type."""
    from vsr.models.network import GeneratorUpscaler
    from vsr.models.registry import build
    from vsr.models.spec import spec_from_dict

    def make(dtype: Any, **changes: Any) -> GeneratorUpscaler:
        spec = spec_from_dict(spec_values(**changes), "test")
        model = build(spec, dtype)
        model.set_weights(tiny_model.get_weights())
        return GeneratorUpscaler(model, spec, precision=dtype)

    return make
