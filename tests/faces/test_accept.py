from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from vsr.core.geometry import Box, Window
from vsr.core.types import Face, FaceCrop, Frame, FrameCrops
from vsr.faces.accept import accept
from vsr.faces.paste import PasteConfig

CFG = PasteConfig()
RATE = 25
GOOD, BAD = 0.3, 2.5


def film(*tracks: Sequence[float | None], first: int = 0) -> list[FrameCrops]:
    """Judged frames of faces with these deviations; None: not in that frame."""
    picture = np.zeros((16, 16, 3), np.uint8)
    items = []
    for index in range(len(tracks[0])):
        crops = []
        for track, deviations in enumerate(tracks):
            deviation = deviations[index]
            if deviation is None:
                continue
            face = Face(Box(2, 2, 8, 8), 0.9, track)
            outcome = "super-resolved" if deviation <= 1 else "plain"
            crop = FaceCrop(face, Window(0, 0, 8, 8), picture[:8, :8], picture, outcome, deviation)
            crops.append(crop)
        frame = Frame(first + index, first + index, Fraction(1, RATE), picture)
        items.append(FrameCrops(frame, tuple(crops)))
    return items


def weights(items: list[FrameCrops], track: int = 0) -> list[float]:
    """How much of a track's super-resolved face is seen in each frame."""
    found = []
    for item in accept(items, CFG):
        crop = next(c for c in item.crops if c.face.track_id == track)
        assert (crop.outcome == "super-resolved") == (crop.weight > 0)
        found.append(crop.weight)
    return found


def changes(found: list[float]) -> list[int]:
    """Frames at which a fade begins."""
    step = np.sign(np.diff(found))
    return [i + 1 for i in range(len(step)) if step[i] and (i == 0 or step[i] != step[i - 1])]


def test_frames_come_out_in_order_and_none_is_lost() -> None:
    items = film([GOOD] * 30)
    assert [i.frame.index for i in accept(items, CFG)] == list(range(30))
    assert list(accept([], CFG)) == []


@pytest.mark.parametrize(("deviation", "seen"), [(GOOD, 1.0), (BAD, 0.0)])
def test_a_track_is_what_its_faces_are(deviation: float, seen: float) -> None:
    assert set(weights(film([deviation] * 40))) == {seen}


def test_a_single_frame_changes_nothing() -> None:
    assert set(weights(film([GOOD] * 15 + [BAD] + [GOOD] * 15))) == {1.0}
    assert set(weights(film([BAD] * 15 + [GOOD] + [BAD] * 15))) == {0.0}


def test_a_contradiction_that_lasts_fades_out_over_four_frames() -> None:
    found = weights(film([GOOD] * 40 + [BAD] * 40))
    (begin,) = changes(found)
    assert found[begin : begin + 5] == pytest.approx([0.8, 0.6, 0.4, 0.2, 0.0])
    assert 36 <= begin <= 41
    assert found[45:] == [0.0] * 35


def test_it_comes_back_with_hysteresis() -> None:
    found = weights(film([BAD] * 40 + [0.9] * 40 + [GOOD] * 40))
    assert set(found[:76]) == {0.0}, "just under the limit is not enough for a refused track"
    (begin,) = changes(found)
    assert found[begin : begin + 5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert set(weights(film([GOOD] * 40 + [0.9] * 40))) == {1.0}


@pytest.mark.parametrize("seed", range(8))
def test_acceptance_changes_at_most_once_a_second(seed: int) -> None:
    rng = np.random.default_rng(seed)
    worst = np.repeat(rng.choice([GOOD, 0.9, 1.1, BAD], 60), rng.integers(1, 12, 60))
    found = weights(film([float(v) for v in worst]))
    begins = changes(found)
    assert len(begins) > 1
    assert min(np.diff(begins)) >= RATE, begins
    assert np.abs(np.diff(found)).max() <= 0.2 + 1e-6


def test_tracks_do_not_touch_each_other() -> None:
    items = film([GOOD] * 50, [None] * 10 + [BAD] * 40)
    crops = [c for item in accept(items, CFG) for c in item.crops]
    assert {c.outcome for c in crops if c.face.track_id == 0} == {"super-resolved"}
    assert {c.outcome for c in crops if c.face.track_id == 1} == {"plain"}


def test_the_strength_of_a_track_s_beginning_stays() -> None:
    first = film([GOOD] * 20)
    crop = first[0].crops[0]
    faint = replace(crop, face=replace(crop.face, strength=0.25))
    first[0] = replace(first[0], crops=(faint,))
    (begin, *_) = accept(first, CFG)
    assert (begin.crops[0].face.strength, begin.crops[0].weight) == (0.25, 1.0)


def test_what_cannot_be_followed_stays_as_it_was_judged() -> None:
    item = film([BAD])[0]
    crop = item.crops[0]
    nobody = replace(crop, face=replace(crop.face, track_id=None), outcome="super-resolved")
    bare = replace(crop, sr=None, deviation=None)
    (found,) = accept([replace(item, crops=(nobody, bare))], CFG)
    assert found.crops == (nobody, bare)


def test_a_clock_that_steps_back_holds_anew() -> None:
    items = film([GOOD] * 40 + [BAD] * 20 + [GOOD] * 60)
    late = [replace(i, frame=replace(i.frame, pts=i.frame.pts - 1000)) for i in items[60:]]
    found = weights(items[:60] + late)
    assert min(np.diff(changes(found))) >= RATE - 1
    assert found[-1] == 1.0
