"""Whether samples over the frames done are flat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

_MOST = 1000
"""samples of a fit: the slopes between all pairs of them are computed"""
MEMORY_LIMIT_MIB = 16.0
"""growth of the fitted line over the frames that are judged"""
COUNT_LIMIT = 0.5
"""the same for threads and open files"""


@dataclass(frozen=True)
class Point:
    """What was held when so many frames were done."""

    frames: int
    resident: int
    """bytes of the process tree"""
    threads: int
    files: int


def judge(points: Sequence[Point], begin: int, end: int) -> dict[str, Any]:
    """A line through each quantity of the points from ``begin`` to ``end`` frames.

    It is Theil's and Sen's, the median of all slopes between two points: between two parts of the
    video an encoder ends and the next begins, and such dips tell nothing of what is kept.
    Points after the last frame are left out: the end of a job copies and hashes its output.
    Returns JSON values, with "flat": whether no line rises by more than its limit.
    Raises ValueError where fewer than ten points lie there.
    """
    judged = [p for p in points if begin <= p.frames < end]
    if len(judged) < 10:
        raise ValueError(f"{len(judged)} samples between frames {begin} and {end}, expected 10")
    judged = judged[:: 1 + len(judged) // _MOST]
    frames = np.array([p.frames for p in judged], float)
    result: dict[str, Any] = {"from": judged[0].frames, "to": judged[-1].frames}
    result["samples"] = len(judged)
    flat = True
    quantities = (
        ("memory_mib", [p.resident / 2**20 for p in judged], MEMORY_LIMIT_MIB),
        ("threads", [p.threads for p in judged], COUNT_LIMIT),
        ("files", [p.files for p in judged], COUNT_LIMIT),
    )
    for name, values, limit in quantities:
        slope, start, *_ = stats.theilslopes(np.array(values, float), frames)
        growth = float(slope * (frames[-1] - frames[0]))
        flat = flat and growth <= limit
        result[name] = {
            "at_begin": round(float(start + slope * frames[0]), 2),
            "growth": round(growth, 2),
            "growth_limit": limit,
            "per_1000_frames": round(float(slope) * 1000, 4),
            "least": round(float(min(values)), 2),
            "most": round(float(max(values)), 2),
        }
    return {**result, "flat": flat}
