"""The feathered mask that decides how much of a super-resolved face is seen where."""

from __future__ import annotations

import threading
from collections import OrderedDict

import numpy as np

from vsr.core.geometry import Window

_ROUNDNESS = 4.0
"""exponent of the superellipse: 2 is an ellipse, infinity a rectangle"""
_KEPT_BYTES = 64 << 20
"""that masks may take together to be used again: hundreds of a crowd's, two of a close-up's"""

Touching = tuple[bool, bool, bool, bool]
"""whether a window touches the picture's left, top, right and bottom border"""


def touching(window: Window, width: int, height: int) -> Touching:
    """Which borders of a picture of a size a window touches."""
    return (
        window.x == 0,
        window.y == 0,
        window.x + window.width == width,
        window.y + window.height == height,
    )


def feathered_mask(height: int, width: int, feather: float, borders: Touching) -> np.ndarray:
    """Weights of a rounded window: float32 (height, width), 0..1, read-only.

    1 in the middle, a raised cosine down to exactly 0 on the window's outermost pixels;
    ``feather`` is the part of the half side it takes, 0..1. At a border that the window
    shares with the picture there is nothing to fade into, and it does not fade.
    """
    return _masks.get(height, width, feather, borders)


class _Masks:
    """The masks used last, as many as fit into ``_KEPT_BYTES``."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[object, ...], np.ndarray] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, height: int, width: int, feather: float, borders: Touching) -> np.ndarray:
        """See `feathered_mask`."""
        key = (height, width, feather, borders)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        mask = _made(height, width, feather, borders)
        with self._lock:
            if key not in self._kept and mask.nbytes <= _KEPT_BYTES:
                self._kept[key] = mask
                self._bytes += mask.nbytes
            while self._bytes > _KEPT_BYTES:
                self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return mask


_masks = _Masks()


def _made(height: int, width: int, feather: float, borders: Touching) -> np.ndarray:
    left, top, right, bottom = borders
    # most distances come twice, left and right of the middle: each pair is computed once
    x, columns = np.unique(_distance(width, left, right), return_inverse=True)
    y, rows = np.unique(_distance(height, top, bottom), return_inverse=True)
    radius = (x[None, :] ** _ROUNDNESS + y[:, None] ** _ROUNDNESS) ** (1 / _ROUNDNESS)
    rise = np.clip((1 - radius) / max(feather, 1e-6), 0, 1)
    quarter = (0.5 - 0.5 * np.cos(np.pi * rise)).astype(np.float32)
    mask = quarter[rows[:, None], columns]
    mask.setflags(write=False)
    return mask


def _distance(size: int, open_start: bool, open_end: bool) -> np.ndarray:
    """Distance of each pixel from the middle, 1 at the outermost; 0 towards open ends."""
    half = max(0.5, (size - 1) / 2)
    signed = (np.arange(size) - (size - 1) / 2) / half
    if open_start:
        signed = np.maximum(signed, 0)
    if open_end:
        signed = np.minimum(signed, 0)
    return np.abs(signed)
