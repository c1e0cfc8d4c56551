from __future__ import annotations

from collections.abc import Callable

import numpy as np

from vsr.faces.cuts import CutFinder, thumbnail, to_uint8


def _scan(pictures: list[np.ndarray]) -> list[bool]:
    finder = CutFinder()
    return [finder.is_cut(p) for p in pictures]


def test_a_new_scene_is_a_cut(
    astronaut: np.ndarray, background: Callable[[int, int], np.ndarray]
) -> None:
    other = background(512, 512)
    assert _scan([astronaut, astronaut, other, other, astronaut]) == [
        False,
        False,
        True,
        False,
        True,
    ]


def test_title_card_to_scene_is_a_cut(astronaut: np.ndarray) -> None:
    blue = np.full_like(astronaut, (90, 180, 230))
    assert _scan([blue, blue, astronaut]) == [False, False, True]


def test_exposure_jump_is_none(astronaut: np.ndarray) -> None:
    dark = (astronaut * 0.5).astype(np.uint8)
    bright = np.minimum(astronaut.astype(int) + 60, 255).astype(np.uint8)
    assert _scan([astronaut, dark, astronaut, bright]) == [False] * 4


def test_noise_in_the_dark_is_none() -> None:
    rng = np.random.default_rng(3)
    night = [rng.integers(0, 12, (240, 320, 3)).astype(np.uint8) for _ in range(6)]
    assert _scan(night) == [False] * 6


def test_panning_is_none(astronaut: np.ndarray) -> None:
    wide = np.hstack([astronaut, astronaut[:, ::-1]])
    assert not any(_scan([wide[:, x : x + 512] for x in range(0, 320, 16)]))


def test_first_frame_is_none(astronaut: np.ndarray) -> None:
    assert _scan([astronaut]) == [False]


def test_sixteen_bit_is_seen_alike(
    astronaut: np.ndarray, background: Callable[[int, int], np.ndarray]
) -> None:
    deep = astronaut.astype(np.uint16) * 257
    assert np.array_equal(to_uint8(deep), astronaut)
    assert np.array_equal(thumbnail(deep), thumbnail(astronaut))
    assert _scan([deep, background(512, 512).astype(np.uint16) * 257]) == [False, True]


def test_eight_bit_is_not_copied(astronaut: np.ndarray) -> None:
    assert to_uint8(astronaut) is astronaut


def test_thumbnail_of_the_smallest_pictures() -> None:
    for shape in ((1, 1, 3), (7, 300, 3), (33, 20, 3)):
        assert thumbnail(np.full(shape, 9, np.uint8)).tolist() == np.full((32, 32, 3), 9).tolist()
