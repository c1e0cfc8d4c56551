"""Full-reference metrics that need no network: PSNR, SSIM, HaarPSI.

All take two pictures ``(H, W, 3)`` uint8 RGB of equal size, the second one the reference, and
leave out ``border`` pixels on every side.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from vsr.core.errors import DataError

Float = NDArray[np.float64]

PEAK = 255.0
MAX_DB = 100.0
"""PSNR of equal pictures, and the most there is: an infinite one has no mean"""
_LUMA = np.array([65.481, 128.553, 24.966]) / 255
_SSIM_C1, _SSIM_C2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2
_SSIM_RADIUS, _SSIM_SIGMA = 5, 1.5


def luma(rgb: np.ndarray) -> Float:
    """BT.601 luma in limited range, unrounded (ITU-R BT.601-7; MATLAB's rgb2ycbcr).

    Args:
        rgb: uint8 ``(..., 3)``.

    Returns:
        float64 ``(...)``, 16 (black) to 235 (white).
    """
    return np.asarray(16.0 + rgb.astype(np.float64) @ _LUMA, np.float64)


def psnr_y(sr: np.ndarray, hr: np.ndarray, border: int = 0) -> float:
    """Peak signal-to-noise ratio of the luma in dB (peak 255), at most `MAX_DB`."""
    a, b = _pair(sr, hr, border)
    return _psnr(luma(a), luma(b))


def psnr_rgb(sr: np.ndarray, hr: np.ndarray, border: int = 0) -> float:
    """Peak signal-to-noise ratio over the three channels in dB (peak 255), at most `MAX_DB`."""
    a, b = _pair(sr, hr, border)
    return _psnr(a.astype(np.float64), b.astype(np.float64))


def ssim_y(sr: np.ndarray, hr: np.ndarray, border: int = 0) -> float:
    """Structural similarity of the luma, up to 1 (Wang et al., IEEE TIP 2004).

    Gaussian window of 11x11, sigma 1.5; mean over the windows that lie wholly inside.
    """
    a, b = _pair(sr, hr, border)
    return _ssim(luma(a), luma(b))


def ssim_rgb(sr: np.ndarray, hr: np.ndarray, border: int = 0) -> float:
    """Structural similarity, mean of the three channels."""
    a, b = (x.astype(np.float64) for x in _pair(sr, hr, border))
    return float(np.mean([_ssim(a[..., c], b[..., c]) for c in range(3)]))


def haarpsi_y(sr: np.ndarray, hr: np.ndarray, border: int = 0) -> float:
    """Haar wavelet perceptual similarity of the luma, 0 to 1.

    Reisenhofer et al., Signal Processing: Image Communication 61 (2018), with their C = 30 and
    alpha = 4.2: a perceptual index without learnt features, which no training loss here aims at.
    """
    a, b = _pair(sr, hr, border)
    return _haarpsi(_full_range(luma(a)), _full_range(luma(b)))


METRICS: dict[str, Callable[[np.ndarray, np.ndarray, int], float]] = {
    "psnr_y": psnr_y,
    "ssim_y": ssim_y,
    "psnr_rgb": psnr_rgb,
    "ssim_rgb": ssim_rgb,
    "haarpsi_y": haarpsi_y,
}


def _pair(sr: np.ndarray, hr: np.ndarray, border: int) -> tuple[np.ndarray, np.ndarray]:
    good = sr.shape == hr.shape and sr.ndim == 3 and sr.shape[2] == 3
    if not good or sr.dtype != np.uint8 or hr.dtype != np.uint8:
        raise DataError(
            f"metric: got {sr.shape} {sr.dtype} against {hr.shape} {hr.dtype}, "
            "expected two (H, W, 3) uint8 pictures of one size; resize or crop the reference"
        )
    least = min(sr.shape[:2]) - 2 * border
    if border < 0 or least < 2 * _SSIM_RADIUS + 1:
        raise DataError(
            f"metric: got {sr.shape[1]}x{sr.shape[0]} with a border of {border}, expected at least "
            f"{2 * _SSIM_RADIUS + 1} pixels a side inside it; use larger pictures"
        )
    inside = slice(border, -border or None)
    return sr[inside, inside], hr[inside, inside]


def _array(x: object) -> Float:
    return np.asarray(x, np.float64)


def _psnr(a: Float, b: Float) -> float:
    error = float(np.mean((a - b) ** 2))
    return MAX_DB if error == 0 else min(MAX_DB, float(10 * np.log10(PEAK**2 / error)))


def _ssim(a: Float, b: Float) -> float:
    size = 2 * _SSIM_RADIUS + 1
    kernel = cv2.getGaussianKernel(size, _SSIM_SIGMA, cv2.CV_64F)

    def blur(x: Float) -> Float:
        inside = slice(_SSIM_RADIUS, -_SSIM_RADIUS)
        return _array(cv2.sepFilter2D(x, cv2.CV_64F, kernel, kernel))[inside, inside]

    mean_a, mean_b = blur(a), blur(b)
    var_a, var_b = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2
    cov = blur(a * b) - mean_a * mean_b
    top = (2 * mean_a * mean_b + _SSIM_C1) * (2 * cov + _SSIM_C2)
    bottom = (mean_a**2 + mean_b**2 + _SSIM_C1) * (var_a + var_b + _SSIM_C2)
    return float(np.mean(top / bottom))


_HAAR_C, _HAAR_ALPHA = 30.0, 4.2


def _full_range(y: Float) -> Float:
    return (y - 16.0) * (255.0 / 219.0)


def _haarpsi(a: Float, b: Float) -> float:
    # as the authors do: 2x2 means first, for the viewing distance
    a, b = _half(a), _half(b)
    weighted = total = 0.0
    for transpose in (False, True):
        x, y = (a.T, b.T) if transpose else (a, b)
        coefficients = [(_haar(x, scale), _haar(y, scale)) for scale in (1, 2, 3)]
        weight = np.maximum(*(np.abs(c) for c in coefficients[2]))
        similar = [
            (2 * np.abs(p) * np.abs(q) + _HAAR_C) / (p * p + q * q + _HAAR_C)
            for p, q in coefficients[:2]
        ]
        local = (similar[0] + similar[1]) / 2
        weighted += float(np.sum(_logistic(local) * weight))
        total += float(np.sum(weight))
    if total == 0:
        return 1.0
    mean = weighted / total
    return float((np.log(mean / (1 - mean)) / _HAAR_ALPHA) ** 2)


def _half(y: Float) -> Float:
    blurred = cv2.filter2D(y, cv2.CV_64F, np.full((2, 2), 0.25), borderType=cv2.BORDER_CONSTANT)
    return _array(blurred)[::2, ::2]


def _haar(y: Float, scale: int) -> Float:
    """Response of the vertical-edge Haar filter of width 2**scale, same size, zeros outside."""
    size = 2**scale
    kernel = np.full((size, size), 2.0**-scale)
    kernel[: size // 2] *= -1
    return _array(cv2.filter2D(y, cv2.CV_64F, kernel, borderType=cv2.BORDER_CONSTANT))


def _logistic(x: Float) -> Float:
    return 1 / (1 + np.exp(-_HAAR_ALPHA * x))
