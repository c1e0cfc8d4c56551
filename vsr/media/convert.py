"""RGB pictures -> the encoder's planar Y'CbCr, and back to be looked at."""

from __future__ import annotations

import cv2
import numpy as np

from vsr.core.color import ColorSpec, PixelFormat, yuv_to_rgb, yuv_transform
from vsr.core.types import YuvPicture

_ONE_TWO_ONE = np.array([0.25, 0.5, 0.25], np.float32)
_ONE = np.ones(1, np.float32)


def from_rgb(rgb: np.ndarray, format: PixelFormat, color: ColorSpec) -> YuvPicture:
    """Convert a picture to ``format`` with the matrix and range of ``color``.

    rgb: (H, W, 3) uint8, uint16 (full 16-bit scale) or float32 where 1 is white, and what lies
    beyond ends at the formats' limits. Chroma is sited at the left, halfway between two lines,
    as MPEG-2 and H.264 take it where nothing is said: a 1-2-1 filter along a line, a mean of two.
    """
    height, width = rgb.shape[:2]
    matrix = yuv_transform(color, format.bit_depth)
    if rgb.dtype != np.float32:
        matrix[:, :3] /= np.iinfo(rgb.dtype).max
    pixels = rgb.astype(np.float32, copy=False)
    # Both filter and matrix are linear: fewer pixels are left for the matrix when it comes last.
    _, *chroma = cv2.split(cv2.transform(_chroma_sites(pixels, format), matrix))
    planes = [cv2.transform(pixels, matrix[:1]), *chroma]
    buffer = np.empty(
        format.samples(width, height), np.uint16 if format.bit_depth > 8 else np.uint8
    )
    depth = cv2.CV_16U if format.bit_depth > 8 else cv2.CV_8U
    low, high = _code_range(color, format.bit_depth)
    at = 0
    for plane in planes:
        there = buffer[at : at + plane.size].reshape(plane.shape)
        # times 1 rounds to the nearest code and saturates
        cv2.addWeighted(plane, 1, plane, 0, 0, dst=there, dtype=depth)
        np.clip(there, low, high, out=there)
        at += plane.size
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


def _chroma_sites(pixels: np.ndarray, format: PixelFormat) -> np.ndarray:
    """The colours (h, w, 3) float32 where the format has its chroma samples."""
    if format.log2_chroma_h:
        if pixels.shape[0] % 2:
            pixels = np.concatenate([pixels, pixels[-1:]])
        pixels = pixels[0::2] + pixels[1::2]
        pixels *= np.float32(0.5)
    if format.log2_chroma_w:
        if pixels.shape[1] % 2:
            pixels = np.concatenate([pixels, pixels[:, -1:]], axis=1)
        smooth = cv2.sepFilter2D(pixels, -1, _ONE_TWO_ONE, _ONE, borderType=cv2.BORDER_REPLICATE)
        # every second column, in a fifth of the time that a copy of smooth[:, 0::2] takes
        size = pixels.shape[1] // 2, pixels.shape[0]
        pixels = cv2.resize(smooth, size, interpolation=cv2.INTER_NEAREST)
    return pixels


def _code_range(color: ColorSpec, bit_depth: int) -> tuple[int, int]:
    """Codes that may occur: 0 and the top are reserved for synchronisation in limited range."""
    top = (1 << bit_depth) - 1
    if color.full_range:
        return 0, top
    reserved = 1 << (bit_depth - 8)
    return reserved, top - reserved
