"""Writes an AVIF photograph in tiles, as phones' HEIC has them, which no encoder at hand makes.

The boxes are those of ISO/IEC 14496-12 (8.11) and 23008-12 (6.6.2.3.2): four items of one still
picture, and a fifth that says how they lie, 2 by 2.
"""

from __future__ import annotations

import struct

_SIDES = 64, 48
_TILES = (1, 2, 3, 4)


def _box(name: bytes, *parts: bytes) -> bytes:
    data = b"".join(parts)
    return struct.pack(">I4s", len(data) + 8, name) + data


def _full(name: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    return _box(name, struct.pack(">I", version << 24 | flags), *parts)


def _still(data: bytes) -> tuple[bytes, bytes]:
    """(decoder configuration, coded picture) of an AVIF file that holds one."""
    at = data.index(b"av1C") - 4
    (size,) = struct.unpack_from(">I", data, at)
    return data[at : at + size], data[data.index(b"mdat") + 4 :]


def tiled(still: bytes, *, thumbnail: bool) -> bytes:
    """The photograph whose tiles, and whose thumbnail, are all the still AVIF picture."""
    config, picture = _still(still)
    width, height = _SIDES
    grid = struct.pack(">BBBBHH", 0, 0, 1, 1, 2 * width, 2 * height)
    items = [(n, b"av01", picture) for n in _TILES]
    items += [(6, b"av01", picture)] if thumbnail else []
    items.append((5, b"grid", grid))
    entries = [
        _full(b"infe", 2, n in _TILES, struct.pack(">HH4s", n, 0, kind), b"\0")
        for n, kind, _ in items
    ]
    names = _full(b"iinf", 0, 0, struct.pack(">H", len(items)), *entries)
    bonds = [_box(b"dimg", struct.pack(">6H", 5, len(_TILES), *_TILES))]
    bonds += [_box(b"thmb", struct.pack(">HHH", 6, 1, 5))] if thumbnail else []
    shapes = [_full(b"ispe", 0, 0, struct.pack(">II", k * width, k * height)) for k in (1, 2)]
    depth = _full(b"pixi", 0, 0, bytes([3, 8, 8, 8]))
    of_item = [
        struct.pack(">HB", n, 3 if kind == b"av01" else 2)
        + bytes([0x81, 2, 4] if kind == b"av01" else [3, 4])
        for n, kind, _ in items
    ]
    shape = _full(b"ipma", 0, 0, struct.pack(">I", len(items)), *of_item)
    properties = _box(b"iprp", _box(b"ipco", config, *shapes, depth), shape)
    kind = _full(b"hdlr", 0, 0, bytes(4), b"pict", bytes(13))
    first = _full(b"pitm", 0, 0, struct.pack(">H", 5))
    head = _box(b"ftyp", b"avif", bytes(4), b"avifmif1miafMA1A")

    def meta(begin: int) -> bytes:
        places = []
        for number, _, data in items:
            places.append(struct.pack(">HHHII", number, 0, 1, begin, len(data)))
            begin += len(data)
        where = _full(b"iloc", 0, 0, b"\x44\0", struct.pack(">H", len(items)), *places)
        return _full(b"meta", 0, 0, kind, first, where, names,
                     _full(b"iref", 0, 0, *bonds), properties)  # fmt: skip

    begin = len(head) + len(meta(0)) + 8
    return head + meta(begin) + _box(b"mdat", *(data for _, _, data in items))
