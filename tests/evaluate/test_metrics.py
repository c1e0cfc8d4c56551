"""Metrics against reference implementations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import convolve2d
from skimage.color import rgb2ycbcr
from skimage.data import astronaut
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from vsr.core.errors import DataError
from vsr.evaluate.metrics import (
    MAX_DB,
    METRICS,
    haarpsi_y,
    luma,
    psnr_rgb,
    psnr_y,
    ssim_rgb,
    ssim_y,
)

pytestmark = pytest.mark.fast

_WANG = {
    "gaussian_weights": True,
    "sigma": 1.5,
    "use_sample_covariance": False,
    "data_range": 255,
}


@pytest.fixture(params=["noise", "soft", "dark", "tinted"])
def pair(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray]:
    """A damaged picture and its reference, 120x101."""
    hr = np.ascontiguousarray(astronaut()[20:140, 170:271])
    rng = np.random.default_rng(1)
    change = {
        "noise": hr + rng.normal(0, 9, hr.shape),
        "soft": (hr.astype(float) + np.roll(hr, 1, 0) + np.roll(hr, 1, 1)) / 3,
        "dark": hr * 0.6,
        "tinted": hr + np.array([10.0, -8.0, 3.0]),
    }[request.param]
    return np.clip(np.rint(change), 0, 255).astype(np.uint8), hr


def test_luma_is_bt601_limited_range() -> None:
    greys = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0]]], np.uint8)
    np.testing.assert_allclose(luma(greys), [[16, 235, 81.481]], atol=1e-9)
    np.testing.assert_allclose(luma(astronaut()), rgb2ycbcr(astronaut())[..., 0], atol=1e-9)


@pytest.mark.parametrize("border", [0, 8])
def test_agreement_with_scikit_image(pair: tuple[np.ndarray, np.ndarray], border: int) -> None:
    inside = slice(border, -border or None)
    sr, hr = (picture[inside, inside] for picture in pair)
    sr_y, hr_y = rgb2ycbcr(sr)[..., 0], rgb2ycbcr(hr)[..., 0]
    want = {
        psnr_y: peak_signal_noise_ratio(hr_y, sr_y, data_range=255),
        psnr_rgb: peak_signal_noise_ratio(hr, sr, data_range=255),
        ssim_y: structural_similarity(hr_y, sr_y, **_WANG),
        ssim_rgb: structural_similarity(hr, sr, channel_axis=2, **_WANG),
    }
    for metric, value in want.items():
        assert metric(*pair, border) == pytest.approx(value, abs=1e-6)


def test_haarpsi_follows_the_paper(pair: tuple[np.ndarray, np.ndarray]) -> None:
    sr, hr = (rgb @ np.array([0.299, 0.587, 0.114]) for rgb in pair)
    assert haarpsi_y(*pair) == pytest.approx(_haarpsi_by_scipy(sr, hr), abs=1e-9)
    assert 0 < haarpsi_y(*pair) < 1


def _haarpsi_by_scipy(a: np.ndarray, b: np.ndarray) -> float:
    """Equations 10 to 12 of the paper, written down with plain convolutions."""
    a, b = (convolve2d(x, np.full((2, 2), 0.25), "same")[::2, ::2] for x in (a, b))
    maps, weights = [], []
    for turned in (False, True):
        responses = []
        for scale in (1, 2, 3):
            kernel = np.full((2**scale, 2**scale), 2.0**-scale)
            kernel[: 2 ** (scale - 1)] *= -1
            kernel = kernel.T if turned else kernel
            responses.append([np.abs(convolve2d(x, kernel, "same")) for x in (a, b)])
        similar = [(2 * p * q + 30) / (p**2 + q**2 + 30) for p, q in responses[:2]]
        maps.append(sum(similar) / 2)
        weights.append(np.maximum(*responses[2]))
    squashed = [1 / (1 + np.exp(-4.2 * m)) for m in maps]
    mean = sum((s * w).sum() for s, w in zip(squashed, weights, strict=True)) / sum(
        w.sum() for w in weights
    )
    return float((np.log(mean / (1 - mean)) / 4.2) ** 2)


def test_equal_pictures_are_perfect(pair: tuple[np.ndarray, np.ndarray]) -> None:
    _, hr = pair
    assert psnr_y(hr, hr) == psnr_rgb(hr, hr) == MAX_DB == 100
    near = hr.copy()
    near[0, 0, 2] ^= 1
    assert psnr_rgb(near, hr) < MAX_DB
    for metric in (ssim_y, ssim_rgb, haarpsi_y):
        assert metric(hr, hr) == pytest.approx(1.0, abs=1e-12)
    flat = np.full((40, 40, 3), 90, np.uint8)
    assert haarpsi_y(flat, flat) == pytest.approx(1.0)


def test_the_border_does_not_count(pair: tuple[np.ndarray, np.ndarray]) -> None:
    sr, hr = (picture.copy() for picture in pair)
    spoilt = sr.copy()
    spoilt[:4] = spoilt[-4:] = 0
    spoilt[:, :4] = spoilt[:, -4:] = 255
    for metric in METRICS.values():
        assert metric(spoilt, hr, 4) == metric(sr, hr, 4)
        assert metric(spoilt, hr, 3) != metric(sr, hr, 3)


@pytest.mark.parametrize("metric", METRICS.values())
def test_what_cannot_be_compared(metric: object) -> None:
    good = np.zeros((40, 40, 3), np.uint8)
    for bad, border in (
        (good[:39], 0),
        (good[..., 0], 0),
        (good.astype(np.float32), 0),
        (good.astype(np.uint16), 0),
        (good, 15),
        (good, -1),
    ):
        reference = good if bad.ndim == 2 or len(bad) == 39 else bad
        with pytest.raises(DataError, match="metric: got"):
            metric(bad, reference, border)  # type: ignore[operator]
