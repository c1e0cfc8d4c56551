"""The timestamps of a video stream's packets, read without decoding a picture."""

from __future__ import annotations

import functools
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import ffmpeg
import numpy as np

from vsr.core.errors import InputError
from vsr.core.video import VideoInfo
from vsr.media.limits import SAFE_INPUT
from vsr.media.process import run_ffmpeg

_NO_PTS = -(2**63)
_DISCARD = 4  # AV_PKT_FLAG_DISCARD: before an edit list's start, decoded but never shown

UNTIMED_CONTAINERS = frozenset(
    {"avi", "h264", "hevc", "vvc", "evc", "obu", "av1", "m4v", "mpegvideo", "vc1", "cavsvideo"}
)
"""containers that store no presentation times; with reordered frames those ffmpeg guesses
are out of order"""


@dataclass(frozen=True, slots=True)
class PacketScan:
    """What one pass over the packets of a video stream tells."""

    pts: np.ndarray
    """int64 (N,), sorted, in ``time_base`` units: when each picture is shown"""
    end_pts: int
    """end of the last picture to be shown"""
    time_base: Fraction
    complete: bool
    """False where some of the times had to be filled in: good for counting, not exact"""
    timed: bool
    """False where the container holds no presentation times: ``pts`` is then a timeline of
    constant rate, to be given to the decoded frames in turn"""


def packet_times(info: VideoInfo) -> np.ndarray:
    """Presentation times of the stream's pictures: int64 (N,), sorted, ``info.time_base`` units.

    Pictures that an edit list hides are left out. Raises InputError where the file cannot
    be read any more.
    """
    return scan_packets(info.path, info.stream_index, info.container).pts


def scan_packets(path: Path, stream_index: int, container: str) -> PacketScan:
    """Read all packet times of one stream; 24 bytes of memory a picture.

    The last result is kept, so that probing and decoding read the file once between them.
    """
    stat = path.stat()
    return _scan(path, stream_index, container, stat.st_size, stat.st_mtime_ns)


@functools.lru_cache(maxsize=2)
def _scan(path: Path, stream_index: int, container: str, _size: int, _mtime: int) -> PacketScan:
    collected = _Lines()
    code, process = run_ffmpeg(lambda fds: _arguments(path, stream_index, fds), take=collected.feed)
    if not collected.dts:
        raise InputError(
            f"{path}: no picture could be read from its video stream "
            f"(ffmpeg, exit code {code}: {process.last_words()}); it is damaged or empty"
        )
    return collected.result(container)


def _arguments(path: Path, stream_index: int, fds: Sequence[int]) -> list[str]:
    source = ffmpeg.input(f"file:{path.absolute()}", copyts=None, **SAFE_INPUT)
    out = ffmpeg.output(
        source[str(stream_index)], f"pipe:{fds[0]}", format="framecrc", codec="copy", copytb=1
    )
    return out.global_args("-loglevel", "level+error").get_args()


class _Lines:
    """Collects framecrc output: ``stream, dts, pts, duration, size, crc[, F=flags …]``."""

    def __init__(self) -> None:
        self.dts, self.pts, self.duration = array("q"), array("q"), array("q")
        self.time_base = Fraction(1)
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the pipe."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line.startswith(b"#"):
                if line.startswith(b"#tb 0:"):
                    self.time_base = Fraction(line[6:].decode().strip())
                continue
            fields = line.split(b",", 7)
            if len(fields) < 6:
                continue
            flags = fields[6].strip() if len(fields) > 6 else b""
            if flags.startswith(b"F=") and int(flags[2:], 16) & _DISCARD:
                continue
            self.dts.append(int(fields[1]))
            self.pts.append(int(fields[2]))
            self.duration.append(int(fields[3]))

    def result(self, container: str) -> PacketScan:
        """The scan, with missing presentation times filled in."""
        dts = np.frombuffer(self.dts, np.int64)
        pts = np.frombuffer(self.pts, np.int64)
        duration = np.frombuffer(self.duration, np.int64)
        missing = pts == _NO_PTS
        timed = not (container in UNTIMED_CONTAINERS and missing.any())
        if not timed:
            pts = _constant_rate(dts, int(np.median(duration)), keep_gaps=container == "avi")
        elif missing.any():
            pts = _fill(pts, missing, int(np.median(duration)))
        end = pts + np.maximum(duration if timed else _step(pts), 1)
        return PacketScan(
            pts=np.sort(pts),
            end_pts=int(end.max()),
            time_base=self.time_base,
            complete=not missing.any(),
            timed=timed,
        )


def _step(pts: np.ndarray) -> int:
    return max(1, int(np.median(np.diff(np.sort(pts))))) if len(pts) > 1 else 1


def _constant_rate(dts: np.ndarray, duration: int, *, keep_gaps: bool) -> np.ndarray:
    """A timeline from decoding times: AVI's count display slots, raw streams' are a raster."""
    known = np.sort(dts[dts != _NO_PTS])
    if keep_gaps and len(known) == len(dts):
        return known - known[0]
    step = _step(known) if len(known) > 1 else max(1, duration)
    return np.arange(len(dts), dtype=np.int64) * step


def _fill(pts: np.ndarray, missing: np.ndarray, duration: int) -> np.ndarray:
    """MPEG program streams time only some packets; the decoder counts on from those."""
    known = np.sort(pts[~missing])
    if duration > 0:
        first = int(known[0]) if len(known) else 0
        return first + np.arange(len(pts), dtype=np.int64) * duration
    places = np.flatnonzero(~missing)
    return np.interp(np.arange(len(pts)), places, known).astype(np.int64)
