"""Large pictures in tiles: no seam, no pixel missing."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from skimage.data import astronaut

from vsr.models.backend import start_backend
from vsr.models.interpolate import InterpolationUpscaler
from vsr.models.spec import spec_from_dict
from vsr.models.tiles import upscale_picture
from vsr.models.upscale import UpscaleConfig, Upscaler, load_upscaler

start_backend()
from vsr.models.architectures.srresnet import BRANCH_ENDS  # noqa: E402
from vsr.models.network import GeneratorUpscaler  # noqa: E402
from vsr.models.registry import build  # noqa: E402


@pytest.fixture(params=["lanczos", "tiny", "shipped"])
def upscaler(request: pytest.FixtureRequest, tiny_network: Callable[..., Upscaler]) -> Upscaler:
    if request.param == "lanczos":
        return InterpolationUpscaler("lanczos", 2)
    if request.param == "tiny":
        return tiny_network("float32")
    return _shipped()


@functools.cache
def _shipped() -> Upscaler:
    return load_upscaler(UpscaleConfig(model="srresnet-x2", precision="float32"))


@pytest.mark.parametrize(("height", "width"), [(160, 150), (100, 161), (97, 64)])
def test_tiles_equal_the_picture_in_one_piece(upscaler: Upscaler, height: int, width: int) -> None:
    picture = np.ascontiguousarray(astronaut()[:height, 140 : 140 + width])
    whole = upscaler(picture[None])[0]
    tiled = upscale_picture(upscaler, picture, tile=48)
    assert tiled.shape == whole.shape
    assert np.abs(tiled.astype(int) - whole.astype(int)).max() <= 1


def test_too_little_context_would_show(tiny_network: Callable[..., Upscaler]) -> None:
    """The test above can fail: without context the tiles' borders differ."""
    upscaler = tiny_network("float32")
    picture = np.ascontiguousarray(astronaut()[:120, 140:260])
    tiled = upscale_picture(upscaler, picture, tile=48, context=0)
    assert np.abs(tiled.astype(int) - upscaler(picture[None])[0].astype(int)).max() > 1


def test_a_network_says_how_far_it_reaches(values: dict[str, Any]) -> None:
    """An hourglass of two levels, which sees farther than 28 pixels, leaves no seam."""
    values["generator"] |= {"context": [6, 6]}
    model = build(spec := spec_from_dict({**values, "multiple_of": 4}, "test"))
    rng = np.random.default_rng(5)
    for name in ("out_conv", *(n for n in BRANCH_ENDS if n.startswith("context"))):
        kernel = model.get_layer(name).kernel
        kernel.assign(rng.normal(0, 0.3, kernel.shape))
    upscaler = GeneratorUpscaler(model, spec)
    picture = np.ascontiguousarray(astronaut()[:250, 140:260])
    whole = upscaler(picture[None])[0].astype(int)
    assert 28 < upscaler.reach < 64
    assert np.abs(upscale_picture(upscaler, picture, tile=48) - whole).max() <= 1
    assert np.abs(upscale_picture(upscaler, picture, tile=48, context=8) - whole).max() > 1


def test_a_small_picture_goes_in_one_piece(tiny_network: Callable[..., Upscaler]) -> None:
    upscaler = tiny_network("float32")
    picture = np.ascontiguousarray(astronaut()[:40, :60])
    np.testing.assert_array_equal(upscale_picture(upscaler, picture), upscaler(picture[None])[0])
