"""Wall time, processor time and their spread over repeats."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vsr.core.machine import available_memory as available_memory
from vsr.core.machine import core_count as core_count


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure measured several times."""

    min: float
    median: float
    max: float
    count: int

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """The spread of one value or more; raises ValueError where there is none."""
        found = sorted(values)
        if not found:
            raise ValueError("Spread.of: got no value, expected one or more")
        return cls(found[0], statistics.median(found), found[-1], len(found))


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass over some items took."""

    items: int
    seconds: float
    """wall time from the call to the end"""
    cpu_s: float
    """processor seconds of this process' threads and of the children that ended meanwhile"""
    first_s: float
    """wall time until the first item was there"""


def cpu_seconds() -> float:
    """Processor seconds so far: all threads of this process, and all children that have ended.

    The difference of two readings counts a child completely where it was started and waited
    for in between, as a stage does with its ffmpeg.
    """
    mine = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return mine.ru_utime + mine.ru_stime + children.ru_utime + children.ru_stime


def timed(make: Callable[[], Iterable[object]]) -> Pass:
    """Exhaust what ``make`` returns, keeping none of it, and tell what that took."""
    count, first_s = 0, 0.0
    cpu, start = cpu_seconds(), time.perf_counter()
    for _ in make():
        count += 1
        if count == 1:
            first_s = time.perf_counter() - start
    seconds = time.perf_counter() - start
    return Pass(count, seconds, cpu_seconds() - cpu, first_s)


def seconds_of(action: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def busy_share(seconds: float = 0.5) -> float | None:
    """Share of all cores that is at work while this process sleeps; None where it is not told."""
    before = _ticks()
    time.sleep(seconds)
    after = _ticks()
    if before is None or after is None:
        return None
    idle, total = after[0] - before[0], after[1] - before[1]
    return 1.0 - idle / total if total > 0 else None


def _ticks() -> tuple[int, int] | None:
    """(idle, all) clock ticks of the whole machine."""
    try:
        line = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0]
    except OSError:
        return None
    fields: Sequence[int] = [int(word) for word in line.split()[1:9]]
    return fields[3] + fields[4], sum(fields)
