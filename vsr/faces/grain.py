"""The grain around a face, given back to it: a clean face in a noisy frame looks pasted."""

from __future__ import annotations

import cv2
import numpy as np

from vsr.faces.camera import planes, soften

_FINE = 1.5
"""low-resolution pixels: what is coarser than this is no grain"""
_MOST = 2.5
"""standard deviations: larger differences are detail that changed, not noise"""


def with_grain(sr: np.ndarray, lr: np.ndarray, amount: float) -> np.ndarray:
    """A super-resolved face with a share of the noise that the generator took out.

    The noise is the frame's own: the fine part of what the crop has more than the face reduced to
    its size, without its outliers, enlarged as the background is (Lanczos). So it has the strength
    and the texture of the grain around it, and is new in every frame as that is.

    Args:
        sr: uint8 or uint16 RGB ``(s*h, s*w, 3)``.
        lr: its crop, the same dtype, ``(h, w, 3)``.
        amount: 0 (none) to 1 (all of it).

    Returns:
        Like ``sr``.
    """
    height, width = lr.shape[:2]
    peak = np.iinfo(sr.dtype).max
    reduced = cv2.resize(sr.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    unit = np.float32(255 / peak)
    removed = planes(lr)[..., 0] - planes(reduced * unit)[..., 0]
    removed -= soften(removed, _FINE)
    sigma = 1.4826 * float(np.median(np.abs(removed)))  # of a normal distribution
    if amount == 0 or sigma == 0:
        return sr
    noise = np.clip(removed, -_MOST * sigma, _MOST * sigma) * np.float32(amount / unit)
    size = (sr.shape[1], sr.shape[0])
    grain = cv2.resize(noise, size, interpolation=cv2.INTER_LANCZOS4)
    return np.clip(np.rint(sr + grain[..., None]), 0, peak).astype(sr.dtype)
