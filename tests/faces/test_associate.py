from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from vsr.core.geometry import Box
from vsr.core.types import Face
from vsr.faces.associate import OpenTrack, Sighting, associate, likeness, patch_of

_RNG = np.random.default_rng(5)
_LOOKS = [v / np.linalg.norm(v) for v in _RNG.normal(size=(4, 768)).astype(np.float32)]


def _seen(
    index: int, cx: float, look: int = 0, *, confidence: float = 0.9, width: float = 40, fps=30
) -> Sighting:
    box = Box.from_center(cx, 100, width, width * 1.2)
    return Sighting(index, index / fps, Face(box, confidence), _LOOKS[look])


def _track(*sightings: Sighting) -> OpenTrack:
    track = OpenTrack()
    for s in sightings:
        track.add(s, sure=s.face.confidence >= 0.85)
    return track


class TestAssociate:
    def test_continues_the_near_one(self) -> None:
        a, b = _track(_seen(0, 100)), _track(_seen(0, 300, 1))
        near_b, near_a = _seen(1, 305, 1), _seen(1, 103)
        pairs = associate([a, b], [near_b, near_a], 0.85)
        assert {(id(t), id(s)) for t, s in pairs} == {(id(a), id(near_a)), (id(b), id(near_b))}

    def test_each_at_most_once(self) -> None:
        a = _track(_seen(0, 100))
        pairs = associate([a], [_seen(1, 101), _seen(1, 104)], 0.85)
        assert len(pairs) == 1
        assert pairs[0][1].face.box.center[0] == pytest.approx(101)

    def test_faces_that_cross_keep_their_tracks(self) -> None:
        right = _track(*[_seen(i, 100 + 12 * i, 0) for i in range(5)])
        left = _track(*[_seen(i, 220 - 12 * i, 1) for i in range(5)])
        for i in range(5, 12):
            a, b = _seen(i, 100 + 12 * i, 0), _seen(i, 220 - 12 * i, 1)
            pairs = associate([right, left], [b, a], 0.85)
            assert {(id(t), id(s)) for t, s in pairs} == {(id(right), id(a)), (id(left), id(b))}
            for track, sighting in pairs:
                track.add(sighting, sure=True)

    def test_a_sure_one_goes_before_a_closer_weak_one(self) -> None:
        a = _track(_seen(0, 100))
        weak, sure = _seen(1, 100, confidence=0.62), _seen(1, 108)
        assert [s for _, s in associate([a], [weak, sure], 0.85)] == [sure]

    def test_a_weak_one_carries_on_what_looks_alike(self) -> None:
        a = _track(_seen(0, 100))
        assert len(associate([a], [_seen(1, 101, 0, confidence=0.62)], 0.85)) == 1

    def test_a_weak_one_does_not_wander_to_what_covers_the_face(self) -> None:
        a = _track(_seen(0, 100))
        assert associate([a], [_seen(1, 101, 1, confidence=0.62)], 0.85) == []
        assert len(associate([a], [_seen(1, 101, 1, confidence=0.9)], 0.85)) == 1

    def test_far_or_other_sized_is_another_face(self) -> None:
        a = _track(_seen(0, 100))
        assert associate([a], [_seen(1, 160)], 0.85) == []
        assert associate([a], [_seen(1, 100, width=90)], 0.85) == []

    def test_leaps_are_larger_at_five_frames_a_second(self) -> None:
        leap = 50
        quick, slow = _track(_seen(0, 100)), _track(_seen(0, 100, fps=5))
        assert associate([quick], [_seen(1, 100 + leap)], 0.85) == []
        assert len(associate([slow], [_seen(1, 100 + leap, fps=5)], 0.85)) == 1
        assert associate([slow], [_seen(1, 100 + leap, 1, fps=5)], 0.85) == []

    def test_after_a_gap_it_must_look_alike(self) -> None:
        a = _track(_seen(0, 100))
        assert len(associate([a], [_seen(5, 102)], 0.85)) == 1
        assert associate([a], [_seen(5, 102, 1)], 0.85) == []

    def test_motion_is_carried_over_a_gap(self) -> None:
        a = _track(*[_seen(i, 100 + 15 * i) for i in range(4)])
        assert a.predict(7).center[0] == pytest.approx(100 + 15 * 7 - 15, abs=20)
        assert len(associate([a], [_seen(7, 205)], 0.85)) == 1

    def test_nothing_to_do(self) -> None:
        assert associate([], [], 0.85) == []
        assert associate([_track(_seen(0, 1))], [], 0.85) == []


class TestPatch:
    def test_unit_length_and_same_for_brighter(self, astronaut: np.ndarray) -> None:
        box = Box(179, 63, 89, 111)
        a = patch_of(astronaut // 2, box)
        b = patch_of(astronaut // 2 + 40, box)
        assert np.linalg.norm(a) == pytest.approx(1, abs=1e-5)
        assert likeness(a, b) > 0.999

    def test_a_face_is_unlike_its_surroundings(self, astronaut: np.ndarray) -> None:
        face = patch_of(astronaut, Box(179, 63, 89, 111))
        near = patch_of(astronaut, Box(182, 66, 89, 111))
        elsewhere = patch_of(astronaut, Box(380, 250, 89, 111))
        assert likeness(face, near) > 0.85
        assert likeness(face, elsewhere) < 0.3

    def test_sixteen_bit(self, astronaut: np.ndarray) -> None:
        box = Box(179, 63, 89, 111)
        deep = patch_of(astronaut.astype(np.uint16) * 257, box)
        assert likeness(deep, patch_of(astronaut, box)) == pytest.approx(1, abs=1e-5)

    @pytest.mark.parametrize("box", [Box(-90, 5, 40, 40), Box(600, 5, 40, 40), Box(5, 5, 1, 1)])
    def test_outside_is_nothing(self, astronaut: np.ndarray, box: Box) -> None:
        assert not patch_of(astronaut, box).any()

    def test_flat_is_nothing(self) -> None:
        assert not patch_of(np.full((50, 50, 3), 77, np.uint8), Box(5, 5, 20, 20)).any()

    def test_partly_outside(
        self, astronaut: np.ndarray, background: Callable[[int, int], np.ndarray]
    ) -> None:
        assert np.linalg.norm(patch_of(astronaut, Box(-20, -20, 60, 60))) == pytest.approx(
            1, abs=1e-5
        )
