"""What is known of a video before a frame of it is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

from vsr.core.color import ColorSpec

StreamKind = Literal["video", "audio", "subtitle", "data", "attachment"]


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """One stream of the container."""

    index: int
    """ffmpeg's stream index in the file"""
    kind: StreamKind
    codec: str
    """ffmpeg codec name, e.g. "aac" """
    language: str | None = None
    """ISO 639-2 tag, None where untagged"""
    attached_picture: bool = False
    """True for cover art"""
    programs: tuple[int, ...] = ()
    """numbers of the programs of a transport stream that it is a part of"""

    def __str__(self) -> str:
        lang = f", {self.language}" if self.language else ""
        return f"{self.kind} stream {self.index} ({self.codec}{lang})"


def is_foreign(stream: StreamInfo, picture: StreamInfo) -> bool:
    """Whether a stream is of other programs than the pictures: each has a clock of its own."""
    return bool(stream.programs and picture.programs) and not (
        set(stream.programs) & set(picture.programs)
    )


@dataclass(frozen=True, slots=True)
class ClockJump:
    """A place where a source's clock jumps back."""

    at_s: float
    """where what follows stands now, seconds on the one timeline"""
    back_s: float
    """how far the clock went back, seconds"""
    moved_s: float
    """what is added to the source's own times from there on, seconds"""


@dataclass(frozen=True, slots=True)
class Clock:
    """How the times of a source whose clock does not run through become one timeline."""

    jumps: tuple[ClockJump, ...]
    moves: tuple[tuple[int, tuple[tuple[int, int], ...]], ...]
    """for each stream on this clock: its index, and (number of a packet of it, ticks of its time
    base that are added to all times from this packet on); where the container's counter wraps,
    to what it shows"""


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """The header facts of a video file. Sizes are those of the upright, decoded picture."""

    path: Path
    container: str
    """ffmpeg's demuxer name, e.g. "mov,mp4,m4a,3gp,3g2,mj2" """
    codec: str
    stream_index: int
    """ffmpeg's index of the video stream that is processed"""
    width: int
    """pixels, after rotation"""
    height: int
    """pixels, after rotation"""
    rotation_deg: int
    """0, 90, 180 or 270: what the decoder undoes"""
    pix_fmt: str
    """ffmpeg's name of the source's pixel format"""
    bit_depth: int
    color: ColorSpec
    sample_aspect: Fraction
    """width to height of one pixel; 1 where square or unknown"""
    time_base: Fraction
    """seconds per pts unit of the video stream"""
    frame_rate: Fraction | None
    """nominal or average rate in fps, None where unknown"""
    frame_count: int | None
    """number of packets of the video stream, None where it was not counted"""
    start_pts: int | None
    last_pts: int | None
    """largest pts of the stream, in time_base units"""
    duration_s: float | None
    """of the video stream, seconds"""
    streams: tuple[StreamInfo, ...] = ()
    interlaced: bool = False
    """whether its frames are two fields each, which decoding makes one full picture of"""
    lost: tuple[str, ...] = ()
    """what the pictures carry beside themselves and no encoder here can write, in words"""
    untag: str | None = None
    """bitstream filter without which ffmpeg refuses the pictures for their colour tag"""
    clock: Clock | None = None
    """None where the source's own times are one timeline; all times here are on that"""
