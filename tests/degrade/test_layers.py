import cv2
import keras
import numpy as np
import pytest

from vsr.degrade.image import jpeg, reduce_image
from vsr.degrade.kernels import motion_kernel
from vsr.degrade.layers import Degrade, blur_batch, jpeg_batch, jpeg_factor, reduce_batch
from vsr.degrade.recipe import DegradeConfig

pytestmark = pytest.mark.network


@pytest.fixture
def batch() -> np.ndarray:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (4, 64, 64, 3)).astype(np.uint8)
    smooth = np.stack([cv2.GaussianBlur(n, (0, 0), 2.5) for n in noise])
    return np.clip((smooth.astype(np.float32) - 127) * 4 + 127, 0, 255).astype(np.uint8)


def array(x: object) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(x))


@pytest.mark.parametrize("kind", ["bicubic", "area"])
@pytest.mark.parametrize("scale", [2, 4])
def test_reduction_is_the_reference_within_rounding(batch, kind, scale) -> None:
    ours = array(reduce_batch(batch.astype("float32"), scale, kind))
    reference = np.stack([reduce_image(b, scale, kind) for b in batch])
    assert np.abs(np.clip(ours, 0, 255) - reference).max() <= 1.0


def test_blur_gives_each_picture_its_own_kernel(batch) -> None:
    x = batch.astype("float32")
    sigma = np.array([0.0, 1.5, 0.0, 0.8], "float32")
    motion = np.array([1.0, 1.0, 5.0, 1.0], "float32")
    out = array(blur_batch(x, sigma, motion, np.zeros(4, "float32"), 11))
    np.testing.assert_allclose(out[0], x[0], atol=1e-3)
    inner = (slice(8, -8), slice(8, -8))
    for i in (1, 3):
        reference = cv2.GaussianBlur(x[i], (11, 11), float(sigma[i]))
        np.testing.assert_allclose(out[i][inner], reference[inner], atol=0.05)
    reference = cv2.filter2D(x[2], -1, motion_kernel(5.0, 0.0, 11))
    np.testing.assert_allclose(out[2][inner], reference[inner], atol=0.05)


def test_quality_is_libjpegs() -> None:
    factors = array(jpeg_factor(np.array([25.0, 50.0, 75.0, 100.0], "float32")))
    np.testing.assert_allclose(factors, [2.0, 1.0, 0.5, 0.0])


@pytest.mark.parametrize("quality", [30, 50, 80])
def test_jpeg_is_close_to_the_real_encoder(batch, quality) -> None:
    factor = jpeg_factor(np.full(4, quality, "float32"))
    ours = array(jpeg_batch(batch.astype("float32"), factor))
    real = np.stack([jpeg(b, quality) for b in batch]).astype("float32")
    loss = np.mean((real - batch) ** 2)
    assert np.mean((ours - real) ** 2) < 0.15 * loss
    untouched = array(jpeg_batch(batch.astype("float32"), np.zeros(4, "float32")))
    np.testing.assert_array_equal(untouched, batch)


def test_layer_is_seeded_and_keeps_its_contract(batch) -> None:
    config = DegradeConfig(share=1.0)
    first = array(Degrade(2, config, seed=4)(batch))
    again = array(Degrade(2, config, seed=4)(batch))
    other = array(Degrade(2, config, seed=5)(batch))
    assert first.shape == (4, 32, 32, 3)
    assert first.dtype == np.float32
    assert first.min() >= 0
    assert first.max() <= 255
    np.testing.assert_array_equal(first, np.round(first))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_layer_draws_anew_and_its_state_can_be_put_back(batch) -> None:
    layer = Degrade(2, DegradeConfig(share=1.0), seed=4)
    state = array(layer.generator.state)
    first = array(layer(batch))
    assert (array(layer(batch)) != first).any()
    layer.generator.state.assign(state)
    np.testing.assert_array_equal(array(layer(batch)), first)


def test_without_a_share_it_only_reduces(batch) -> None:
    out = array(Degrade(2, DegradeConfig(share=0.0), seed=1)(batch))
    either = [np.stack([reduce_image(b, 2, kind) for b in batch]) for kind in ("bicubic", "area")]
    error = np.minimum(*(np.abs(out - e).max(axis=(1, 2, 3)) for e in either))
    assert error.max() <= 1.0
