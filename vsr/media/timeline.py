"""Which frames a frame-rate grid keeps. Pure arithmetic on timestamps."""

from __future__ import annotations

import math
import re
from fractions import Fraction

import numpy as np

from vsr.core.errors import UsageError

_TOLERANCE_FPS = Fraction(1, 2)
_LIMIT_FPS = 1000


def parse_fps(text: str) -> Fraction | None:
    """``"source"`` -> None (keep every frame); ``"30"``, ``"29.97"``, ``"30000/1001"`` -> rate.

    Decimal broadcast rates (23.976, 29.97, 59.94, 119.88) mean their exact N*1000/1001.
    Raises UsageError on anything else, zero and negative rates included.
    """
    word = text.strip().lower()
    if word == "source":
        return None
    try:
        if not re.fullmatch(r"-?\d+(\.\d+)?|\d+/\d+", word):
            raise ValueError
        rate = Fraction(word)
    except (ValueError, ZeroDivisionError):
        raise UsageError(
            f"fps: got '{text}', wanted a number of frames per second such as 30, 29.97 or "
            "30000/1001, or 'source' for every frame"
        ) from None
    if not 0 < rate <= _LIMIT_FPS:
        raise UsageError(
            f"fps: got '{text}', wanted more than 0 and at most {_LIMIT_FPS}; "
            "use 'source' to keep every frame"
        )
    ntsc = Fraction(math.ceil(rate) * 1000, 1001)
    return ntsc if "." in word and abs(ntsc - rate) < Fraction(1, 100) else rate


def average_rate(frames: int, span_s: Fraction) -> Fraction:
    """Frames per second of ``frames`` (> 1) pictures, the last ``span_s`` (> 0) after the first.

    A fraction of small numbers; never 0, however far apart damaged timestamps are.
    """
    return ((frames - 1) / span_s).limit_denominator(1001) or Fraction(1, 1001)


def raster(pts: np.ndarray, keep: np.ndarray) -> tuple[int, int] | None:
    """(origin, period) such that exactly the kept timestamps are origin + k * period.

    A source of constant rate thinned by a whole factor has one: the decoder can then drop
    frames before anything is computed for them. None: it has none, or nothing is dropped.
    """
    kept = pts[keep]
    if keep.all() or len(kept) < 2:
        return None
    origin, period = int(kept[0]), int(np.gcd.reduce(np.diff(kept)))
    if period <= 0 or np.any((pts[~keep] - origin) % period == 0):
        return None
    return origin, period


def first_tick(seconds: float, time_base: Fraction) -> int:
    """The first timestamp at or after a time; a float means the decimal number it shows."""
    return math.ceil(Fraction(str(seconds)) / time_base)


def keep_on_grid(pts: np.ndarray, time_base: Fraction, fps: Fraction) -> np.ndarray:
    """Choose the frames that stand nearest to a grid of ``fps`` points per second.

    pts: int64 (N,), sorted, in ``time_base`` units. Returns bool (N,).

    A stream whose average rate, (frames - 1) / (last - first), is at most ``fps`` + 0.5
    keeps every frame: timestamps rounded to milliseconds make a 30 fps stream look uneven,
    and testing each frame against the grid would lose a third of it. A faster stream keeps,
    for each grid point k / fps after its first frame, the nearest frame, once; of frames at
    the same time the first.
    """
    pts = np.asarray(pts, np.int64)
    count = len(pts)
    if count < 2:
        return np.ones(count, bool)
    span = int(pts[-1]) - int(pts[0])
    if span <= 0 or (count - 1) <= (fps + _TOLERANCE_FPS) * span * time_base:
        return np.ones(count, bool)
    since = (pts - pts[0]).astype(np.float64)
    step = float(1 / (fps * time_base))  # pts units between two grid points
    grid = np.arange(int(span * time_base * fps) + 1) * step
    right = np.clip(np.searchsorted(since, grid), 1, count - 1)
    left = right - 1
    # A tie goes to the earlier frame; the margin keeps rounding from deciding it.
    nearest = np.where(grid - since[left] <= since[right] - grid + step * 1e-9, left, right)
    keep = np.zeros(count, bool)
    keep[np.searchsorted(pts, pts[nearest])] = True
    return keep
