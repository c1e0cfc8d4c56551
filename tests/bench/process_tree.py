"""Run a command and watch the resident memory of its whole process tree."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Usage:
    """What a command took."""

    seconds: float
    peak_mib: float
    """largest resident memory summed over the process tree, after the warm-up"""
    samples: int


def watch(command: list[str], *, warm_up_s: float = 10.0, every_s: float = 0.1) -> Usage:
    """Run ``command`` to its end; raises CalledProcessError where it fails."""
    start = time.perf_counter()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    peak, samples = 0, 0
    while child.poll() is None:
        time.sleep(every_s)
        if time.perf_counter() - start < warm_up_s:
            continue
        peak = max(peak, _resident(child.pid))
        samples += 1
    if child.returncode != 0:
        raise subprocess.CalledProcessError(child.returncode, command)
    return Usage(time.perf_counter() - start, peak / 2**20, samples)


def _resident(pid: int) -> int:
    try:
        root = psutil.Process(pid)
        family = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    total = 0
    for process in family:
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def vsr_command(*arguments: object) -> list[str]:
    """The ``vsr`` command of this interpreter."""
    return [sys.executable, "-m", "vsr", *map(str, arguments)]
