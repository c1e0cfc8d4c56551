import keras
import numpy as np
import pytest
import tensorflow as tf

from vsr.core.errors import ModelError
from vsr.models.architectures.srresnet import SRResNetConfig, build_srresnet
from vsr.models.layers import BicubicUpsample
from vsr.models.registry import STORE
from vsr.models.spec import read_spec

LEAN = SRResNetConfig(
    scale=2, filters=8, blocks=2, head_kernel=3, normalisation="none", activation="relu",
    upsampling="direct", image_skip="bicubic", activation_out="linear",
)  # fmt: skip


def variant(**changes: object) -> SRResNetConfig:
    return SRResNetConfig.from_dict({**LEAN.to_dict(), **changes})


def run(model: keras.Model, x: np.ndarray) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(model(x, training=False)))


@pytest.mark.parametrize("scale", [2, 4, 8])
@pytest.mark.parametrize("upsampling", ["stages", "direct"])
def test_any_size_comes_out_scaled(scale: int, upsampling: str) -> None:
    model = build_srresnet(variant(scale=scale, upsampling=upsampling))
    for height, width in ((9, 12), (16, 5)):
        x = np.zeros((2, height, width, 3), np.float32)
        assert run(model, x).shape == (2, height * scale, width * scale, 3)


@pytest.mark.parametrize("upsampling", ["stages", "direct"])
@pytest.mark.parametrize("unshuffle", [2, 4])
def test_at_reduced_size_inside_it_scales_as_well(unshuffle: int, upsampling: str) -> None:
    config = variant(unshuffle=unshuffle, upsampling=upsampling)
    assert config.multiple_of == unshuffle
    model = build_srresnet(config)
    body = model.get_layer("body_conv").output
    for height, width in ((8, 12), (16, 4)):
        x = np.random.default_rng(0).uniform(-1, 1, (2, height, width, 3)).astype(np.float32)
        assert run(model, x).shape == (2, height * 2, width * 2, 3)
        inside = run(keras.Model(model.inputs, body), x)
        assert inside.shape[1:3] == (height // unshuffle, width // unshuffle)


def test_the_default_is_the_papers_generator() -> None:
    model = build_srresnet(SRResNetConfig())
    convolutions = [la for la in model.layers if isinstance(la, keras.layers.Conv2D)]
    assert len(convolutions) == 1 + 32 + 1 + 1 + 1
    assert convolutions[0].kernel_size == convolutions[-1].kernel_size == (9, 9)
    assert sum(isinstance(la, keras.layers.BatchNormalization) for la in model.layers) == 33
    assert sum(isinstance(la, keras.layers.PReLU) for la in model.layers) == 18
    # 9x9 head and tail, 33 3x3 convolutions with their batch-norms (4 per channel), 64 -> 256,
    # 17 PReLUs of 64 shared slopes and the one after the shuffle
    head, tail = 9 * 9 * 3 * 64 + 64, 9 * 9 * 64 * 3 + 3
    body = 33 * (9 * 64 * 64 + 64 + 4 * 64)
    up, slopes = 9 * 64 * 256 + 256, 18 * 64
    assert model.count_params() == head + tail + body + up + slopes
    x = np.random.default_rng(0).uniform(-1, 1, (1, 8, 8, 3)).astype(np.float32)
    assert np.abs(run(model, x)).max() < 1


def test_untrained_with_an_image_skip_it_is_bicubic() -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (1, 10, 11, 3)).astype(np.float32)
    bicubic = np.asarray(BicubicUpsample(2)(x))
    np.testing.assert_allclose(run(build_srresnet(LEAN), x), bicubic, atol=1e-6)
    for branches in ({"polish": 4}, {"decoder": (4,)}, {"context": (6,)}, {"unshuffle": 2}):
        model = build_srresnet(variant(**branches))
        even = x[:, :, :10]
        np.testing.assert_allclose(run(model, even), BicubicUpsample(2)(even), atol=1e-6)


def test_polish_lets_neighbours_at_hr_size_meet() -> None:
    """One sub-pixel place alone is lit: with polish the others answer."""
    model = build_srresnet(variant(polish=4))
    keras.utils.set_random_seed(2)
    kernel = model.get_layer("polish_out_conv").kernel
    kernel.assign(keras.random.normal(kernel.shape, stddev=0.1))
    out = model.get_layer("out_conv")
    bias = np.zeros(out.bias.shape, np.float32)
    bias[0] = 1.0  # the upper left place of every LR pixel, red
    out.bias.assign(bias)
    x = np.zeros((1, 12, 12, 3), np.float32)
    plain = build_srresnet(LEAN)
    plain.get_layer("out_conv").bias.assign(bias)
    before, after = run(plain, x)[0, 8:-8, 8:-8], run(model, x)[0, 8:-8, 8:-8]
    assert np.ptp(before[1::2, 1::2]) == 0
    assert np.abs(after - before)[1::2, 1::2].max() > 0.01


def test_the_network_is_neutral_to_batch_and_shift() -> None:
    keras.utils.set_random_seed(3)
    model = build_srresnet(variant(image_skip="none"))
    x = np.random.default_rng(0).uniform(-1, 1, (2, 40, 40, 3)).astype(np.float32)
    whole = run(model, x)
    np.testing.assert_allclose(run(model, x[1:]), whole[1:], atol=1e-5)
    moved = run(model, x[:, 3:, 5:])
    inner = 24  # beyond the receptive field of the new border
    np.testing.assert_allclose(
        moved[:, inner:-inner, inner:-inner],
        whole[:, 6 + inner : -inner, 10 + inner : -inner],
        atol=1e-5,
    )


def test_flops_are_those_tensorflow_counts() -> None:
    for config in (
        variant(scale=4),
        variant(scale=4, polish=6),
        variant(scale=4, context=(6, 12), decoder=(10,)),
        variant(scale=8, context=(4,), decoder=(10, 4, 6)),
        variant(context=(6, 8), context_blocks=(1, 5)),
        variant(scale=4, upsampling="stages", head_kernel=5),
        variant(scale=2, unshuffle=2),
        variant(scale=4, unshuffle=4, context=(6,), decoder=(10,), polish=6),
        variant(scale=2, unshuffle=2, upsampling="stages", head_kernel=5),
    ):
        config = SRResNetConfig.from_dict({**config.to_dict(), "image_skip": "none"})
        model = build_srresnet(config)
        function = tf.function(lambda x, m=model: m(x, training=False))
        graph = function.get_concrete_function(tf.TensorSpec((1, 16, 16, 3))).graph
        total = 0
        for node in graph.get_operations():
            for operation in [node]:
                if operation.type == "Conv2D":
                    _, height, width, out = operation.outputs[0].shape
                    kernel_h, kernel_w, depth, _ = operation.inputs[1].shape
                    total += 2 * height * width * out * kernel_h * kernel_w * depth
        assert config.flops_per_pixel * 256 == total


_GENERATORS = [dict(read_spec(path).generator) for path in sorted(STORE.glob("*.json"))]
SHIPPED = [g for n, g in enumerate(_GENERATORS) if g not in _GENERATORS[:n]]
"""each shape once: several models share theirs"""


@pytest.mark.parametrize(
    "values",
    [
        *SHIPPED,
        {"blocks": 3},
        {"blocks": 1, "scale": 8, "filters": 8, "polish": 4},
        {**LEAN.to_dict(), "unshuffle": 2, "polish": 4},
        {**LEAN.to_dict(), "unshuffle": 4, "context": [6], "upsampling": "stages"},
        {**LEAN.to_dict(), "scale": 8, "context": [4, 4, 4], "decoder": [4, 4, 4], "polish": 4},
        {**LEAN.to_dict(), "context": [4, 4, 4], "context_blocks": [1, 2, 4]},
        {**LEAN.to_dict(), "scale": 4, "decoder": [4], "kernel_size": 5, "head_kernel": 1},
        {**LEAN.to_dict(), "blocks": 1, "kernel_size": 1, "head_kernel": 1},
    ],
)
def test_reach_is_how_far_a_light_shines(values: dict[str, object]) -> None:
    config = SRResNetConfig.from_dict({**values, "activation": "relu", "activation_out": "linear"})
    model = build_srresnet(config)
    for weights in model.weights:
        if weights.path.endswith("kernel"):  # means: nothing cancels, nothing vanishes
            rows, columns, channels, _ = weights.shape
            weights.assign(np.full(weights.shape, 1 / (rows * columns * channels), np.float32))
    cell, reach = config.multiple_of, config.reach
    farthest, place = 0, reach + cell
    for row in range(place, place + cell):
        x = np.zeros((1, 2 * place + cell, cell, 3), np.float32)
        x[0, row] = 1e30  # what reaches far through sixty convolutions is small
        lit = np.flatnonzero(run(model, x)[0].any(axis=(1, 2))) // config.scale
        farthest = max(farthest, row - lit[0], lit[-1] - row)
    assert reach - cell < farthest <= reach


def test_with_context_far_away_counts() -> None:
    """A light 40 pixels away reaches a place that the convolutions alone cannot see."""
    far = []
    for context in ((), (6, 6, 6)):
        keras.utils.set_random_seed(2)
        model = build_srresnet(variant(context=context, image_skip="none"))
        for name in ("context0_up_conv",) if context else ():
            kernel = model.get_layer(name).kernel
            kernel.assign(keras.random.normal(kernel.shape, stddev=0.1))
        x = np.zeros((2, 80, 16, 3), np.float32)
        x[1, :8] = 1.0
        out = run(model, x)
        far.append(np.abs(out[1] - out[0])[2 * 48 :].max())
    assert far[0] == 0
    assert far[1] > 0


def test_weights_fit_any_size_and_survive_saving(tmp_path) -> None:
    keras.utils.set_random_seed(1)
    model = build_srresnet(variant(image_skip="none"))
    model.save_weights(tmp_path / "a.weights.h5")
    again = build_srresnet(variant(image_skip="none"))
    again.load_weights(tmp_path / "a.weights.h5")
    x = np.random.default_rng(0).uniform(-1, 1, (1, 9, 9, 3)).astype(np.float32)
    np.testing.assert_array_equal(run(model, x), run(again, x))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scale": 3}, r"scale: got 3, expected one of \(2, 4, 8\)"),
        ({"unshuffle": 3}, r"unshuffle: got 3, expected one of \(1, 2, 4\)"),
        ({"filters": 2}, "filters: got 2, expected 4 to 512"),
        ({"kernel_size": 4}, "kernel_size: got 4, expected an odd number"),
        ({"residual_scale": 0.0}, "residual_scale: got 0.0"),
        ({"context": (8, 8, 8, 8)}, "context: got .* expected at most 3 numbers"),
        ({"context": (8, 8), "context_blocks": (2,)}, "context_blocks: got .* each of the 2 sizes"),
        ({"decoder": (8, 8)}, "decoder: got .* expected at most 1 numbers"),
        ({"decoder": (2,)}, "decoder: got .* expected at most 1 numbers from 4"),
        ({"filter": 64}, r"filter: got 64, expected only the keys \['activation'"),
    ],
)
def test_wrong_shapes_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        variant(**change)
    if "filter" not in change:
        with pytest.raises(ValueError, match=message):
            SRResNetConfig(**change)  # type: ignore[arg-type]


def test_configurations_make_the_round_trip() -> None:
    assert SRResNetConfig.from_dict(LEAN.to_dict()) == LEAN
