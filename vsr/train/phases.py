"""The two phases of training, each one step function and the variables it lives in.

`PixelPhase`: SRResNet, pixel loss (plus content loss if weighted). `GanPhase`: SRGAN (Ledig et
al., CVPR 2017): content + adversarial (+ pixel) loss, the discriminator trained in turn.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras

from vsr.models.architectures import load_architecture
from vsr.models.discriminator import build_discriminator
from vsr.models.features import build_features
from vsr.models.recogniser import load_recogniser
from vsr.models.runtime import current
from vsr.train.losses import (
    content_loss,
    discriminator_loss,
    generator_loss,
    identity_loss,
    pixel_loss,
)
from vsr.train.optimiser import ConvMuon
from vsr.train.recipe import OptimiserConfig, TrainRecipe

ops: Any = keras.ops  # its stubs know tensors of no backend


class PixelPhase:
    """The generator on its own."""

    def __init__(self, recipe: TrainRecipe) -> None:
        self.recipe = recipe
        self.architecture = load_architecture(recipe.generator.architecture)
        self.generator = self.architecture.build(recipe.generator)
        self.variables = self.generator.trainable_variables
        self.optimiser = _optimiser(recipe.optimiser, recipe.optimiser.rate, self.variables)
        # through numpy: Keras would share a backend variable that it is given as initial value
        self.average = [
            keras.Variable(ops.convert_to_numpy(v.value), name=f"ema_{v.name}")
            for v in self.variables
        ]
        self.decay = keras.Variable(0.0, name="ema_decay")
        self.features: keras.Model | None = None
        if recipe.loss.content > 0:
            self.features = build_features(recipe.loss.features, recipe.loss.content_layers)
        self.recogniser: keras.Model | None = None
        if recipe.loss.identity > 0:
            self.recogniser = load_recogniser(Path(recipe.loss.recogniser))
        self._compiled = self._compile()
        self._predict = current().compile_step(
            lambda lr: {"sr": self.generator(lr, training=False)}, self.generator.weights
        )

    @property
    def state(self) -> dict[str, Any]:
        """Every variable that makes the run go on as if never stopped, by a stable name."""
        state = {f"generator/{v.path}": v for v in self.generator.weights}
        average = zip(self.variables, self.average, strict=True)
        state |= {f"average/{v.path}": a for v, a in average}
        state |= {f"optimiser/{i}": v for i, v in enumerate(self.optimiser.variables)}
        return state

    def step(self, lr: Any, hr: Any, rate: float, index: int) -> dict[str, Any]:
        """One update.

        Args:
            lr: tensor ``(B, h, w, 3)`` float32 in [-1, 1]; ``hr``: ``(B, s*h, s*w, 3)``.
            rate: share of the recipe's learning rates, 0..1.
            index: 0-based number of the step.

        Returns:
            Loss parts by name, scalar tensors; "loss" is the generator's whole.
        """
        self.optimiser.learning_rate.assign(self.recipe.optimiser.rate * rate)
        # young averages follow fast, or the first thousand steps would weigh in the result
        self.decay.assign(min(self.recipe.optimiser.ema, (1 + index) / (10 + index)))
        return self._compiled(lr, hr)

    def predict(self, lr: Any) -> Any:
        """The generator's picture of ``lr`` (float32 in [-1, 1]), no update."""
        return self._predict(lr)["sr"]

    def _compile(self) -> Any:
        return current().compile_step(self._update, self._step_state())

    def _step_state(self) -> list[Any]:
        fixed = [
            w for net in (self.features, self.recogniser) if net is not None for w in net.weights
        ]
        return [*self.state.values(), self.decay, *fixed]

    def _update(self, lr: Any, hr: Any) -> dict[str, Any]:
        def loss() -> tuple[Any, dict[str, Any]]:
            total, parts, _ = self._losses(self.generator(lr, training=True), hr)
            return total, parts

        parts, grads = current().value_and_grad(loss, self.variables, self._step_state())
        self._apply(grads)
        return parts

    def _losses(self, sr: Any, hr: Any) -> tuple[Any, dict[str, Any], Any]:
        weights = self.recipe.loss
        parts = {"pixel": pixel_loss(sr, hr, weights.luma_share, weights.pixel_distance)}
        total = weights.pixel * parts["pixel"]
        if self.features is not None:
            parts["content"] = content_loss(
                _listed(self.features(sr, training=False)),
                _listed(self.features(hr, training=False)),
                weights.content_distance,
            )
            total = total + weights.content * parts["content"]
        if self.recogniser is not None:
            parts["identity"] = identity_loss(
                self.recogniser(sr, training=False), self.recogniser(hr, training=False)
            )
            total = total + weights.identity * parts["identity"]
        return total, {**parts, "loss": total}, sr

    def _apply(self, grads: list[Any]) -> None:
        self.optimiser.apply(grads, self.variables)
        for variable, average in zip(self.variables, self.average, strict=True):
            average.assign(average * self.decay + variable * (1.0 - self.decay))


class GanPhase(PixelPhase):
    """Generator and discriminator in turn, one update each per step."""

    def __init__(self, recipe: TrainRecipe) -> None:
        self.discriminator = build_discriminator(recipe.discriminator)
        rate = recipe.optimiser.discriminator_rate
        self.critic_variables = self.discriminator.trainable_variables
        self.critic_optimiser = _optimiser(recipe.optimiser, rate, self.critic_variables)
        super().__init__(recipe)

    @property
    def state(self) -> dict[str, Any]:
        """The generator's, the discriminator's and both optimisers' variables."""
        state = super().state
        state |= {f"discriminator/{v.path}": v for v in self.discriminator.weights}
        critic = enumerate(self.critic_optimiser.variables)
        return state | {f"critic_optimiser/{i}": v for i, v in critic}

    def step(self, lr: Any, hr: Any, rate: float, index: int) -> dict[str, Any]:
        """As `PixelPhase.step`; adds "adversarial", "discriminator" and both mean verdicts."""
        self.critic_optimiser.learning_rate.assign(self.recipe.optimiser.discriminator_rate * rate)
        return super().step(lr, hr, rate, index)

    def _update(self, lr: Any, hr: Any) -> dict[str, Any]:
        state = self._step_state()

        def fool() -> tuple[Any, Any]:
            total, parts, sr = self._losses(self.generator(lr, training=True), hr)
            fake = self.discriminator(sr, training=True)
            parts["adversarial"] = generator_loss(fake)
            total = total + self.recipe.loss.adversarial * parts["adversarial"]
            return total, ({**parts, "loss": total}, sr)

        (parts, sr), grads = current().value_and_grad(fool, self.variables, state)
        sr = ops.stop_gradient(sr)

        def judge() -> tuple[Any, dict[str, Any]]:
            real = self.discriminator(hr, training=True)
            fake = self.discriminator(sr, training=True)
            verdicts = {
                "real": ops.mean(ops.sigmoid(real)),
                "fake": ops.mean(ops.sigmoid(fake)),
                "discriminator": discriminator_loss(real, fake),
            }
            return verdicts["discriminator"], verdicts

        verdicts, critic_grads = current().value_and_grad(judge, self.critic_variables, state)
        self._apply(grads)
        self.critic_optimiser.apply(critic_grads, self.critic_variables)
        return {**parts, **verdicts}


def build_phase(recipe: TrainRecipe) -> PixelPhase:
    """The phase that a recipe's losses ask for."""
    return GanPhase(recipe) if recipe.loss.adversarial > 0 else PixelPhase(recipe)


def _optimiser(config: OptimiserConfig, rate: float, variables: list[Any]) -> Any:
    # only kinds whose whole state is in `variables`, or a checkpoint would lack some (Nadam's does)
    kinds = {
        "adam": keras.optimizers.Adam,
        "adamax": keras.optimizers.Adamax,
        "lion": keras.optimizers.Lion,
        "muon": ConvMuon,
    }
    optimiser = kinds[config.kind](
        rate, beta_1=config.beta_1, beta_2=config.beta_2, global_clipnorm=config.clip_norm
    )
    optimiser.build(variables)
    return optimiser


def _listed(outputs: Any) -> list[Any]:
    return list(outputs) if isinstance(outputs, list | tuple) else [outputs]
