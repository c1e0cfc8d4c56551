"""The numbers behind blur, downsampling and JPEG, in numpy: no cv2, no keras."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np

from vsr.core.cubic import cubic

Reduction = Literal["bicubic", "area"]
"""How protocols make an image smaller: PIL's BICUBIC (a = -0.5, antialiased) or the mean of the
area each pixel covers (OpenCV's INTER_AREA)."""

Resizing = Literal["bicubic", "area", "bilinear", "lanczos"]
"""How the world resizes an image: also by PIL's BILINEAR or LANCZOS (three lobes), antialiased."""

JPEG_LUMA = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    np.float32,
)
"""Luminance quantisation table at quality 50, ITU-T T.81 (JPEG), annex K.1."""

JPEG_CHROMA = np.full((8, 8), 99, np.float32)
JPEG_CHROMA[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]
"""Chrominance table at quality 50, the same annex."""


@lru_cache(maxsize=4)
def dct_matrix(size: int = 8) -> np.ndarray:
    """Orthonormal DCT-II, float32 ``(size, size)``: coefficients = D @ block @ D.T."""
    k, n = np.arange(size)[:, None], np.arange(size)[None, :]
    matrix = np.cos(np.pi * (2 * n + 1) * k / (2 * size)) * np.sqrt(2 / size)
    matrix[0] /= np.sqrt(2)
    return matrix.astype(np.float32)


@lru_cache(maxsize=64)
def reduction_matrix(size_in: int, size_out: int, kind: Resizing) -> np.ndarray:
    """Weights of a 1-D reduction, float32 ``(size_out, size_in)``, rows sum to 1.

    "bicubic" follows PIL: the kernel is stretched by the ratio and renormalised where it
    leaves the picture. "area" follows INTER_AREA: the overlap of each source pixel.
    ValueError for the other kinds, which only the CPU path has.
    """
    if kind not in ("bicubic", "area"):
        raise ValueError(f"reduction: got '{kind}', expected 'bicubic' or 'area' here")
    if size_out < 1 or size_out > size_in:
        raise ValueError(f"reduction: got {size_in} -> {size_out} px, expected a size from 1 to it")
    ratio = size_in / size_out
    source = np.arange(size_in)[None, :]
    target = np.arange(size_out)[:, None]
    if kind == "bicubic":
        weights = cubic((source + 0.5 - (target + 0.5) * ratio) / ratio)
    else:
        left, right = target * ratio, (target + 1) * ratio
        weights = np.clip(np.minimum(source + 1, right) - np.maximum(source, left), 0, None)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def motion_kernel(length: float, angle: float, size: int) -> np.ndarray:
    """Normalised straight-line blur, float32 ``(size, size)``.

    length: pixels travelled during the exposure, from 1 (none) to ``size``; angle: radians,
    0 is horizontal.
    """
    y, x = np.mgrid[:size, :size] - size // 2
    along = x * np.cos(angle) + y * np.sin(angle)
    across = -x * np.sin(angle) + y * np.cos(angle)
    kernel = np.clip(1 - np.abs(across), 0, 1) * np.clip(length / 2 + 0.5 - np.abs(along), 0, 1)
    return (kernel / kernel.sum()).astype(np.float32)


def disc_kernel(radius: float) -> np.ndarray:
    """Normalised disc, float32 ``(n, n)``, n odd: what a point becomes out of focus.

    radius: pixels; the rim is antialiased over one pixel.
    """
    half = int(np.ceil(radius))
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    kernel = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1)
    return (kernel / kernel.sum()).astype(np.float32)
