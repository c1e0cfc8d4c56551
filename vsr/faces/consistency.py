"""Never worse than Lanczos.

A super-resolved face must still be the face that was filmed: reduced again it must give
its low-resolution pixels back. Where it does not (a hand before the mouth turned into
a mouth, another colour of skin), the plainly upscaled pixels stay.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from vsr.core.errors import DataError
from vsr.core.types import FaceCrop
from vsr.faces.mask import Touching

_BLOCK = 8
"""low-resolution pixels: side of the patches whose mean colour must be kept; grain and block
noise, which a generator may well remove, average out within one"""
_RIM = 1 / 16
"""part of the side left out on each side: a generator sees the border half blind, and the mask
does not paste it, but where it is the picture's own"""
_NONE: Touching = (False, False, False, False)
_DRIFT_SIGMA = 4.0
"""low-resolution pixels: colour that differs over more than this is drift, not detail"""
_DRIFT_SEEN = 0.25
"""grey levels below which drift is left alone"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How far a super-resolved face may leave its evidence."""

    max_deviation: float
    """8-bit grey levels, mean over the crop"""
    max_local_deviation: float
    """8-bit grey levels, of the mean colour of any patch of 8x8 low-resolution pixels"""
    correct_drift: bool
    """take out slow colour differences to the low-resolution pixels"""


@dataclass(frozen=True, slots=True)
class Deviation:
    """How much of the low-resolution picture a super-resolved one does not give back."""

    mean: float
    """8-bit grey levels: mean absolute difference over pixels and channels"""
    local: float
    """8-bit grey levels: largest difference of the mean colour of an 8x8 patch"""


def judge(crop: FaceCrop, scale: int, limits: Limits, borders: Touching = _NONE) -> FaceCrop:
    """The crop with ``outcome`` and ``deviation`` set; without ``sr`` it becomes "plain".

    borders: of the picture, which the crop's window touches: it is judged up to there.
    With `correct_drift` the slow part of the colour difference is taken out of ``sr``.
    Raises `DataError` where ``sr`` is not ``scale`` times as large as ``lr``.
    """
    if crop.sr is None:
        return replace(crop, outcome="plain")
    residual = _residual(crop.lr, crop.sr, scale)
    found = measure(residual, borders)
    kept = found.mean <= limits.max_deviation and found.local <= limits.max_local_deviation
    sr = _without_drift(crop.sr, residual) if kept and limits.correct_drift else crop.sr
    outcome = "super-resolved" if kept else "plain"
    return replace(crop, sr=sr, outcome=outcome, deviation=found.mean)


def measure(residual: np.ndarray, borders: Touching = _NONE) -> Deviation:
    """Sum up a difference of pictures ``(h, w, 3)`` float32 in 8-bit grey levels.

    borders: the sides on which the rim counts, too.
    """
    height, width = residual.shape[:2]
    rim = max(1, round(min(height, width) * _RIM))
    left, top, right, bottom = (0 if touched else rim for touched in borders)
    inner = residual[top : height - bottom, left : width - right]
    if min(height, width) <= 4 * rim:
        inner = residual
    patches = cv2.blur(inner, (_BLOCK, _BLOCK), borderType=cv2.BORDER_REFLECT)
    return Deviation(float(np.abs(inner).mean()), float(np.abs(patches).max()))


def _residual(lr: np.ndarray, sr: np.ndarray, scale: int) -> np.ndarray:
    """``lr`` minus ``sr`` reduced: float32 (h, w, 3), 8-bit grey levels."""
    height, width = lr.shape[:2]
    if sr.shape[:2] != (height * scale, width * scale) or sr.dtype != lr.dtype:
        raise DataError(
            f"crop: got a super-resolved picture {sr.shape[1]}x{sr.shape[0]} {sr.dtype}, "
            f"wanted {width * scale}x{height * scale} {lr.dtype}; "
            "use the scale the model was made for"
        )
    unit = np.float32(1 if lr.dtype == np.uint8 else 1 / 257)
    return (lr.astype(np.float32) - reduce(sr, scale)) * unit


def reduce(sr: np.ndarray, scale: int) -> np.ndarray:
    """Area average over ``scale`` x ``scale`` pixels: (s*h, s*w, 3) -> float32 (h, w, 3)."""
    height, width = sr.shape[0] // scale, sr.shape[1] // scale
    return cv2.resize(sr.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)


def _without_drift(sr: np.ndarray, residual: np.ndarray) -> np.ndarray:
    """``sr`` plus the slow part of the residual, in ``sr``'s dtype."""
    drift = cv2.GaussianBlur(residual, (0, 0), _DRIFT_SIGMA, borderType=cv2.BORDER_REFLECT)
    if float(np.abs(drift).max()) < _DRIFT_SEEN:
        return sr
    unit, top = (1, 255) if sr.dtype == np.uint8 else (257, 65535)
    size = (sr.shape[1], sr.shape[0])
    wide = cv2.resize(drift * np.float32(unit), size, interpolation=cv2.INTER_LINEAR)
    wide += sr
    return np.clip(np.rint(wide, out=wide), 0, top).astype(sr.dtype)
