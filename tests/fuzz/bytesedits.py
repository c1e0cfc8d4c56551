"""Mutations of binary files: bits, chunks, lengths in headers, pieces of other files."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence

_NUMBERS = (0, 1, 2, 7, 8, 15, 16, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x10000,
            0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFF)  # fmt: skip
_HEAD = 1024
"""bytes at both ends of a file where its headers mostly lie"""

Edit = Callable[[bytearray, random.Random], None]


def mutate(seeds: Sequence[bytes], which: int, rng: random.Random) -> bytes:
    """One to four edits of ``seeds[which]``; now and then with a piece of another seed."""
    data = bytearray(seeds[which])
    for _ in range(rng.choice((1, 1, 1, 2, 3, 4))):
        if not data:
            break
        if rng.random() < 0.06:
            _splice(data, rng.choice(seeds), rng)
        else:
            rng.choice(EDITS)(data, rng)
    return bytes(data)


def _place(data: bytearray, rng: random.Random) -> int:
    """A position: half of them near the ends."""
    if len(data) > 2 * _HEAD and rng.random() < 0.5:
        at = rng.randrange(2 * _HEAD)
        return at if at < _HEAD else len(data) - 2 * _HEAD + at
    return rng.randrange(len(data))


def _chunk(data: bytearray, rng: random.Random) -> slice:
    at = _place(data, rng)
    return slice(at, min(len(data), at + int(2 ** rng.uniform(0, 13))))


def flip(data: bytearray, rng: random.Random) -> None:
    """Turn over some bits."""
    for _ in range(rng.choice((1, 1, 4, 32))):
        data[_place(data, rng)] ^= 1 << rng.randrange(8)


def cut(data: bytearray, rng: random.Random) -> None:
    """Lose the end, as a download that broke off."""
    del data[rng.randrange(len(data)) :]


def behead(data: bytearray, rng: random.Random) -> None:
    """Lose the beginning."""
    del data[: rng.randrange(min(len(data), 4096))]


def remove(data: bytearray, rng: random.Random) -> None:
    """Lose a piece in the middle."""
    del data[_chunk(data, rng)]


def duplicate(data: bytearray, rng: random.Random) -> None:
    """Have a piece once more, there or elsewhere."""
    piece = data[_chunk(data, rng)]
    at = _place(data, rng)
    data[at:at] = piece


def blank(data: bytearray, rng: random.Random) -> None:
    """A piece of zeros, as a bad sector."""
    where = _chunk(data, rng)
    data[where] = bytes(where.stop - where.start)


def noise(data: bytearray, rng: random.Random) -> None:
    """A piece of noise."""
    where = _chunk(data, rng)
    data[where] = rng.randbytes(where.stop - where.start)


def number(data: bytearray, rng: random.Random) -> None:
    """A telling number where a length or a count may stand."""
    width, code = rng.choice(((1, "B"), (2, "H"), (4, "I"), (4, "I"), (8, "Q")))
    value = rng.choice(_NUMBERS) & (256**width - 1)
    at = _place(data, rng)
    data[at : at + width] = struct.pack(rng.choice("<>") + code, value)


def box_field(data: bytearray, rng: random.Random) -> None:
    """Change what stands around a four-letter code: its length, or the fields behind it."""
    codes = [
        i
        for i in (_place(data, rng) for _ in range(200))
        if all(97 <= c <= 122 or 48 <= c <= 57 for c in data[i : i + 4]) and i + 4 <= len(data)
    ]
    if not codes:
        number(data, rng)
        return
    at = rng.choice(codes) + rng.choice((-4, 4, 8, 12, 16, 20, 24, 28, 32))
    if 0 <= at <= len(data) - 4:
        data[at : at + 4] = struct.pack(">I", rng.choice(_NUMBERS))


def _splice(data: bytearray, other: bytes, rng: random.Random) -> None:
    if other:
        data[_place(data, rng) :] = other[rng.randrange(len(other)) :]


EDITS: tuple[Edit, ...] = (
    flip, flip, cut, behead, remove, duplicate, blank, noise, number, number, box_field, box_field,
)  # fmt: skip
