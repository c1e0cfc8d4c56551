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
            f"fps: got '{text}', expected a number of frames per second such as 30, 29.97 or "
            "30000/1001, or 'source' for every frame"
        ) from None
    if not 0 < rate <= _LIMIT_FPS:
        raise UsageError(
            f"fps: got '{text}', expected more than 0 and at most {_LIMIT_FPS}; "
            "use 'source' to keep every frame"
        )
    ntsc = Fraction(math.ceil(rate) * 1000, 1001)
    return ntsc if "." in word and abs(ntsc - rate) < Fraction(1, 100) else rate


_GAP = 50
"""a step so many times the usual one is a gap in the video, not its rate"""


def rate_of(pts: np.ndarray, time_base: Fraction) -> Fraction | None:
    """Frames per second between the gaps of int64 (N,) sorted timestamps, None where unknown.

    A fraction of small numbers; never 0, however far apart timestamps are. Steps of more than
    50 times the usual one do not count: after one damaged timestamp far away each frame would
    seem to last long, and a Matroska file that is told so is cut too early.
    """
    steps = np.diff(pts)
    steps = steps[steps <= _GAP * np.median(steps)] if len(steps) else steps
    span = int(steps.sum()) * time_base
    if span <= 0:
        return None
    return (len(steps) / span).limit_denominator(1001) or Fraction(1, 1001)


def usual_step(pts: np.ndarray) -> Fraction | None:
    """The median step of int64 (N,) sorted timestamps, in their unit; None for a single one.

    The mean of those steps that lie within one tick of the median, since a coarse clock shows
    a step of 8 1/3 ms as 8 or 9: pauses, however long, have no say.
    """
    steps = np.diff(pts)
    if not len(steps):
        return None
    median = np.median(steps)
    near = steps[np.abs(steps - median) <= 1]
    return Fraction(int(near.sum()), len(near)) if len(near) else Fraction(float(median))


_UNEVEN = 1.75
"""times the usual step: a longer one leaves room for a frame"""
_ODD_SHARE = 0.02
"""of a stream's steps that may be so long where the others count as even"""


def cut_before_last(pts: np.ndarray) -> tuple[int, int] | None:
    """Frames that belong right before the last one, and came behind the end of a cut-off stream.

    pts: int64 (N,), in the order of decoding. A frame that others refer to comes before those
    that are shown ahead of it: a file may end between the two. Returns (time of the last frame
    before the first that is missing, how many are), None where none is: seen in streams of an
    even rate alone, and at most as many as come behind such a frame elsewhere.
    """
    rising = np.flatnonzero(np.diff(np.maximum.accumulate(pts), prepend=pts[:1] - 1) > 0)
    if len(rising) < 3:
        return None
    most = int(np.diff(rising).max()) - 1
    shown = np.sort(pts)
    steps = np.diff(shown)
    begin = int(np.searchsorted(shown, pts[rising[-2]]))
    usual = max(1.0, float(np.median(steps)))
    head = int(np.searchsorted(shown, pts[: most + 1].max()))  # the front may be cut off as well
    before = steps[head:begin]
    if most == 0 or np.sum(before > _UNEVEN * usual) > _ODD_SHARE * len(before):
        return None
    last = steps[begin:]
    missing = int(np.sum(np.rint(last / usual) - 1, where=last > _UNEVEN * usual))
    if not 0 < missing <= most - (len(last) - 1):
        return None
    return int(shown[begin + int(np.argmax(last > _UNEVEN * usual))]), missing


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

    A stream whose usual step is at least 1 / (``fps`` + 0.5) seconds keeps every frame:
    timestamps rounded to milliseconds make a 30 fps stream look uneven, and testing each frame
    against the grid would lose a third of it. A faster stream, however many pauses it has,
    keeps, for each grid point k / fps after its first frame, the nearest frame, once; of
    frames at the same time the first.
    """
    pts = np.asarray(pts, np.int64)
    usual = usual_step(pts)
    span = int(pts[-1]) - int(pts[0]) if len(pts) else 0
    if usual is None or span <= 0 or usual * time_base * (fps + _TOLERANCE_FPS) >= 1:
        return np.ones(len(pts), bool)
    times, first = np.unique(pts, return_index=True)
    since = (times - times[0]).astype(np.float64)
    step = float(1 / (fps * time_base))  # pts units between two grid points
    # The last grid point up to the middle between two frames is the earlier one's, or one of
    # those before it; the margin keeps rounding from deciding a tie.
    last = np.floor((since[:-1] + since[1:]) / 2 / step + 1e-9)
    last = np.concatenate([[-1.0], last, [float(int(span * time_base * fps))]])
    keep = np.zeros(len(pts), bool)
    keep[first[np.diff(last) > 0]] = True
    return keep
