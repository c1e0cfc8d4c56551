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
from vsr.core.video import Clock, VideoInfo
from vsr.media.clock import WRAPS, borders_of, near, runs_through
from vsr.media.demuxed import NO_PTS, read_clock
from vsr.media.limits import SAFE_INPUT
from vsr.media.pictures import Pictures, find_pictures
from vsr.media.process import run_ffmpeg
from vsr.media.timeline import cut_before_last

_RAISED = 1 << 50
"""added to every time, so that it stays above the packet's number"""
_MISSING = 1 << 49
_KEY = 1
_DISCARD = 4  # AV_PKT_FLAG_DISCARD: before an edit list's start, decoded but never shown

UNTIMED_CONTAINERS = frozenset(
    {"avi", "h264", "hevc", "vvc", "evc", "obu", "av1", "m4v", "mpegvideo", "vc1", "cavsvideo"}
)
"""containers that store no presentation times; with reordered frames those ffmpeg guesses
are out of order"""
CLOCKLESS_CONTAINERS = frozenset({"mjpeg", "jpeg_pipe"})
"""pictures one behind another and nothing else, which ffmpeg times at a constant rate"""


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
    starts_with_key: bool = True
    """whether the first picture can be decoded without others"""
    borders: frozenset[int] = frozenset()
    """decoding times, as ffmpeg reads them, of the pictures behind which the clock makes a step"""
    cut: tuple[int, int] | None = None
    """time of the frame before those that were cut off with the end, but belong before the last
    frame, and their number; see `cut_before_last`"""
    clock: Clock | None = None
    """how the packets' own times became those here; None: they are the same"""


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
    if not collected.dts and code == 0:
        raise InputError(
            f"{path}: its video stream holds no pictures (0 packets), expected at least one; "
            "make it again: it may have been cut out from behind the last picture"
        )
    if not collected.dts:
        raise InputError(
            f"{path}: no picture could be read from its video stream "
            f"(ffmpeg, exit code {code}: {process.last_words()}); it is damaged or empty"
        )
    return collected.result(path, stream_index, container)


def _arguments(path: Path, stream_index: int, fds: Sequence[int]) -> list[str]:
    """The stream twice, its packets' numbers as decoding times: ffmpeg would else change times
    that run backwards."""
    source = ffmpeg.input(f"file:{path.absolute()}", copyts=None, **SAFE_INPUT)[str(stream_index)]
    known = f"between({{0}}\\,-{_MISSING}\\,{_MISSING})"
    raised = f"setts=dts=N:duration=DURATION:pts=if({known}\\,{{0}}+{_RAISED}\\,{_MISSING})"
    filters = {"bsf:v:0": raised.format("PTS"), "bsf:v:1": raised.format("DTS")}
    out = ffmpeg.output(
        source,
        source,
        f"pipe:{fds[0]}",
        format="framecrc",
        codec="copy",
        copytb=1,
        copyinkf=None,
        **filters,
    )
    return out.global_args("-loglevel", "level+error").get_args()


class _Lines:
    """Collects framecrc output: ``copy, number, time, duration, size, crc[, F=flags …]``.

    The first copy of a packet has its presentation time, the second its decoding time.
    """

    def __init__(self) -> None:
        self.dts, self.pts, self.duration = array("q"), array("q"), array("q")
        self.hidden = array("b")
        """1 where an edit list hides the picture"""
        self.time_base = Fraction(1)
        self.codec = ""
        self.starts_with_key = True
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the pipe."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line.startswith(b"#"):
                if line.startswith(b"#tb 0:"):
                    self.time_base = Fraction(line[6:].decode().strip())
                elif line.startswith(b"#codec_id 0:"):
                    self.codec = line[12:].decode().strip()
                continue
            fields = line.split(b",", 7)
            if len(fields) < 6:
                continue
            time = int(fields[2])
            time = NO_PTS if time == _MISSING else time - _RAISED
            if fields[0] != b"0":
                self.dts.append(time)
                continue
            flags = fields[6].strip() if len(fields) > 6 else b""
            bits = int(flags[2:], 16) if flags.startswith(b"F=") else _KEY
            hidden = bits & _DISCARD
            if not self.pts:
                self.starts_with_key = bool(bits & _KEY)
            self.pts.append(time)
            self.duration.append(int(fields[3]))
            self.hidden.append(1 if hidden else 0)

    def result(self, path: Path, stream_index: int, container: str) -> PacketScan:
        """The scan, on one timeline, with missing presentation times filled in."""
        count = len(self.dts)
        dts = np.frombuffer(self.dts, np.int64)
        pts = np.frombuffer(self.pts, np.int64)[:count]
        duration = np.frombuffer(self.duration, np.int64)[:count]
        seen = np.frombuffer(self.hidden, np.int8)[:count] == 0
        clock = None
        missing = pts == NO_PTS
        timed = container not in CLOCKLESS_CONTAINERS and not (
            container in UNTIMED_CONTAINERS and missing.any()
        )
        timing = np.where(dts == NO_PTS, pts, dts)
        known = timing != NO_PTS
        wrap = WRAPS.get(container)
        both = np.where(missing, timing, pts)[known]
        if timed and not runs_through(timing[known], both, wrap):
            clock = read_clock(path, stream_index, container, timing)
        if clock is not None:
            move = _move_of(clock, stream_index, count)
            pts = np.where(missing | (dts == NO_PTS), pts, near(pts, dts, wrap))
            if wrap:
                move = np.where(known, move + timing % wrap - timing, move)
            dts, pts = (np.where(t == NO_PTS, t, t + move) for t in (dts, pts))
        pictures = _pictures(path, stream_index, self.codec, container)
        begins = np.flatnonzero(np.array(pictures.second) == 0) if pictures else np.zeros(0, int)
        if not timed:
            frame_s = pictures.frame_s if pictures else None
            step = round(frame_s / self.time_base) if frame_s else None
            frames = len(begins) or len(dts)
            pts, duration = _constant_rate(dts, duration, container, frames, step)
            missing = np.ones(len(pts), bool)
        else:
            if pictures is not None and len(pictures.second) == count:
                # A second field's packet is no frame, but lasts as a part of one.
                duration = np.add.reduceat(duration, begins)
                dts, pts, missing, seen = dts[begins], pts[begins], missing[begins], seen[begins]
            pts, duration, missing = pts[seen], duration[seen], missing[seen]
            if missing.any():
                pts = _fill(pts, missing, int(np.median(duration)))
        if not len(pts):
            raise InputError(
                f"{path}: its edit list hides every picture ({count} of {count}), expected one "
                "that is shown; make it again: it may have been cut out from behind the last one"
            )
        end = pts + np.maximum(duration, 1)
        return PacketScan(
            pts=np.sort(pts),
            end_pts=int(end.max()),
            time_base=self.time_base,
            complete=not missing.any(),
            timed=timed,
            starts_with_key=self.starts_with_key,
            borders=borders_of(timing[known]),
            cut=cut_before_last(pts) if timed and not missing.any() else None,
            clock=clock,
        )


def _move_of(clock: Clock, stream_index: int, count: int) -> np.ndarray:
    """Ticks added to each packet of a stream, int64 (count,)."""
    move = np.zeros(count, np.int64)
    for number, ticks in dict(clock.moves).get(stream_index, ()):
        move[number:] = ticks
    return move


def move_options(info: VideoInfo, *streams: int, shift_s: Fraction = Fraction(0)) -> dict[str, str]:
    """Input options of ffmpeg that bring streams of a source onto its one timeline.

    They count packets from the file's start, so that nothing may seek in it. shift_s: taken off
    all times; ffmpeg's own offset would come before these.
    """
    options: dict[str, str] = {}
    for index, moves in info.clock.moves if info.clock else ():
        if index in streams:
            terms, before = [], 0
            for number, ticks in moves:
                terms.append(f"{ticks - before:+d}*gte(N\\,{number})")
                before = ticks
            total = "".join(terms) + (f"+round({float(-shift_s)}/TB)" if shift_s else "")
            dts, pts = "DTS", "PTS"
            if wrap := WRAPS.get(info.container):
                dts = f"mod(DTS\\,{wrap})"
                near_dts = f"{dts}+PTS-DTS-{wrap}*round((PTS-DTS)/{wrap})"
                pts = f"if(eq(DTS\\,NOPTS)\\,mod(PTS\\,{wrap})\\,{near_dts})"
            pts = f"pts=if(eq(PTS\\,NOPTS)\\,NOPTS\\,{pts}{total})"
            dts = f"dts=if(eq(DTS\\,NOPTS)\\,NOPTS\\,{dts}{total})"
            options[f"bsf:{index}"] = f"setts={pts}:{dts}"
    return options


def _step(pts: np.ndarray) -> int:
    return max(1, int(np.median(np.diff(np.sort(pts))))) if len(pts) > 1 else 1


def _constant_rate(
    dts: np.ndarray, duration: np.ndarray, container: str, frames: int, step: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """(times, durations) from decoding times: AVI's count display slots, MPEG-2's tell how many
    fields each frame lasts, other raw streams are a raster.

    frames: of the stream. step: ticks that one lasts, where the stream says so.
    """
    if container == "mpegvideo" and np.all(duration > 0):
        return np.cumsum(duration) - duration, duration
    known = np.sort(dts[dts != NO_PTS])
    if container == "avi" and len(known) == len(dts):
        return known - known[0], np.full(len(known), _step(known))
    if not step:
        step = _step(known) if len(known) > 1 else max(1, int(np.median(duration)))
    return np.arange(frames, dtype=np.int64) * step, np.full(frames, step)


def _pictures(path: Path, stream_index: int, codec: str, container: str) -> Pictures | None:
    """The pictures of a stream whose packets may be something else."""
    raw = container == codec
    if codec == "h264" or (codec == "hevc" and raw):
        return find_pictures(path, stream_index, codec, only_fields=not raw)
    return None


def _fill(pts: np.ndarray, missing: np.ndarray, duration: int) -> np.ndarray:
    """MPEG program streams time only some packets; the decoder counts on from those."""
    known = np.sort(pts[~missing])
    if duration > 0:
        first = int(known[0]) if len(known) else 0
        return first + np.arange(len(pts), dtype=np.int64) * duration
    places = np.flatnonzero(~missing)
    return np.interp(np.arange(len(pts)), places, known).astype(np.int64)
