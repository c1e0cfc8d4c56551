from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsr.core.color import PIXEL_FORMATS, ColorSpec
from vsr.core.errors import UsageError
from vsr.core.geometry import Box
from vsr.core.types import Face, Frame, FrameFaces, YuvPicture
from vsr.faces.track import TrackConfig, track
from vsr.faces.tracklog import TrackLog

AddFace = Callable[[np.ndarray, float, float, float], Box]
Background = Callable[[int, int], np.ndarray]
AsFrames = Callable[..., list[Frame]]
WithFaces = Callable[..., FrameFaces]

Scene = tuple[list[FrameFaces], list[Box]]


@pytest.fixture
def walk(
    background: Background, add_face: AddFace, as_frames: AsFrames, with_faces: WithFaces
) -> Callable[..., Scene]:
    """A face that walks: (items, true boxes). ``missed`` frames have no detection, in
    ``hidden`` ones the face is not to be seen either."""

    def make(
        count: int = 30,
        *,
        missed: set[int] = frozenset(),  # type: ignore[assignment]
        hidden: set[int] = frozenset(),  # type: ignore[assignment]
        confidence: float | list[float] = 0.9,
        noise: float = 0.0,
    ) -> Scene:
        rng = np.random.default_rng(7)
        pictures = [background(160, 320) for _ in range(count)]
        boxes = []
        for i, picture in enumerate(pictures):
            x, width = 50 + 4 * i, 40 + 0.25 * i
            painted = picture if i not in hidden else picture.copy()
            boxes.append(add_face(painted, x, 80, width))
        items = []
        for i, frame in enumerate(as_frames(pictures)):
            box = boxes[i]
            if noise:
                dx, dy = rng.normal(0, noise, 2)
                box = Box(box.x + dx, box.y + dy, box.width, box.height)
            seen = [] if i in missed | hidden else [box]
            sure = confidence[i] if isinstance(confidence, list) else confidence
            items.append(with_faces(frame, *seen, confidence=sure))
        return items, boxes

    return make


def _faces(items: list[FrameFaces]) -> list[Face | None]:
    assert all(len(i.faces) <= 1 for i in items)
    return [i.faces[0] if i.faces else None for i in items]


class TestFollowing:
    def test_one_face_is_one_track_without_lag(self, walk: Callable[..., Scene]) -> None:
        items, boxes = walk()
        out = list(track(items, TrackConfig()))
        for face, box in zip(_faces(out), boxes, strict=True):
            assert face is not None
            assert face.track_id == 0
            assert not face.filled
            assert face.box.center == pytest.approx(box.center, abs=0.05)
            assert face.box.width == pytest.approx(box.width, abs=0.05)

    def test_jitter_shrinks(self, walk: Callable[..., Scene]) -> None:
        items, boxes = walk(noise=1.0)
        out = _faces(list(track(items, TrackConfig())))
        errors = {
            name: np.diff([f.box.center[0] - b.center[0] for f, b in zip(got, boxes, strict=True)])
            for name, got in (("before", [i.faces[0] for i in items]), ("after", out))
        }
        assert np.abs(errors["after"]).mean() < np.abs(errors["before"]).mean() / 4

    def test_smoothing_can_be_switched_off(self, walk: Callable[..., Scene]) -> None:
        items, _ = walk(noise=1.0)
        out = _faces(list(track(items, TrackConfig(smooth_s=0, smooth_size_s=0))))
        assert [f.box for f in out if f] == [i.faces[0].box for i in items]

    def test_positions_and_sizes_are_smoothed_each_by_its_own_width(
        self, walk: Callable[..., Scene]
    ) -> None:
        items, _ = walk(noise=1.0)
        for i, item in enumerate(items):  # sizes tremble, too
            b = item.faces[0].box
            trembling = Box.from_center(*b.center, b.width + i % 2, b.height)
            items[i] = FrameFaces(item.frame, (Face(trembling, 0.9),))
        raw = [i.faces[0].box for i in items]

        def unlike(**cfg: float) -> tuple[float, float]:
            out = _faces(list(track(items, TrackConfig(**cfg))))  # type: ignore[arg-type]
            pairs = [(f.box, r) for f, r in zip(out, raw, strict=True) if f]
            moved = max(abs(a.center[0] - b.center[0]) for a, b in pairs)
            return moved, max(abs(a.width - b.width) for a, b in pairs)

        assert unlike(smooth_s=0) == (pytest.approx(0, abs=1e-9), pytest.approx(0.5, abs=0.2))
        moved, grown = unlike(smooth_size_s=0)
        assert moved > 0.5
        assert grown == pytest.approx(0, abs=1e-9)

    def test_a_face_fades_in_and_out_within_a_scene(self, walk: Callable[..., Scene]) -> None:
        items, _ = walk(40, missed=set(range(8)) | set(range(25, 40)))
        out = _faces(list(track(items, TrackConfig(fade=4))))
        assert [i for i, f in enumerate(out) if f] == list(range(8, 25))
        strengths = [f.strength for f in out if f]
        rising = [0.2, 0.4, 0.6, 0.8]
        assert strengths == pytest.approx([*rising, *[1.0] * 9, *rising[::-1]])
        at_once = _faces(list(track(items, TrackConfig(fade=0))))
        assert {f.strength for f in at_once if f} == {1.0}

    def test_a_scenes_border_and_a_gap_are_no_fade(self, walk: Callable[..., Scene]) -> None:
        items, _ = walk(30, missed={12, 13, 14, 15, 16, 17, 18, 19})
        out = _faces(list(track(items, TrackConfig())))
        assert [f.strength for f in out if f] == [1.0] * 30

    def test_two_faces_keep_their_ids(
        self, background: Background, add_face: AddFace, as_frames: AsFrames, with_faces: WithFaces
    ) -> None:
        pictures = [background(160, 400) for _ in range(20)]
        items = []
        for i, frame in enumerate(as_frames(pictures)):
            a = add_face(frame.rgb, 60 + 6 * i, 60, 30)
            b = add_face(frame.rgb, 340 - 6 * i, 110, 50)
            items.append(with_faces(frame, *((a, b) if i % 2 else (b, a))))
        out = list(track(items, TrackConfig()))
        by_id = [{f.track_id: f.box.width for f in i.faces} for i in out]
        assert all(set(ids) == {0, 1} for ids in by_id)
        small = {min(ids, key=ids.__getitem__) for ids in by_id}
        assert len(small) == 1

    def test_a_cut_ends_the_track(
        self, walk: Callable[..., Scene], astronaut: np.ndarray, as_frames: AsFrames
    ) -> None:
        items, _ = walk(16)
        start = items[-1].faces[0].box
        # the next shot has a face just where the first one's would go on
        shot = astronaut[40:200, 60:380]
        second = [
            FrameFaces(Frame(16 + i, 16 + i, Fraction(1, 30), shot), (Face(start, 0.9),))
            for i in range(16)
        ]
        out = _faces(list(track(items + second, TrackConfig())))
        assert [f.track_id for f in out if f] == [0] * 16 + [1] * 16
        assert {f.strength for f in out if f} == {1.0}

    def test_gap_over_a_cut_is_not_filled(
        self, walk: Callable[..., Scene], astronaut: np.ndarray
    ) -> None:
        items, _ = walk(16, missed={14, 15})
        box = items[13].faces[0].box
        shot = astronaut[40:200, 60:380]
        second = [
            FrameFaces(Frame(16 + i, 16 + i, Fraction(1, 30), shot), (Face(box, 0.9),))
            for i in range(8)
        ]
        out = _faces(list(track(items + second, TrackConfig())))
        assert out[14] is None
        assert out[15] is None


class TestGaps:
    def test_a_missed_face_is_put_in_where_it_is(self, walk: Callable[..., Scene]) -> None:
        missed = {9, 10, 11, 12, 20}
        items, boxes = walk(missed=missed)
        out = _faces(list(track(items, TrackConfig())))
        for i, (face, box) in enumerate(zip(out, boxes, strict=True)):
            assert face is not None
            assert face.filled == (i in missed)
            assert face.box.center == pytest.approx(box.center, abs=0.1)
            assert face.track_id == 0

    def test_a_hidden_face_is_not(self, walk: Callable[..., Scene]) -> None:
        items, _ = walk(hidden={10, 11, 12})
        out = _faces(list(track(items, TrackConfig())))
        assert [i for i, f in enumerate(out) if f is None] == [10, 11, 12]
        assert {f.track_id for f in out if f} == {0}

    def test_longer_gaps_stay(self, walk: Callable[..., Scene]) -> None:
        items, _ = walk(missed=set(range(10, 15)))
        out = _faces(list(track(items, TrackConfig(max_gap=4))))
        assert [i for i, f in enumerate(out) if f is None] == list(range(10, 15))
        out = _faces(list(track(items, TrackConfig(max_gap=5))))
        assert all(out)

    def test_nothing_is_invented_before_the_first_and_after_the_last(
        self, walk: Callable[..., Scene]
    ) -> None:
        missed = {0, 1, 2, 26, 27, 28, 29}
        items, _ = walk(missed=missed)
        out = _faces(list(track(items, TrackConfig())))
        assert {i for i, f in enumerate(out) if f is None} == missed

    def test_a_face_that_passes_behind_another_is_not_put_on_it(
        self, walk: Callable[..., Scene], with_faces: WithFaces, add_face: AddFace
    ) -> None:
        items, boxes = walk(30)
        passing = [Box(b.x + 12 * (i - 11.5), b.y, b.width, b.height) for i, b in enumerate(boxes)]
        for i in (*range(4, 10), *range(14, 20)):
            add_face(items[i].frame.rgb, *passing[i].center, passing[i].width)
            items[i] = with_faces(items[i].frame, boxes[i], passing[i])
        out = list(track(items, TrackConfig(min_likeness=-1)))
        assert [len(out[i].faces) for i in range(8, 16)] == [2, 2, 1, 1, 1, 1, 2, 2]
        assert {f.track_id for i in out[14:20] for f in i.faces} == {0, 1}


class TestConfirming:
    def test_a_flash_of_a_face_vanishes(self, walk: Callable[..., Scene]) -> None:
        items, _ = walk(missed=set(range(30)) - {10, 11, 12, 13})
        assert not any(_faces(list(track(items, TrackConfig(min_length=5)))))
        kept = _faces(list(track(items, TrackConfig(min_length=4))))
        assert [i for i, f in enumerate(kept) if f] == [10, 11, 12, 13]

    @pytest.mark.parametrize("frames", [1, 2, 4])
    def test_in_a_scene_shorter_than_a_track_a_face_in_all_of_it_counts(
        self, walk: Callable[..., Scene], astronaut: np.ndarray, frames: int
    ) -> None:
        items, _ = walk(frames)
        assert all(_faces(list(track(items, TrackConfig()))))
        weak, _ = walk(frames, confidence=0.8)
        assert not any(_faces(list(track(weak, TrackConfig()))))
        # cut short by the next scene, which is long: there, the flash of a face stays out
        shot, box = astronaut[40:200, 60:380], Box(150, 20, 40, 50)
        after = [
            FrameFaces(
                Frame(frames + i, frames + i, Fraction(1, 30), shot),
                (Face(box, 0.9),) if 3 <= i < 7 else (),
            )
            for i in range(20)
        ]
        out = _faces(list(track([*items, *after], TrackConfig())))
        assert [i for i, f in enumerate(out) if f] == list(range(frames))

    def test_of_a_long_scene_the_last_frames_are_no_scene_of_their_own(
        self, walk: Callable[..., Scene]
    ) -> None:
        items, _ = walk(30, missed=set(range(27)))
        assert not any(_faces(list(track(items, TrackConfig()))))

    def test_never_sure_is_no_face(self, walk: Callable[..., Scene]) -> None:
        items, _ = walk(confidence=0.8)
        assert not any(_faces(list(track(items, TrackConfig()))))
        assert all(_faces(list(track(items, TrackConfig(start_confidence=0.8)))))

    def test_weak_ends_of_a_sure_track_count(self, walk: Callable[..., Scene]) -> None:
        confidence = [0.65] * 6 + [0.9] * 12 + [0.65] * 12
        items, _ = walk(confidence=confidence)
        out = _faces(list(track(items, TrackConfig())))
        assert [f.confidence for f in out if f] == confidence

    def test_ids_count_up_without_holes(
        self, walk: Callable[..., Scene], with_faces: WithFaces
    ) -> None:
        items, _ = walk()
        flash = Box(250, 20, 30, 36)
        items[3] = FrameFaces(items[3].frame, (Face(flash, 0.99), *items[3].faces))
        out = _faces(list(track(items, TrackConfig())))
        assert {f.track_id for f in out if f} == {0}


class TestStreaming:
    @given(
        st.lists(
            st.lists(st.tuples(st.integers(0, 60), st.floats(0.6, 1)), max_size=3), max_size=40
        )
    )
    @settings(deadline=None, max_examples=40)
    def test_order_and_count_hold(self, plan: list[list[tuple[int, float]]]) -> None:
        picture = np.random.default_rng(0).integers(0, 255, (48, 96, 3)).astype(np.uint8)
        items = [
            FrameFaces(
                Frame(i, 3 * i, Fraction(1, 90), picture),
                tuple(Face(Box(x, 10, 20, 24), c) for x, c in faces),
            )
            for i, faces in enumerate(plan)
        ]
        out = list(track(iter(items), TrackConfig()))
        assert [o.frame for o in out] == [i.frame for i in items]
        for before, after in zip(items, out, strict=True):
            seen = [f for f in after.faces if not f.filled]
            assert len(seen) <= len(before.faces)
            ids = [f.track_id for f in after.faces]
            assert None not in ids
            assert len(set(ids)) == len(ids)

    def test_lookahead_is_bounded(self, walk: Callable[..., Scene]) -> None:
        items, _ = walk()
        pulled = 0

        def source() -> Iterator[FrameFaces]:
            nonlocal pulled
            for item in items:
                pulled += 1
                yield item

        for count, item in enumerate(track(source(), TrackConfig(lookahead=6)), start=1):
            assert item.frame.index == count - 1
            assert pulled <= count + 6

    @pytest.mark.parametrize("lookahead", [0, 1, 12])
    def test_any_lookahead_gives_all_frames(
        self, walk: Callable[..., Scene], lookahead: int
    ) -> None:
        items, boxes = walk()
        out = _faces(list(track(items, TrackConfig(lookahead=lookahead))))
        for face, box in zip(out, boxes, strict=True):
            assert face is None or face.box.iou(box) > 0.8
        assert sum(f is not None for f in out) >= 25

    def test_frames_are_let_go(self) -> None:
        alive: list[weakref.ref[np.ndarray]] = []
        most = 0

        def source() -> Iterator[FrameFaces]:
            nonlocal most
            rng = np.random.default_rng(2)
            base = rng.integers(0, 255, (64, 64, 3)).astype(np.uint8)
            for i in range(300):
                picture = base.copy()
                alive.append(weakref.ref(picture))
                yield FrameFaces(
                    Frame(i, i, Fraction(1, 30), picture), (Face(Box(10, 10, 30, 36), 0.9),)
                )
                del picture
                gc.collect(0)
                most = max(most, sum(r() is not None for r in alive))

        assert sum(len(i.faces) for i in track(source(), TrackConfig())) == 300
        assert most <= 12 + 3

    def test_large_frames_wait_less(self, walk: Callable[..., Scene]) -> None:
        items, _ = walk(30)
        height, width = items[0].frame.rgb.shape[:2]
        fmt = PIXEL_FORMATS["yuv420p"]
        large = []
        for item in items:
            buffer = np.zeros(fmt.samples(2 * width, 2 * height), np.uint8)
            canvas = YuvPicture(buffer, 2 * width, 2 * height, fmt, ColorSpec())
            f = item.frame
            large.append(FrameFaces(Frame(f.index, f.pts, f.time_base, f.rgb, canvas), item.faces))
        # 160x320 with a canvas of twice the size takes 0.44 MiB: two fit into one MiB
        pulled: list[int] = []
        stage = track((pulled.append(i.frame.index) or i for i in large), TrackConfig(buffer_mb=1))
        next(stage)
        assert len(pulled) == 3


class TestConfig:
    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("start_confidence", 1.1),
            ("min_likeness", -2.0),
            ("min_length", 0),
            ("max_gap", -1),
            ("smooth_s", -0.1),
            ("lookahead", -1),
            ("buffer_mb", 0),
        ],
    )
    def test_refuses(self, key: str, value: float) -> None:
        with pytest.raises(UsageError, match=rf"track\.{key}: got {value}, expected"):
            TrackConfig(**{key: value})  # type: ignore[arg-type]


class TestLog:
    def test_sums_up_each_track(self, walk: Callable[..., Scene]) -> None:
        items, boxes = walk(missed={9, 10, 0, 1})
        log = TrackLog()
        out = list(log.faces(track(items, TrackConfig())))
        assert [o.frame for o in out] == [i.frame for i in items]
        (summary,) = log.tracks
        assert (summary.track_id, summary.first_frame, summary.last_frame) == (0, 2, 29)
        assert (summary.frames, summary.filled, summary.plain) == (28, 2, 0)
        widths = sorted(b.width for b in boxes[2:])
        assert summary.median_width_px == pytest.approx(widths[14], abs=0.5)

    def test_untracked_faces_are_not_counted(self, walk: Callable[..., Scene]) -> None:
        items, _ = walk(3)
        log = TrackLog()
        assert len(list(log.faces(items))) == 3
        assert log.tracks == ()
