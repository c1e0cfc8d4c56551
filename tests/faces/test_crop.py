from __future__ import annotations

import itertools
from fractions import Fraction

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsr.core.errors import UsageError
from vsr.core.geometry import Box
from vsr.core.types import Face, Frame, FrameCrops, FrameFaces
from vsr.faces.crop import CropConfig, crop


def _items(picture: np.ndarray, boxes: list[Box | None], track_id: int | None = 0):  # type: ignore[no-untyped-def]
    return [
        FrameFaces(
            Frame(i, i, Fraction(1, 30), picture),
            (Face(b, 0.9, track_id),) if b else (),
        )
        for i, b in enumerate(boxes)
    ]


def _one(picture: np.ndarray, box: Box, cfg: CropConfig | None = None) -> FrameCrops:
    (out,) = crop(_items(picture, [box]), cfg or CropConfig())
    return out


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (600, 800, 3)).astype(np.uint8)


class TestNative:
    def test_the_generator_sees_the_source_s_own_pixels(self, picture: np.ndarray) -> None:
        (c,) = _one(picture, Box(300, 200, 50, 60)).crops
        assert not c.resampled
        assert np.array_equal(c.lr, picture[c.window.slices])
        assert c.lr.flags.c_contiguous
        assert not np.shares_memory(c.lr, picture)
        assert (c.outcome, c.sr) == ("pending", None)

    def test_the_window_holds_the_head(self, picture: np.ndarray) -> None:
        box = Box(300.4, 200.7, 50, 60)
        (c,) = _one(picture, box).crops
        w = c.window
        assert w.width == w.height == 96
        assert w.x + w.width / 2 == pytest.approx(box.center[0], abs=0.51)
        assert w.y + w.height / 2 == pytest.approx(box.center[1], abs=0.51)

    @given(st.floats(0, 799), st.floats(0, 599), st.floats(12, 500), st.integers(590, 600))
    @settings(deadline=None, max_examples=60)
    def test_windows_on_a_grid_of_two_have_even_places_and_sides(
        self, cx: float, cy: float, width: float, height: int
    ) -> None:
        picture = np.zeros((height, 799, 3), np.uint8)
        items = _items(picture, [Box.from_center(cx, cy, width, width)])
        for item in crop(items, CropConfig(sides=(33, 48, 65, 160)), grid=2):
            for c in item.crops:
                w = c.window
                assert not {w.x % 2, w.y % 2, w.width % 2, w.height % 2} & {1}
                assert w.x + w.width <= 799
                assert w.y + w.height <= height

    @given(
        st.floats(-50, 850), st.floats(-50, 650), st.floats(5, 500), st.floats(0.7, 1.6), st.data()
    )
    @settings(deadline=None, max_examples=120)
    def test_windows_are_square_and_wholly_inside(
        self, cx: float, cy: float, width: float, ratio: float, data: st.DataObject
    ) -> None:
        height, wide = data.draw(st.sampled_from([(600, 800), (90, 120), (33, 700), (400, 30)]))
        image = np.zeros((height, wide, 3), np.uint8)
        box = Box.from_center(cx, cy, width, width * ratio)
        out = _one(image, box)
        inside = 0 <= box.center[0] < wide and 0 <= box.center[1] < height
        assert len(out.crops) == (inside and box.width >= 12)
        for c in out.crops:
            w = c.window
            assert w.width == w.height <= min(height, wide)
            assert w.x + w.width <= wide
            assert w.y + w.height <= height
            assert c.lr.shape[0] == c.lr.shape[1] <= 160
            assert c.lr.shape[0] in CropConfig().sides or w.width == min(height, wide)

    def test_a_face_at_the_border_shifts_the_window(self, picture: np.ndarray) -> None:
        (c,) = _one(picture, Box(-10, 560, 40, 50)).crops
        assert (c.window.x, c.window.y + c.window.height) == (0, 600)

    def test_wide_windows_are_reduced(self, picture: np.ndarray) -> None:
        (c,) = _one(picture, Box(200, 150, 220, 260)).crops
        assert c.resampled
        assert c.window.width > 400
        assert c.lr.shape == (160, 160, 3)
        wanted = cv2.resize(picture[c.window.slices], (160, 160), interpolation=cv2.INTER_AREA)
        assert np.array_equal(c.lr, wanted)

    def test_sides_come_from_the_set(self, picture: np.ndarray) -> None:
        cfg = CropConfig()
        for width in range(12, 75):
            (c,) = _one(picture, Box(300, 200, width, width * 1.2), cfg).crops
            side = c.window.width
            assert side in cfg.sides
            assert side >= width * 1.2 * 1.6
            smaller = [s for s in cfg.sides if s < side]
            assert not smaller or smaller[-1] < width * 1.2 * 1.6

    def test_sixteen_bit_stays(self, picture: np.ndarray) -> None:
        deep = picture.astype(np.uint16) * 257
        for box in (Box(300, 200, 50, 60), Box(200, 150, 220, 260)):
            (c,) = _one(deep, box).crops
            assert c.lr.dtype == np.uint16

    def test_small_faces_are_passed_over(self, picture: np.ndarray) -> None:
        assert _one(picture, Box(300, 200, 11, 14)).crops == ()
        assert len(_one(picture, Box(300, 200, 11, 14), CropConfig(min_face_px=10)).crops) == 1


class TestSteadiness:
    def test_a_size_that_wavers_does_not_flip_the_window(self, picture: np.ndarray) -> None:
        # 60 high x 1.6 is exactly one of the sides
        boxes: list[Box | None] = [
            Box.from_center(400, 300, 50, 60 + wave) for wave in (0, 2, -2, 3, -3, 1, -1, 2)
        ]
        sides = [o.crops[0].window.width for o in crop(_items(picture, boxes), CropConfig())]
        assert len(set(sides)) == 1
        flipping = [o.crops[0].window.width for b in boxes if b for o in [_one(picture, b)]]
        assert len(set(flipping)) > 1

    def test_a_growing_face_is_followed(self, picture: np.ndarray) -> None:
        boxes: list[Box | None] = [Box.from_center(400, 300, h / 1.2, h) for h in range(30, 96)]
        sides = [o.crops[0].window.width for o in crop(_items(picture, boxes), CropConfig())]
        assert sides == sorted(sides)
        assert sides[-1] >= 95 * 1.6 * 0.92
        assert len(set(sides)) >= 6
        back = crop(_items(picture, boxes[::-1]), CropConfig())
        shrinking = [o.crops[0].window.width for o in back]
        assert shrinking == sorted(shrinking, reverse=True)
        assert shrinking[-1] <= 64

    def test_native_windows_follow_in_whole_pixels(self, picture: np.ndarray) -> None:
        boxes: list[Box | None] = [Box.from_center(300 + 0.4 * i, 300, 50, 60) for i in range(20)]
        xs = [o.crops[0].window.x for o in crop(_items(picture, boxes), CropConfig())]
        assert all(0 <= b - a <= 1 for a, b in itertools.pairwise(xs))
        assert xs[-1] - xs[0] == pytest.approx(0.4 * 19, abs=1)

    def test_reduced_windows_stand_still_under_jitter(self, picture: np.ndarray) -> None:
        rng = np.random.default_rng(4)
        boxes: list[Box | None] = [
            Box.from_center(400 + dx, 300 + dy, 220, 260) for dx, dy in rng.normal(0, 1.5, (20, 2))
        ]
        windows = {o.crops[0].window for o in crop(_items(picture, boxes), CropConfig())}
        assert len(windows) == 1

    def test_reduced_windows_follow_motion(self, picture: np.ndarray) -> None:
        boxes: list[Box | None] = [Box.from_center(300 + 6 * i, 300, 220, 260) for i in range(20)]
        out = [o.crops[0].window for o in crop(_items(picture, boxes), CropConfig())]
        for w, b in zip(out, boxes, strict=True):
            assert b is not None
            assert w.x + w.width / 2 == pytest.approx(b.center[0], abs=w.width / 48 + 1)

    def test_tracks_do_not_share_windows(self, picture: np.ndarray) -> None:
        small, large = Box.from_center(200, 300, 50, 60), Box.from_center(600, 300, 50, 62)
        frame = Frame(0, 0, Fraction(1, 30), picture)
        faces = (Face(small, 0.9, 0), Face(large, 0.9, 1))
        sides = [
            [c.window.width for c in o.crops]
            for o in crop([FrameFaces(frame, faces)] * 3, CropConfig())
        ]
        assert sides == [[96, 112]] * 3

    def test_without_tracks_each_frame_is_on_its_own(self, picture: np.ndarray) -> None:
        boxes: list[Box | None] = [Box.from_center(400, 300, 50, h) for h in (60, 62, 60)]
        out = crop(_items(picture, boxes, track_id=None), CropConfig())
        assert [o.crops[0].window.width for o in out] == [96, 112, 96]


class TestCanonical:
    cfg = CropConfig(mode="canonical", size=64)

    @pytest.mark.parametrize("width", [14, 25, 50, 200])
    def test_every_face_becomes_the_size(self, picture: np.ndarray, width: int) -> None:
        (c,) = _one(picture, Box(300, 200, width, width * 1.2), self.cfg).crops
        assert c.lr.shape == (64, 64, 3)
        way = cv2.INTER_AREA if c.window.width > 64 else cv2.INTER_CUBIC
        wanted = cv2.resize(picture[c.window.slices], (64, 64), interpolation=way)
        assert np.array_equal(c.lr, wanted)

    def test_a_window_of_the_size_is_not_resampled(self, picture: np.ndarray) -> None:
        (c,) = _one(picture, Box(300, 200, 33, 40), self.cfg).crops
        assert c.window.width == 64
        assert not c.resampled
        assert np.array_equal(c.lr, picture[c.window.slices])


class TestStage:
    def test_order_and_count_hold(self, picture: np.ndarray) -> None:
        box = Box(300, 200, 50, 60)
        items = _items(picture, [None, box, None, box, None])
        out = list(crop(iter(items), CropConfig()))
        assert [o.frame for o in out] == [i.frame for i in items]
        assert [len(o.crops) for o in out] == [0, 1, 0, 1, 0]
        assert out[1].crops[0].face is items[1].faces[0]

    def test_it_waits_for_nothing(self, picture: np.ndarray) -> None:
        source = iter(_items(picture, [None] * 3))
        next(crop(source, CropConfig()))
        assert next(source).frame.index == 1

    def test_vanished_tracks_are_forgotten(self, picture: np.ndarray) -> None:
        box = Box(300, 200, 50, 60)
        items = [
            FrameFaces(Frame(i, i, Fraction(1, 30), picture), (Face(box, 0.9, i),))
            for i in range(500)
        ]
        stage = crop(items, CropConfig())
        for _ in stage:
            windows = stage.gi_frame.f_locals["windows"]  # type: ignore[attr-defined]
            assert len(windows) <= 160


class TestConfig:
    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("mode", "warp"),
            ("size", 4),
            ("margin", -0.1),
            ("margin", 3.0),
            ("sides", ()),
            ("sides", (64, 32)),
            ("sides", (4, 32)),
            ("max_side", 8),
            ("min_face_px", -1),
        ],
    )
    def test_refuses(self, key: str, value: object) -> None:
        with pytest.raises(UsageError, match=rf"crop\.{key}: got .*, expected"):
            CropConfig(**{key: value})  # type: ignore[arg-type]

    def test_sides_beyond_max_side_are_left_out(self, picture: np.ndarray) -> None:
        cfg = CropConfig(max_side=100)
        (c,) = _one(picture, Box(300, 200, 58, 70), cfg).crops
        assert c.window.width >= 112
        assert c.lr.shape == (100, 100, 3)
