"""Pixel formats and the RGB -> Y'CbCr conversion used for pasting.

Formulas: ITU-R BT.601-7, BT.709-6 and BT.2020-2 (non-constant luminance); limited
range places black at 16 and white at 235 (luma), 16..240 (chroma), times
2^(depth-8); full range uses the whole scale.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Matrix = Literal["bt601", "bt709", "bt2020"]

_KR_KB: dict[str, tuple[float, float]] = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
    "bt2020": (0.2627, 0.0593),
}


MATRIX_TAGS: dict[Matrix, str] = {"bt601": "smpte170m", "bt709": "bt709", "bt2020": "bt2020nc"}
"""our names -> ffmpeg's names of the colour tag"""


def usual_matrix(width: int, height: int) -> Matrix:
    """What players take untagged pictures for: BT.709 from 720 lines or 1280 columns on.

    width, height: as the pictures are coded, before any rotation.
    """
    return "bt709" if height >= 720 or width >= 1280 else "bt601"


@dataclass(frozen=True, slots=True)
class ColorSpec:
    """How Y'CbCr numbers are to be read, and the tags that say so.

    ``matrix`` and ``full_range`` are always known (the rule for untagged material is
    applied when probing); the three tags are ffmpeg's names, None where the source has none.
    """

    matrix: Matrix = "bt709"
    full_range: bool = False
    tag_space: str | None = None
    """ffmpeg colorspace name to write, e.g. "bt709", "smpte170m" """
    tag_primaries: str | None = None
    tag_transfer: str | None = None
    tag_range: str | None = None
    """"tv", "pc" or None"""
    mastering: str | None = None
    """HDR10: x and y of red, green, blue and white, then darkest and brightest in cd/m²"""
    light: str | None = None
    """HDR10: greatest light level of a pixel, and of a frame's mean, in cd/m²"""


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """A planar Y'CbCr format."""

    name: str
    """ffmpeg's name, e.g. "yuv420p", "yuv420p10le" """
    log2_chroma_w: int
    """horizontal chroma subsampling as a power of two"""
    log2_chroma_h: int
    """vertical chroma subsampling as a power of two"""
    bit_depth: int

    def chroma_size(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) of U and V; odd luma sizes round up."""
        return -(-width >> self.log2_chroma_w), -(-height >> self.log2_chroma_h)

    def samples(self, width: int, height: int) -> int:
        """Number of samples of all three planes."""
        cw, ch = self.chroma_size(width, height)
        return width * height + 2 * cw * ch


PIXEL_FORMATS: dict[str, PixelFormat] = {
    f.name: f
    for f in (
        PixelFormat("yuv420p", 1, 1, 8),
        PixelFormat("yuv422p", 1, 0, 8),
        PixelFormat("yuv444p", 0, 0, 8),
        PixelFormat("yuv420p10le", 1, 1, 10),
        PixelFormat("yuv422p10le", 1, 0, 10),
        PixelFormat("yuv444p10le", 0, 0, 10),
    )
}


def rgb_to_yuv(rgb: np.ndarray, color: ColorSpec, bit_depth: int) -> np.ndarray:
    """R'G'B' -> Y'CbCr at full chroma resolution, unrounded (ITU-T H.273, 8.3).

    The formula as it stands there, which the quicker ways of the stages are tested against.

    rgb: (H, W, 3) uint8, uint16 (full 16-bit scale) or float32 in 0..1.
    Returns float32 (H, W, 3) in code values of ``bit_depth``; not clipped.
    """
    if rgb.dtype == np.uint8:
        unit = rgb.astype(np.float32) / np.float32(255)
    elif rgb.dtype == np.uint16:
        unit = rgb.astype(np.float32) / np.float32(65535)
    else:
        unit = rgb.astype(np.float32, copy=False)
    return unit @ _matrix(color, bit_depth).T + _offset(color, bit_depth)


def yuv_to_rgb(yuv: np.ndarray, color: ColorSpec, bit_depth: int) -> np.ndarray:
    """The reverse of `rgb_to_yuv`: (H, W, 3) code values -> float32 R'G'B', 1 is white."""
    inverse = np.linalg.inv(_matrix(color, bit_depth).astype(np.float64)).astype(np.float32)
    return (yuv.astype(np.float32) - _offset(color, bit_depth)) @ inverse.T


def yuv_transform(color: ColorSpec, bit_depth: int) -> np.ndarray:
    """R'G'B' in 0..1 -> Y'CbCr code values as one affine matrix: float32 (3, 4)."""
    return np.column_stack([_matrix(color, bit_depth), _offset(color, bit_depth)])


def _matrix(color: ColorSpec, bit_depth: int) -> np.ndarray:
    kr, kb = _KR_KB[color.matrix]
    kg = 1.0 - kr - kb
    rows = np.array(
        [
            [kr, kg, kb],
            [-kr / (2 * (1 - kb)), -kg / (2 * (1 - kb)), 0.5],
            [0.5, -kg / (2 * (1 - kr)), -kb / (2 * (1 - kr))],
        ]
    )
    if color.full_range:
        gain = np.array([1.0, 1.0, 1.0]) * (2**bit_depth - 1)
    else:
        gain = np.array([219.0, 224.0, 224.0]) * 2 ** (bit_depth - 8)
    return (rows * gain[:, None]).astype(np.float32)


def _offset(color: ColorSpec, bit_depth: int) -> np.ndarray:
    black = 0 if color.full_range else 16 << (bit_depth - 8)
    neutral = 128 << (bit_depth - 8)
    return np.array([black, neutral, neutral], np.float32)
