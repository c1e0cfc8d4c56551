"""What a camera and its encoder did to a face, told from the low-resolution crop alone.

A crop that was in focus and kept well has fine detail and calm skin; defocus and motion take
the detail, noise adds it everywhere, an encoder leaves it at edges only. Nine figures of the
crop say so: strength of the luma in four octaves, its median there (skin without the edges),
and the strength of fine colour. Linear regressions on them give the blur, and how far pictures
that *are* the face then differ from the crop by noise and coding. Their coefficients come from
training stills through known lenses and real encoders (``tests/bench/evidence.py fit``).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import cv2
import numpy as np

from vsr.faces.camera_table import BLUR, HIGH, LOW, TOLERANCES

MAX_BLUR = 2.6
"""low-resolution pixels: standard deviation of the widest blur that is ever allowed for"""
MIN_BLUR = 0.8
"""the same of the narrowest: filters that reduce pictures differ by so much"""
FLOOR = 1.0
"""8-bit grey levels that are added before logarithms are taken of differences"""
LEAST = (2.0, 1.5, 1.5)
"""8-bit grey levels: smallest tolerances"""
MOST = (30.0, 15.0, 25.0)
"""8-bit grey levels: largest; more is a contradiction whatever the camera did"""
_OCTAVES = (0.7, 1.4, 2.8, 5.6)
"""low-resolution pixels: Gaussians between which the octaves lie"""
_YCBCR = np.array(
    [[0.299, 0.587, 0.114], [-0.1687, -0.3313, 0.5], [0.5, -0.4187, -0.0813]], np.float32
)
"""ITU-R BT.601 without offsets, full range"""


@dataclass(frozen=True, slots=True)
class Camera:
    """What is known of a crop's making."""

    blur: float
    """low-resolution pixels: standard deviation of the blur, as likely as not"""
    widest: float
    """the same, above which the crop is sharper than such a blur leaves it"""
    fine: float
    """8-bit levels by which the luma of details may differ"""
    coarse: float
    """the same of larger areas"""
    color: float
    """the same of Cb and Cr"""


def estimate(lr: np.ndarray, weights: np.ndarray) -> Camera:
    """The camera of a crop.

    lr: float32 (h, w, 3) as `planes` gives it. weights: float32 (h, w), what of it counts.
    """
    known = np.clip(features(lr, weights), LOW, HIGH)
    row = np.concatenate([[1.0], known])
    blur = max(0.0, float(row @ BLUR))
    spread = np.exp(np.array(TOLERANCES) @ row) - FLOOR
    fine, coarse, color = (float(t) for t in np.clip(spread, LEAST, MOST))
    widest = float(np.clip(1.5 * blur + MIN_BLUR, MIN_BLUR, MAX_BLUR))
    return Camera(min(blur, MAX_BLUR), widest, fine, coarse, color)


def planes(rgb: np.ndarray) -> np.ndarray:
    """Y, Cb and Cr in 8-bit levels, Cb and Cr about 0: float32 (h, w, 3).

    rgb: uint8, uint16, or float32 in 8-bit levels.
    """
    unit = 1 / 257 if rgb.dtype == np.uint16 else 1.0
    return cv2.transform(rgb.astype(np.float32), _YCBCR * np.float32(unit))


def features(lr: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Nine logarithms that describe a crop: float64 (9,). Arguments as for `estimate`."""
    share = weights / max(float(weights.sum()), 1e-6)
    middle = weights > 0.5
    luma = lr[..., 0]
    blurred = [luma, *(soften(luma, s) for s in _OCTAVES)]
    octaves = [a - b for a, b in itertools.pairwise(blurred)]
    strength = [np.sqrt(float((share * o * o).sum())) for o in octaves]
    median = [float(np.median(np.abs(o[middle]))) if middle.any() else 0.0 for o in octaves]
    color = lr[..., 1:] - soften(lr[..., 1:], 2.0)
    tint = np.sqrt(float((share[..., None] * color * color).sum()))
    return np.concatenate(
        [np.log(np.array(strength) + 0.2), np.log(np.array(median) + 0.1), [np.log(tint + 0.2)]]
    )


def soften(picture: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur with mirrored borders; the picture itself for 0."""
    if sigma <= 0:
        return picture
    return cv2.GaussianBlur(picture, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
