"""True to the evidence.

A super-resolved face must still be the face that was filmed. It is taken through what the
camera did (`vsr.faces.camera`, told from the low-resolution crop alone) and compared with the
crop. Where no such camera makes the one out of the other (a hand before the mouth turned into
a mouth, eyes that were shut, another colour of skin) the plainly upscaled pixels stay.

At each pixel the crop must lie between the super-resolved picture seen by the sharpest camera
that is allowed for, and by the softest; what lies outside of that is summed up over details
and over areas. The result may in turn be softer than the crop: that invents nothing. Luma is
compared in detail, colour only coarsely, as encoders keep it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from vsr.core.errors import DataError
from vsr.core.types import FaceCrop
from vsr.faces.camera import Camera, estimate, planes, soften
from vsr.faces.mask import Touching, feathered_mask

_NONE: Touching = (False, False, False, False)
_FEATHER = 0.35
"""as in `PasteConfig`: what is hardly pasted hardly counts"""
_RIM = 0.15
"""weight under which nothing counts: a generator sees the border half blind"""
_LUMA_BAND = 1.0
"""low-resolution pixels (as all here): Gaussian through which luma is compared; finer detail
is the grain's and the encoder's"""
_COLOR_BAND = 2.0
_SOFTER = 1.2
"""Gaussian by which a result may be softer than its crop"""
_FINE, _COARSE, _TINT = 1.5, 3.0, 3.0
"""Gaussians over which differences are averaged: of details, of areas, of colour"""
_OCTAVES_GIVEN_UP = 0.25
"""of those by which a crop with a working scale is reduced, before it is judged: what is finer is
an encoder's blocks and ringing, enlarged with the face. At 0 the truth is refused where they are
hard; the more is given up, the more eyes that were closed pass"""
_DRIFT_SIGMA = 4.0
"""colour that differs over more than this is drift, not detail"""
_DRIFT_SEEN = 0.25
"""grey levels below which drift is left alone"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How far a super-resolved face may leave its evidence."""

    max_contradiction: float
    """see `Differences.contradiction`"""
    correct_drift: bool
    """take out slow colour differences to the low-resolution pixels"""


@dataclass(frozen=True, slots=True)
class Differences:
    """What no camera that is allowed for explains: 8-bit levels, the largest in the crop."""

    fine: float
    """luma of details"""
    coarse: float
    """luma of larger areas"""
    color: float
    """Cb and Cr"""

    def contradiction(self, camera: Camera) -> float:
        """The worst of the three over what the crop's noise and coding explain of it."""
        return max(self.fine / camera.fine, self.coarse / camera.coarse, self.color / camera.color)


def judge(crop: FaceCrop, scale: int, limits: Limits, borders: Touching = _NONE) -> FaceCrop:
    """The crop with ``outcome`` and ``deviation`` set; without ``sr`` it becomes "plain".

    borders: of the picture, which the crop's window touches: it is judged up to there. A crop
    with a working scale is judged a little smaller than it is: see `_OCTAVES_GIVEN_UP`.
    With `correct_drift` the slow part of the colour difference is taken out of ``sr``.
    Raises `DataError` where ``sr`` is not ``scale`` times as large as ``lr``.
    """
    if crop.sr is None:
        return replace(crop, outcome="plain")
    lr, seen = planes(crop.lr), planes(_reduced(crop.lr, crop.sr, scale))
    camera, found = _judged(lr, seen, borders)
    if crop.working is not None:
        lr, seen = (_at_detail(p, crop.working.side) for p in (lr, seen))
        found = _judged(lr, seen, borders)[1]
    kept = found <= limits.max_contradiction
    sr = crop.sr
    if limits.correct_drift:
        sr = _without_drift(crop.lr, sr, scale, camera.blur)
    return replace(crop, sr=sr, outcome="super-resolved" if kept else "plain", deviation=found)


def contradiction(
    lr: np.ndarray, sr: np.ndarray, borders: Touching = _NONE, *, working_px: float | None = None
) -> float:
    """How much a super-resolved picture contradicts its evidence.

    lr: uint8 or uint16 (h, w, 3). sr: the same dtype, a whole number of times as large.
    0: a camera that is allowed for makes exactly ``lr`` of it. Up to 1: noise and coding as
    found in ``lr`` explain the difference. working_px: side of ``lr`` at its working scale; None:
    it has none. Raises `DataError` where the sizes don't fit.
    """
    scale = max(1, round(sr.shape[0] / lr.shape[0]))
    evidence, seen = planes(lr), planes(_reduced(lr, sr, scale))
    if working_px is not None:
        evidence, seen = (_at_detail(p, working_px) for p in (evidence, seen))
    return _judged(evidence, seen, borders)[1]


def _judged(lr: np.ndarray, seen: np.ndarray, borders: Touching) -> tuple[Camera, float]:
    """The camera of a crop, and how much what it would see of the result contradicts it."""
    height, width = lr.shape[:2]
    weights = feathered_mask(height, width, _FEATHER, borders)
    camera = estimate(lr, weights)
    return camera, compare(lr, seen, camera.widest, weights).contradiction(camera)


def _at_detail(picture: np.ndarray, side: float) -> np.ndarray:
    """A little smaller, where a crop is reduced to ``side`` for its network.

    An encoder's blocks and ringing were enlarged together with the face, and no camera that is
    told from the crop explains them.
    """
    height, width = picture.shape[:2]
    step = max(1.0, min(height, width) / side) ** _OCTAVES_GIVEN_UP
    size = (round(width / step), round(height / step))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def compare(lr: np.ndarray, sr: np.ndarray, blur: float, weights: np.ndarray) -> Differences:
    """What cameras of up to a blur don't explain.

    lr, sr: float32 (h, w, 3) as `planes` gives them, both of the crop's size. blur: standard
    deviation in pixels. weights: float32 (h, w), 0..1.
    """
    luma = _outside(lr[..., 0], sr[..., 0], _LUMA_BAND, blur, _SOFTER)
    color = _outside(lr[..., 1:], sr[..., 1:], _COLOR_BAND, blur, _COLOR_BAND)
    inner = np.where(weights < _RIM, 0, weights)
    tint = soften(color * inner[..., None], _TINT)
    fine, coarse = (soften(luma * inner, s) for s in (_FINE, _COARSE))
    return Differences(*(float(np.abs(d).max()) for d in (fine, coarse, tint)))


def reduce(sr: np.ndarray, scale: int) -> np.ndarray:
    """Area average over ``scale`` x ``scale`` pixels: (s*h, s*w, 3) -> float32 (h, w, 3)."""
    height, width = sr.shape[0] // scale, sr.shape[1] // scale
    return cv2.resize(sr.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)


def _outside(lr: np.ndarray, sr: np.ndarray, band: float, blur: float, softer: float) -> np.ndarray:
    """How far ``lr`` lies above (or, negative, below) what cameras make of ``sr``."""
    seen = [soften(sr, float(np.hypot(band, blur * share))) for share in (0.0, 0.5, 1.0)]
    least, most = np.minimum.reduce(seen), np.maximum.reduce(seen)
    there = soften(lr, band)
    soft = soften(there, softer)
    above = np.maximum(np.minimum(there, soft) - most, 0)
    below = np.maximum(least - np.maximum(there, soft), 0)
    return above - below


def _reduced(lr: np.ndarray, sr: np.ndarray, scale: int) -> np.ndarray:
    """``sr`` at the size of ``lr``: float32 (h, w, 3), 8-bit levels."""
    height, width = lr.shape[:2]
    if sr.shape[:2] != (height * scale, width * scale) or sr.dtype != lr.dtype:
        raise DataError(
            f"crop: got a super-resolved picture {sr.shape[1]}x{sr.shape[0]} {sr.dtype}, "
            f"expected {width * scale}x{height * scale} {lr.dtype}; "
            "use the scale the model was made for"
        )
    return reduce(sr, scale) * np.float32(1 if lr.dtype == np.uint8 else 1 / 257)


def _without_drift(lr: np.ndarray, sr: np.ndarray, scale: int, blur: float) -> np.ndarray:
    """``sr`` with the colours that ``lr`` has over wide areas, in ``sr``'s dtype."""
    unit, top = (1, 255) if sr.dtype == np.uint8 else (257, 65535)
    residual = lr.astype(np.float32) / np.float32(unit) - soften(_reduced(lr, sr, scale), blur)
    drift = soften(residual, _DRIFT_SIGMA)
    if float(np.abs(drift).max()) < _DRIFT_SEEN:
        return sr
    size = (sr.shape[1], sr.shape[0])
    wide = cv2.resize(drift * np.float32(unit), size, interpolation=cv2.INTER_LINEAR)
    wide += sr
    return np.clip(np.rint(wide, out=wide), 0, top).astype(sr.dtype)
