from __future__ import annotations

import cv2
import numpy as np
import pytest

from vsr.core.errors import UsageError
from vsr.faces.grain import with_grain
from vsr.faces.paste import PasteConfig


def face(dtype: type = np.uint8) -> np.ndarray:
    y, x = np.mgrid[:64, :64] / 64.0
    waves = [np.sin(9 * x + 4 * y), np.cos(7 * y * x), np.sin(12 * x * y)]
    levels = np.stack([127 + 70 * w for w in waves], -1)
    return np.rint(levels * (np.iinfo(dtype).max / 255)).astype(dtype)


def noisy(sigma: float, dtype: type = np.uint8) -> np.ndarray:
    lr = cv2.resize(face(dtype), (32, 32), interpolation=cv2.INTER_AREA).astype(np.float64)
    noise = np.random.default_rng(0).normal(0, sigma, (32, 32, 1)) * (np.iinfo(dtype).max / 255)
    return np.clip(np.rint(lr + noise), 0, np.iinfo(dtype).max).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grain_has_the_strength_of_the_noise_around(dtype: type) -> None:
    unit = np.iinfo(dtype).max / 255
    plain = cv2.resize(noisy(6, dtype).astype(np.float32), (64, 64), interpolation=4)
    around = (plain - face(dtype)).std() / unit
    added = (with_grain(face(dtype), noisy(6, dtype), 1.0).astype(float) - face(dtype)).std() / unit
    assert added == pytest.approx(around, rel=0.25)
    half = (with_grain(face(dtype), noisy(6, dtype), 0.5).astype(float) - face(dtype)).std() / unit
    assert half == pytest.approx(added / 2, rel=0.1)


def test_a_clean_crop_and_no_amount_change_nothing() -> None:
    np.testing.assert_array_equal(with_grain(face(), noisy(6), 0.0), face())
    change = with_grain(face(), noisy(0), 1.0).astype(int) - face()
    assert np.abs(change).max() <= 1


def test_detail_that_changed_does_not_come_back() -> None:
    """An eye that the network opened is no noise: the old one is not laid over it."""
    lr = noisy(2)
    lr[10:14, 10:14] = 255
    change = np.abs(with_grain(face(), lr, 1.0).astype(int) - face())
    assert change[20:28, 20:28].max() < 25


def test_amounts_out_of_range_are_refused() -> None:
    with pytest.raises(UsageError, match=r"paste\.grain: got 1\.5, expected 0\.\.1"):
        PasteConfig(grain=1.5)
