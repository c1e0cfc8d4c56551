"""Pictures too large for one call of a network: in overlapping tiles, without seams."""

from __future__ import annotations

import numpy as np

from vsr.models.upscale import Upscaler

TILE = 256
"""LR pixels a side that one call is responsible for"""
CONTEXT = 64
"""LR pixels around them that it sees where the upscaler does not say how far it reaches"""


def upscale_picture(
    upscaler: Upscaler, rgb: np.ndarray, tile: int = TILE, context: int | None = None
) -> np.ndarray:
    """Enlarges one picture of any size in bounded memory.

    Args:
        upscaler: any.
        rgb: ``(H, W, 3)`` uint8 or uint16.
        tile: LR pixels a side per call, without context.
        context: LR pixels seen around a tile; less than the upscaler's reach, and seams show.
            None: its ``reach``, as networks have it, else `CONTEXT`.

    Returns:
        ``(s*H, s*W, 3)``, same dtype; as if the picture had gone through in one piece.
    """
    if context is None:
        context = int(getattr(upscaler, "reach", CONTEXT))
    height, width = rgb.shape[:2]
    if max(height, width) <= tile + 2 * context:
        return upscaler(rgb[None])[0]
    scale = upscaler.scale
    out = np.empty((height * scale, width * scale, 3), rgb.dtype)
    for y in range(0, height, tile):
        for x in range(0, width, tile):
            top, left = max(0, y - context), max(0, x - context)
            bottom, right = min(height, y + tile + context), min(width, x + tile + context)
            high = upscaler(np.ascontiguousarray(rgb[top:bottom, left:right])[None])[0]
            rows = slice(y * scale, min(height, y + tile) * scale)
            columns = slice(x * scale, min(width, x + tile) * scale)
            out[rows, columns] = high[
                rows.start - top * scale : rows.stop - top * scale,
                columns.start - left * scale : columns.stop - left * scale,
            ]
    return out
