"""The stream that carries raw pictures into the encoding ffmpeg: NUT, written by hand.

NUT (the container of that name, version 4, with CRC-32 of polynomial 04C11DB7) is the one
format ffmpeg reads from a pipe that holds all of: any rational time base, an exact pts for
every picture, the pixel aspect, and the nominal frame rate. IVF and rawvideo lack the rate;
without it encoders take one tick for the frame duration, pick absurd levels (or refuse), and
containers note thousands of frames per second.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from vsr.core.color import PixelFormat
from vsr.core.errors import DataError

_ID = b"nut/multimedia container\x00"
_MAIN = struct.pack(">Q", 0x4E4D7A561F5F04AD)
_STREAM = struct.pack(">Q", 0x4E5311405BF2F9DB)
_INFO = struct.pack(">Q", 0x4E49AB68B596BA78)
SYNCPOINT = struct.pack(">Q", 0x4E4BE4ADEECA4569)

_MAX_DISTANCE = 65536
_MSB_PTS_SHIFT = 7
_PIPE = 2  # no syncpoints behind the first: a reader would keep each one for a seek, for ever
_FLAG_KEY, _FLAG_CODED_PTS, _FLAG_SIZE_MSB, _FLAG_CHECKSUM = 1, 8, 32, 64

_FOURCC = {
    "yuv420p": b"I420",
    "yuv422p": b"Y42B",
    "yuv444p": b"444P",
    "yuv420p10le": b"Y3\x0b\x0a",
    "yuv422p10le": b"Y3\x0a\x0a",
    "yuv444p10le": b"Y3\x00\x0a",
}


class NutMuxer:
    """Makes the bytes that go before the stream and before every picture.

    frame_rate: nominal rate in frames per second, None where there is none.
    """

    def __init__(
        self,
        *,
        width: int,
        height: int,
        format: PixelFormat,
        time_base: Fraction,
        sample_aspect: Fraction = Fraction(1),
        frame_rate: Fraction | None = None,
    ) -> None:
        self._size = width, height
        self._fourcc = _FOURCC[format.name]
        self._tb = time_base
        self._aspect = sample_aspect
        self._rate = frame_rate
        self._begun = False

    def header(self) -> bytes:
        """File id, main header, stream header and, where known, the frame rate."""
        self._begun = False
        parts = [_ID, _packet(_MAIN, self._main()), _packet(_STREAM, self._stream())]
        if self._rate is not None:
            rate = f"{self._rate.numerator}/{self._rate.denominator}".encode()
            # stream 0 (+1), chapter 0, start 0, length 0, one entry: a UTF-8 value (-1)
            info = b"\x01\x00\x00\x00\x01" + _vb(b"r_frame_rate") + _s(-1) + _vb(rate)
            parts.append(_packet(_INFO, info))
        return b"".join(parts)

    def frame(self, pts: int, size: int) -> bytes:
        """What goes before a picture of ``size`` bytes shown at ``pts`` (0 or more)."""
        if pts < 0:
            raise ValueError(f"NutMuxer.frame: got pts {pts}, expected 0 or more; shift the stream")
        first, self._begun = not self._begun, True
        syncpoint = _packet(SYNCPOINT, _v(pts) + _v(0)) if first else b""
        head = b"\x00" + _v(pts + (1 << _MSB_PTS_SHIFT)) + _v(size)
        return syncpoint + head + _crc(head)

    def _main(self) -> bytes:
        flags = _FLAG_KEY | _FLAG_CODED_PTS | _FLAG_SIZE_MSB | _FLAG_CHECKSUM
        # All frame codes mean the same; six fields: pts delta, size multiplier, stream,
        # size's low part, reserved, count (255: code 'N' is never used).
        table = _v(flags) + _v(6) + _s(0) + _v(1) + _v(0) + _v(0) + _v(0) + _v(255)
        return b"".join(
            (
                _v(4),  # version
                _v(0),  # minor version
                _v(1),
                _v(_MAX_DISTANCE),
                _v(1),
                _v(self._tb.numerator),
                _v(self._tb.denominator),
                table,
                _v(0),
                _v(_PIPE),
            )
        )

    def _stream(self) -> bytes:
        width, height = self._size
        return b"".join(
            (
                _v(0),  # stream 0
                _v(0),  # video
                _vb(self._fourcc),
                _v(0),  # time base 0
                _v(_MSB_PTS_SHIFT),
                _v(1 << 20),  # max pts distance
                _v(0),  # decode delay
                _v(0),  # flags
                _vb(b""),
                _v(width),
                _v(height),
                _v(self._aspect.numerator),
                _v(self._aspect.denominator),
                _v(0),  # colour space: tagged by the encoder's filter
            )
        )


def read_time_base(path: Path) -> Fraction:
    """Time base of the first stream of a NUT file. Raises DataError where it is none.

    ffmpeg refines the time base it is given, so that coarse ones become multiples.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    if not head.startswith(_ID + _MAIN):
        raise DataError(f"{path}: is no NUT file; use --restart")
    numbers = _numbers(head[len(_ID) + len(_MAIN) :])
    try:
        if next(numbers) > 4096:  # the header's length; a long one has a checksum of its own
            raise DataError(f"{path}: has an odd header; use --restart")
        version, _streams, _distance, _count, numerator, denominator = (
            next(numbers) for _ in range(6)
        )
    except StopIteration:
        raise DataError(f"{path}: is damaged; use --restart") from None
    if version != 3 or numerator < 1 or denominator < 1:
        raise DataError(f"{path}: is NUT of version {version}, expected 3; use --restart")
    return Fraction(numerator, denominator)


def _numbers(data: bytes) -> Iterator[int]:
    value = 0
    for byte in data:
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            yield value
            value = 0


def _packet(startcode: bytes, body: bytes) -> bytes:
    """Startcode, length of what follows, (header checksum above 4096 bytes,) body, checksum."""
    length = _v(len(body) + 4)
    head = startcode + length
    check = _crc(head) if len(body) + 4 > 4096 else b""
    return head + check + body + _crc(body)


def _v(value: int) -> bytes:
    """Unsigned number, seven bits a byte, most significant first."""
    out = [value & 0x7F]
    while value := value >> 7:
        out.append(value & 0x7F | 0x80)
    return bytes(reversed(out))


def _s(value: int) -> bytes:
    """Signed number: 2|v| - (v > 0) coded as unsigned."""
    return _v(2 * value - 1 if value > 0 else -2 * value)


def _vb(data: bytes) -> bytes:
    return _v(len(data)) + data


def _table() -> list[int]:
    table = []
    for byte in range(256):
        crc = byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ 0x04C11DB7 if crc & 0x80000000 else crc << 1) & 0xFFFFFFFF
        table.append(crc)
    return table


_CRC_TABLE = _table()


def _crc(data: bytes) -> bytes:
    crc = 0
    for byte in data:
        crc = (crc << 8 & 0xFFFFFFFF) ^ _CRC_TABLE[crc >> 24 ^ byte]
    return struct.pack(">I", crc)
