"""What the log keeps of a track: exact counts, bounded detail, and JSON that reads back."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest

from vsr.core.errors import DataError
from vsr.core.geometry import Box, Window
from vsr.core.types import Face, FaceCrop, Frame, FrameCrops, FrameFaces, Track
from vsr.faces.tracklog import TrackLog
from vsr.faces.trackrecord import track_from_dict, track_to_dict

RGB = np.zeros((4, 4, 3), np.uint8)


def log_of(frames, *, tracks=1, filled=(), plain=(), uncropped=(), width=lambda i: 40.0):
    """A log that saw ``tracks`` faces in each of ``frames`` frames, 30 to the second."""
    log = TrackLog()

    def faces():
        for i in range(frames):
            found = tuple(
                Face(Box(10.0 * t, 5.0, width(i), 50.0), 0.9, t, filled=i in filled, label="ann")
                for t in range(tracks)
            )
            yield FrameFaces(Frame(i, 100 + i, Fraction(1, 30), RGB), found)

    def crops():
        for item in log.faces(faces()):
            i = item.frame.index
            outcome = "plain" if i in plain else "super-resolved"
            cut = tuple(
                FaceCrop(f, Window(3, 4, 64, 64), RGB, None, outcome, 9.0 if i in plain else 1.0)
                for f in item.faces
                if i not in uncropped
            )
            yield FrameCrops(item.frame, cut)

    assert sum(1 for _ in log.crops(crops())) == frames
    return log.tracks


def test_counts_runs_and_widths_are_exact():
    (track,) = log_of(
        50, filled={5, 6, 7, 20}, plain={30, 31}, width=lambda i: 20.0 + i, uncropped={49}
    )
    assert (track.frames, track.filled, track.plain) == (50, 4, 2)
    assert track.filled_frames == ((5, 7), (20, 20))
    assert track.plain_frames == ((30, 31),)
    assert (track.narrowest_px, track.widest_px) == (20, 69)
    assert track.timeline[-1].outcome is None
    assert track.timeline[30].outcome == "plain"
    assert [p.frame for p in track.timeline] == list(range(50))
    assert track.timeline[3].seconds == pytest.approx(103 / 30)


def test_best_faces_are_large_detected_and_spread_over_the_track():
    (track,) = log_of(400, filled=set(range(0, 400, 2)), width=lambda i: 30.0 + (i % 10))
    frames = [s.frame for s in track.best]
    assert len(frames) == 4
    assert frames == sorted(frames)
    assert all(f % 2 == 1 for f in frames)
    assert max(frames) - min(frames) >= 100
    assert all(s.box.width >= 38 for s in track.best)


def test_worst_faces_are_those_that_left_their_evidence():
    (track,) = log_of(100, plain={70})
    assert track.worst[0].frame == 70
    assert track.worst[0].deviation == 9.0
    assert track.best[0].window == Window(3, 4, 64, 64)
    assert track.best[0].pts == 100 + track.best[0].frame


def test_a_long_film_has_a_short_record():
    (track,) = log_of(20_000, filled=set(range(0, 20_000, 3)))
    assert 100 <= len(track.timeline) <= 200
    steps = {b.frame - a.frame for a, b in zip(track.timeline, track.timeline[1:], strict=False)}
    assert len(steps) == 1
    assert len(track.filled_frames) == 100
    assert track.filled == len(range(0, 20_000, 3))
    assert len(json.dumps(track_to_dict(track))) < 20_000


def test_many_tracks_share_the_room():
    tracks = log_of(40, tracks=500)
    assert sum(len(t.timeline) for t in tracks) <= 8000
    assert all(len(t.timeline) >= 4 and len(t.best) == 1 for t in tracks)


def pass_by(log, track, frames):
    """One face in each of the frames, through both ends of the log."""
    for i in frames:
        face = Face(Box(9.0, 5.0, 40.0, 50.0), 0.9, track)
        item = FrameFaces(Frame(i, 100 + i, Fraction(1, 30), RGB), (face,))
        crop = FaceCrop(face, Window(3, 4, 64, 64), RGB, None, "super-resolved", 1.0)
        list(log.faces([item]))
        list(log.crops([FrameCrops(item.frame, (crop,))]))


def held(log: TrackLog) -> int:
    return sum(
        len(s.places.values) + len(log._judged[i].outcomes.values) for i, s in log._seen.items()
    )


def test_many_tracks_share_the_room_while_they_are_recorded_too():
    """One after the other, as in a long film; the summary is that of all the points."""
    log = TrackLog()
    for track in range(300):
        pass_by(log, track, range(track * 100, track * 100 + 100))
    assert held(log) < 4 * 8000, "about 2 * 300 * 100 were seen"
    tracks = log.tracks
    assert all(4 <= len(t.timeline) <= 8000 // 300 for t in tracks)
    assert {p.frame % 4 for t in tracks for p in t.timeline} == {0}
    assert [t.frames for t in tracks] == [100] * 300


def test_a_record_reads_back():
    (track,) = log_of(30, filled={3}, plain={4}, uncropped={9})
    values = json.loads(json.dumps(track_to_dict(track)))
    back = track_from_dict(values)
    assert track_to_dict(back) == values
    assert back.filled_frames == track.filled_frames
    assert [p.outcome for p in back.timeline] == [p.outcome for p in track.timeline]


def test_a_record_without_detail_reads_back_too():
    old = {"track_id": 0, "first_frame": 1, "last_frame": 5, "frames": 5, "filled": 0}
    back = track_from_dict({**old, "median_width_px": 31.5, "plain": 0, "label": None})
    assert back == Track(0, 1, 5, 5, 0, 31.5)


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"best": [{"frame": 1}]},
        {"timeline": {"columns": ["frame"], "rows": [[1, 2]]}},
        {"best": 3},
    ],
)
def test_a_damaged_record_is_one_clear_error(broken):
    good = track_to_dict(log_of(3)[0])
    values = {**good, **broken} if broken else {}
    with pytest.raises(DataError, match="track record"):
        track_from_dict(values)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("confidence", {}),
        ("deviation", "0.5"),
        ("seconds", float("nan")),
        ("frame", 1.5),
        ("outcome", "perfect"),
        ("window", [0, 0, "8", 8]),
    ],
)
def test_a_sample_of_another_kind_names_the_value(name, value):
    values = track_to_dict(log_of(3)[0])
    values["best"][0][name] = value
    with pytest.raises(DataError, match=f"track record: .*{name if name != 'window' else 'width'}"):
        track_from_dict(values)
