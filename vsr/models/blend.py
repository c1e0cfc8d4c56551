"""Two trained networks of one shape become one: network interpolation.

Networks that were trained on from the same weights lie in one basin, and between them lies one
that keeps most of what each of them can (Wang et al., "Deep Network Interpolation", CVPR 2019;
Wortsman et al., "Model soups", ICML 2022).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vsr.core.errors import UsageError
from vsr.models.export import finish
from vsr.models.registry import architecture_of, get_spec, load_generator
from vsr.models.spec import ModelSpec, Training


def blend_models(
    first: str | Path,
    second: str | Path,
    share: float,
    name: str,
    *,
    folder: Path | None = None,
    overwrite: bool = False,
    command: str = "",
) -> ModelSpec:
    """Registers ``share`` of the first model's weights plus the rest of the second's.

    Args:
        first: gives the shape; it may have branches (blocks, sizes of an hourglass) more than the
            second, in which they count as ones that add nothing.
        second: of the same architecture and scale.
        share: 0..1.
        name: of the new model.
        folder: where its files go; the user's model folder by default.
        overwrite: replace a model of the same name there.
        command: what made it, for the card.

    Raises:
        UsageError: a share out of range, or two models that do not go together.
        ModelError: a model is unknown or damaged, or the name is taken.
    """
    if not 0 <= share <= 1:
        raise UsageError(f"--share: got {share:g}, expected 0..1")
    one, other = get_spec(first), get_spec(second)
    if (one.architecture, one.scale) != (other.architecture, other.scale):
        raise UsageError(
            f"{other.name} is a {other.architecture} of x{other.scale}, expected one of "
            f"{one.architecture}, x{one.scale}, as {one.name}; blend two of a kind"
        )
    model, architecture = load_generator(first), architecture_of(one)[0]
    there = {v.path: v for v in load_generator(second).weights}
    for variable in model.weights:
        mixed = mixed_with(variable.path, variable, there, share, architecture.is_branch_end)
        if mixed is None and not architecture.is_branch(variable.path):
            raise UsageError(
                f"{variable.path} of {one.name} is not in {other.name} or has another shape; "
                "blend models that were trained from the same one"
            )
        if mixed is not None:
            variable.assign(mixed)
    return finish(model, _draft(one, other, name, command), folder, overwrite=overwrite)


def mixed_with(
    path: str,
    value: Any,
    others: Mapping[str, Any],
    share: float,
    ends: Callable[[str], bool],
) -> np.ndarray | None:
    """``share`` of a variable's value and the rest of that of its path; None: it stays as it is.

    ends: whether a path is the end of a branch that the other network may lack.
    """
    value, other = np.asarray(value), others.get(path)
    if other is not None and tuple(other.shape) == value.shape:
        return value * share + np.asarray(other) * (1.0 - share)
    return value * share if other is None and ends(path) else None


def _draft(one: ModelSpec, other: ModelSpec, name: str, command: str) -> ModelSpec:
    """The first one's spec; data, terms and licence of both."""
    training = one.training
    if training is not None:
        data = training.data
        if other.training is not None and other.training.data != data:
            data = f"{data}; and that of {other.name}: {other.training.data}"
        training = Training(command=command or training.command, data=data, seed=training.seed)
    both = {
        key: "; ".join(dict.fromkeys(t for s in (one, other) if (t := getattr(s, key))))
        for key in ("terms", "licence")
    }
    return dataclasses.replace(one, name=name, training=training, figures={}, **both)
