"""Folding leaves a generator's pictures as they were."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vsr.models.backend import start_backend
from vsr.models.spec import ModelSpec, spec_from_dict

start_backend()
import keras  # noqa: E402

from vsr.models.export import add_model, write_export  # noqa: E402
from vsr.models.network import GeneratorUpscaler, load_network  # noqa: E402
from vsr.models.registry import build, fold, load_generator  # noqa: E402

SEED_LIKE = {"filters": 8, "blocks": 2, "head_kernel": 5, "normalisation": "batch"}
"""The paper's shape, small: PReLU, tanh, one convolution and shuffle per doubling."""
BRANCHED = {
    **SEED_LIKE, "upsampling": "direct", "activation": "leaky_relu", "activation_out": "linear",
    "image_skip": "bicubic", "context": [6], "decoder": [6], "polish": 4, "residual_scale": 0.3,
}  # fmt: skip
SCALED = {**BRANCHED, "normalisation": "none", "activation": "relu"}


def trained(values: dict[str, Any], shape: dict[str, Any]) -> tuple[keras.Model, ModelSpec]:
    """A generator whose every array, the moving averages too, is as training could leave it."""
    spec = spec_from_dict({**values, "generator": {"scale": 2, **shape}, "multiple_of": 2}, "test")
    keras.utils.set_random_seed(3)
    model = build(spec)
    rng = np.random.default_rng(3)
    for variable in model.weights:
        if variable.path.endswith(("gamma", "moving_variance")):
            variable.assign(rng.uniform(0.3, 2.0, variable.shape))
        elif variable.path.endswith(("beta", "moving_mean", "bias", "alpha")):
            variable.assign(rng.normal(0, 0.2, variable.shape))
        elif variable.path.endswith("out_conv/kernel"):
            variable.assign(rng.normal(0, 0.03, variable.shape))
    return model, spec


def pictures(model: keras.Model, x: np.ndarray) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(model(x, training=False)))


@pytest.mark.parametrize("shape", [SEED_LIKE, BRANCHED, SCALED])
def test_the_folded_generator_draws_the_same(values: dict[str, Any], shape: dict[str, Any]) -> None:
    model, spec = trained(values, shape)
    folded = fold(model, spec)
    kinds = [type(layer).__name__ for layer in folded.layers]
    assert "BatchNormalization" not in kinds
    assert "Rescaling" not in kinds
    x = np.random.default_rng(0).uniform(-1, 1, (2, 16, 20, 3)).astype(np.float32)
    want = pictures(model, x)
    np.testing.assert_allclose(pictures(folded, x), want, atol=2e-5)  # 1/400 grey level
    # and the arrays do matter: without the averages it is another picture
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_mean.assign(layer.moving_mean + 0.1)
        elif isinstance(layer, keras.layers.Rescaling):
            layer.scale = 1.0
    assert np.abs(pictures(model, x) - want).max() > 1e-3


def test_in_bfloat16_folding_costs_no_exactness(values: dict[str, Any]) -> None:
    model, spec = trained(values, SEED_LIKE)
    half = build(spec, "bfloat16")
    half.set_weights(model.get_weights())
    x = np.random.default_rng(0).uniform(-1, 1, (2, 24, 24, 3)).astype(np.float32)
    exact = pictures(model, x)
    plain, folded = (
        np.abs(pictures(m, x) - exact).mean() for m in (half, fold(half, spec, "bfloat16"))
    )
    assert folded < 1.1 * plain


def test_nothing_to_fold_is_left_alone(values: dict[str, Any]) -> None:
    spec = spec_from_dict(values, "test")
    model = build(spec)
    assert fold(model, spec) is model


def test_a_loaded_network_is_folded(values: dict[str, Any], tmp_path: Path) -> None:
    model, spec = trained(values, SEED_LIKE)
    write_export(tmp_path, model, {**values, "generator": dict(spec.generator), "multiple_of": 2})
    added = add_model(tmp_path, folder=tmp_path / "models")
    path = tmp_path / "models" / f"{added.name}.json"
    plain = GeneratorUpscaler(load_generator(path), added)
    batch = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3)).astype(np.uint8)
    ours = load_network(path, precision="float32")(batch)
    difference = np.abs(ours.astype(int) - plain(batch).astype(int))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-2  # values that lay on the edge between two levels
