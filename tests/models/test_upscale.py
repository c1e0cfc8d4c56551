"""The stage: order, batches across frames, bounded waiting."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsr.core.errors import ModelError, UsageError
from vsr.core.geometry import Box, Window
from vsr.core.types import Face, FaceCrop, Frame, FrameCrops, Working
from vsr.models.interpolate import InterpolationUpscaler
from vsr.models.upscale import UpscaleConfig, load_upscaler, upscale


class _Counting(InterpolationUpscaler):
    """Bicubic that notes the batches it was called with."""

    def __init__(self) -> None:
        super().__init__("bicubic", 2)
        self.batches: list[tuple[int, ...]] = []

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        self.batches.append(batch.shape)
        return super().__call__(batch)


def _frame(index: int, sides: Iterable[int], dtype: type = np.uint8, size: int = 64) -> FrameCrops:
    rng = np.random.default_rng(index)
    crops = tuple(
        FaceCrop(
            Face(Box(1, 2, side, side), 0.9, track_id=n),
            Window(0, 0, side, side),
            rng.integers(0, np.iinfo(dtype).max, (side, side, 3)).astype(dtype),
        )
        for n, side in enumerate(sides)
    )
    rgb = np.zeros((size, size, 3), dtype)
    return FrameCrops(Frame(index, index * 3, Fraction(1, 90), rgb), crops)


def _run(frames: list[FrameCrops], **config: int) -> tuple[list[FrameCrops], _Counting, list[int]]:
    """Results, the upscaler, and how many frames were inside whenever one came out."""
    taken = 0

    def source() -> Iterator[FrameCrops]:
        nonlocal taken
        for frame in frames:
            taken += 1
            yield frame

    upscaler, out, waiting = _Counting(), [], []
    for item in upscale(source(), upscaler, UpscaleConfig(**config)):
        out.append(item)
        waiting.append(taken - len(out) + 1)
    return out, upscaler, waiting


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from([8, 12, 16]), max_size=4), max_size=30),
    st.integers(1, 6),
    st.integers(1, 8),
)
def test_any_film_comes_out_complete_and_in_order(
    film: list[list[int]], batch_size: int, pending: int
) -> None:
    frames = [_frame(i, sides) for i, sides in enumerate(film)]
    out, upscaler, waiting = _run(frames, batch_size=batch_size, max_pending_frames=pending)
    assert [item.frame.index for item in out] == list(range(len(film)))
    assert all(item.frame is frame.frame for item, frame in zip(out, frames, strict=True))
    for item, frame in zip(out, frames, strict=True):
        assert [c.face for c in item.crops] == [c.face for c in frame.crops]
        for crop in item.crops:
            assert crop.sr is not None
            np.testing.assert_array_equal(crop.sr, upscaler(crop.lr[None])[0])
    assert all(n <= pending + 1 for n in waiting)


def test_batches_fill_across_frames_and_tracks() -> None:
    frames = [_frame(i, [16, 16] if i % 2 else [16]) for i in range(16)]
    _, upscaler, _ = _run(frames, batch_size=8)
    assert upscaler.batches == [(8, 16, 16, 3)] * 3


def test_shapes_do_not_mix() -> None:
    frames = [_frame(i, [8, 16]) for i in range(8)]
    _, upscaler, _ = _run(frames, batch_size=4)
    assert sorted(upscaler.batches) == [(4, 8, 8, 3)] * 2 + [(4, 16, 16, 3)] * 2
    both = [_frame(0, [8], np.uint8), _frame(1, [8], np.uint16)]
    out, upscaler, _ = _run(both, batch_size=4)
    assert len(upscaler.batches) == 2
    assert [item.crops[0].sr.dtype for item in out if item.crops[0].sr is not None] == [
        np.uint8,
        np.uint16,
    ]


def test_a_lone_face_does_not_hold_the_film_up() -> None:
    frames = [_frame(i, [16] if i == 0 else []) for i in range(100)]
    out, upscaler, waiting = _run(frames, max_pending_frames=5)
    assert len(out) == 100
    assert max(waiting) == 6
    assert upscaler.batches == [(1, 16, 16, 3)]


def test_frames_without_faces_pass_at_once() -> None:
    _, upscaler, waiting = _run([_frame(i, []) for i in range(10)])
    assert set(waiting) == {1}
    assert upscaler.batches == []


def test_large_pictures_wait_in_smaller_numbers() -> None:
    frames = [_frame(i, [16], size=600) for i in range(12)]  # 1.03 MiB each
    _, _, waiting = _run(frames, batch_size=64, max_pending_frames=100, max_pending_mb=3)
    assert max(waiting) == 3
    _, _, waiting = _run(frames, batch_size=64, max_pending_frames=100, max_pending_mb=1)
    assert max(waiting) == 2


def test_nothing_in_nothing_out() -> None:
    assert _run([])[0] == []


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"scale": 3}, "scale: got 3, expected one of"),
        ({"batch_size": 0}, "batch_size: got 0, expected 1 to 64"),
        ({"max_pending_frames": 0}, "max_pending_frames: got 0"),
        ({"max_pending_mb": 0}, "max_pending_mb: got 0"),
        ({"precision": "half"}, "precision: got 'half'"),
        ({"device": "tpu"}, "device: got 'tpu'"),
    ],
)
def test_a_wrong_configuration(values: dict[str, int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        UpscaleConfig(**values)


def test_a_model_of_another_scale() -> None:
    with pytest.raises(UsageError, match="'srresnet-x2' enlarges by 2"):
        load_upscaler(UpscaleConfig(model="srresnet-x2", scale=4))
    with pytest.raises(ModelError, match="unknown model 'srrsnet-x2': did you mean"):
        load_upscaler(UpscaleConfig(model="srrsnet-x2"))


@pytest.mark.parametrize("batch_size", [1, 2, 8])
def test_a_repeated_picture_is_computed_once(batch_size: int) -> None:
    shown = [0, 0, 0, 1, 1, 0, 2, 2]
    frames = [
        replace(_frame(picture, [16, 12]), frame=_frame(i, []).frame)
        for i, picture in enumerate(shown)
    ]
    out, upscaler, _ = _run(frames, batch_size=batch_size, max_pending_frames=3)
    assert [item.frame.index for item in out] == list(range(len(shown)))
    assert sum(b[0] for b in upscaler.batches) == 2 * 4
    for item, frame in zip(out, frames, strict=True):
        for crop, source in zip(item.crops, frame.crops, strict=True):
            np.testing.assert_array_equal(crop.sr, upscaler(source.lr[None])[0])


def test_one_picture_in_two_tracks_or_untracked_is_no_repetition() -> None:
    first, second = _frame(0, [16]), _frame(1, [16])
    crop = replace(first.crops[0], face=replace(first.crops[0].face, track_id=7))
    other = replace(first.crops[0], face=replace(first.crops[0].face, track_id=None))
    frames = [first, replace(second, crops=(crop,)), replace(_frame(2, []), crops=(other, other))]
    out, upscaler, _ = _run(frames, batch_size=8)
    assert [len(i.crops) for i in out] == [1, 1, 2]
    assert sum(b[0] for b in upscaler.batches) == 4


def test_crops_of_a_working_scale_go_through_its_network() -> None:
    """Reduced, enlarged by that scale's network, and brought to the output's size."""
    asked: list[tuple[int, tuple[int, ...]]] = []

    class Noted(InterpolationUpscaler):
        def __call__(self, batch: np.ndarray) -> np.ndarray:
            asked.append((self.scale, batch.shape))
            return super().__call__(batch)

    frames = [_frame(i, [32, 32, 32]) for i in range(2)]
    workings = (None, Working(8, 8), Working(12, 8))
    for i, frame in enumerate(frames):
        pairs = zip(frame.crops, workings, strict=True)
        frames[i] = replace(frame, crops=tuple(replace(c, working=w) for c, w in pairs))
    out = list(upscale(frames, Noted("bicubic", 2), UpscaleConfig(), lambda s: Noted("lanczos", s)))
    assert sorted(asked) == [(2, (2, 32, 32, 3)), (8, (2, 8, 8, 3)), (8, (2, 12, 12, 3))]
    for item in out:
        for crop in item.crops:
            assert crop.sr is not None
            assert crop.sr.shape == (64, 64, 3)
        small = cv2.resize(item.crops[1].lr, (8, 8), interpolation=cv2.INTER_AREA)
        assert np.array_equal(item.crops[1].sr, InterpolationUpscaler("lanczos", 8)(small[None])[0])
