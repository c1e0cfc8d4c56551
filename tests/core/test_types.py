"""The nouns refuse what they cannot mean."""

from fractions import Fraction

import numpy as np
import pytest

from vsr.core.color import PIXEL_FORMATS, ColorSpec
from vsr.core.geometry import Box, Window
from vsr.core.types import Face, FaceCrop, Frame, YuvPicture

RGB = np.zeros((4, 6, 3), np.uint8)


def test_frame_time_is_pts_times_time_base():
    frame = Frame(0, 1001, Fraction(1, 30000), RGB)
    assert frame.seconds == pytest.approx(1001 / 30000)


@pytest.mark.parametrize("pixels", [RGB[..., :2], RGB.astype(np.float32), RGB[0]])
def test_frame_refuses_other_pixels(pixels):
    with pytest.raises(ValueError, match="expected \\(H, W, 3\\) in uint8 or uint16"):
        Frame(0, 0, Fraction(1, 30), pixels)


def test_frame_refuses_a_time_base_of_nothing():
    with pytest.raises(ValueError, match="time_base"):
        Frame(0, 0, Fraction(0), RGB)


@pytest.mark.parametrize("name", sorted(PIXEL_FORMATS))
@pytest.mark.parametrize("size", [(8, 6), (7, 5)])
def test_planes_are_views_of_the_right_size(name, size):
    fmt = PIXEL_FORMATS[name]
    dtype = np.uint16 if fmt.bit_depth > 8 else np.uint8
    buffer = np.arange(fmt.samples(*size)).astype(dtype)
    picture = YuvPicture(buffer, *size, fmt, ColorSpec())
    y, u, v = picture.planes()
    assert y.shape == (size[1], size[0])
    assert u.shape == v.shape
    v[-1, -1] = 77
    assert buffer[-1] == 77
    assert y.size + u.size + v.size == buffer.size


def test_a_picture_with_too_few_samples_is_refused():
    with pytest.raises(ValueError, match="check size and pixel format"):
        YuvPicture(np.zeros(10, np.uint8), 8, 6, PIXEL_FORMATS["yuv420p"], ColorSpec())


@pytest.mark.parametrize("values", [(0, 0, 0, 1), (0, 0, 1, -1), (float("nan"), 0, 1, 1)])
def test_empty_boxes_are_refused(values):
    with pytest.raises(ValueError, match="expected finite numbers"):
        Box(*values)


def test_iou():
    a = Box(0, 0, 2, 2)
    assert a.iou(a) == 1.0
    assert a.iou(Box(1, 0, 2, 2)) == pytest.approx(1 / 3)
    assert a.iou(Box(2, 0, 2, 2)) == 0.0


def test_windows_stay_inside():
    with pytest.raises(ValueError, match="clip it to the picture first"):
        Window(-1, 0, 4, 4)
    window = Window(1, 2, 3, 4)
    assert np.zeros((10, 10))[window.slices].shape == (4, 3)
    assert window.scaled(2) == Window(2, 4, 6, 8)


def test_a_crop_knows_whether_it_was_resampled():
    face = Face(Box(0, 0, 4, 4), 0.9)
    assert not FaceCrop(face, Window(0, 0, 6, 4), RGB).resampled
    assert FaceCrop(face, Window(0, 0, 12, 8), RGB).resampled
    with pytest.raises(ValueError, match=r"expected 0\.\.1"):
        Face(Box(0, 0, 1, 1), 92.0)
