"""The record of detections: what is whole comes back bit for bit, the rest is found again."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from vsr.core.errors import DataError, OutputError
from vsr.core.geometry import Box
from vsr.core.types import Face, Frame, FrameFaces
from vsr.faces.detections import DetectionRecord

_PICTURE = np.zeros((2, 2, 3), np.uint8)


def _frames(count: int) -> Iterator[Frame]:
    return (Frame(i, 3 * i, Fraction(1, 90), _PICTURE) for i in range(count))


def _faces(index: int) -> tuple[Face, ...]:
    return tuple(Face(Box(index / 3, k, 20.1, 24), 0.9) for k in range(index % 3))


class Finder:
    """A stage that notes which frames it is given."""

    def __init__(self) -> None:
        self.seen: list[list[int]] = []

    def __call__(self, part: Iterable[Frame]) -> Iterator[FrameFaces]:
        self.seen.append([])
        for frame in part:
            self.seen[-1].append(frame.index)
            yield FrameFaces(frame, _faces(frame.index))


@pytest.fixture
def record(tmp_path: Path) -> DetectionRecord:
    record = DetectionRecord(tmp_path / "detections.jsonl")
    items = list(record.detect(_frames(10), 4, Finder()))
    assert [i.faces for i in items] == [_faces(i) for i in range(10)]
    return record


def test_it_gives_back_what_it_was_given(record: DetectionRecord) -> None:
    assert list(record.read()) == [(3 * i, _faces(i)) for i in range(10)]
    assert [i.faces for i in record.replay(_frames(7))] == [_faces(i) for i in range(7)]
    with pytest.raises(DataError, match="frame 10 is not recorded"):
        list(record.replay(_frames(12)))


@pytest.mark.parametrize(
    ("damage", "kept"),
    [
        (lambda data: data, 8),
        (lambda data: data[:-1], 8),
        (lambda data: b"".join(data.splitlines(True)[:8]) + b'[24,[]]', 8),
        (lambda data: b"".join(data.splitlines(True)[:8])[:-1], 4),
        (lambda data: data.replace(b"\n[15,", b"\n\xff\x00[15,"), 4),
        (lambda data: b"\n" + data, 0),
        (lambda data: b"\0" * len(data), 0),
        (lambda data: b"", 0),
    ],
)  # fmt: skip
def test_whole_segments_are_kept_and_the_rest_found_again(
    record: DetectionRecord, damage, kept: int
) -> None:
    whole = record.path.read_bytes()
    record.path.write_bytes(damage(whole))
    finder = Finder()
    items = list(record.detect(_frames(10), 4, finder))
    assert [i.faces for i in items] == [_faces(i) for i in range(10)]
    assert finder.seen == [[*range(i, min(i + 4, 10))] for i in range(kept, 10, 4)]
    assert record.path.read_bytes() == whole


def test_another_source_is_refused(record: DetectionRecord) -> None:
    moved = [Frame(f.index, f.pts + 1, f.time_base, f.rgb) for f in _frames(10)]
    with pytest.raises(DataError, match="is recorded at 0, the source has it at 1; use --restart"):
        list(record.detect(moved, 4, Finder()))


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        list(DetectionRecord(tmp_path / "no" / "folder").detect(_frames(4), 4, Finder()))


@pytest.mark.parametrize("way", ["detect", "replay"])
def test_a_long_record_is_never_in_memory_as_a_whole(tmp_path: Path, way: str) -> None:
    count, faces = 4000, ",".join(["[100.25,200.5,30.125,40.0625,0.9]"] * 5)
    record = DetectionRecord(tmp_path / "detections.jsonl")
    record.path.write_text("".join(f"[{3 * i},[{faces}]]\n" for i in range(count)))
    tracemalloc.start()
    try:
        if way == "detect":
            items = record.detect(_frames(count), 8, Finder())
        else:
            items = record.replay(_frames(count))
        assert sum(len(i.faces) for i in items) == 5 * count
        assert tracemalloc.get_traced_memory()[1] < 300_000 < record.path.stat().st_size
    finally:
        tracemalloc.stop()
