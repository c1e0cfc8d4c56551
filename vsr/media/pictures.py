"""Which packets of an H.264 or HEVC stream begin a picture, by their slice headers.

Packets are not pictures: H.264 may code the two fields of a frame as pictures of their own
(camcorders and broadcasters do), which a decoder weaves into one, and a raw stream may end with an
access unit that holds none. Read are the fields up to ``bottom_field_flag`` of ITU-T H.264 (2021),
7.3.2.1, 7.3.2.2 and 7.3.3, and ``first_slice_segment_in_pic_flag`` of ITU-T H.265 (2021), 7.3.6.1.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import ffmpeg

from vsr.media.limits import SAFE_INPUT
from vsr.media.process import FfmpegProcess

_HEADER = 1024
"""bytes that hold any header that is read here"""
_SPS, _PPS = 7, 8
_H264_UNIT = re.compile(
    rb"\x00\x00\x01(?:([\x67\x47\x27])|([\x68\x48\x28])|[\x01\x21\x41\x61\x25\x45\x65\x02\x22\x42\x62]"
    rb"(?=[\x80-\xff]))"
)
"""a sequence's or a picture's parameters, or the first slice of a picture (first_mb_in_slice 0)"""
_HEVC_PICTURE = re.compile(rb"\x00\x00\x01[\x00-\x3f][\x00-\xff](?=[\x80-\xff])")
_HIGH = (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135)
"""profiles whose parameters tell chroma and scaling lists"""
_EXTENDED_SAR = 255


@dataclass(frozen=True, slots=True)
class Pictures:
    """The coded pictures of a stream, in its order."""

    second: array[int]
    """for each frame and each field: 1 where it is the second field of the one before"""
    frame_s: Fraction | None
    """seconds that a frame lasts, where the stream says so"""


def find_pictures(
    path: Path, stream_index: int, codec: str, *, only_fields: bool
) -> Pictures | None:
    """Read a stream's slice headers, not its samples; None where ffmpeg finds no start codes.

    only_fields: give up (None) once the stream says that its frames are never coded as fields.
    """

    def build(fds: Sequence[int]) -> list[str]:
        source = ffmpeg.input(f"file:{path.absolute()}", **SAFE_INPUT)[str(stream_index)]
        out = ffmpeg.output(source, f"pipe:{fds[0]}", format=codec, codec="copy", copyinkf=None)
        return out.global_args("-loglevel", "level+error").get_args()

    reader = _Hevc() if codec == "hevc" else _H264()
    process = FfmpegProcess(build, outputs=1)
    try:
        while data := process.read_some(0):
            reader.feed(data)
            if only_fields and reader.only_frames:
                process.kill()
                return None
        reader.feed(b"", last=True)
        process.wait()
    finally:
        process.close()
    return Pictures(reader.second, reader.frame_s) if reader.second else None


class _Hevc:
    """Counts HEVC pictures; a decoder shows fields as they are."""

    only_frames = True
    frame_s: Fraction | None = None
    _units = _HEVC_PICTURE

    def __init__(self) -> None:
        self.second = array("b")
        self._rest = b""

    def feed(self, data: bytes, *, last: bool = False) -> None:
        """Take the next bytes of the stream."""
        data = self._rest + data
        end = len(data) if last else max(0, len(data) - _HEADER)
        at = 0
        for match in self._units.finditer(data):
            if match.start() >= end:
                break
            at = match.end()
            self._take(match, data[at : at + _HEADER])
        self._rest = data[max(at, end) :]

    def _take(self, match: re.Match[bytes], body: bytes) -> None:
        self.second.append(0)


class _H264(_Hevc):
    """Finds H.264 frames and fields."""

    _units = _H264_UNIT

    def __init__(self) -> None:
        super().__init__()
        self.only_frames = False
        self._sequences: dict[int, _Sequence] = {}
        self._sequence_of: dict[int, int] = {}
        self._open: tuple[int, int] | None = None
        """(frame_num, parity) of a first field that waits for its second"""

    def _take(self, match: re.Match[bytes], body: bytes) -> None:
        try:
            if match.group(1):
                number, sequence = _sequence(_Bits(body))
                self._sequences[number] = sequence
                self.only_frames = all(s.only_frames for s in self._sequences.values())
                self.frame_s = self.frame_s or sequence.frame_s
            elif match.group(2):
                bits = _Bits(body[:64])
                picture = bits.ue()
                self._sequence_of[picture] = bits.ue()
            else:
                self.second.append(self._slice(_Bits(body[:32])))
        except (IndexError, KeyError):  # damaged, or before the first parameters
            if not match.group(1) and not match.group(2):
                self._open = None
                self.second.append(0)

    def _slice(self, bits: _Bits) -> int:
        bits.ue()
        bits.ue()
        sequence = self._sequences[self._sequence_of[bits.ue()]]
        if sequence.separate_planes:
            bits.u(2)
        number = bits.u(sequence.number_bits)
        if sequence.only_frames or not bits.u(1):
            self._open = None
            return 0
        field = number, bits.u(1)
        if self._open == (number, 1 - field[1]):
            self._open = None
            return 1
        self._open = field
        return 0


class _Bits:
    """Reads a unit's payload bit by bit. Raises IndexError at its end."""

    def __init__(self, data: bytes) -> None:
        self._data = data.replace(b"\0\0\3", b"\0\0")  # bytes against false start codes
        self._at = 0

    def u(self, count: int) -> int:
        """An unsigned number of so many bits."""
        value = 0
        for _ in range(count):
            value = value << 1 | self._data[self._at >> 3] >> (7 - (self._at & 7)) & 1
            self._at += 1
        return value

    def ue(self) -> int:
        """An Exp-Golomb number (H.264, 9.1)."""
        zeros = 0
        while not self.u(1):
            zeros += 1
            if zeros > 32:
                raise IndexError
        return (1 << zeros) - 1 + self.u(zeros)

    def se(self) -> int:
        """A signed one."""
        value = self.ue()
        return (value + 1) // 2 if value % 2 else -(value // 2)


@dataclass(frozen=True, slots=True)
class _Sequence:
    """What a sequence's parameters say."""

    only_frames: bool
    separate_planes: bool
    number_bits: int
    frame_s: Fraction | None


def _sequence(bits: _Bits) -> tuple[int, _Sequence]:
    """(number, parameters)."""
    profile = bits.u(8)
    bits.u(16)
    number, separate = bits.ue(), False
    if profile in _HIGH:
        chroma = bits.ue()
        separate = chroma == 3 and bool(bits.u(1))
        bits.ue()
        bits.ue()
        bits.u(1)
        if bits.u(1):
            for n in range(8 if chroma != 3 else 12):
                if bits.u(1):
                    _skip_scaling(bits, 16 if n < 6 else 64)
    number_bits = bits.ue() + 4
    if (kind := bits.ue()) == 0:
        bits.ue()
    elif kind == 1:
        bits.u(1)
        bits.se()
        bits.se()
        for _ in range(min(bits.ue(), 255)):
            bits.se()
    bits.ue()
    bits.u(1)
    bits.ue()
    bits.ue()
    only_frames = bool(bits.u(1))
    if not only_frames:
        bits.u(1)
    bits.u(1)
    if bits.u(1):
        for _ in range(4):
            bits.ue()
    return number, _Sequence(only_frames, separate, number_bits, _frame_s(bits))


def _skip_scaling(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.se()) % 256
        last = following or last


def _frame_s(bits: _Bits) -> Fraction | None:
    """How long a frame lasts, by the usability information (H.264, E.1.1)."""
    try:
        if not bits.u(1):
            return None
        if bits.u(1) and bits.u(8) == _EXTENDED_SAR:
            bits.u(32)
        if bits.u(1):
            bits.u(1)
        if bits.u(1):
            bits.u(4)
            if bits.u(1):
                bits.u(24)
        if bits.u(1):
            bits.ue()
            bits.ue()
        if not bits.u(1):
            return None
        ticks, scale = bits.u(32), bits.u(32)
    except IndexError:
        return None
    return Fraction(2 * ticks, scale) if ticks and scale else None
