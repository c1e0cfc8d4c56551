from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from skimage.measure import block_reduce

from vsr.core.errors import DataError
from vsr.core.geometry import Box, Window
from vsr.core.types import Face, FaceCrop
from vsr.faces.consistency import Limits, judge, measure, reduce
from vsr.faces.paste import PasteConfig

LIMITS = PasteConfig().limits


def _crop(hr: np.ndarray, scale: int = 2) -> FaceCrop:
    """A crop whose super-resolved picture is the truth."""
    lr = np.round(block_reduce(hr.astype(float), (scale, scale, 1), np.mean)).astype(hr.dtype)
    window = Window(0, 0, lr.shape[1], lr.shape[0])
    return FaceCrop(Face(Box(5, 5, 20, 20), 0.9, 0), window, lr, hr)


def deviation(crop: FaceCrop, scale: int) -> float:
    found = judge(crop, scale, LIMITS).deviation
    assert found is not None
    return found


@pytest.fixture(scope="module")
def face(astronaut: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(astronaut[20:212, 128:320])


@pytest.mark.parametrize("scale", [2, 4])
def test_reduce_is_the_area_average(face: np.ndarray, scale: int) -> None:
    wanted = block_reduce(face.astype(float), (scale, scale, 1), np.mean)
    assert np.allclose(reduce(face, scale), wanted, atol=1e-3)


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_truth_does_not_deviate(face: np.ndarray, scale: int, dtype: type) -> None:
    hr = face if dtype is np.uint8 else face.astype(np.uint16) * 257
    assert deviation(_crop(hr, scale), scale) < 0.3
    judged = judge(_crop(hr, scale), scale, LIMITS)
    assert judged.outcome == "super-resolved"
    assert judged.deviation is not None


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_shift_of_grey_is_measured_in_eight_bit_levels(dtype: type) -> None:
    unit = 1 if dtype is np.uint8 else 257
    crop = _crop(np.full((128, 128, 3), 100 * unit, dtype))
    assert crop.sr is not None
    shifted = replace(crop, sr=(crop.sr + 7 * unit).astype(dtype))
    assert deviation(shifted, 2) == pytest.approx(7, abs=0.01)


def test_another_face_is_refused(face: np.ndarray) -> None:
    crop = _crop(face)
    other = judge(replace(crop, sr=np.ascontiguousarray(face[::-1])), 2, LIMITS)
    assert other.outcome == "plain"
    assert other.deviation is not None
    assert other.deviation > LIMITS.max_deviation


def test_a_smeared_patch_is_refused_though_the_mean_is_small(face: np.ndarray) -> None:
    crop = _crop(face)
    assert crop.sr is not None
    sr = crop.sr.copy()
    sr[100:130, 80:110] = sr[40:70, 20:50]
    judged = judge(replace(crop, sr=sr), 2, LIMITS)
    assert judged.deviation is not None
    assert judged.deviation < LIMITS.max_deviation
    assert judged.outcome == "plain"


def test_removed_grain_is_no_deviation(face: np.ndarray) -> None:
    crop = _crop(face)
    noise = np.random.default_rng(0).normal(0, 6, crop.lr.shape)
    grainy = np.clip(np.round(crop.lr + noise), 0, 255).astype(np.uint8)
    assert judge(replace(crop, lr=grainy), 2, LIMITS).outcome == "super-resolved"


def test_the_rim_does_not_count(face: np.ndarray) -> None:
    crop = _crop(face)
    assert crop.sr is not None
    sr = crop.sr.copy()
    sr[:4] = 255
    sr[:, -4:] = 0
    assert deviation(replace(crop, sr=sr), 2) == deviation(crop, 2)


@pytest.mark.parametrize("side", range(4))
def test_the_rim_counts_where_it_is_the_picture_s_own(face: np.ndarray, side: int) -> None:
    crop = _crop(face)
    assert crop.sr is not None
    sr = crop.sr.copy()
    rims = (np.s_[:, :6], np.s_[:6], np.s_[:, -6:], np.s_[-6:])
    sr[rims[side]] = 255 - sr[rims[side]]
    spoilt = replace(crop, sr=sr)
    for other in range(4):
        borders = tuple(i == other for i in range(4))
        judged = judge(spoilt, 2, LIMITS, borders)  # type: ignore[arg-type]
        assert judged.outcome == ("plain" if other == side else "super-resolved")


def test_drift_is_taken_out_detail_stays(face: np.ndarray) -> None:
    crop = _crop((20 + face * 0.8).astype(np.uint8))  # room for the tint
    assert crop.sr is not None
    tinted = (crop.sr + np.array([5, -3, 4])).astype(np.uint8)
    judged = judge(replace(crop, sr=tinted), 2, LIMITS)
    assert judged.sr is not None
    assert judged.deviation == pytest.approx(4, abs=0.3)
    inner = (slice(8, -8), slice(8, -8))
    assert np.abs(judged.sr[inner].astype(int) - crop.sr[inner]).max() <= 2
    sharp, before = (
        cv2.Laplacian(p.astype(np.float32), cv2.CV_32F).std() for p in (judged.sr, crop.sr)
    )
    assert sharp == pytest.approx(before, rel=0.03)


def test_drift_may_stay(face: np.ndarray) -> None:
    crop = _crop(face)
    assert crop.sr is not None
    tinted = replace(crop, sr=np.minimum(crop.sr, 250) + np.uint8(5))
    kept = judge(tinted, 2, replace(LIMITS, correct_drift=False))
    assert kept.sr is tinted.sr


def test_without_a_super_resolved_picture_it_is_plain(face: np.ndarray) -> None:
    bare = replace(_crop(face), sr=None)
    assert judge(bare, 2, LIMITS).outcome == "plain"


def test_wrong_scale_is_an_error(face: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"got .* 192x192 uint8, wanted 384x384 uint8"):
        deviation(_crop(face), 4)


def test_limits_of_zero_refuse_all_but_the_exact(face: np.ndarray) -> None:
    none = Limits(max_deviation=0, max_local_deviation=0, correct_drift=True)
    flat = _crop(np.full((64, 64, 3), 80, np.uint8))
    assert judge(flat, 2, none).outcome == "super-resolved"
    assert judge(_crop(face), 2, none).outcome == "plain"


def test_measure_of_tiny_pictures() -> None:
    found = measure(np.full((3, 3, 3), -2, np.float32))
    assert (found.mean, found.local) == (2, 2)
