"""Pictures with timestamps -> a video file, with the source's sound and subtitles beside them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import struct
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

from vsr.core.color import ColorSpec, PixelFormat
from vsr.core.errors import FfmpegError, OutputError, UsageError
from vsr.core.types import YuvPicture
from vsr.core.video import VideoInfo
from vsr.media.codecs import CODECS, EncodeConfig, choose_format
from vsr.media.containers import (
    CONTAINERS,
    StreamPlan,
    container_for,
    has_foreign_titles,
    plan_streams,
    read_titles,
)
from vsr.media.mux import cut_arguments, encode_arguments
from vsr.media.nut import NutMuxer
from vsr.media.process import FfmpegProcess, describe_exit, run_ffmpeg, was_killed

__all__ = ["CONTAINERS", "EncodeConfig", "EncodeResult", "VideoWriter", "choose_format"]

_FAR_START_S = 600
"""an mp4 would show hours of nothing before a broadcast recording's first frame"""


@dataclass(frozen=True, slots=True)
class EncodeResult:
    """What was written."""

    path: Path
    frames: int
    notices: list[str] = field(default_factory=list)
    pictures_sha256: str = ""
    """SHA-256 over every picture as it went into the encoder, each after its pts (int64, little
    endian, in the time base of the source)"""


class VideoWriter:
    """Writes one video file, under a temporary name until `close` has made it whole.

    out: final name; its suffix chooses the container. info: the source, for time base,
    pixel aspect and streams. width, height, format, color: of the pictures that will come.
    with_streams: bring along the source's sound, subtitles, chapters and metadata.
    start_s, end_s: the window of the source (its own timestamps) that the pictures come
    from; with start_s the file begins at 0, else it keeps the source's timestamps.
    frame_rate: nominal rate of the pictures (`VideoReader.frame_rate`, where a grid thinned
    them); None: the source's. tag: what was done, for the file's comment, behind the source's.

    As a context manager it aborts on leaving, unless it was closed.
    Raises UsageError on an unknown suffix or a codec that doesn't fit, OutputError where
    nothing can be written.
    """

    def __init__(
        self,
        out: Path,
        *,
        info: VideoInfo,
        width: int,
        height: int,
        format: PixelFormat,
        color: ColorSpec,
        cfg: EncodeConfig | None = None,
        with_streams: bool = True,
        start_s: float | None = None,
        end_s: float | None = None,
        frame_rate: Fraction | None = None,
        tag: str | None = None,
    ) -> None:
        self._out = Path(out)
        self._info = info
        self._cfg = cfg or EncodeConfig()
        self._container = container_for(self._out, self._cfg.codec)
        self._shape = width, height, format
        self._color = color
        self._check_shape()
        self._window = start_s, end_s
        self._with_streams = with_streams
        self._notices: list[str] = []
        self._plans: list[StreamPlan] = []
        if with_streams:
            self._plans, self._notices = plan_streams(info, self._container)
        titles = read_titles(info) if with_streams else {}
        self._free_titles = self._container.is_mov and has_foreign_titles(titles)
        self._comment = "; ".join(filter(None, (titles.get("comment"), tag))) if tag else None
        self._shift_s = self._choose_shift()
        self._shift = round(self._shift_s / info.time_base)
        self._rate = frame_rate or info.frame_rate
        self._nut = NutMuxer(
            width=width,
            height=height,
            format=format,
            time_base=info.time_base,
            sample_aspect=info.sample_aspect,
            frame_rate=self._rate,
        )
        self._partial = self._out.with_name(f".{self._out.stem}.partial{self._out.suffix.lower()}")
        self._frames = 0
        self._hash = hashlib.sha256()
        self._last_pts: int | None = None
        self._done = False
        self._claim()
        self._process: FfmpegProcess | None = None

    def write(self, picture: YuvPicture, pts: int) -> None:
        """Append a picture; ``pts`` in the source's time base, larger than the last one.

        Raises OutputError on a full disk, FfmpegError where the encoder went away.
        """
        width, height, format = self._shape
        if (picture.width, picture.height, picture.format) != self._shape:
            raise ValueError(
                f"VideoWriter.write: got {picture.format.name} {picture.width}x{picture.height}, "
                f"wanted {format.name} {width}x{height}; make a writer of this shape"
            )
        if self._last_pts is not None and pts <= self._last_pts:
            raise ValueError(
                f"VideoWriter.write: got pts {pts} after {self._last_pts}, wanted a larger one"
            )
        if self._process is None:
            self._start(first_pts=pts)
        assert self._process is not None
        self._last_pts = pts
        data = picture.buffer.view(np.uint8).data
        try:
            self._process.write(self._nut.frame(pts - self._shift, len(data)), data)
        except BrokenPipeError:
            raise self._failure(self._process.wait()) from None
        self._hash.update(struct.pack("<q", pts))
        self._hash.update(data)
        self._frames += 1

    def close(self, end_s: float | None = None) -> EncodeResult:
        """Finish the file and give it its name.

        end_s: where the source broke off, in its own timestamps: sound and subtitles beyond
        it (and beyond the last picture) are cut away.
        Raises OutputError, FfmpegError; then nothing stands under the output's name.
        """
        if self._done:
            raise FfmpegError(f"{self._out}: the writer was closed before; make a new one")
        if self._process is None:
            self.abort()
            raise FfmpegError(f"{self._out}: no picture was written; nothing was made of it")
        try:
            self._process.close_stdin()
            code = self._process.wait()
            if code != 0:
                raise self._failure(code)
            self._check_count()
            if end_s is not None:
                self._cut_at(Fraction(end_s) - self._shift_s)
            self._place()
        finally:
            self.abort()
        return EncodeResult(self._out, self._frames, list(self._notices), self._hash.hexdigest())

    def abort(self) -> None:
        """Stop the encoder and remove what it wrote; nothing happens once closed."""
        self._done = True
        if self._process is not None:
            self._process.close()
        with contextlib.suppress(OSError):
            self._partial.unlink(missing_ok=True)

    def kill(self) -> None:
        """End the encoder at once; safe from any thread. `write` or `close` then raise."""
        if self._process is not None:
            self._process.kill()

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._done:
            self.abort()

    def _check_shape(self) -> None:
        width, height, format = self._shape
        codec = CODECS[self._cfg.codec]
        if format.name not in codec.formats:
            raise UsageError(
                f"pix_fmt: {self._cfg.codec} cannot take {format.name}, "
                f"only {', '.join(codec.formats)}; choose another codec or pixel format"
            )
        odd = (width & format.log2_chroma_w) or (height & format.log2_chroma_h)
        if codec.even_420 and odd:
            raise UsageError(
                f"{self._cfg.codec} in {format.name} needs even sides, got {width}x{height}; "
                "choose yuv444p, or crop the source by one pixel"
            )

    def _choose_shift(self) -> Fraction:
        """Seconds taken off every timestamp, so that the output can hold them."""
        start_s = self._window[0]
        if start_s is not None:
            return Fraction(str(start_s))
        start = (self._info.start_pts or 0) * self._info.time_base
        if start < 0:
            whole = Fraction(start.numerator // start.denominator)
            self._notices.append(
                f"the source starts at {float(start):.3f} s; everything was moved by "
                f"{float(-whole):g} s, since files start at 0 or later"
            )
            return whole
        if self._container.is_mov and start > _FAR_START_S:
            whole = Fraction(start.numerator // start.denominator)
            self._notices.append(
                f"the source's clock starts at {float(start):.1f} s; everything was moved by "
                f"{float(-whole):g} s, or players would show nothing for so long"
            )
            return whole
        return Fraction(0)

    def _claim(self) -> None:
        """Make the temporary file: a folder that can't be written to is found out now."""
        try:
            self._partial.unlink(missing_ok=True)
            self._partial.touch()
        except OSError as error:
            raise OutputError(
                f"{self._out}: cannot be written ({error.strerror or error}); check that its "
                "folder exists, has room and may be written to"
            ) from None

    def _start(self, first_pts: int) -> None:
        if first_pts < self._shift:
            # A frame before the announced start: files can't begin below 0.
            self._shift = first_pts
            self._shift_s = first_pts * self._info.time_base
        self._process = FfmpegProcess(lambda _: self._arguments(), stdin=True)
        try:
            self._process.write(self._nut.header())
        except BrokenPipeError:
            raise self._failure(self._process.wait()) from None

    def _arguments(self) -> list[str]:
        return encode_arguments(
            self._partial,
            info=self._info,
            container=self._container,
            cfg=self._cfg,
            pixels=self._shape[0] * self._shape[1],
            color=self._color,
            plans=self._plans if self._with_streams else None,
            window=self._window,
            shift_s=self._shift_s,
            rate=self._rate,
            free_titles=self._free_titles,
            comment=self._comment,
        )

    def _check_count(self) -> None:
        """Frames out == frames in, by the encoder's own count."""
        assert self._process is not None
        counts = [m for line in self._process.tail if (m := re.match(r"frame=\s*(\d+)", line))]
        if counts and int(counts[-1].group(1)) != self._frames:
            raise FfmpegError(
                f"{self._out}: the encoder wrote {counts[-1].group(1)} of {self._frames} pictures; "
                "please report this with the file's details"
            )

    def _cut_at(self, end_s: Fraction) -> None:
        """Copy the finished file without what lies beyond ``end_s`` (output time)."""
        assert self._last_pts is not None
        tb = self._info.time_base
        end = max(end_s, (self._last_pts - self._shift + 1) * tb)
        whole = self._partial.with_name(f".{self._out.stem}.partial2{self._partial.suffix}")
        arguments = cut_arguments(
            self._partial,
            whole,
            container=self._container,
            time_base=tb,
            end_s=float(end),
            free_titles=self._free_titles,
        )
        try:
            code, process = run_ffmpeg(lambda _: arguments)
            if code != 0:
                raise self._failure(code, process)
            whole.replace(self._partial)
        finally:
            whole.unlink(missing_ok=True)

    def _place(self) -> None:
        """Sync the finished file and give it its name."""
        try:
            with self._partial.open("rb+") as file:
                os.fsync(file.fileno())
            self._partial.replace(self._out)
            folder = os.open(self._out.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise OutputError(
                f"{self._out}: cannot be placed ({error.strerror or error}); "
                "check the folder's room and rights"
            ) from None

    def _failure(self, code: int, process: FfmpegProcess | None = None) -> Exception:
        """The error that an exit code and ffmpeg's last words stand for."""
        process = process or self._process
        assert process is not None
        text = " ".join(process.tail)
        for words, remedy in _CAUSES.items():
            if words in text:
                return OutputError(f"{self._out}: cannot be written ({words}); {remedy}")
        if was_killed(code):
            return FfmpegError(
                f"{self._out}: the encoder was killed ({describe_exit(code)}); run it again, "
                "and look for lack of memory if it happens twice"
            )
        return FfmpegError(
            f"{self._out}: the encoder failed ({describe_exit(code)}): {process.last_words()}"
        )


_CAUSES = {
    "No space left on device": "free some room or choose another disk",
    "Disk quota exceeded": "free some room or choose another disk",
    "Permission denied": "choose a folder you may write to",
    "Read-only file system": "choose a folder you may write to",
    "File too large": "choose a file system that takes larger files",
}
