"""The text in the corner, on every kind of picture."""

from __future__ import annotations

import numpy as np
import pytest

from vsr.core.color import PIXEL_FORMATS, ColorSpec
from vsr.core.types import YuvPicture
from vsr.media.convert import from_rgb, to_rgb
from vsr.media.watermark import Watermark

TEXT = "super-resolved · srgan-x2 · 2x"


def grey(format, width, height, *, full=False, level=120):
    color = ColorSpec(matrix="bt709", full_range=full)
    rgb = np.full((height, width, 3), (level, level, level // 2), np.uint8)
    return from_rgb(rgb, PIXEL_FORMATS[format], color)


@pytest.mark.parametrize("format", sorted(PIXEL_FORMATS))
@pytest.mark.parametrize("full", [False, True])
def test_letters_are_white_in_a_dark_rim_and_without_colour(format, full):
    picture = grey(format, 640, 361, full=full)
    untouched = to_rgb(picture)
    Watermark(TEXT, 640, 361).draw(picture)
    rgb = to_rgb(picture)
    top = np.iinfo(rgb.dtype).max
    changed = (rgb != untouched).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert rows.min() > 330
    assert columns.min() > 400
    text = rgb[changed].astype(float) / top
    assert text.max() > 0.9
    assert text.min() < 0.2
    white = text[text.min(axis=1) > 0.85]
    assert len(white) > 50
    assert np.ptp(white, axis=1).max() < 0.15  # no tint


def test_any_size_will_do():
    for width, height in ((16, 16), (33, 21), (64, 480), (4096, 64)):
        picture = grey("yuv420p", width, height)
        Watermark(TEXT, width, height).draw(picture)
        luma = picture.planes()[0]
        assert luma.min() < 60
        assert luma.max() > 160


def test_unknown_letters_do_not_fail_and_sizes_are_checked():
    picture = grey("yuv420p", 64, 64)
    Watermark("模型 ☃", 64, 64).draw(picture)
    with pytest.raises(ValueError, match="got 64x64, expected 32x32"):
        Watermark(TEXT, 32, 32).draw(picture)


@pytest.mark.parametrize("format", sorted(PIXEL_FORMATS))
@pytest.mark.parametrize("full", [False, True])
def test_pictures_survive_the_way_to_rgb_and_back(format, full):
    rows, columns = np.mgrid[0:45, 0:67]
    ramp = np.stack([rows * 2 + 70, columns + 80, 160 - rows - columns // 2], axis=-1)
    color = ColorSpec(matrix="bt601", full_range=full)
    picture = from_rgb(ramp.astype(np.uint8), PIXEL_FORMATS[format], color)
    again = from_rgb(to_rgb(picture), PIXEL_FORMATS[format], color)
    assert isinstance(again, YuvPicture)
    difference = np.abs(again.buffer.astype(int) - picture.buffer)
    assert difference.max() <= 2
    assert difference.mean() < 0.5
