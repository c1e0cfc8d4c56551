"""Which parts of a picture have changed since they were last searched for faces."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from vsr.core.geometry import Box, Window
from vsr.faces.cuts import to_uint8

_BLOCK = 16
"""source pixels: side of a block, the width of the smallest face that is searched for"""
_SAMPLES = 4
"""per side of a block that are averaged: sensor noise of 2 grey levels becomes one of 0.5"""
_CHANGED = 4.0
"""grey levels by which a block's mean colour must differ; a face that turns up differs by far
more in some of its blocks, the pulse of a codec's keyframes by less"""
_AROUND = 2
"""blocks around a changed one that are searched with it: a face's edge moves before the rest"""
_OWN = 0.15
"""part of a known face's size around it where it may move without being searched for"""

Grid = np.ndarray
"""float32 (rows, columns, 3): mean colour of each block"""


def grid_of(rgb: np.ndarray) -> Grid:
    """Mean colours of blocks of 16x16 pixels of a picture ``(H, W, 3)`` uint8 or uint16, 0..255."""
    step = _BLOCK // _SAMPLES
    few = np.ascontiguousarray(to_uint8(rgb[::step, ::step]))
    size = -(-rgb.shape[1] // _BLOCK), -(-rgb.shape[0] // _BLOCK)
    return cv2.resize(few, size, interpolation=cv2.INTER_AREA).astype(np.float32)


class ChangedParts:
    """Remembers how each block looked when its part of the picture was last searched."""

    def __init__(self) -> None:
        self._seen: Grid | None = None

    def take(self, grid: Grid, size: tuple[int, int], known: Iterable[Box]) -> list[Window] | None:
        """The parts to search now, which from here on count as searched.

        size: (width, height) of the picture. known: faces that are followed anyway; what
        changes inside them is no reason to search. Returns disjoint windows, none where
        nothing changed, or None where the whole picture should be searched: at first, and
        where the parts take more than half of it.
        """
        if self._seen is None or self._seen.shape != grid.shape:
            self.all_seen(grid)
            return None
        changed = (np.abs(grid - self._seen).max(axis=2) > _CHANGED).astype(np.uint8)
        for box in known:
            changed[_blocks(box, _OWN)] = 0
        parts = _windows(changed, size)
        if sum(w.width * w.height for w in parts) > 0.5 * size[0] * size[1]:
            self.all_seen(grid)
            return None
        for part in parts:
            blocks = (
                slice(part.y // _BLOCK, -(-(part.y + part.height) // _BLOCK)),
                slice(part.x // _BLOCK, -(-(part.x + part.width) // _BLOCK)),
            )
            self._seen[blocks] = grid[blocks]
        return parts

    def all_seen(self, grid: Grid) -> None:
        """The whole picture was searched."""
        self._seen = grid.copy()


def _blocks(box: Box, around: float) -> tuple[slice, slice]:
    """The blocks that a box touches."""

    def span(start: float, length: float) -> slice:
        first, last = start - length * around, start + length * (1 + around)
        return slice(max(0, int(first // _BLOCK)), max(0, int(last // _BLOCK) + 1))

    return span(box.y, box.height), span(box.x, box.width)


def _windows(changed: np.ndarray, size: tuple[int, int]) -> list[Window]:
    """Disjoint windows, in pixels, around the changed blocks of a mask."""
    if not changed.any():
        return []
    wide = cv2.dilate(changed, np.ones((2 * _AROUND + 1, 2 * _AROUND + 1), np.uint8))
    count, _, stats, _ = cv2.connectedComponentsWithStats(wide, connectivity=8)
    boxes = [tuple(int(v) for v in stats[i, :4]) for i in range(1, count)]
    parts = [(x, y, x + w, y + h) for x, y, w, h in boxes]
    merged: list[tuple[int, int, int, int]] = []
    for part in parts:
        while (other := next((m for m in merged if _meet(m, part)), None)) is not None:
            merged.remove(other)
            part = (min(part[0], other[0]), min(part[1], other[1]),
                    max(part[2], other[2]), max(part[3], other[3]))  # fmt: skip
        merged.append(part)
    windows = []
    for x0, y0, x1, y1 in merged:
        right, bottom = min(x1 * _BLOCK, size[0]), min(y1 * _BLOCK, size[1])
        windows.append(Window(x0 * _BLOCK, y0 * _BLOCK, right - x0 * _BLOCK, bottom - y0 * _BLOCK))
    return windows


def _meet(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
