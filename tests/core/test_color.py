"""RGB -> Y'CbCr against the numbers the recommendations give."""

import numpy as np
import pytest

from vsr.core.color import ColorSpec, rgb_to_yuv, yuv_to_rgb


def yuv(rgb, spec=None, depth=8):
    pixels = np.array([[rgb]], np.uint8)
    return rgb_to_yuv(pixels, spec or ColorSpec(), depth)[0, 0]


@pytest.mark.parametrize("matrix", ["bt601", "bt709", "bt2020"])
def test_grey_has_no_colour_and_the_range_ends_are_right(matrix):
    limited, full = ColorSpec(matrix=matrix), ColorSpec(matrix=matrix, full_range=True)
    np.testing.assert_allclose(yuv((0, 0, 0), limited), [16, 128, 128], atol=1e-3)
    np.testing.assert_allclose(yuv((255, 255, 255), limited), [235, 128, 128], atol=1e-3)
    np.testing.assert_allclose(yuv((255, 255, 255), full), [255, 128, 128], atol=1e-3)
    np.testing.assert_allclose(yuv((255, 255, 255), limited, 10), [940, 512, 512], atol=1e-2)


@pytest.mark.parametrize(
    ("matrix", "red"),
    [("bt601", (81.48, 90.20, 240.0)), ("bt709", (62.56, 102.34, 240.0))],
)
def test_red(matrix, red):
    np.testing.assert_allclose(yuv((255, 0, 0), ColorSpec(matrix=matrix)), red, atol=0.02)


def test_sixteen_bit_and_float_mean_the_same_as_eight_bit():
    spec = ColorSpec(matrix="bt601")
    eight = np.array([[[10, 200, 77]]], np.uint8)
    np.testing.assert_allclose(
        rgb_to_yuv(eight, spec, 8), rgb_to_yuv(eight.astype(np.uint16) * 257, spec, 8), atol=1e-3
    )
    np.testing.assert_allclose(
        rgb_to_yuv(eight, spec, 8), rgb_to_yuv(eight / np.float32(255), spec, 8), atol=1e-3
    )


@pytest.mark.parametrize("matrix", ["bt601", "bt709", "bt2020"])
@pytest.mark.parametrize("full", [False, True])
def test_ten_bits_bring_every_colour_back(matrix, full):
    spec = ColorSpec(matrix=matrix, full_range=full)
    colours = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    code = np.rint(rgb_to_yuv(colours, spec, 10))
    back = yuv_to_rgb(code.astype(np.uint16), spec, 10) * 255
    if full:
        np.testing.assert_array_equal(np.clip(np.rint(back), 0, 255).astype(np.uint8), colours)
    np.testing.assert_allclose(back, colours, atol=0.6)
