"""Processors and memory that this process may use: the machine's, cut by a container's limits."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc/self/cgroup")
_MOUNT = Path("/sys/fs/cgroup")


def cores() -> list[int]:
    """Numbers of the processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))  # macOS


def core_count() -> int:
    """Processors' worth of time that this process may use: its affinity, cut by a quota."""
    granted = quota()
    return max(1, min(len(cores()), 1 << 16 if granted is None else math.ceil(granted)))


def available_memory() -> int:
    """Bytes that can be used without swapping, as far as the system tells; else half of all."""
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
        line = next(ln for ln in text.splitlines() if ln.startswith("MemAvailable:"))
        free = int(line.split()[1]) << 10
    except (OSError, StopIteration, ValueError):
        free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    granted = memory_limit()
    return free if granted is None else min(free, granted)


def quota(proc: Path = _PROC, mount: Path = _MOUNT) -> float | None:
    """Processors that control groups grant, a fraction possible; None: all there are."""
    found: list[float] = []
    for group in _groups("cpu", proc, mount):
        words = _words(group / "cpu.max") or [
            *_words(group / "cpu.cfs_quota_us"), *_words(group / "cpu.cfs_period_us"),
        ]  # fmt: skip
        if len(words) == 2 and all(w.isdecimal() and int(w) for w in words):
            found.append(int(words[0]) / int(words[1]))
    return min(found, default=None)


def memory_limit(proc: Path = _PROC, mount: Path = _MOUNT) -> int | None:
    """Bytes that control groups grant; None: all there are."""
    found: list[int] = []
    for group in _groups("memory", proc, mount):
        words = _words(group / "memory.max") or _words(group / "memory.limit_in_bytes")
        found += [int(w) for w in words[:1] if w.isdecimal() and int(w)]
    return min(found, default=None)


def _groups(controller: str, proc: Path, mount: Path) -> Iterator[Path]:
    """Folders of the control groups around this process, of both versions, innermost first.

    In a container the path may be the host's, and only the outermost folder is there.
    """
    try:
        lines = proc.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError):
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and controller not in controllers.split(","):
            continue
        outermost = mount / controller if controllers else mount
        inner = outermost / path.lstrip("/")
        for group in (inner, *inner.parents):
            yield group
            if group == outermost:
                break


def _words(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="ascii").split()
    except (OSError, UnicodeError):
        return []
