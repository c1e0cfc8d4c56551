"""How much detail a crop holds: enlargement and blur are seen, sharp faces are left alone."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vsr.faces.spectrum import detail_of


@pytest.fixture(scope="module")
def head(astronaut: np.ndarray) -> np.ndarray:
    """A sharp head with its surroundings, 208x208."""
    return np.ascontiguousarray(astronaut[10:218, 120:328])


def _reduced(rgb: np.ndarray, side: int) -> np.ndarray:
    return cv2.resize(rgb, (side, side), interpolation=cv2.INTER_AREA)


def _enlarged(rgb: np.ndarray, held: int, side: int, way: int = cv2.INTER_CUBIC) -> np.ndarray:
    return cv2.resize(_reduced(rgb, held), (side, side), interpolation=way)


def _noisy(rgb: np.ndarray, sigma: float) -> np.ndarray:
    noise = np.random.default_rng(1).normal(0, sigma, rgb.shape)
    return np.clip(np.rint(rgb + noise), 0, 255).astype(np.uint8)


def _jpeg(rgb: np.ndarray, quality: int) -> np.ndarray:
    _, data = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]


@pytest.mark.parametrize("side", [32, 48, 64, 96, 128, 160, 208])
def test_a_sharp_face_is_full_of_detail(head: np.ndarray, side: int) -> None:
    assert detail_of(_reduced(head, side)) > side / 1.7


@pytest.mark.parametrize("side", [96, 128, 160])
@pytest.mark.parametrize("held", [32, 40, 48])
@pytest.mark.parametrize("way", [cv2.INTER_CUBIC, cv2.INTER_LANCZOS4, cv2.INTER_LINEAR])
def test_an_enlarged_face_holds_what_it_held(
    head: np.ndarray, side: int, held: int, way: int
) -> None:
    found = detail_of(_enlarged(head, held, side, way))
    assert 0.65 * held < found < 1.35 * held


def test_noise_and_coding_do_not_pass_for_detail(head: np.ndarray) -> None:
    enlarged = _enlarged(head, 32, 128)
    plain = detail_of(enlarged)
    for spoilt in (_noisy(enlarged, 3), _jpeg(enlarged, 50), _jpeg(_noisy(enlarged, 3), 60)):
        assert detail_of(spoilt) == pytest.approx(plain, rel=0.3)
        assert detail_of(spoilt) < 128 / 2.8


def test_noise_and_coding_on_a_sharp_face_do_not_hide_its_detail(head: np.ndarray) -> None:
    sharp = _reduced(head, 128)
    for spoilt in (_noisy(sharp, 6), _jpeg(sharp, 50), _jpeg(_noisy(sharp, 6), 60)):
        assert detail_of(spoilt) > 128 / 2


def test_the_wider_the_blur_the_less_detail(head: np.ndarray) -> None:
    sharp = _reduced(head, 128)
    found = [detail_of(cv2.GaussianBlur(sharp, (0, 0), s)) for s in (0.5, 1.0, 1.5, 2.0, 3.0)]
    assert found == sorted(found, reverse=True)
    assert found[-1] < found[0] / 2


def test_depth_light_and_shape_do_not_matter(head: np.ndarray) -> None:
    enlarged = _enlarged(head, 32, 128)
    found = detail_of(enlarged)
    assert detail_of(enlarged.astype(np.uint16) * 257) == pytest.approx(found, rel=0.02)
    assert detail_of((enlarged // 2 + 20).astype(np.uint8)) == pytest.approx(found, rel=0.15)
    wide = np.concatenate([enlarged[:, :20], enlarged, enlarged[:, -20:]], axis=1)
    assert detail_of(wide) == found


@pytest.mark.parametrize("shape", [(8, 8, 3), (23, 40, 3), (64, 64, 3)])
def test_where_nothing_can_be_told_all_pixels_count(shape: tuple[int, ...]) -> None:
    flat = np.full(shape, 128, np.uint8)
    assert 0 < detail_of(flat) <= min(shape[:2])
    if min(shape[:2]) < 24:
        assert detail_of(flat) == min(shape[:2])
