"""Reading what ffmpeg prints about an input: pure text in, facts out.

There is no ffprobe beside a bundled ffmpeg, so its log is the source of the header facts.
The patterns are anchored to the log's indentation, so that a title or a comment that
looks like a stream's line is not mistaken for one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from vsr.core.video import StreamInfo, StreamKind

_INPUT = re.compile(r"^Input #0, (\S+), from ")
_STREAM = re.compile(
    r"^(?:  )?  Stream #0:(\d{1,9})(?:\[0x[0-9a-f]+\])?(?:\((\w+)\))?: (\w+): (\w+)(.*)$",
    re.IGNORECASE,
)
_PROGRAM = re.compile(r"^  (?:Program (\d{1,9})|No Program)\b")
_GROUP = re.compile(r"^  Stream group #0:\d{1,9}")
_STILL = re.compile(r", 1 fps, 1 tbr, 1 tbn\b")
_FOURCC = re.compile(r"^ \((\w{4}) / 0x")
_SIZE = re.compile(r", (\d{1,9})x(\d{1,9})\b")
_KINDS: dict[str, StreamKind] = {
    "Video": "video",
    "Audio": "audio",
    "Subtitle": "subtitle",
    "Data": "data",
    "Attachment": "attachment",
}
_ROTATION = re.compile(
    r"^ +(?:Display Matrix|displaymatrix): rotation of (-?\d{1,18}\.?\d{0,18}) degrees"
)


@dataclass(slots=True)
class Banner:
    """The head of ffmpeg's log for one input file."""

    container: str | None = None
    """demuxer name; None where the file could not be opened"""
    streams: list[StreamInfo] = field(default_factory=list)
    rotations: dict[int, float] = field(default_factory=dict)
    """stream index -> angle of the display matrix in degrees, counter-clockwise"""
    sizes: dict[int, tuple[int, int]] = field(default_factory=dict)
    """stream index -> width and height of its pictures, as the header has them"""
    defaults: set[int] = field(default_factory=set)
    """indices of the streams marked as default"""
    notes: dict[int, list[str]] = field(default_factory=dict)
    """stream index -> its line and those of its side data"""

    tiled: bool = False
    """whether it holds a photograph in tiles, which are streams of their own"""

    def is_still(self, index: int) -> bool:
        """Whether a stream is an item of HEIC or AVIF, which ffmpeg gives one tick a second."""
        return any(_STILL.search(line) for line in self.notes.get(index, [])[:1])

    def main_video(self) -> StreamInfo | None:
        """The video stream to process: of those that move, if there are any, the default one,
        else the first; never cover art."""
        videos = [s for s in self.streams if s.kind == "video" and not s.attached_picture]
        videos = [s for s in videos if not self.is_still(s.index)] or videos
        marked = [s for s in videos if s.index in self.defaults]
        return (marked or videos or [None])[0]


def parse_banner(lines: Sequence[str]) -> Banner:
    """Parse stderr of ``ffmpeg -i FILE`` (unstripped lines)."""
    banner = Banner()
    current, grouped, program = -1, False, None
    for line in lines:
        if banner.container is None:
            if match := _INPUT.match(line):
                banner.container = match.group(1)
            continue
        if match := _PROGRAM.match(line):
            program = match.group(1)
        elif _GROUP.match(line):
            grouped = True
            banner.tiled = banner.tiled or ": Tile Grid: " in line
        elif (match := _STREAM.match(line)) and (grouped or not line.startswith("    ")):
            # Only groups' streams stand deeper: metadata stand there too, under any name.
            current = _add_stream(banner, match)
            if program is not None:
                _add_program(banner, current, int(program))
            banner.notes.setdefault(current, []).append(match.group(5))
        elif match := _ROTATION.match(line):
            banner.rotations[current] = float(match.group(1))
        elif line.startswith("      ") and current in banner.notes:
            banner.notes[current].append(line)
        elif line.startswith(("Stream mapping", "Output #", "At least one output")):
            break
    return banner


def _add_program(banner: Banner, index: int, program: int) -> None:
    """A stream of several programs is listed in each of them."""
    for place, stream in enumerate(banner.streams):
        if stream.index == index and program not in stream.programs:
            banner.streams[place] = replace(stream, programs=(*stream.programs, program))


def _add_stream(banner: Banner, match: re.Match[str]) -> int:
    index, language, kind, codec, rest = match.groups()
    if any(s.index == int(index) for s in banner.streams):
        return int(index)  # of a second group
    if kind.lower() == "data" and (fourcc := _FOURCC.match(rest)):
        codec = fourcc.group(1)  # "tmcd", "gpmd": more telling than "none" and "bin_data"
    flags = re.findall(r"\(([a-z ]+)\)", rest)
    stream = StreamInfo(
        index=int(index),
        kind=_KINDS.get(kind, "data"),
        codec=codec,
        language=language if language and language != "und" else None,
        attached_picture="attached pic" in flags or "timed thumbnails" in flags,
    )
    banner.streams.append(stream)
    if size := _SIZE.search(rest):
        banner.sizes[stream.index] = int(size.group(1)), int(size.group(2))
    if "default" in flags:
        banner.defaults.add(stream.index)
    return stream.index


_SHOW_RATE = re.compile(r"config in time_base: \d+/\d+, frame_rate: (\d{1,18})/(\d{1,18})")
_SHOW_FRAME = re.compile(
    r"\bfmt:(\S+) .*?\bsar:(\d{1,18})/(\d{1,18}) s:(\d{1,9})x(\d{1,9})(?: i:(.))?"
)
_SHOW_COLOR = re.compile(
    r"color_range:(\S+) color_space:(\S+) color_primaries:(\S+) color_trc:(\S+)"
)


@dataclass(frozen=True, slots=True)
class FirstFrame:
    """What ffmpeg's ``showinfo`` says of the first decoded, upright picture."""

    width: int
    height: int
    pix_fmt: str
    sample_aspect: Fraction
    """1 where unknown"""
    frame_rate: Fraction | None
    """nominal, None where unknown"""
    color_range: str | None
    """"tv", "pc" or None"""
    color_space: str | None
    color_primaries: str | None
    color_trc: str | None
    interlaced: bool = False
    reserved_tags: bool = False
    """whether a colour tag has a value that means nothing; it reads as None here"""
    side_data: tuple[str, ...] = ()
    """lines about what the picture carries beside its samples"""


def parse_first_frame(lines: Sequence[str]) -> FirstFrame | None:
    """Parse the ``showinfo`` lines of a log; None where no frame was shown."""
    rate: Fraction | None = None
    shape: re.Match[str] | None = None
    side: list[str] = []
    for line in lines:
        if not line.startswith("[Parsed_showinfo_"):
            continue  # a title may look like what the filter says
        if match := _SHOW_RATE.search(line):
            num, den = int(match.group(1)), int(match.group(2))
            rate = Fraction(num, den) if num > 0 and den > 0 else None
        elif shape is None:
            shape = _SHOW_FRAME.search(line)
        elif "  side data - " in line:
            side.append(line[:400])
        elif match := _SHOW_COLOR.search(line):
            tags = [None if v in ("unknown", "reserved") else v for v in match.groups()]
            sar_num, sar_den = int(shape.group(2)), int(shape.group(3))
            return FirstFrame(
                width=int(shape.group(4)),
                height=int(shape.group(5)),
                pix_fmt=shape.group(1),
                sample_aspect=(
                    Fraction(sar_num, sar_den) if sar_num > 0 and sar_den > 0 else Fraction(1)
                ),
                frame_rate=rate,
                color_range=tags[0],
                color_space=tags[1],
                color_primaries=tags[2],
                color_trc=tags[3],
                reserved_tags="reserved" in match.groups(),
                interlaced=shape.group(6) in ("T", "B"),
                side_data=tuple(side),
            )
    return None
