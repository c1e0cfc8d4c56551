"""Video file -> frames with their own timestamps."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from vsr.core.color import PixelFormat
from vsr.core.errors import DataError, FfmpegError, InputError, UsageError
from vsr.core.types import Frame, YuvPicture
from vsr.core.video import VideoInfo
from vsr.media.account import INDEXED, Account, DecodeReport
from vsr.media.clock import clock_notices
from vsr.media.damage import DamageLog, broken_gif_s
from vsr.media.formats import is_rgb
from vsr.media.graph import Outputs, decode_arguments, parse_framecrc
from vsr.media.hwaccel import DEVICE, HwAccel, can_decode, check_hwaccel
from vsr.media.packets import scan_packets
from vsr.media.process import FfmpegProcess, describe_exit, was_killed
from vsr.media.timeline import first_tick, keep_on_grid, parse_fps, raster, rate_of

_PTS, _RGB, _CANVAS = 0, 1, 2
SEEKABLE = INDEXED
"""containers with an index; elsewhere a seek may land behind the keyframe that is needed"""
_LEAST_STEP_S = Fraction(1, 1000)
"""what Matroska can tell apart"""


@dataclass(frozen=True, kw_only=True)
class DecodeConfig:
    """Which frames are taken."""

    fps: str = "30"
    """grid that faster sources are thinned to, frames per second; "source" keeps every frame"""
    folder_fps: str = "30"
    """rate at which the numbered pictures of a folder were taken, frames per second"""
    hwaccel: HwAccel = "none"
    """"auto": by the graphics card where it can, else by the processor, with a notice"""

    def __post_init__(self) -> None:
        parse_fps(self.fps)
        check_hwaccel("decode.hwaccel", self.hwaccel)
        if parse_fps(self.folder_fps) is None:
            raise UsageError(
                "decode.folder_fps: got 'source', expected a number of frames per second: "
                "pictures in a folder carry no rate of their own"
            )


class VideoReader:
    """Iterates the frames of a video once, in order, one ffmpeg process behind it.

    scale, canvas: each frame also brings the plainly upscaled picture, ``scale`` times as
    large, in this pixel format (`Frame.canvas`, which its taker may write to); None: without.
    start_s, end_s: only frames with start_s <= time < end_s, in the source's own timestamps.
    first: frames of a smaller index come without canvas. end: only frames of a smaller index.

    Only frames that are kept are handed out. Iterating raises InputError where not one frame
    can be decoded, and FfmpegError where ffmpeg was killed or ``close`` was called meanwhile;
    a source that breaks off in the middle ends the iteration and is noted in ``report``.
    """

    def __init__(
        self,
        info: VideoInfo,
        *,
        scale: int = 2,
        canvas: PixelFormat | None = None,
        cfg: DecodeConfig | None = None,
        start_s: float | None = None,
        end_s: float | None = None,
        first: int = 0,
        end: int | None = None,
    ) -> None:
        if scale < 1:
            raise ValueError(f"VideoReader.scale: got {scale}, expected 1 or more")
        self.info = info
        self.report = DecodeReport()
        self._scale = scale
        self._canvas = canvas
        self._scan = scan_packets(info.path, info.stream_index, info.container)
        self.report.notices += clock_notices(info)
        cfg = cfg or DecodeConfig()
        self._device = self._choose_device(cfg)
        grid = parse_fps(cfg.fps)
        times = self._scan.pts
        self._keep = (
            np.ones(len(times), bool) if grid is None else keep_on_grid(times, info.time_base, grid)
        )
        self._thinned = not self._keep.all()
        self._judged: int | None = None
        """place in the packets' times of the frame that the grid was asked for last"""
        tb = info.time_base
        self._first = None if start_s is None else first_tick(start_s, tb)
        self._end = None if end_s is None else first_tick(end_s, tb)
        self._start_s = start_s
        self._stop_at = end
        self._canvas_due = first
        self._canvas_from = self._canvas_start(first)
        if self._canvas_from is not None and self._canvas_from > times[-1]:
            self._canvas = None  # not one is wanted, and ffmpeg fails where an output stays empty
        self._damage = DamageLog(self._scan.borders)
        self._account = Account(
            info, self._scan, self.report, self._damage, low=self._first, high=self._end
        )
        self._raster = raster(times, self._keep) if self._scan.complete else None
        self._process: FfmpegProcess | None = None
        self._closed = False
        self._lock = threading.Lock()

    @property
    def expected_frames(self) -> int:
        """Number of frames that will be handed out if the source is whole."""
        count = len(self.expected_times())
        return count if self._stop_at is None else min(count, self._stop_at)

    def expected_times(self) -> np.ndarray:
        """Timestamps that the grid and the window keep, by the packets: int64 (N,), rising."""
        times = self._scan.pts
        low = -(2**62) if self._first is None else self._first
        high = 2**62 if self._end is None else self._end
        return times[self._keep & (times >= low) & (times < high)]

    @property
    def frame_rate(self) -> Fraction | None:
        """Rate of the frames handed out between their gaps (the source's where all are kept)."""
        if not self._thinned:
            return self.info.frame_rate
        kept = self._scan.pts[self._keep]
        return rate_of(kept, self.info.time_base) or self.info.frame_rate

    def number_of(self, frame: Frame) -> int:
        """The place of a frame among all that the grid keeps, also where a window cuts."""
        if self._first is None:
            return frame.index
        return frame.index + int(np.sum(self._keep & (self._scan.pts < self._first)))

    def __iter__(self) -> Iterator[Frame]:
        """The frames; can be iterated once."""
        with self._lock:
            if self._process is not None or self._closed:
                raise FfmpegError("this reader was used or closed before; make a new VideoReader")
            self._process = self._start()
        process = self._process
        try:
            yield from self._frames(process)
        finally:
            process.close()

    def close(self) -> None:
        """Stop decoding and end ffmpeg; safe from any thread and more than once."""
        with self._lock:
            self._closed = True
            if self._process is not None:
                self._process.kill()

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _choose_device(self, cfg: DecodeConfig) -> str | None:
        if cfg.hwaccel == "none":
            return None
        if can_decode(self.info):
            return DEVICE
        self.report.notices.append(
            f"no GPU that decodes this {self.info.codec} video was found; decoded on the CPU"
        )
        return None

    def _start(self) -> FfmpegProcess:
        seekable = self.info.container in SEEKABLE and self.info.clock is None
        seek = self._start_s if seekable else None

        def build(fds: Sequence[int]) -> list[str]:
            pipes = Outputs(
                pts=fds[_PTS], rgb=fds[_RGB], canvas=fds[_CANVAS] if self._canvas else None
            )
            return decode_arguments(
                self.info,
                pipes,
                scale=self._scale,
                canvas=self._canvas,
                seek_s=seek,
                raster=self._raster,
                canvas_from=self._canvas_from,
                hwaccel=self._device,
            )

        outputs = 3 if self._canvas else 2
        return FfmpegProcess(build, outputs=outputs, on_line=self._damage.line)

    def _frames(self, process: FfmpegProcess) -> Iterator[Frame]:
        """Read the pipes in turn: timestamp, RGB, canvas."""
        least_pts: int | None = None
        repaired, step = 0, max(1, math.ceil(_LEAST_STEP_S / self.info.time_base))
        for pts in self._timestamps(process):
            if self._raster is not None and (pts - self._raster[0]) % self._raster[1]:
                self._account.take(pts)
                continue
            rgb, canvas = self._pictures(process, pts)
            if rgb is None:
                break  # the last picture is cut off: ffmpeg ended in the middle of it
            self._account.take(pts)
            if self._end is not None and pts >= self._end:
                process.kill()
                self._conclude(None)
                return
            self.report.last_seconds = self._damage.now_s = float(pts * self.info.time_base)
            if not self._wanted(pts):
                continue
            if least_pts is not None and pts < least_pts:
                pts, repaired = least_pts + step - 1, repaired + 1
            least_pts = pts + 1
            if canvas is None and self._canvas and self.report.frames_kept >= self._canvas_due:
                raise DataError(
                    f"{self.info.path}: its timestamps run backwards; it cannot be begun in the "
                    "middle: use --restart to start over"
                )
            self.report.frames_kept += 1
            yield Frame(self.report.frames_kept - 1, pts, self.info.time_base, rgb, canvas)
            if self.report.frames_kept == self._stop_at:
                process.kill()
                self._conclude(None)
                return
        if repaired:
            self.report.notices.append(
                f"{repaired} timestamps of the source ran backwards or stood still; "
                "they were moved on by the least that every container can tell apart"
            )
        self._conclude(process.wait())

    def _timestamps(self, process: FfmpegProcess) -> Iterator[int]:
        """Each decoded frame's timestamp, in the order of the pictures."""
        rest, count = b"", 0
        times = self._scan.pts
        while data := process.read_some(_PTS):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                parsed = parse_framecrc(line)
                if parsed is None:
                    continue
                if self._scan.timed:
                    yield parsed[0]
                elif count < len(times):
                    yield int(times[count])
                else:
                    yield int(times[-1]) + (count - len(times) + 1) * self._step()
                count += 1

    def _pictures(
        self, process: FfmpegProcess, pts: int
    ) -> tuple[np.ndarray | None, YuvPicture | None]:
        """The next picture of the RGB and canvas pipes; (None, None) at their end."""
        info = self.info
        rgb = np.empty((info.height, info.width, 3), np.uint16 if info.bit_depth > 8 else np.uint8)
        if not _fill(process, _RGB, rgb):
            return None, None
        if rgb.dtype == np.uint16 and not is_rgb(info.pix_fmt):
            _to_full_scale(rgb)
        early = self._canvas_from is not None and pts < self._canvas_from
        if self._canvas is None or early:
            return rgb, None
        width, height = info.width * self._scale, info.height * self._scale
        dtype = np.uint16 if self._canvas.bit_depth > 8 else np.uint8
        buffer = np.empty(self._canvas.samples(width, height), dtype)
        if not _fill(process, _CANVAS, buffer):
            return None, None
        return rgb, YuvPicture(buffer, width, height, self._canvas, info.color)

    def _wanted(self, pts: int) -> bool:
        """Whether the grid and the window keep a frame; of frames at the same time the first."""
        if self._first is not None and pts < self._first:
            return False
        if not self._thinned:
            return True
        times = self._scan.pts
        at = int(np.searchsorted(times, pts))
        if at > 0 and (at == len(times) or pts - times[at - 1] < times[at] - pts):
            # not in the list, as with MPEG program streams: the nearest, the first of equals
            at = int(np.searchsorted(times, times[at - 1]))
        again, self._judged = at == self._judged, at
        return bool(self._keep[at]) and not again

    def _canvas_start(self, first: int) -> int | None:
        """The timestamp from which frames bring a canvas; None: all do.

        Where pictures are lost, the frame of index ``first`` comes later than that, never sooner.
        """
        times = self.expected_times()
        if first <= 0 or not self._scan.timed or not len(times):
            return None
        return int(times[first]) if first < len(times) else int(times[-1]) + 1

    def _step(self) -> int:
        """Usual distance of two frames in pts units."""
        times = self._scan.pts
        return max(1, int(np.median(np.diff(times)))) if len(times) > 1 else 1

    def _conclude(self, code: int | None) -> None:
        """Judge how decoding ended; ``code`` None where the window's end was reached."""
        info, report = self.info, self.report
        if code is not None and (self._closed or was_killed(code)):
            raise FfmpegError(
                f"decoding of {info.path.name} was stopped before its end "
                f"({describe_exit(code)}); run the command again"
            )
        if report.frames_decoded == 0:
            words = self._process.last_words() if self._process else ""
            raise InputError(
                f"{info.path}: not one picture could be decoded (ffmpeg: {words}); "
                "check that it plays elsewhere"
            )
        if code is not None and info.container == "gif" and not self._damage.complaints:
            at_s = broken_gif_s(info.path)
            if at_s is not None:
                self._damage.note(at_s)
        self._account.settle(code)
        if code is None:
            return
        own = f"{info.width}x{info.height}"
        if info.rotation_deg % 180:
            own = f"{info.height}x{info.width}"
        for size, seconds in self._damage.sizes.items():
            if size != own:
                report.notices.append(
                    f"the source's pictures change their size to {size} at about {seconds:.1f} s; "
                    f"those were fitted into {own}"
                )
        if not self._scan.timed:
            report.notices.append(self._rate_notice())

    def _rate_notice(self) -> str:
        info, steps = self.info, np.diff(self._scan.pts)
        rate = float(info.frame_rate or 0)
        text = f"{info.container} stores no presentation times for {info.codec}: "
        if len(steps) and info.container == "mpegvideo" and int(np.ptp(steps)) > 1:
            return f"{text}each frame lasts the fields that it names ({rate:g} fps)"
        return f"{text}a constant {rate:g} fps was taken"


def _to_full_scale(rgb: np.ndarray) -> None:
    """Stretch in place: ffmpeg's Y'CbCr -> RGB of 16 bit puts white at 255 * 256, not 65535."""
    np.minimum(rgb, 255 * 256, out=rgb)
    rgb += rgb >> 8


def _fill(process: FfmpegProcess, pipe: int, array: np.ndarray) -> bool:
    """Fill an array from a pipe; False where the pipe ended before it was full."""
    view = array.reshape(-1).view(np.uint8).data
    return process.read_into(pipe, view) == len(view)
