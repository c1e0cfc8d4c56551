"""Noticing that an ffmpeg hangs: it neither answers nor computes."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from vsr.core.errors import FfmpegError, UsageError

STALL_S = 30.0
"""seconds without a byte and without a tick of processor time after which ffmpeg counts as hung"""
BUSY_S = 900.0
"""the same where it computes all the while: a slow encoder may take minutes for its last frames"""
STALL_VARIABLE = "VSR_STALL_S"
"""environment variable that sets another limit, e.g. for a disk that wakes up slowly"""


def stall_limit_s() -> float:
    """The limit that holds here. Raises UsageError where the variable is no positive number."""
    text = os.environ.get(STALL_VARIABLE)
    if not text:
        return STALL_S
    try:
        limit = float(text)
        if not 0 < limit < float("inf"):
            raise ValueError
    except ValueError:
        raise UsageError(
            f"{STALL_VARIABLE}: got {text!r}, expected more than 0 seconds; unset it for "
            f"{STALL_S:g}"
        ) from None
    return limit


class StallWatch:
    """Counts how long one wait for a process lasts; make one for each wait.

    It adds up the waits themselves instead of reading a clock: a machine that slept, or a job
    that was stopped with Ctrl-Z, is no hanging ffmpeg.
    """

    def __init__(self, pid: int) -> None:
        self._stat = Path(f"/proc/{pid}/stat")
        self._limit_s = stall_limit_s()
        self._ticks: int | None = None
        self._idle_s = self._waited_s = 0.0

    def waited(self, seconds: float) -> None:
        """Nothing came for ``seconds`` more. Raises FfmpegError once that is too long."""
        self._waited_s += seconds
        self._idle_s += seconds
        if self._idle_s < min(1.0, self._limit_s):
            return
        ticks = self._processor_ticks()
        if ticks is not None and ticks != self._ticks:
            self._ticks, self._idle_s = ticks, 0.0
        if self._idle_s >= self._limit_s or self._waited_s >= max(BUSY_S, self._limit_s):
            raise FfmpegError(
                f"ffmpeg hangs: nothing came from it for {self._waited_s:.0f} s; run the command "
                f"again, and set {STALL_VARIABLE} to more seconds where disks are slow"
            )

    def _processor_ticks(self) -> int | None:
        """User and system time of the process; None where the system does not tell."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            # the name in parentheses may hold spaces; after it utime and stime are 12th and 13th
            fields = self._stat.read_text().rpartition(")")[2].split()
            return int(fields[11]) + int(fields[12])
        return None
