"""Large pictures in tiles: no seam, no pixel missing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from skimage.data import astronaut

from vsr.models.interpolate import InterpolationUpscaler
from vsr.models.tiles import upscale_picture
from vsr.models.upscale import UpscaleConfig, Upscaler, load_upscaler


@pytest.fixture(params=["lanczos", "tiny", "shipped"])
def upscaler(request: pytest.FixtureRequest, tiny_network: Callable[..., Upscaler]) -> Upscaler:
    if request.param == "lanczos":
        return InterpolationUpscaler("lanczos", 2)
    if request.param == "tiny":
        return tiny_network("float32")
    return load_upscaler(UpscaleConfig(model="srresnet-x2", precision="float32"))


@pytest.mark.parametrize(("height", "width"), [(160, 150), (100, 161), (97, 64)])
def test_tiles_equal_the_picture_in_one_piece(upscaler: Upscaler, height: int, width: int) -> None:
    picture = np.ascontiguousarray(astronaut()[:height, 140 : 140 + width])
    whole = upscaler(picture[None])[0]
    tiled = upscale_picture(upscaler, picture, tile=48, context=28)
    assert tiled.shape == whole.shape
    assert np.abs(tiled.astype(int) - whole.astype(int)).max() <= 1


def test_too_little_context_would_show(tiny_network: Callable[..., Upscaler]) -> None:
    """The test above can fail: without context the tiles' borders differ."""
    upscaler = tiny_network("float32")
    picture = np.ascontiguousarray(astronaut()[:120, 140:260])
    tiled = upscale_picture(upscaler, picture, tile=48, context=0)
    assert np.abs(tiled.astype(int) - upscaler(picture[None])[0].astype(int)).max() > 1


def test_a_small_picture_goes_in_one_piece(tiny_network: Callable[..., Upscaler]) -> None:
    upscaler = tiny_network("float32")
    picture = np.ascontiguousarray(astronaut()[:40, :60])
    np.testing.assert_array_equal(upscale_picture(upscaler, picture), upscaler(picture[None])[0])
