"""Weights of a model that is there already: to start from, and to mix in at the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras

from vsr.core.errors import UsageError, VsrError
from vsr.models.generator import BRANCH_ENDS
from vsr.models.registry import load_generator
from vsr.train.phases import PixelPhase

_BRANCHES = ("context", "decoder", "polish_")
"""how the variables of branches begin that can be added to a trained network"""


def start_from(phase: PixelPhase, init: str | Path) -> str:
    """Takes over a model's weights where names and shapes agree; says in words how many.

    Blocks that the model lacks start as identity, other arrays as they were drawn.
    """
    known = _weights(init)
    taken = 0
    for variable in phase.generator.weights:
        other = known.get(variable.path)
        if other is not None and tuple(other.shape) == tuple(variable.shape):
            variable.assign(other.value)
            taken += 1
        elif _branch_end(variable.path):
            variable.assign(variable.value * 0.0)
    if taken == 0:
        raise UsageError(f"--init: {init} shares no weights with the recipe's generator")
    for variable, average in zip(phase.variables, phase.average, strict=True):
        average.assign(variable.value)
    return f"starts from {init}: {taken} of {len(phase.generator.weights)} arrays"


def blend_with(phase: PixelPhase, init: str | Path, share: float) -> None:
    """Network interpolation (Wang et al., ECCVW 2018, section 3.4) with the model of the start.

    Changes the weights that are exported to ``share`` of theirs and the rest of the model's:
    less of what adversarial training invents, little less of what it sharpens. A branch that the
    model lacks counts as one that adds nothing.

    Raises:
        UsageError: the model has another shape.
    """
    known = _weights(init)
    exported = phase.average if phase.recipe.optimiser.ema > 0 else phase.variables
    for variable, mixed in zip(phase.variables, exported, strict=True):
        other = known.get(variable.path)
        if other is None and variable.path.startswith(_BRANCHES):
            mixed.assign(mixed.value * (share if _branch_end(variable.path) else 1.0))
            continue
        if other is None or tuple(other.shape) != tuple(variable.shape):
            raise UsageError(
                f"loop.blend: '{variable.path}' of the generator is not in {init} or has another "
                "shape; set it to 1, or start from a model of the same shape"
            )
        mixed.assign(mixed.value * share + other.value * (1.0 - share))


def _branch_end(path: str) -> bool:
    """Whether it belongs to the last convolution of a branch that is added to its input."""
    return (path.startswith("block") and "conv2/" in path) or path.startswith(BRANCH_ENDS)


def _weights(init: str | Path) -> dict[str, Any]:
    try:
        model: keras.Model = load_generator(init)
    except VsrError as error:
        raise type(error)(f"--init: {error}") from None
    return {v.path: v for v in model.weights}
