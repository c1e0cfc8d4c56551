"""The feathered mask that decides how much of a super-resolved face is seen where."""

from __future__ import annotations

import functools

import numpy as np

from vsr.core.geometry import Window

_ROUNDNESS = 4.0
"""exponent of the superellipse: 2 is an ellipse, infinity a rectangle"""

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


@functools.lru_cache(maxsize=128)
def feathered_mask(height: int, width: int, feather: float, borders: Touching) -> np.ndarray:
    """Weights of a rounded window: float32 (height, width), 0..1, read-only.

    1 in the middle, a raised cosine down to exactly 0 on the window's outermost pixels;
    ``feather`` is the part of the half side it takes, 0..1. At a border that the window
    shares with the picture there is nothing to fade into, and it does not fade.
    """
    left, top, right, bottom = borders
    x = _distance(width, left, right)[None, :]
    y = _distance(height, top, bottom)[:, None]
    radius = (x**_ROUNDNESS + y**_ROUNDNESS) ** (1 / _ROUNDNESS)
    rise = np.clip((1 - radius) / max(feather, 1e-6), 0, 1)
    mask = (0.5 - 0.5 * np.cos(np.pi * rise)).astype(np.float32)
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
