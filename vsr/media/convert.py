"""RGB pictures -> the encoder's planar Y'CbCr, and back to be looked at."""

from __future__ import annotations

import numpy as np

from vsr.core.color import ColorSpec, PixelFormat, rgb_to_yuv, yuv_to_rgb
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


def to_rgb(picture: YuvPicture) -> np.ndarray:
    """A picture as RGB (H, W, 3): uint8, or uint16 (full 16-bit scale) above 8 bit.

    Subsampled chroma is interpolated linearly from where `from_rgb` puts it.
    """
    y, u, v = picture.planes()
    planes = [y.astype(np.float32)]
    for plane in (u, v):
        chroma = plane.astype(np.float32)
        if picture.format.log2_chroma_h:
            chroma = _double_rows(chroma)[: picture.height]
        if picture.format.log2_chroma_w:
            chroma = _double_columns(chroma)[:, : picture.width]
        planes.append(chroma)
    unit = yuv_to_rgb(np.stack(planes, axis=-1), picture.color, picture.format.bit_depth)
    dtype = np.uint16 if picture.format.bit_depth > 8 else np.uint8
    top = np.iinfo(dtype).max
    return np.clip(np.rint(unit * np.float32(top)), 0, top).astype(dtype)


def _double_rows(plane: np.ndarray) -> np.ndarray:
    """Samples stand halfway between two lines each."""
    padded = np.pad(plane, ((1, 1), (0, 0)), mode="edge")
    near, quarter = np.float32(0.75), np.float32(0.25)
    doubled = np.empty((2 * plane.shape[0], plane.shape[1]), np.float32)
    doubled[0::2] = near * plane + quarter * padded[:-2]
    doubled[1::2] = near * plane + quarter * padded[2:]
    return doubled


def _double_columns(plane: np.ndarray) -> np.ndarray:
    """Samples stand on every other column."""
    following = np.concatenate([plane[:, 1:], plane[:, -1:]], axis=1)
    doubled = np.empty((plane.shape[0], 2 * plane.shape[1]), np.float32)
    doubled[:, 0::2] = plane
    doubled[:, 1::2] = (plane + following) * np.float32(0.5)
    return doubled


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
