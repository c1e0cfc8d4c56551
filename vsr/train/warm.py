"""Weights of a model that is there already: to start from, and to mix in at the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vsr.core.errors import UsageError, VsrError
from vsr.models.blend import mixed_with
from vsr.models.registry import get_spec, load_generator
from vsr.train.origin import Origin
from vsr.train.phases import PixelPhase


class Start:
    """The model of ``--init``.

    Raises (at construction, or when its weights are loaded) a `VsrError` that names the option.
    """

    def __init__(self, init: str | Path) -> None:
        self.init = init
        try:
            spec = get_spec(init)
        except VsrError as error:
            raise type(error)(f"--init: {error}") from None
        self.origin = Origin(spec.name, spec.weights_sha256, spec.terms, spec.licence)
        self._weights: dict[str, Any] = {}

    @property
    def weights(self) -> dict[str, Any]:
        """Its variables by path."""
        if not self._weights:
            try:
                model = load_generator(self.init)
            except VsrError as error:
                raise type(error)(f"--init: {error}") from None
            self._weights = {v.path: v for v in model.weights}
        return self._weights


def start_from(phase: PixelPhase, start: Start) -> str:
    """Takes over a model's weights where names and shapes agree; says in words how many.

    Blocks that the model lacks start as identity, other arrays as they were drawn.
    """
    taken = 0
    for variable in phase.generator.weights:
        other = start.weights.get(variable.path)
        if other is not None and tuple(other.shape) == tuple(variable.shape):
            variable.assign(other.value)
            taken += 1
        elif phase.architecture.is_branch_end(variable.path):
            variable.assign(variable.value * 0.0)
    if taken == 0:
        raise UsageError(f"--init: {start.init} shares no weights with the recipe's generator")
    for variable, average in zip(phase.variables, phase.average, strict=True):
        average.assign(variable.value)
    return f"starts from {start.init}: {taken} of {len(phase.generator.weights)} arrays"


def check_blend(phase: PixelPhase, start: Start) -> None:
    """Whether a model can be mixed in at the end; asked before the training.

    Raises:
        UsageError: it has another shape, or one of the two normalises batches: the statistics
            of a mixture are not the mixture of the statistics.
    """
    if any(
        "moving_mean" in v for v in (*start.weights, *(w.path for w in phase.generator.weights))
    ):
        raise UsageError(
            f"loop.blend: cannot mix batch normalisation ({start.init} and the recipe's "
            "generator); set it to 1, or take generator.normalisation = 'none' in both"
        )
    for variable in phase.variables:
        other = start.weights.get(variable.path)
        if other is None and phase.architecture.is_branch(variable.path):
            continue
        if other is None or tuple(other.shape) != tuple(variable.shape):
            raise UsageError(
                f"loop.blend: '{variable.path}' of the generator is not in {start.init} or has "
                "another shape; set it to 1, or start from a model of the same shape"
            )


def blend_with(phase: PixelPhase, start: Start, share: float) -> None:
    """Network interpolation (Wang et al., ECCVW 2018, section 3.4) with the model of the start.

    Changes the weights that are exported to ``share`` of theirs and the rest of the model's:
    less of what adversarial training invents, little less of what it sharpens. A branch that the
    model lacks counts as one that adds nothing. `check_blend` has said that they go together.
    """
    exported = phase.average if phase.recipe.optimiser.ema > 0 else phase.variables
    for variable, mixed in zip(phase.variables, exported, strict=True):
        ends = phase.architecture.is_branch_end
        value = mixed_with(variable.path, mixed, start.weights, share, ends)
        if value is not None:
            mixed.assign(value)
