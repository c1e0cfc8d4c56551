"""RGB pictures -> the encoder's planar Y'CbCr, for videos made of generator output alone."""

from __future__ import annotations

import numpy as np

from vsr.core.color import ColorSpec, PixelFormat, rgb_to_yuv
from vsr.core.types import YuvPicture


def from_rgb(rgb: np.ndarray, format: PixelFormat, color: ColorSpec) -> YuvPicture:
    """Convert a picture to ``format`` with the matrix and range of ``color``.

    rgb: (H, W, 3) uint8 or uint16 (full 16-bit scale). Chroma is sited at the left, halfway
    between two lines, as MPEG-2 and H.264 take it where nothing is said: a 1-2-1 filter
    along a line, a mean of two lines.
    """
    height, width = rgb.shape[:2]
    yuv = rgb_to_yuv(rgb, color, format.bit_depth)
    planes = [yuv[..., 0]]
    for index in (1, 2):
        plane = yuv[..., index]
        if format.log2_chroma_h:
            plane = _halve_rows(plane)
        if format.log2_chroma_w:
            plane = _halve_columns(plane)
        planes.append(plane)
    dtype = np.uint16 if format.bit_depth > 8 else np.uint8
    buffer = np.concatenate([p.reshape(-1) for p in planes])
    low, high = _code_range(color, format.bit_depth)
    buffer = np.clip(np.rint(buffer), low, high).astype(dtype)
    return YuvPicture(buffer, width, height, format, color)


def _halve_rows(plane: np.ndarray) -> np.ndarray:
    if plane.shape[0] % 2:
        plane = np.concatenate([plane, plane[-1:]])
    return (plane[0::2] + plane[1::2]) * np.float32(0.5)


def _halve_columns(plane: np.ndarray) -> np.ndarray:
    padded = np.pad(plane, ((0, 0), (1, 1)), mode="edge")
    smooth = (padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]) * np.float32(0.25)
    return smooth[:, 0::2]


def _code_range(color: ColorSpec, bit_depth: int) -> tuple[int, int]:
    """Codes that may occur: 0 and the top are reserved for synchronisation in limited range."""
    top = (1 << bit_depth) - 1
    if color.full_range:
        return 0, top
    reserved = 1 << (bit_depth - 8)
    return reserved, top - reserved
