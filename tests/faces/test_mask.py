from __future__ import annotations

import numpy as np
import pytest

from vsr.core.geometry import Window
from vsr.faces.mask import Touching, feathered_mask, touching

NONE = (False, False, False, False)


@pytest.mark.parametrize("size", [(64, 64), (65, 48), (320, 320), (2, 2), (1, 1)])
def test_zero_at_the_window_s_border_one_in_the_middle(size: tuple[int, int]) -> None:
    mask = feathered_mask(*size, 0.35, NONE)
    assert mask.shape == size
    assert mask.dtype == np.float32
    for edge in (mask[0], mask[-1], mask[:, 0], mask[:, -1]):
        if min(size) > 1:
            assert not edge.any()
    if min(size) > 4:
        assert mask[size[0] // 2, size[1] // 2] == 1


def test_symmetric_and_falling_outwards() -> None:
    mask = feathered_mask(96, 96, 0.35, NONE)
    assert np.allclose(mask, mask[::-1], atol=1e-6)
    assert np.allclose(mask, mask[:, ::-1], atol=1e-6)
    assert np.allclose(mask, mask.T, atol=1e-6)
    assert (np.diff(mask[48, :48]) >= 0).all()


def test_smooth() -> None:
    mask = feathered_mask(128, 128, 0.35, NONE)
    assert np.abs(np.diff(mask, axis=0)).max() < 0.1
    assert np.abs(np.diff(mask, n=2, axis=0)).max() < 0.02


def test_the_face_box_is_wholly_in() -> None:
    # a box 0.8 as wide as high with a margin of 0.3: 1/1.6 of the window high
    mask = feathered_mask(160, 160, 0.35, NONE)
    assert mask[80 - 49 : 80 + 49, 80 - 39 : 80 + 39].min() > 0.9


def test_corners_are_rounded() -> None:
    mask = feathered_mask(100, 100, 0.35, NONE)
    assert mask[6, 6] == 0
    assert mask[6, 50] > 0


def test_wider_feather_is_softer() -> None:
    sharp, soft = (feathered_mask(100, 100, f, NONE) for f in (0.1, 0.9))
    assert sharp.sum() > soft.sum()
    assert feathered_mask(100, 100, 0.0, NONE)[50].sum() >= 98


@pytest.mark.parametrize("side", range(4))
def test_no_fading_into_the_picture_s_own_border(side: int) -> None:
    borders = tuple(i == side for i in range(4))
    mask = feathered_mask(64, 64, 0.35, borders)  # type: ignore[arg-type]
    edges = (mask[:, 0], mask[0], mask[:, -1], mask[-1])
    for i, edge in enumerate(edges):
        assert edge.any() == (i == side)
    assert edges[side][32] == 1


def test_read_only_because_shared() -> None:
    mask = feathered_mask(32, 32, 0.35, NONE)
    assert feathered_mask(32, 32, 0.35, NONE) is mask
    with pytest.raises(ValueError, match="read-only"):
        mask[0, 0] = 1


def test_masks_are_kept_up_to_a_number_of_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vsr.faces.mask._KEPT_BYTES", 3 * 4 * 64**2)
    first, second, third = (feathered_mask(64, 64, f, NONE) for f in (0.31, 0.32, 0.33))
    assert feathered_mask(64, 64, 0.31, NONE) is first
    feathered_mask(64, 64, 0.34, NONE)  # in the place of the second, which was used before all
    assert feathered_mask(64, 64, 0.31, NONE) is first
    assert feathered_mask(64, 64, 0.33, NONE) is third
    assert feathered_mask(64, 64, 0.32, NONE) is not second
    large = feathered_mask(128, 128, 0.35, NONE)
    assert feathered_mask(128, 128, 0.35, NONE) is not large
    assert feathered_mask(64, 64, 0.32, NONE) is feathered_mask(64, 64, 0.32, NONE)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (64, 64), (65, 48), (130, 97)])
@pytest.mark.parametrize("borders", [NONE, (True, False, False, True), (True, True, True, True)])
def test_every_pixel_follows_the_formula(size: tuple[int, int], borders: Touching) -> None:
    left, top, right, bottom = borders
    y, x = (np.linspace(-1, 1, n) if n > 1 else np.zeros(1) for n in size)
    x = np.clip(x, 0 if left else -1, 0 if right else 1)
    y = np.clip(y, 0 if top else -1, 0 if bottom else 1)
    radius = (x[None, :] ** 4 + y[:, None] ** 4) ** 0.25
    wanted = 0.5 - 0.5 * np.cos(np.pi * np.clip((1 - radius) / 0.35, 0, 1))
    np.testing.assert_allclose(feathered_mask(*size, 0.35, borders), wanted, atol=1e-6)


def test_touching() -> None:
    assert touching(Window(0, 0, 10, 10), 10, 20) == (True, True, True, False)
    assert touching(Window(3, 10, 7, 10), 10, 20) == (False, False, True, True)
    assert touching(Window(3, 3, 3, 3), 10, 20) == NONE
