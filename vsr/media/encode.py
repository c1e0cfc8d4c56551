"""Pictures with timestamps -> a video file, with the source's sound and subtitles beside them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from vsr.core.color import ColorSpec, PixelFormat
from vsr.core.errors import FfmpegError, OutputError, UsageError
from vsr.core.names import hidden_beside
from vsr.core.types import YuvPicture
from vsr.core.video import VideoInfo
from vsr.media.codecs import CODECS, EncodeConfig, choose_format, with_matrix_tag
from vsr.media.containers import (
    CONTAINERS,
    StreamPlan,
    container_for,
    has_foreign_titles,
    plan_streams,
    read_titles,
)
from vsr.media.losses import picture_notices, tag_notices
from vsr.media.mux import join_arguments, part_arguments
from vsr.media.nut import NutMuxer, read_time_base
from vsr.media.packets import scan_packets
from vsr.media.process import FfmpegProcess
from vsr.media.segments import Part, PartEncoder, failure, joined, sync_folder
from vsr.media.shift import choose_shift
from vsr.media.span import check_span

__all__ = ["CONTAINERS", "EncodeConfig", "EncodeResult", "Part", "VideoWriter", "choose_format"]


@dataclass(frozen=True, slots=True)
class EncodeResult:
    """What was written."""

    path: Path
    frames: int
    notices: list[str] = field(default_factory=list)
    pictures_sha256: str = ""
    """SHA-256 over the pictures' own SHA-256 (32 bytes each), in order. A picture's is that of
    its pts (int64, little endian, in the time base of the source) and of its samples as they
    went into the encoder"""


class VideoWriter:
    """Writes one video file, under a temporary name until `close` has made it whole.

    The pictures are encoded in parts of ``cfg.part_frames``, each by an encoder of its own that
    works off its last pictures while the next begins, and joined at the end: a video that was
    written in two goes is the one that a single go would have made.

    out: final name; its suffix chooses the container. info: the source, for time base,
    pixel aspect and streams. width, height, format, color: of the pictures that will come.
    with_streams: bring along the source's sound, subtitles, chapters and metadata.
    start_s, end_s: the window of the source (its own timestamps) that the pictures come
    from; with start_s the file begins at 0, else it keeps the source's timestamps.
    frame_rate: nominal rate of the pictures (`VideoReader.frame_rate`, where a grid thinned
    them); None: the source's. tag: what was done, for the file's comment, behind the source's.
    parts: folder, beside ``out``, that keeps finished parts whatever happens; None: one that
    goes with the writer. done: parts that lie there already: the next picture comes after
    them. on_part: is told of each further part once it is safe on the disk. on_whole: is told
    the name of the whole file right before it gets its final one.

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
        parts: Path | None = None,
        done: Sequence[Part] = (),
        on_part: Callable[[Part], None] | None = None,
        on_whole: Callable[[Path], None] | None = None,
    ) -> None:
        self._out = Path(out)
        self._info = info
        self._cfg = cfg or EncodeConfig()
        self._container = container_for(self._out, self._cfg.codec)
        self._shape = width, height, format
        self._color = with_matrix_tag(color, width, height)
        self._check_shape()
        # by the format that will come, a graphics card is found to take it or not
        self._cfg = replace(self._cfg, pix_fmt=format.name)
        self._window = start_s, end_s
        self._with_streams = with_streams
        self._notices: list[str] = []
        self._plans: list[StreamPlan] = []
        if with_streams:
            self._plans, self._notices = plan_streams(info, self._container, self._cfg.codec)
            self._notices += picture_notices(info, self._container, format, self._cfg)
        self._notices += tag_notices(color, self._color, width, height)
        titles = read_titles(info) if with_streams else {}
        self._free_titles = self._container.is_mov and has_foreign_titles(titles)
        self._comment = "; ".join(filter(None, (titles.get("comment"), tag))) if tag else None
        self._shift_s, self._plans, moved = choose_shift(
            info, self._container, self._plans, start_s
        )
        self._notices += moved
        if with_streams:  # else less than all of it may come
            check_span(self._out, info, self._container, self._plans, self._window)
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
        self._own_folder = parts is None
        self._folder = parts or hidden_beside(self._out, ".partial")
        self._partial = self._folder / f"whole.partial{self._out.suffix.lower()}"
        self._parts = list(done)
        self._on_part = on_part
        self._on_whole = on_whole
        self._encoders: list[PartEncoder] = []
        """the one that takes pictures, and before it the one that works off its last"""
        self._joining: FfmpegProcess | None = None
        self._last_pts = done[-1].pts[-1] if done else None
        if done:
            self._settle_shift(done[0].pts[0])
        self._done = False
        self._claim()

    def write(self, picture: YuvPicture, pts: int) -> None:
        """Append a picture; ``pts`` in the source's time base, larger than the last one.

        Raises OutputError on a full disk, FfmpegError where the encoder went away.
        """
        width, height, format = self._shape
        if (picture.width, picture.height, picture.format) != self._shape:
            raise ValueError(
                f"VideoWriter.write: got {picture.format.name} {picture.width}x{picture.height}, "
                f"expected {format.name} {width}x{height}; make a writer of this shape"
            )
        if self._last_pts is not None and pts <= self._last_pts:
            raise ValueError(
                f"VideoWriter.write: got pts {pts} after {self._last_pts}, expected a larger one"
            )
        if not self._parts and not self._encoders:
            self._settle_shift(pts)
        self._last_pts = pts
        digest = hashlib.sha256(struct.pack("<q", pts))
        digest.update(picture.buffer.view(np.uint8).data)
        encoder = self._encoder()
        encoder.write(picture, pts, digest.digest())
        if encoder.frames == self._cfg.part_frames:
            encoder.finish()

    def _encoder(self) -> PartEncoder:
        """The encoder that takes the next picture."""
        if self._encoders and self._encoders[-1].frames < self._cfg.part_frames:
            if len(self._encoders) > 1 and self._encoders[0].ended():
                self._complete_oldest()
            return self._encoders[-1]
        while len(self._encoders) > 1:  # two at a time are enough, in memory and processors
            self._complete_oldest()
        number = len(self._parts) + len(self._encoders)
        self._encoders.append(
            PartEncoder(
                self._folder / f"{number:06d}.nut",
                lambda path: part_arguments(
                    path,
                    cfg=self._cfg,
                    color=self._color,
                    pixels=self._shape[0] * self._shape[1],
                ),
                self._nut,
                shift=self._shift,
                out=self._out,
            )
        )
        return self._encoders[-1]

    def _complete_oldest(self) -> None:
        encoder = self._encoders[0]
        part = encoder.complete()
        del self._encoders[0]
        self._parts.append(part)
        if self._on_part is not None:
            self._on_part(part)

    def close(self, end_s: float | None = None) -> EncodeResult:
        """Finish the file and give it its name.

        end_s: where the source broke off, in its own timestamps: sound and subtitles beyond
        it (and beyond the last picture) are cut away.
        Raises OutputError, FfmpegError; then nothing stands under the output's name.
        """
        if self._done:
            raise FfmpegError(f"{self._out}: the writer was closed before; make a new one")
        if not self._encoders and not self._parts:
            self.abort()
            raise FfmpegError(f"{self._out}: no picture was written; nothing was made of it")
        try:
            self._complete_all()
            self._join(end_s)
            if not self._times_are_right():
                self._join(end_s, late_decoding=True)
                self._check_times()
            self._place()
        finally:
            self.abort()
        digests = b"".join(p.digests for p in self._parts)
        frames = sum(p.frames for p in self._parts)
        notices = list(self._notices)
        return EncodeResult(self._out, frames, notices, hashlib.sha256(digests).hexdigest())

    def finish_parts(self) -> None:
        """Finish the parts alone, told to ``on_part``; a writer with all of them joins them."""
        try:
            self._complete_all()
        finally:
            self.abort()

    def _complete_all(self) -> None:
        if self._encoders:
            self._encoders[-1].finish()
        while self._encoders:
            self._complete_oldest()

    def abort(self) -> None:
        """Stop the encoders and remove what is unfinished; nothing happens once closed."""
        self._done = True
        for encoder in self._encoders:
            encoder.abort()
        self._encoders.clear()
        if self._joining is not None:
            self._joining.close()
        with contextlib.suppress(OSError):
            self._partial.unlink(missing_ok=True)
        if self._own_folder:
            shutil.rmtree(self._folder, ignore_errors=True)

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

    def _claim(self) -> None:
        """Make the temporary file: a folder that can't be written to is found out now."""
        try:
            self._partial.unlink(missing_ok=True)
            if self._own_folder:
                shutil.rmtree(self._folder, ignore_errors=True)
                self._folder.mkdir()
            self._partial.touch()
        except OSError as error:
            raise OutputError(
                f"{self._out}: cannot be written ({error.strerror or error}); check that its "
                "folder exists, has room and may be written to"
            ) from None

    def _settle_shift(self, first_pts: int) -> None:
        if first_pts < self._shift:
            # A frame before the announced start: files can't begin below 0.
            self._shift = first_pts
            self._shift_s = first_pts * self._info.time_base

    def _join(self, end_s: float | None, *, late_decoding: bool = False) -> None:
        """Copy the parts and the source's streams into the container."""
        last = self._parts[-1].pts[-1] - self._shift
        tb = self._info.time_base
        end = None if end_s is None else max(Fraction(end_s) - self._shift_s, (last + 1) * tb)
        arguments = join_arguments(
            self._partial,
            info=self._info,
            container=self._container,
            cfg=self._cfg,
            color=self._color,
            plans=self._plans if self._with_streams else None,
            window=self._window,
            shift_s=self._shift_s,
            rate=self._rate,
            part_base=read_time_base(self._folder / self._parts[0].name),
            frames=sum(p.frames for p in self._parts),
            last=last,
            end_s=end,
            free_titles=self._free_titles,
            comment=self._comment,
            late_decoding=late_decoding,
        )
        process = self._joining = FfmpegProcess(lambda _: arguments, stdin=True)
        try:
            for data in joined(self._folder, self._parts):
                process.write(data)
        except BrokenPipeError:
            raise failure(self._out, process.wait(), process) from None
        process.close_stdin()
        if (code := process.wait()) != 0:
            raise failure(self._out, code, process)
        process.close()

    def _check_times(self) -> None:
        if not self._times_are_right():
            raise FfmpegError(
                f"{self._out}: pictures came out at other times than they went in; nothing was "
                "kept, please report this with the file's details"
            )

    def _times_are_right(self) -> bool:
        """Every picture's time in the finished file, by its packets, against what was asked."""
        scan = scan_packets(self._partial, 0, self._container.muxer)
        tb = self._info.time_base
        wanted = np.concatenate([np.array(p.pts, np.int64) for p in self._parts]) - self._shift
        ratio = tb / scan.time_base
        got = scan.pts * ratio.denominator
        aim = wanted * ratio.numerator
        # a container with coarser ticks (Matroska's milliseconds) rounds to the nearest
        return len(got) == len(aim) and not np.any(2 * np.abs(got - aim) > ratio.denominator)

    def _place(self) -> None:
        """Sync the finished file and give it its name."""
        try:
            with self._partial.open("rb+") as file:
                os.fsync(file.fileno())
            if self._on_whole is not None:
                self._on_whole(self._partial)
            self._partial.replace(self._out)
            sync_folder(self._out.parent)
        except OSError as error:
            raise OutputError(
                f"{self._out}: cannot be placed ({error.strerror or error}); "
                "check the folder's room and rights"
            ) from None
