import cv2
import numpy as np
import pytest
from PIL import Image

from vsr.core.errors import DataError
from vsr.degrade.image import degrade_image, enlarge_image, jpeg, reduce_image
from vsr.degrade.presets import JPEG, MIXES, PRESETS, draw, draw_codings
from vsr.degrade.recipe import Coding, Degradation, DegradeConfig


@pytest.fixture
def picture() -> np.ndarray:
    y, x = np.mgrid[:128, :128] / 128.0
    waves = [np.sin(9 * x + 4 * y), np.cos(7 * y * x), np.sin(20 * x * y)]
    return np.stack([127 + 90 * w for w in waves], -1).astype(np.uint8)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2)))


def test_clean_reduction_is_pils_and_opencvs(picture: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    pil = np.asarray(Image.fromarray(picture).resize((64, 64), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(degrade_image(picture, 2, Degradation(), rng), pil)
    area = degrade_image(picture, 4, Degradation(reduction="area"), rng)
    np.testing.assert_array_equal(area, cv2.resize(picture, (32, 32), interpolation=3))
    big = np.asarray(Image.fromarray(pil).resize((128, 128), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(enlarge_image(pil, 2), big)


def test_each_degradation_costs_what_it_should(picture: np.ndarray) -> None:
    clean = reduce_image(picture, 2, "bicubic")

    def lr(**how: object) -> np.ndarray:
        return degrade_image(picture, 2, Degradation(**how), np.random.default_rng(3))  # type: ignore[arg-type]

    noise = lr(noise_sigma=6.0).astype(float) - clean
    assert noise.std() == pytest.approx(6.0, rel=0.03)
    assert psnr(lr(jpeg_quality=90), clean) > psnr(lr(jpeg_quality=30), clean) + 3
    edges = np.abs(np.diff(clean.astype(float), axis=1)).max()
    assert np.abs(np.diff(lr(blur_sigma=3.0).astype(float), axis=1)).max() < edges
    sideways = lr(motion_px=9.0)
    assert np.abs(np.diff(sideways.astype(float), axis=1)).max() < edges
    sharpened = np.abs(np.diff(lr(sharpen=1.0).astype(float), axis=1)).max()
    assert sharpened > edges


def test_a_lens_out_of_focus_makes_discs() -> None:
    point = np.zeros((64, 64, 3), np.uint8)
    point[32, 32] = 255
    disc = degrade_image(point, 1, Degradation(defocus_px=4.0), np.random.default_rng(0))
    y, x = np.nonzero(disc[..., 0])
    assert np.hypot(y - 32, x - 32).max() == pytest.approx(4.0, abs=0.8)
    assert np.ptp(disc[31:34, 31:34]) == 0  # flat inside, unlike a Gaussian


def test_photon_noise_grows_with_the_light() -> None:
    how, rng = Degradation(shot_noise=0.5), np.random.default_rng(0)
    dark, bright = (
        degrade_image(np.full((128, 128, 3), level, np.uint8), 2, how, rng).astype(float)
        for level in (50, 200)
    )
    assert dark.std() == pytest.approx(np.sqrt(0.5 * 50), rel=0.05)
    assert bright.std() == pytest.approx(np.sqrt(0.5 * 200), rel=0.05)


def test_an_enlarged_image_holds_no_more_than_the_small_one(picture: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    small = reduce_image(picture, 8, "area")
    expected = np.asarray(Image.fromarray(small).resize((64, 64), Image.Resampling.BICUBIC))
    made = degrade_image(picture, 2, Degradation(shrink=4.0, reduction="area"), rng)
    np.testing.assert_array_equal(made, expected)
    twice = degrade_image(picture, 2, Degradation(via=1.37), rng)
    assert twice.shape == (64, 64, 3)
    assert (twice != reduce_image(picture, 2, "bicubic")).any()


@pytest.mark.parametrize("name", PRESETS)
def test_draws_of_a_preset_are_valid_and_vary(name: str, picture: np.ndarray) -> None:
    rng = np.random.default_rng(1)
    draws = [draw(name, rng) for _ in range(60)]
    assert len(set(draws)) > 1
    for how in draws[:8]:
        assert degrade_image(picture, 2, how, rng).shape == (64, 64, 3)
    codings = [draw_codings(name, rng) for _ in range(200)]
    assert (name in ("jpeg",)) == all(first is None for first, _ in codings)
    assert all(first is not None for first, second in codings if second is not None)


def test_every_mix_names_presets_and_has_clean_images() -> None:
    for scale, mix in MIXES.items():
        assert set(mix) <= set(PRESETS), scale
        assert mix["clean"] / sum(mix.values()) > 0.1


def test_the_same_seed_gives_the_same_picture(picture: np.ndarray) -> None:
    first = degrade_image(picture, 2, JPEG, np.random.default_rng(5))
    again = degrade_image(picture, 2, JPEG, np.random.default_rng(5))
    other = degrade_image(picture, 2, JPEG, np.random.default_rng(6))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_codecs_keep_odd_sizes_and_colours(picture: np.ndarray) -> None:
    odd = picture[:37, :51]
    assert jpeg(odd, 50).shape == odd.shape


def test_a_size_that_does_not_divide_is_refused() -> None:
    with pytest.raises(DataError, match="got 30x30, expected a multiple of 4 px"):
        reduce_image(np.zeros((30, 30, 3), np.uint8), 4, "area")


def test_draws_have_their_shares_and_ranges() -> None:
    rng = np.random.default_rng(0)
    draws = [DegradeConfig().draw(rng) for _ in range(2000)]
    degraded = [d for d in draws if d.blur_sigma > 0]
    assert len(degraded) / 2000 == pytest.approx(0.35, abs=0.04)
    assert sum(d.reduction == "bicubic" for d in draws) / 2000 == pytest.approx(0.7, abs=0.04)
    assert all(0.2 <= d.blur_sigma <= 1.2 for d in degraded)
    assert all(40 <= d.jpeg_quality <= 95 for d in degraded if d.jpeg_quality)
    clean = DegradeConfig(share=0.0)
    assert all(clean.draw(rng).blur_sigma == 0 for _ in range(50))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Degradation(jpeg_quality=0), "jpeg_quality: got 0"),
        (lambda: Degradation(blur_sigma=-1), "blur_sigma: got -1"),
        (lambda: Degradation(shrink=0.5), "shrink: got 0.5"),
        (lambda: Degradation(enlarge="area"), "enlarge: got 'area'"),
        (lambda: Coding(codec="mjpeg", quality=40), "quality: got 40"),
        (lambda: Coding(codec="av1"), "codec: got 'av1'"),  # type: ignore[arg-type]
        (lambda: DegradeConfig(share=1.5), "share: got 1.5"),
        (lambda: DegradeConfig(noise_sigma=(8, 2)), "noise_sigma: got"),
    ],
)
def test_wrong_numbers_are_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
