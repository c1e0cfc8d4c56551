"""Every architecture keeps the contract; what is not of it is refused in one line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vsr.core.errors import ModelError
from vsr.models.backend import start_backend

start_backend()
import keras  # noqa: E402

from vsr.models.architectures import architectures, load_architecture  # noqa: E402
from vsr.models.layers import BicubicUpsample  # noqa: E402
from vsr.models.registry import build, fold  # noqa: E402
from vsr.models.runtime import current  # noqa: E402
from vsr.models.spec import spec_from_dict  # noqa: E402

SMALL: dict[str, dict[str, Any]] = {
    "srresnet": {
        "filters": 8, "blocks": 2, "head_kernel": 3, "normalisation": "none",
        "activation": "relu", "upsampling": "direct", "image_skip": "bicubic",
        "activation_out": "linear",
    },
    "vdsr": {"depth": 4, "filters": 8},
}  # fmt: skip
"""one of each, quick and without tanh"""


def small(name: str, scale: int = 2) -> tuple[Any, keras.Model]:
    kind = load_architecture(name)
    config = kind.config.from_dict({"scale": scale, **SMALL[name]})
    keras.utils.set_random_seed(1)
    return config, kind.build(config)


def run(model: keras.Model, x: np.ndarray) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(model(x, training=False)))


def awake(model: keras.Model) -> None:
    """Ends of branches start at zero: here they take part."""
    rng = np.random.default_rng(2)
    for variable in model.trainable_variables:
        variable.assign(variable.value + rng.normal(0, 0.02, variable.shape).astype(np.float32))


def test_each_has_a_case_here() -> None:
    assert architectures() == tuple(sorted(SMALL))


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("scale", [2, 4, 8])
def test_untrained_it_is_bicubic_of_any_size(name: str, scale: int) -> None:
    config, model = small(name, scale)
    rng = np.random.default_rng(0)
    for height, width in ((8, 12), (16, 5)):
        size = (height // config.multiple_of * config.multiple_of, width)
        x = rng.uniform(-1, 1, (2, *size, 3)).astype(np.float32)
        bicubic = np.asarray(BicubicUpsample(scale)(x))
        np.testing.assert_allclose(run(model, x), bicubic, atol=1e-5)


@pytest.mark.parametrize("name", SMALL)
def test_it_sees_no_further_than_its_reach(name: str) -> None:
    config, model = small(name)
    awake(model)
    side, at = 2 * config.reach + 9, config.reach + 4
    x = np.random.default_rng(0).uniform(-1, 1, (1, side, side, 3)).astype(np.float32)
    other = x.copy()
    other[0, at, at] = -other[0, at, at]
    changed = np.abs(run(model, x) - run(model, other)).max(axis=(0, 3)) > 0
    rows = np.flatnonzero(changed.any(axis=1)) // config.scale
    assert at - config.reach <= rows.min() < at < rows.max() <= at + config.reach


@pytest.mark.parametrize("name", SMALL)
def test_its_arithmetic_is_what_the_graph_does(name: str) -> None:
    config, model = small(name)
    forward = current().compile_network(lambda call, pixels, _peak: call(pixels), model)
    counted = current().count_flops(forward, (1, 16, 16, 3))
    # the graph's bicubic skip is products, too
    assert config.flops_per_pixel * 256 <= counted <= 1.2 * config.flops_per_pixel * 256 + 1e5


@pytest.mark.parametrize("name", SMALL)
def test_a_spec_makes_it_and_folding_leaves_it_as_it_was(name: str, values: dict[str, Any]) -> None:
    table = {"scale": 2, **SMALL[name]}
    spec = spec_from_dict({**values, "architecture": name, "generator": table}, "test")
    assert spec_from_dict(spec.to_dict(), "again") == spec
    model = build(spec)
    awake(model)
    x = np.random.default_rng(0).uniform(-1, 1, (1, 12, 12, 3)).astype(np.float32)
    np.testing.assert_allclose(run(fold(model, spec), x), run(model, x), atol=1e-5)


def test_an_unknown_one_is_refused_with_the_near_match(values: dict[str, Any]) -> None:
    spec = spec_from_dict({**values, "architecture": "vsdr"}, "test")
    with pytest.raises(ModelError, match=r"unknown architecture 'vsdr'; did you mean 'vdsr'"):
        build(spec)
    with pytest.raises(ModelError, match=r"generator.depth: got 1, expected 2 to 64"):
        load_architecture("vdsr").config.from_dict({"depth": 1})
    with pytest.raises(ModelError, match=r"generator.blocks: got 3, expected only the keys"):
        load_architecture("vdsr").config.from_dict({"blocks": 3})


def test_a_spec_from_before_there_were_several_is_a_srresnet(values: dict[str, Any]) -> None:
    old = {**values, "format": 1}
    old.pop("architecture", None)
    assert spec_from_dict(old, "old").architecture == "srresnet"
