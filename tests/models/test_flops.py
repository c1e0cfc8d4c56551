"""Operations counted from the graph that runs, against those known by hand and by formula."""

from __future__ import annotations

import pytest

from vsr.models.architectures.srresnet import SRResNetConfig
from vsr.models.backend import start_backend
from vsr.models.network import load_network
from vsr.models.registry import get_spec


@pytest.fixture(scope="module", autouse=True)
def _backend() -> None:
    start_backend()


@pytest.mark.parametrize(
    ("name", "precision"),
    [("srgan-x2", "float32"), ("srgan-x2", "bfloat16"), ("srresnet-x4", "float32")],
)
def test_the_graph_agrees_with_the_formula(name: str, precision: str):
    spec = get_spec(name)
    network = load_network(name, precision=precision)  # type: ignore[arg-type]
    passes = 2 if spec.mirror else 1
    formula = SRResNetConfig.from_dict(dict(spec.generator)).flops_per_pixel * 48 * 64 * passes
    # the graph also holds what the formula leaves out: the bicubic skip's and hourglass' resizing
    assert formula <= network.flops(1, 48, 64) <= 1.01 * formula


def test_a_batch_costs_its_pictures():
    network = load_network("srgan-x2-fast", precision="float32")
    assert network.flops(8, 32, 32) == pytest.approx(8 * network.flops(1, 32, 32), rel=1e-6)


def test_the_convolutions_of_a_small_network_are_counted_one_by_one():
    import keras
    import tensorflow as tf

    from vsr.models.runtime import current

    inputs = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(5, 3, padding="same", activation="relu")(inputs)
    x = keras.layers.Conv2D(7, 1, use_bias=False)(x) + 1.0
    model = keras.Model(inputs, x)
    forward = tf.function(lambda pixels, peak: model(pixels / peak))
    taps = 10 * 12 * (3 * 3 * 3 * 5 + 5 * 7)
    assert current().count_flops(forward, (2, 10, 12, 3)) == 2 * 2 * taps
