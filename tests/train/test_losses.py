from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from skimage.metrics import peak_signal_noise_ratio

from vsr.train.losses import content_loss, discriminator_loss, generator_loss, pixel_loss


def number(x: object) -> float:
    return float(keras.ops.convert_to_numpy(x))


def test_pixel_loss_mixes_colour_and_luma() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.uniform(-1, 1, (2, 2, 8, 8, 3)).astype("float32")
    colour = np.abs(a - b).mean()
    luma = np.abs((a - b) @ np.array([0.299, 0.587, 0.114])).mean()
    assert number(pixel_loss(a, b, 0.0)) == pytest.approx(colour, rel=1e-5)
    assert number(pixel_loss(a, b, 0.25)) == pytest.approx(0.75 * colour + 0.25 * luma, rel=1e-5)
    assert number(pixel_loss(a, a)) == 0


def test_pixel_loss_can_be_the_psnr() -> None:
    """Per picture: the mean of two PSNRs is not the PSNR of the mean error."""
    rng = np.random.default_rng(0)
    hr = rng.integers(40, 200, (2, 8, 8, 3)).astype("uint8")
    sr = np.stack(
        [hr[0] + 3, np.clip(hr[1].astype(int) + rng.integers(-40, 40, (8, 8, 3)), 0, 255)]
    )
    wanted = np.mean(
        [peak_signal_noise_ratio(h, s.astype("uint8")) for h, s in zip(hr, sr, strict=True)]
    )
    a, b = (x.astype("float32") / 127.5 - 1 for x in (sr, hr))
    assert -10 * number(pixel_loss(a, b, 0.0, "psnr")) == pytest.approx(wanted, abs=0.05)
    x = keras.Variable(b)
    with tf.GradientTape() as tape:
        value = pixel_loss(x.value, b, 0.5, "psnr")
    assert np.isfinite(np.asarray(tape.gradient(value, x.value))).all()


def test_content_loss_does_not_depend_on_the_features_scale() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 1, 4, 4, 5)).astype("float32")
    wanted = np.square(a - b).mean() / np.square(b).mean()
    assert number(content_loss([a], [b], "relative")) == pytest.approx(wanted, rel=1e-4)
    assert number(content_loss([100 * a], [100 * b], "relative")) == pytest.approx(wanted, rel=1e-4)
    both = number(content_loss([a, b], [b, b], "relative"))
    assert both == pytest.approx(wanted / 2, rel=1e-4)


def test_cosine_distance_is_the_perceptual_measures() -> None:
    rng = np.random.default_rng(0)
    a, b = np.abs(rng.normal(size=(2, 2, 4, 4, 5))).astype("float32")
    cosine = (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)
    assert number(content_loss([a], [b])) == pytest.approx((1 - cosine).mean(), rel=1e-3)
    assert number(content_loss([7 * a], [b])) == pytest.approx((1 - cosine).mean(), rel=1e-3)
    assert number(content_loss([a], [a])) == pytest.approx(0, abs=1e-4)
    x = keras.Variable(np.zeros((1, 2, 2, 5), "float32"))  # a place where no channel fires
    with tf.GradientTape() as tape:
        value = content_loss([x.value], [np.ones((1, 2, 2, 5), "float32")])
    assert np.isfinite(np.asarray(tape.gradient(value, x.value))).all()


def test_adversarial_losses_are_cross_entropies_of_logits() -> None:
    real, fake = np.array([[2.0], [-1.0]], "float32"), np.array([[0.5], [-3.0]], "float32")
    bce = keras.losses.BinaryCrossentropy(from_logits=True)
    ones, zeros = np.ones((2, 1), "float32"), np.zeros((2, 1), "float32")
    wanted = number(bce(ones, real)) + number(bce(zeros, fake))
    assert number(discriminator_loss(real, fake)) == pytest.approx(wanted, rel=1e-5)
    assert number(generator_loss(fake)) == pytest.approx(number(bce(ones, fake)), rel=1e-5)
    assert np.isfinite(number(generator_loss(np.array([[-200.0]], "float32"))))
