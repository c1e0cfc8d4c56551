"""Arrow 4 of the flow: FrameFaces -> FrameCrops, on the pixel grid of the source.

Mode "native": a square window of whole pixels around the smoothed box, its side from
a small set, goes to the generator as it is: nothing is resampled, so that nothing is
blurred and nothing shimmers. Windows wider than `max_side` are reduced to it (area
averaging), which bounds the cost of a face. Mode "canonical": the window is resampled to
`size` x `size`, as the seed's protocol has it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from vsr.core.errors import UsageError
from vsr.core.geometry import Box, Window
from vsr.core.types import Face, FaceCrop, FrameCrops, FrameFaces

CropMode = Literal["native", "canonical"]

_KEEP = 0.92
"""a window grows or shrinks only when the face has passed the step by this much"""
_COARSE_STEP = 1.125
"""ratio of neighbouring sides above max_side, where the side need not be one of few"""
_STILL = 1 / 48
"""part of its side by which a reduced window may stay behind its face before it moves: a
window that stands still is sampled alike in every frame"""
_FORGET_AFTER = 90
"""frames after which the window of a vanished track is forgotten"""


@dataclass(frozen=True, kw_only=True, slots=True)
class CropConfig:
    """How faces are cut out."""

    mode: CropMode = "native"
    size: int = 64
    """canonical: side of the generator's input in pixels"""
    margin: float = 0.3
    """part of the face box's longer side added on each side: hair, ears and chin"""
    sides: tuple[int, ...] = (32, 48, 64, 80, 96, 112, 128, 144, 160)
    """native: the sides of windows in pixels, ascending; few, so that batches fill"""
    max_side: int = 160
    """native: wider windows are reduced to this side"""
    min_face_px: float = 12.0
    """faces whose box is narrower are passed over"""

    def __post_init__(self) -> None:
        if self.mode not in ("native", "canonical"):
            raise UsageError(f"crop.mode: got {self.mode!r}, expected native or canonical")
        object.__setattr__(self, "sides", tuple(self.sides))
        if (
            not self.sides
            or any(s < 8 for s in self.sides)
            or list(self.sides) != sorted(set(self.sides))
        ):
            raise UsageError(
                f"crop.sides: got {list(self.sides)}, expected ascending sides of 8 or more pixels"
            )
        if not 0.0 <= self.margin <= 2.0:
            raise UsageError(f"crop.margin: got {self.margin}, expected 0..2 (0.3 shows the head)")
        for name, value, least in (
            ("size", self.size, 8),
            ("max_side", self.max_side, 16),
            ("min_face_px", self.min_face_px, 0),
        ):
            if value < least:
                raise UsageError(f"crop.{name}: got {value}, expected {least} or more")


def crop(items: Iterable[FrameFaces], cfg: CropConfig, *, grid: int = 1) -> Iterator[FrameCrops]:
    """Cut the faces out of each frame. One `FrameCrops` per frame, in order.

    grid: pixels of which places and sides of windows are multiples; 2 where chroma is halved and
    the output has the source's size. Windows lie wholly inside the picture. A track's window
    keeps its side while the face changes little.
    """
    windows: dict[int, tuple[int, Window]] = {}
    for item in items:
        frame = item.frame
        crops: list[FaceCrop] = []
        for face in item.faces:
            if face.box.width < cfg.min_face_px:
                continue
            last = _last_window(windows, face)
            window = _place(face.box, frame.rgb.shape, cfg, last, grid)
            if window is None:
                continue
            if face.track_id is not None:
                windows[face.track_id] = (frame.index, window)
            crops.append(FaceCrop(face, window, cut_window(frame.rgb, window, cfg)))
        if len(windows) > 64:
            windows = {t: w for t, w in windows.items() if frame.index - w[0] <= _FORGET_AFTER}
        yield FrameCrops(frame, tuple(crops))


def _last_window(windows: dict[int, tuple[int, Window]], face: Face) -> Window | None:
    known = windows.get(face.track_id) if face.track_id is not None else None
    return known[1] if known else None


def _place(
    box: Box, shape: tuple[int, ...], cfg: CropConfig, last: Window | None, grid: int
) -> Window | None:
    """The window for a face, or None where the box lies outside the picture."""
    height, width = (side // grid * grid for side in shape[:2])
    cx, cy = box.center
    if not (0 <= cx < width and 0 <= cy < height):
        return None
    room = min(height, width)
    wanted = max(box.width, box.height) * (1 + 2 * cfg.margin)
    side = _choose_side(wanted, _ladder(cfg, room, grid), last.width if last else None)
    x, y = (grid * round((c - side / 2) / grid) for c in (cx, cy))
    if last is not None and last.width == side and side > cfg.max_side:
        still = side * _STILL
        x = last.x if abs(x - last.x) <= still else x
        y = last.y if abs(y - last.y) <= still else y
    return Window(min(max(0, x), width - side), min(max(0, y), height - side), side, side)


@functools.lru_cache(maxsize=16)
def _ladder(cfg: CropConfig, room: int, grid: int) -> tuple[int, ...]:
    """The sides a window may have in a picture whose short side is ``room``, ascending."""
    sides = [s for s in cfg.sides if s <= cfg.max_side]
    side = float(cfg.max_side)
    while side < room:
        sides.append(2 * round(side / 2))
        side *= _COARSE_STEP
    fitting = {max(grid, s // grid * grid) for s in sides if s < room}
    return tuple(sorted(fitting | {room}))


def _choose_side(wanted: float, ladder: tuple[int, ...], last: int | None) -> int:
    """The smallest side that holds ``wanted``; the last one as long as it nearly fits."""
    best = _holding(wanted, ladder)
    if last is None or last not in ladder:
        return best
    if best > last:
        return last if wanted * _KEEP <= last else best
    return min(last, _holding(wanted / _KEEP, ladder))


def _holding(wanted: float, ladder: tuple[int, ...]) -> int:
    return next((s for s in ladder if s >= wanted), ladder[-1])


def cut_window(rgb: np.ndarray, window: Window, cfg: CropConfig) -> np.ndarray:
    """The pixels of a window of a frame ``(H, W, 3)`` as they go to the generator.

    A copy, contiguous, of the frame's dtype: ``(side, side, 3)``, where the side is the window's
    own, `CropConfig.max_side` for wider ones, or `CropConfig.size` in canonical mode.
    """
    pixels = rgb[window.slices]
    side = cfg.size if cfg.mode == "canonical" else min(cfg.max_side, window.width)
    if side == window.width:
        return np.ascontiguousarray(pixels.copy())
    way = cv2.INTER_AREA if side < window.width else cv2.INTER_CUBIC
    return cv2.resize(pixels, (side, side), interpolation=way)
