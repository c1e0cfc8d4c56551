"""Memory of this process and its children, as the system counts it."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def resident_mb() -> float | None:
    """MiB in memory now, of this process and its children; None where that can't be told.

    On Linux from /proc; on other systems but Windows the largest this process has ever taken.
    """
    if Path("/proc/self/statm").exists():
        return sum(_pages(pid) for pid in (os.getpid(), *_children())) * _page_mb()
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def _children() -> set[int]:
    found: set[int] = set()
    for path in Path("/proc/self/task").glob("*/children"):
        try:
            found |= {int(word) for word in path.read_text().split()}
        except OSError:  # the thread has ended
            continue
    return found


def _pages(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:  # the process has ended
        return 0


def _page_mb() -> float:
    return os.sysconf("SC_PAGE_SIZE") / 2**20
