from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from skimage.measure import block_reduce

from vsr.core.errors import DataError
from vsr.core.geometry import Box, Window
from vsr.core.types import Face, FaceCrop, Working
from vsr.faces.camera import MAX_BLUR, MIN_BLUR, estimate, planes
from vsr.faces.consistency import Limits, contradiction, judge, reduce
from vsr.faces.mask import feathered_mask
from vsr.faces.paste import PasteConfig

LIMITS = PasteConfig().limits
EYES = (np.s_[72:90, 60:88], np.s_[74:92, 112:140])
"""of the astronaut's, in the crop"""
MOUTH = np.s_[114:136, 72:122]


def _crop(hr: np.ndarray, scale: int = 2, seen: np.ndarray | None = None) -> FaceCrop:
    """A crop whose super-resolved picture is the truth; seen: what the lens lets through."""
    seen = hr if seen is None else seen
    lr = np.round(block_reduce(seen.astype(float), (scale, scale, 1), np.mean)).astype(hr.dtype)
    window = Window(0, 0, lr.shape[1], lr.shape[0])
    return FaceCrop(Face(Box(5, 5, 20, 20), 0.9, 0), window, lr, hr)


def deviation(crop: FaceCrop, scale: int) -> float:
    found = judge(crop, scale, LIMITS).deviation
    assert found is not None
    return found


def noisy(rgb: np.ndarray, sigma: float) -> np.ndarray:
    grain = np.random.default_rng(0).normal(0, sigma, rgb.shape)
    return np.clip(np.round(rgb + grain), 0, 255).astype(np.uint8)


def streaked(rgb: np.ndarray, length: int) -> np.ndarray:
    return cv2.filter2D(rgb, -1, np.full((1, length), 1 / length, np.float32))


CAMERAS = {
    "clean": lambda hr: hr,
    "defocus 3": lambda hr: cv2.GaussianBlur(hr, (0, 0), 3.0),
    "defocus 4": lambda hr: cv2.GaussianBlur(hr, (0, 0), 4.0),
    "motion 9": lambda hr: streaked(hr, 9),
    "motion 13": lambda hr: streaked(hr, 13),
    "grain": lambda hr: noisy(hr, 12),
}


@pytest.fixture(scope="module")
def face(astronaut: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(astronaut[20:212, 128:320])


def without(hr: np.ndarray, *parts: tuple[slice, slice]) -> np.ndarray:
    """The face with skin where parts of it were."""
    mask = np.zeros(hr.shape[:2], np.uint8)
    for part in parts:
        mask[part] = 1
    return cv2.inpaint(hr, mask, 3, cv2.INPAINT_TELEA)


@pytest.mark.parametrize("scale", [2, 4])
def test_reduce_is_the_area_average(face: np.ndarray, scale: int) -> None:
    expected = block_reduce(face.astype(float), (scale, scale, 1), np.mean)
    assert np.allclose(reduce(face, scale), expected, atol=1e-3)


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_truth_does_not_deviate(face: np.ndarray, scale: int, dtype: type) -> None:
    hr = face if dtype is np.uint8 else face.astype(np.uint16) * 257
    crop = _crop(hr, scale)
    assert deviation(crop, scale) < 0.3
    assert judge(crop, scale, LIMITS).outcome == "super-resolved"
    assert contradiction(crop.lr, hr) == deviation(crop, scale)


@pytest.mark.parametrize("camera", CAMERAS)
def test_the_truth_passes_whatever_the_camera_did(face: np.ndarray, camera: str) -> None:
    crop = _crop(face, seen=CAMERAS[camera](face))
    assert judge(crop, 2, LIMITS).outcome == "super-resolved"
    soft = replace(crop, sr=cv2.GaussianBlur(face, (0, 0), 2.0))
    assert judge(soft, 2, LIMITS).outcome == "super-resolved"


@pytest.mark.parametrize("camera", CAMERAS)
@pytest.mark.parametrize("wrong", ["upside down", "other skin", "no eyes", "no mouth"])
def test_what_was_not_there_is_refused_whatever_the_camera_did(
    face: np.ndarray, camera: str, wrong: str
) -> None:
    sr = {
        "upside down": face[::-1],
        "other skin": face * np.array([0.75, 0.95, 1.1]),
        "no eyes": without(face, *EYES),
        "no mouth": without(face, MOUTH),
    }[wrong]
    sr = np.ascontiguousarray(np.clip(sr, 0, 255).astype(np.uint8))
    judged = judge(replace(_crop(face, seen=CAMERAS[camera](face)), sr=sr), 2, LIMITS)
    assert judged.outcome == "plain"
    assert judged.deviation is not None
    assert judged.deviation > LIMITS.max_contradiction


@pytest.mark.parametrize("camera", ["clean", "defocus 3", "motion 9", "grain"])
def test_a_mouth_is_not_painted_over_what_hides_it(face: np.ndarray, camera: str) -> None:
    seen = CAMERAS[camera](without(face, MOUTH))
    assert judge(_crop(face, seen=seen), 2, LIMITS).outcome == "plain"


def enlarged(hr: np.ndarray, times: int) -> FaceCrop:
    """A crop of a small, hard-coded face that somebody enlarged; its SR is the truth."""
    small = cv2.resize(hr, None, fx=0.5 / times, fy=0.5 / times, interpolation=cv2.INTER_AREA)
    coded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 60])[1]
    size = (hr.shape[1] // 2, hr.shape[0] // 2)
    lr = cv2.resize(cv2.imdecode(coded, 1), size, interpolation=cv2.INTER_CUBIC)
    crop = replace(_crop(hr), lr=lr)
    return replace(crop, working=Working(small.shape[0], 8))


@pytest.mark.parametrize("times", [2, 3, 4])
def test_blocks_that_were_enlarged_with_a_face_are_no_evidence(
    face: np.ndarray, times: int
) -> None:
    crop = enlarged(face, times)
    for right in (face, cv2.GaussianBlur(face, (0, 0), 3.0)):
        assert judge(replace(crop, sr=right), 2, LIMITS).outcome == "super-resolved"
    as_it_is = judge(replace(crop, working=None), 2, LIMITS).deviation
    found = judge(crop, 2, LIMITS).deviation
    assert found is not None
    assert as_it_is is not None
    assert found < as_it_is
    wrongs = [face[::-1], without(face, *EYES), face * np.array([0.75, 0.95, 1.1])]
    wrongs += [without(face, MOUTH)] if times < 4 else []  # of which three pixels are left
    for wrong in wrongs:
        sr = np.ascontiguousarray(np.clip(wrong, 0, 255).astype(np.uint8))
        assert judge(replace(crop, sr=sr), 2, LIMITS).outcome == "plain"


def test_the_camera_is_told_from_the_crop_alone(face: np.ndarray) -> None:
    def blur(camera: str) -> tuple[float, float]:
        lr = planes(_crop(face, seen=CAMERAS[camera](face)).lr)
        found = estimate(lr, feathered_mask(*lr.shape[:2], 0.35, (False,) * 4))  # type: ignore[arg-type]
        return found.blur, found.widest

    sharp, some, more = (blur(c)[0] for c in ("clean", "defocus 3", "defocus 4"))
    assert sharp < 0.5 < some < more
    assert MIN_BLUR <= blur("clean")[1] < blur("defocus 4")[1] <= MAX_BLUR


def test_a_blur_beyond_the_widest_explains_nothing(face: np.ndarray) -> None:
    """What a very soft crop no longer tells is not filled in at will: its colours stay."""
    crop = _crop(face, seen=cv2.GaussianBlur(face, (0, 0), 8.0))
    assert crop.sr is not None
    assert judge(replace(crop, sr=np.ascontiguousarray(face[::-1])), 2, LIMITS).outcome == "plain"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_deviation_does_not_depend_on_the_depth(face: np.ndarray, dtype: type) -> None:
    unit = 1 if dtype is np.uint8 else 257
    hr, wrong = (p.astype(dtype) * dtype(unit) for p in (face, without(face, *EYES)))
    assert deviation(replace(_crop(hr), sr=wrong), 2) == pytest.approx(
        deviation(replace(_crop(face), sr=without(face, *EYES)), 2), rel=0.05
    )


def test_the_rim_does_not_count(face: np.ndarray) -> None:
    crop = _crop(face)
    assert crop.sr is not None
    sr = crop.sr.copy()
    sr[:4] = 255
    sr[:, -4:] = 0
    assert deviation(replace(crop, sr=sr), 2) < 0.5
    assert judge(replace(crop, sr=sr), 2, LIMITS).outcome == "super-resolved"


@pytest.mark.parametrize("side", range(4))
def test_the_rim_counts_where_it_is_the_picture_s_own(face: np.ndarray, side: int) -> None:
    crop = _crop(face)
    assert crop.sr is not None
    sr = crop.sr.copy()
    rims = (np.s_[:, :4], np.s_[:4], np.s_[:, -4:], np.s_[-4:])
    sr[rims[side]] = 255 - sr[rims[side]]
    spoilt = replace(crop, sr=sr)
    for other in range(4):
        borders = tuple(i == other for i in range(4))
        judged = judge(spoilt, 2, LIMITS, borders)  # type: ignore[arg-type]
        assert (judged.outcome == "plain") == (other == side)


def test_drift_is_taken_out_detail_stays(face: np.ndarray) -> None:
    crop = _crop((20 + face * 0.8).astype(np.uint8))  # room for the tint
    assert crop.sr is not None
    tinted = (crop.sr + np.array([3, -2, 2])).astype(np.uint8)
    judged = judge(replace(crop, sr=tinted), 2, LIMITS)
    assert judged.sr is not None
    inner = (slice(8, -8), slice(8, -8))
    assert np.abs(judged.sr[inner].astype(int) - crop.sr[inner]).max() <= 2
    sharp, before = (
        cv2.Laplacian(p.astype(np.float32), cv2.CV_32F).std() for p in (judged.sr, crop.sr)
    )
    assert sharp == pytest.approx(before, rel=0.03)


def test_drift_of_a_deblurred_face_is_no_blur(face: np.ndarray) -> None:
    """Sharp edges differ from the blurred crop; that is no colour to be taken back."""
    crop = _crop(face, seen=cv2.GaussianBlur(face, (0, 0), 3.0))
    judged = judge(crop, 2, LIMITS)
    assert judged.sr is not None
    change = np.abs(judged.sr.astype(int) - face)[16:-16, 16:-16]
    assert change.mean() < 2


def test_drift_may_stay(face: np.ndarray) -> None:
    crop = _crop(face)
    assert crop.sr is not None
    tinted = replace(crop, sr=np.minimum(crop.sr, 250) + np.uint8(2))
    kept = judge(tinted, 2, replace(LIMITS, correct_drift=False))
    assert kept.sr is tinted.sr


def test_without_a_super_resolved_picture_it_is_plain(face: np.ndarray) -> None:
    bare = replace(_crop(face), sr=None)
    assert judge(bare, 2, LIMITS).outcome == "plain"


def test_wrong_scale_is_an_error(face: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"got .* 192x192 uint8, expected 384x384 uint8"):
        deviation(_crop(face), 4)


def test_limits_of_zero_refuse_all_but_the_exact(face: np.ndarray) -> None:
    none = Limits(max_contradiction=0, correct_drift=True)
    flat = _crop(np.full((64, 64, 3), 80, np.uint8))
    assert judge(flat, 2, none).outcome == "super-resolved"
    assert judge(replace(_crop(face), sr=without(face, MOUTH)), 2, none).outcome == "plain"


def test_tiny_pictures_are_judged() -> None:
    dark, light = (np.full((size, size, 3), v, np.uint8) for size, v in ((3, 60), (6, 90)))
    assert contradiction(dark, np.full((6, 6, 3), 60, np.uint8)) == 0
    assert contradiction(dark, light) > 0
