"""The working scale: chosen by a track's detail, and steady."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest

from vsr.core.errors import UsageError
from vsr.core.geometry import Box, Window
from vsr.core.types import Face, FaceCrop, Frame, FrameCrops, Working
from vsr.faces.working import WorkingConfig, find_working

NETWORKS = (2, 4, 8)
Scene = Callable[[Sequence[int]], list[FrameCrops]]


@pytest.fixture(scope="module")
def scene(astronaut: np.ndarray) -> Scene:
    """Frames that show a head on 128 pixels, of which it holds so many as the list says."""
    head = astronaut[10:218, 120:328]
    noise = np.random.default_rng(3)

    def make(held: Sequence[int]) -> list[FrameCrops]:
        items = []
        for index, side in enumerate(held):
            small = cv2.resize(head, (side, side), interpolation=cv2.INTER_AREA)
            large = cv2.resize(small, (128, 128), interpolation=cv2.INTER_CUBIC)
            rgb = np.clip(large + noise.normal(0, 1, large.shape), 0, 255).astype(np.uint8)
            face = Face(Box(30, 20, 70, 90), 0.9, track_id=0)
            crop = FaceCrop(face, Window(0, 0, 128, 128), rgb)
            items.append(FrameCrops(Frame(index, index, Fraction(1, 25), rgb), (crop,)))
        return items

    return make


def _run(
    items: Sequence[FrameCrops],
    scale: int = 2,
    networks: Sequence[int] = NETWORKS,
    cfg: WorkingConfig | None = None,
) -> list[FaceCrop]:
    found = list(find_working(items, scale, networks, cfg or WorkingConfig()))
    assert [item.frame.index for item in found] == [item.frame.index for item in items]
    return [crop for item in found for crop in item.crops]


def _changes(crops: Sequence[FaceCrop]) -> int:
    return sum(a.working != b.working for a, b in itertools.pairwise(crops))


def test_an_enlarged_face_is_reduced_to_what_it_holds(scene: Scene) -> None:
    crops = _run(scene([32] * 4))
    assert all(c.working == Working(32, 8) for c in crops)
    assert all(c.detail_px == pytest.approx(32, rel=0.3) for c in crops)


def test_a_sharp_face_is_left_alone(scene: Scene) -> None:
    crops = _run(scene([128] * 4))
    assert all(c.working is None for c in crops)
    assert all(c.detail_px is not None and c.detail_px > 75 for c in crops)


@pytest.mark.parametrize(("scale", "networks"), [(8, (8,)), (2, (2,)), (2, ()), (4, (4,)), (1, ())])
def test_without_a_fitting_network_nothing_is_reduced(
    scene: Scene, scale: int, networks: tuple[int, ...]
) -> None:
    assert all(c.working is None for c in _run(scene([32] * 3), scale, networks))


@pytest.mark.parametrize(
    ("scale", "networks", "working"),
    [
        (2, (2, 4), Working(64, 4)),
        (4, NETWORKS, Working(64, 8)),
        (4, (4, 8), Working(64, 8)),
    ],
)
def test_no_further_than_the_networks_reach(
    scene: Scene, scale: int, networks: tuple[int, ...], working: Working
) -> None:
    assert {c.working for c in _run(scene([32] * 3), scale, networks)} == {working}


def test_the_recipe_can_forbid_it(scene: Scene) -> None:
    crops = _run(scene([32] * 3), cfg=WorkingConfig(scale="crop"))
    assert {(c.working, c.detail_px) for c in crops} == {(None, None)}


def test_detail_about_the_limit_does_not_make_the_choice_flicker(scene: Scene) -> None:
    held = list(itertools.islice(itertools.cycle([40, 44, 52, 48, 60, 40, 56]), 240))
    assert _changes(_run(scene(held))) <= 2


def test_one_clear_frame_changes_nothing(scene: Scene) -> None:
    held = [32] * 40
    held[20] = 128
    assert _changes(_run(scene(held))) == 0


def test_a_face_that_comes_into_focus_is_let_go_of_soon(scene: Scene) -> None:
    crops = _run(scene([32] * 30 + [128] * 30))
    assert crops[29].working is not None
    assert all(c.working is None for c in crops[45:])
    assert _changes(crops) == 1


def test_a_face_that_goes_out_of_focus_is_reduced_once(scene: Scene) -> None:
    crops = _run(scene([128] * 20 + [32] * 100))
    assert crops[20].working is None
    assert crops[-1].working == Working(32, 8)
    assert _changes(crops) == 1


def test_a_second_track_does_not_disturb_the_first(scene: Scene) -> None:
    first, second = scene([32] * 20), scene([128] * 20)

    def doubled(crop: FaceCrop) -> tuple[FaceCrop, FaceCrop]:
        return crop, replace(crop, face=replace(crop.face, track_id=7))

    both = [replace(item, crops=doubled(item.crops[0])) for item in first]
    alone, together = _run(first), _run(both)
    assert together[::2] == alone
    assert [c.working for c in together[1::2]] == [c.working for c in alone]
    assert {c.working for c in _run(second)} == {None}


def test_the_same_frames_again_give_the_same_choice(scene: Scene) -> None:
    items = scene([128] * 10 + [40] * 30)
    first, again = _run(items), _run(items)
    assert [(c.working, c.detail_px) for c in first] == [(c.working, c.detail_px) for c in again]


def test_a_window_that_was_reduced_already(scene: Scene) -> None:
    """Of a 128 pixel window the generator gets 64: of those, twice the 32 that hold all."""
    items = [
        replace(i, crops=(replace(i.crops[0], lr=np.ascontiguousarray(i.frame.rgb[::2, ::2])),))
        for i in scene([24] * 3)
    ]
    crops = _run(items, cfg=WorkingConfig(enter=1.9, leave=1.5))
    assert all(c.detail_px == pytest.approx(24, rel=0.35) for c in crops)
    assert all(c.working in (Working(24, 8), Working(32, 4)) for c in crops)


@pytest.mark.parametrize(
    "values",
    [{"scale": "x"}, {"enter": 2.0}, {"leave": 0.5}, {"excess": 3}, {"hold_frames": -1}],
)
def test_faults_of_the_table_are_named(values: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=f"working.*{next(iter(values))}"):
        WorkingConfig(**values)  # type: ignore[arg-type]
