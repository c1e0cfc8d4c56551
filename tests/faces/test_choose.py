"""Some tracks of many: by number, by range, and all but some."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from vsr.core.errors import UsageError
from vsr.core.geometry import Box
from vsr.core.types import Face, Frame, FrameFaces
from vsr.faces.choose import ChooseConfig, choose, track_range


def frames(*tracks: int | None) -> list[FrameFaces]:
    """Three frames with these tracks; the first one has no face."""
    picture = np.zeros((32, 32, 3), np.uint8)
    found = [()] + [tuple(Face(Box(1, 1, 8, 8), 0.9, t) for t in tracks)] * 2
    return [FrameFaces(Frame(i, i, Fraction(1, 30), picture), f) for i, f in enumerate(found)]


@pytest.mark.parametrize(
    ("cfg", "left"),
    [
        ({}, [0, 3, 7, 8, 12]),
        ({"tracks": ("3",)}, [3]),
        ({"tracks": ("7-9", "0")}, [0, 7, 8]),
        ({"skip": ("7-9",)}, [0, 3, 12]),
        ({"tracks": ("0-8",), "skip": ("3", "8")}, [0, 7]),
        ({"tracks": ("99",)}, []),
    ],
)
def test_the_chosen_tracks_alone_stay(cfg: dict, left: list[int]) -> None:
    items = frames(0, 3, 7, 8, 12)
    out = list(choose(items, ChooseConfig(**cfg)))
    assert [o.frame for o in out] == [i.frame for i in items]
    assert [[f.track_id for f in o.faces] for o in out] == [[], left, left]


def test_a_face_without_a_track_is_none_of_the_chosen() -> None:
    items = frames(None)
    assert len(list(choose(items, ChooseConfig(skip=("1",))))[1].faces) == 1
    assert list(choose(items, ChooseConfig(tracks=("1",))))[1].faces == ()


def test_what_was_chosen_and_is_not_there_is_told() -> None:
    cfg = ChooseConfig(tracks=("3", "7-9", "20-29"))
    assert cfg.missing([3, 9, 12]) == ["20-29"]
    assert cfg.missing([]) == ["3", "7-9", "20-29"]
    assert ChooseConfig(skip=("5",)).missing([]) == []


def test_numbers_and_ranges() -> None:
    assert list(track_range("3", "--track")) == [3]
    assert list(track_range(" 7-9 ", "--track")) == [7, 8, 9]
    for text, words in (
        ("x", "expected a track's number or a range"),
        ("-1", "expected a track's number"),
        ("3-", "expected a track's number"),
        ("9-7", "expected a rising range; write 7-9"),
    ):
        with pytest.raises(UsageError, match=rf"choose.tracks: got '{text}', {words}"):
            ChooseConfig(tracks=(text,))
