"""Whether a film is calm: warping error, flicker, and the jitter of face boxes.

All differences are in 8-bit grey levels.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from vsr.core.geometry import Box
from vsr.evaluate.metrics import luma

Region = tuple[slice, slice]
"""(rows, columns)"""

WHOLE: Region = (slice(None), slice(None))
_MIN_VISIBLE = 0.25
"""share of a region that must be seen in both frames, else there is nothing to say"""


@dataclass(frozen=True, slots=True)
class Motion:
    """How the truth moved from the frame before to this one."""

    columns: np.ndarray
    """float32 (H, W): where each pixel was in the frame before, x"""
    rows: np.ndarray
    """the same, y"""
    visible: np.ndarray
    """bool (H, W): pixels that were seen in the frame before, too"""


def find_motion(now: np.ndarray, before: np.ndarray) -> Motion:
    """Dense optical flow between two pictures, uint8 RGB ``(H, W, 3)``.

    DIS (Kroeger et al., ECCV 2016; OpenCV's preset "medium"). A pixel counts as visible where
    flow forth and back cancel (Sundaram et al., ECCV 2010) and no motion border runs (Ruder et
    al., GCPR 2016), with their constants.
    """
    a, b = (cv2.cvtColor(p, cv2.COLOR_RGB2GRAY) for p in (now, before))
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    back = np.asarray(dis.calc(a, b, np.zeros((*a.shape, 2), np.float32)))
    forth = np.asarray(dis.calc(b, a, np.zeros((*a.shape, 2), np.float32)))
    height, width = a.shape
    columns = back[..., 0] + np.arange(width, dtype=np.float32)
    rows = back[..., 1] + np.arange(height, dtype=np.float32)[:, None]
    there = cv2.remap(forth, columns, rows, cv2.INTER_LINEAR)
    lengths = np.sum(back**2, -1) + np.sum(there**2, -1)
    visible = np.sum((back + there) ** 2, -1) <= 0.01 * lengths + 0.5
    visible &= (columns >= 0) & (columns <= width - 1) & (rows >= 0) & (rows <= height - 1)
    return Motion(columns, rows, visible & ~_motion_border(back))


def _motion_border(flow: np.ndarray) -> np.ndarray:
    dy, dx = np.gradient(flow, axis=(0, 1))
    return np.sum(dx**2 + dy**2, -1) > 0.01 * np.sum(flow**2, -1) + 0.002


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a film from one frame to the next, pixel by pixel."""

    warped: np.ndarray
    """float32 (H, W): square of what motion does not explain, mean of the channels"""
    step: np.ndarray
    """float32 (H, W): change of the luma at its place"""
    motion: Motion

    @staticmethod
    def between(now: np.ndarray, before: np.ndarray, motion: Motion) -> Change:
        """Of two pictures, uint8 RGB ``(H, W, 3)``; ``motion`` is the truth's."""
        carried = cv2.remap(
            before.astype(np.float32), motion.columns, motion.rows, cv2.INTER_LINEAR
        )
        square = np.square(carried - now.astype(np.float32)).mean(axis=-1)
        step = luma(now).astype(np.float32) - luma(before).astype(np.float32)
        return Change(square, step, motion)

    def warping_error(self, region: Region = WHOLE) -> float | None:
        """Root mean square over the visible pixels; None where too few are visible.

        The square of Lai et al., ECCV 2018 (E_warp), in grey levels instead of parts of white.
        """
        visible = self.motion.visible[region]
        if not visible.size or visible.mean() < _MIN_VISIBLE:
            return None
        return float(np.sqrt(self.warped[region][visible].mean(dtype=np.float64)))

    def flicker(self, truth: Change, region: Region = WHOLE) -> float:
        """Mean of how far the luma's change departs from the truth's own change, per pixel."""
        return float(np.abs(self.step[region] - truth.step[region]).mean(dtype=np.float64))


@dataclass(slots=True)
class BoxJitter:
    """How much a box trembles about a smooth path, from its second differences.

    A path with independent errors of standard deviation s has second differences of variance
    6 s^2; a steady motion has none. What is told is that s, per axis. Real accelerations count in.
    """

    _last: list[tuple[int, np.ndarray]] = field(default_factory=list)
    _square: float = 0.0
    _count: int = 0
    _widths: float = 0.0
    _boxes: int = 0

    def add(self, frame: int, box: Box) -> None:
        """The box of a frame; frames come in order, gaps start afresh."""
        if self._last and frame != self._last[-1][0] + 1:
            self._last.clear()
        self._last.append((frame, np.array(box.center)))
        self._widths += box.width
        self._boxes += 1
        if len(self._last) == 3:
            (_, a), (_, b), (_, c) = self._last
            self._square += float(np.sum((a - 2 * b + c) ** 2))
            self._count += 1
            self._last.pop(0)

    @property
    def pixels(self) -> float | None:
        """Standard deviation per axis; None under three frames in a row."""
        return (self._square / (12 * self._count)) ** 0.5 if self._count else None

    @property
    def of_width(self) -> float | None:
        """The same as a share of the mean width."""
        pixels = self.pixels
        return None if pixels is None else pixels * self._boxes / self._widths
