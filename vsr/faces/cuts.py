"""Where one shot ends and the next begins, seen on thumbnails."""

from __future__ import annotations

import cv2
import numpy as np

_SIDE = 32
_MIN_CHANGE = 8.0
"""grey levels; below it two pictures are the same shot, whatever their noise does"""
_MAX_CORRELATION = 0.65
"""neighbouring frames of one shot gave 0.86 and more on the trial clips, also across jumps of
the exposure; pictures of different scenes 0.35 and less"""


def to_uint8(rgb: np.ndarray) -> np.ndarray:
    """8-bit version of an RGB picture: uint16 (full scale) is reduced, uint8 passes as it is."""
    if rgb.dtype == np.uint8:
        return rgb
    return (rgb >> 8).astype(np.uint8)


def thumbnail(rgb: np.ndarray) -> np.ndarray:
    """Means of a 32x32 grid over a picture ``(H, W, 3)``: float32 ``(32, 32, 3)``, 0..255."""
    step = max(1, min(rgb.shape[:2]) // (4 * _SIDE))
    small = np.ascontiguousarray(to_uint8(rgb[::step, ::step]))
    return cv2.resize(small, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)


class CutFinder:
    """Says of each frame whether it begins a new shot.

    A cut changes the arrangement of light and dark: the correlation of the thumbnails
    drops. A lamp switched on or a jump of the exposure changes the levels only.
    """

    def __init__(self) -> None:
        self._last: np.ndarray | None = None

    def is_cut(self, rgb: np.ndarray) -> bool:
        """Take the next frame, RGB ``(H, W, 3)``; False for the very first one."""
        small = thumbnail(rgb)
        before, self._last = self._last, small
        if before is None or np.abs(small - before).mean() < _MIN_CHANGE:
            return False
        return _correlation(small, before) < _MAX_CORRELATION


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's correlation, -1..1; 0 where one picture is flat."""
    a, b = a - a.mean(), b - b.mean()
    power = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / power if power > 0 else 0.0
