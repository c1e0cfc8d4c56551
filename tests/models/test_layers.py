import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from vsr.models.layers import (
    BicubicUpsample,
    BilinearDouble,
    PixelShuffle,
    PixelUnshuffle,
    bicubic_phases,
    edge_pad,
)


def array(x: object) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(x))


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_pixel_shuffle_is_depth_to_space(scale: int) -> None:
    x = np.random.default_rng(0).normal(size=(2, 5, 7, 3 * scale**2)).astype("float32")
    ours = array(PixelShuffle(scale)(x))
    np.testing.assert_array_equal(ours, tf.nn.depth_to_space(x, scale).numpy())
    assert PixelShuffle(scale).compute_output_shape((None, None, 7, 3 * scale**2)) == (
        None, None, 7 * scale, 3,
    )  # fmt: skip


@pytest.mark.parametrize("size", [2, 4])
def test_pixel_unshuffle_turns_a_shuffle_back(size: int) -> None:
    x = np.random.default_rng(0).normal(size=(2, 3 * size, 5 * size, 6)).astype("float32")
    layer = PixelUnshuffle(size)
    squares = array(layer(x))
    assert squares.shape == layer.compute_output_shape(x.shape) == (2, 3, 5, 6 * size**2)
    np.testing.assert_array_equal(array(PixelShuffle(size)(squares)), x)
    np.testing.assert_array_equal(squares, tf.nn.space_to_depth(x, size).numpy())
    assert PixelUnshuffle.from_config(layer.get_config()).size == size
    with pytest.raises(ValueError, match="got 1, expected 2 or more"):
        PixelUnshuffle(1)


def test_pixel_shuffle_refuses_what_cannot_be_shuffled() -> None:
    with pytest.raises(ValueError, match="got 1, expected 2 or more"):
        PixelShuffle(1)
    with pytest.raises(ValueError, match="got 10 channels, expected a multiple of 4"):
        PixelShuffle(2).compute_output_shape((None, 4, 4, 10))


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_bicubic_is_pils_inside_and_close_at_the_border(scale: int) -> None:
    lr = np.random.default_rng(1).integers(0, 256, (12, 15, 3)).astype(np.uint8)
    ours = array(BicubicUpsample(scale)(lr[None].astype("float32")))[0]
    size = (15 * scale, 12 * scale)
    planes = [
        Image.fromarray(lr[..., c].astype(np.float32)).resize(size, Image.Resampling.BICUBIC)
        for c in range(3)
    ]  # float planes: PIL does not round or clip these
    pil = np.stack([np.asarray(p) for p in planes], -1)
    assert ours.shape == pil.shape
    inner = (slice(2 * scale, -2 * scale),) * 2
    np.testing.assert_allclose(ours[inner], pil[inner], atol=2e-3)
    assert np.abs(ours - pil).mean() < 3.0


def test_bicubic_keeps_flat_colour_and_computes_in_float32() -> None:
    layer = BicubicUpsample(4, dtype="mixed_bfloat16")
    out = layer(keras.ops.full((1, 6, 6, 3), 0.3))
    assert keras.backend.standardize_dtype(out.dtype) == "float32"
    np.testing.assert_allclose(array(out), 0.3, atol=1e-6)
    assert layer.weights == []


def test_phases_sum_to_one_and_mirror() -> None:
    phases = bicubic_phases(4)
    np.testing.assert_allclose(phases.sum(1), 1.0)
    np.testing.assert_allclose(phases, phases[::-1, ::-1], atol=1e-12)


def test_bilinear_double_is_the_usual_one_at_any_size() -> None:
    x = np.random.default_rng(0).normal(size=(2, 5, 7, 3)).astype(np.float32)
    wanted = keras.layers.UpSampling2D(2, interpolation="bilinear")(x)
    np.testing.assert_allclose(BilinearDouble()(x), wanted, atol=1e-6)
    open_size = keras.Input((None, None, 3))
    model = keras.Model(open_size, BilinearDouble()(open_size))
    graph = tf.function(model, input_signature=[tf.TensorSpec((None, None, None, 3))])
    np.testing.assert_allclose(graph(x), wanted, atol=1e-6)


def test_edge_pad_is_numpys() -> None:
    x = np.random.default_rng(2).normal(size=(2, 4, 3, 2)).astype("float32")
    wanted = np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="edge")
    np.testing.assert_array_equal(array(edge_pad(x, 2)), wanted)


def test_layers_survive_their_configuration() -> None:
    for layer in (PixelShuffle(4), BicubicUpsample(2)):
        again = keras.layers.deserialize(keras.layers.serialize(layer))
        assert type(again) is type(layer)
        assert again.scale == layer.scale
