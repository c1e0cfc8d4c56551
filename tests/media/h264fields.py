"""Writes H.264 whose two fields are pictures of their own, which no encoder at hand makes.

    python tests/media/h264fields.py OUT.264 [FRAMES]

Every macroblock is I_PCM, so that nothing is predicted or coded: a bit writer is enough. A frame
is an IDR top field and a bottom field with the same frame_num, as camcorders and broadcasters
write them; with ``whole`` every other frame is coded as a frame. 64x64, grey.
"""

from __future__ import annotations

import sys
from pathlib import Path

_SIDE = 4  # macroblocks
_I_PCM = 25
_MAIN, _LEVEL_3 = 77, 30


class Bits:
    """Bits, most significant first."""

    def __init__(self) -> None:
        self._text = ""

    def u(self, value: int, count: int = 1) -> Bits:
        """A number of so many bits."""
        self._text += f"{value:0{count}b}"
        return self

    def ue(self, *values: int) -> Bits:
        """Exp-Golomb numbers."""
        for value in values:
            word = f"{value + 1:b}"
            self._text += "0" * (len(word) - 1) + word
        return self

    def align(self) -> Bits:
        """Zeros up to the next byte."""
        self._text += "0" * (-len(self._text) % 8)
        return self

    def unit(self, kind: int, importance: int) -> bytes:
        """A NAL unit of these bits, a stop bit behind them."""
        self.u(1).align()
        body = int(self._text, 2).to_bytes(len(self._text) // 8, "big")
        safe = bytearray()
        for byte in body:
            if byte <= 3 and safe[-2:] == b"\0\0":
                safe.append(3)
            safe.append(byte)
        return b"\0\0\0\1" + bytes([importance << 5 | kind]) + bytes(safe)


def parameters() -> bytes:
    """Sequence and picture parameters: 4:2:0, no reordering, frames may be coded as fields."""
    sequence = Bits().u(_MAIN, 8).u(0, 8).u(_LEVEL_3, 8).ue(0, 0, 0, 0, 1).u(0)
    sequence.ue(_SIDE - 1, _SIDE // 2 - 1).u(0).u(0).u(1).u(0).u(0)
    picture = Bits().ue(0, 0).u(0).u(0).ue(0, 0, 0).u(0).u(0, 2).ue(0, 0, 0).u(1).u(0).u(0)
    return sequence.unit(7, 3) + picture.unit(8, 3)


def picture(number: int, parity: int | None) -> bytes:
    """A field (0 top, 1 bottom), or with None a whole frame."""
    first = parity != 1
    bits = Bits().ue(0, 7, 0).u(0, 4)
    bits.u(0) if parity is None else bits.u(1).u(parity)
    if first:
        bits.ue(number % 2).u(0, 4).u(0).u(0)
    else:
        bits.u(1, 4).u(0)
    bits.ue(0, 1)
    for block in range(_SIDE * _SIDE // (1 if parity is None else 2)):
        bits.ue(_I_PCM).align()
        grey = 40 + (12 * number + 5 * block + 2 * (parity or 0)) % 170
        for value, samples in ((grey, 256), (128, 128)):
            bits.u(int.from_bytes(bytes([value]) * samples, "big"), 8 * samples)
    delimiter = Bits().u(0, 3).unit(9, 0)
    return delimiter + (parameters() if first else b"") + bits.unit(5 if first else 1, 3)


def stream(frames: int, *, whole: bool = False) -> bytes:
    """An Annex B stream."""
    coded = []
    for number in range(frames):
        parts = [None] if whole and number % 2 else [0, 1]
        coded += [picture(number, parity) for parity in parts]
    return b"".join(coded)


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(stream(int(sys.argv[2]) if len(sys.argv) > 2 else 25))
