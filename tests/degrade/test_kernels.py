import cv2
import numpy as np
import pytest
from PIL import Image

from vsr.degrade.kernels import dct_matrix, disc_kernel, motion_kernel, reduction_matrix


@pytest.fixture
def picture() -> np.ndarray:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (96, 128, 3)).astype(np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 1.0)


@pytest.mark.parametrize(("scale", "limit"), [(2, 1.0), (4, 1.0), (8, 1.0)])
def test_bicubic_reduction_is_pils(picture: np.ndarray, scale: int, limit: float) -> None:
    height, width = picture.shape[0] // scale, picture.shape[1] // scale
    rows = reduction_matrix(picture.shape[0], height, "bicubic")
    columns = reduction_matrix(picture.shape[1], width, "bicubic")
    ours = np.einsum("yi,ijc,xj->yxc", rows, picture.astype(np.float64), columns)
    pil = np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC))
    # PIL rounds to whole levels after each of its two passes
    assert np.abs(ours - pil).max() <= limit
    assert abs((ours - pil).mean()) < 0.02


@pytest.mark.parametrize("size", [64, 50])
def test_area_reduction_is_opencvs(picture: np.ndarray, size: int) -> None:
    rows = reduction_matrix(96, size, "area")
    columns = reduction_matrix(128, size, "area")
    ours = np.einsum("yi,ijc,xj->yxc", rows, picture.astype(np.float64), columns)
    theirs = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)
    assert np.abs(ours - theirs).max() <= 0.51


def test_a_reduction_that_enlarges_is_refused() -> None:
    with pytest.raises(ValueError, match="8 -> 16 px"):
        reduction_matrix(8, 16, "area")


def test_dct_is_orthonormal_and_opencvs() -> None:
    block = np.random.default_rng(1).normal(size=(8, 8)).astype(np.float32)
    d = dct_matrix(8)
    np.testing.assert_allclose(d @ d.T, np.eye(8), atol=1e-6)
    np.testing.assert_allclose(d @ block @ d.T, cv2.dct(block), atol=1e-5)


def test_motion_sums_to_one_and_has_its_length() -> None:
    flat = motion_kernel(5, 0.0, 9)
    assert flat.sum() == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(flat[4, 2:7], 0.2, atol=1e-6)
    assert np.delete(flat, 4, axis=0).max() == 0
    np.testing.assert_allclose(motion_kernel(5, np.pi / 2, 9), flat.T, atol=1e-6)


def test_a_disc_is_round_and_sums_to_one() -> None:
    disc = disc_kernel(3.0)
    assert disc.sum() == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(disc, disc.T, atol=1e-7)
    np.testing.assert_allclose(disc, disc[::-1], atol=1e-7)
    assert disc[3, 0] > 0 == disc[0, 0]


def test_other_filters_are_refused_where_there_is_no_matrix_for_them() -> None:
    with pytest.raises(ValueError, match="got 'lanczos', expected 'bicubic' or 'area'"):
        reduction_matrix(64, 32, "lanczos")
