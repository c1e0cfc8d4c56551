"""Run a command and watch what its whole process tree holds: memory, threads, open files."""

from __future__ import annotations

import contextlib
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
        peak = max(peak, sample(child.pid).resident)
        samples += 1
    if child.returncode != 0:
        raise subprocess.CalledProcessError(child.returncode, command)
    return Usage(time.perf_counter() - start, peak / 2**20, samples)


@dataclass(frozen=True)
class Sample:
    """What a process and all its children hold at one moment."""

    resident: int
    """resident memory, bytes"""
    threads: int
    files: int
    """open file descriptors"""
    processes: int


def sample(pid: int) -> Sample:
    """One look at a process tree; zeros where it is gone."""
    try:
        root = psutil.Process(pid)
        family = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        family = []
    resident = threads = files = processes = 0
    for process in family:
        try:
            with process.oneshot():
                held = process.memory_info().rss, process.num_threads(), process.num_fds()
        except (psutil.NoSuchProcess, psutil.AccessDenied):  # it ended meanwhile
            continue
        resident, threads, files = resident + held[0], threads + held[1], files + held[2]
        processes += 1
    return Sample(resident, threads, files, processes)


def kill_tree(pid: int) -> None:
    """End a process and its children at once."""
    try:
        root = psutil.Process(pid)
        family = [*root.children(recursive=True), root]
    except psutil.NoSuchProcess:
        return
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def vsr_command(*arguments: object) -> list[str]:
    """The ``vsr`` command of this interpreter."""
    return [sys.executable, "-m", "vsr", *map(str, arguments)]
