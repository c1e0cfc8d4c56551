"""A finished run becomes a model: averaged weights, spec and what the card needs."""

from __future__ import annotations

from pathlib import Path

import keras

from vsr.models.export import write_export
from vsr.train.backend import hardware
from vsr.train.origin import Origins
from vsr.train.phases import PixelPhase
from vsr.train.recipe import TrainRecipe
from vsr.train.shown import Shown


def export_run(
    recipe: TrainRecipe,
    phase: PixelPhase,
    run: Path,
    *,
    name: str | None,
    command: str,
    shown: Shown,
    origins: Origins,
    seconds: float,
    figures: dict[str, float],
) -> Path:
    """Writes ``run/export/NAME.json`` and ``NAME.weights.h5`` for ``vsr models add``.

    Args:
        shown: what the run has seen.
        origins: whose terms bind the weights, too.
        seconds: training time.
        figures: of the last validation; stored under "validation_…" names.
    """
    folder = run / "export"
    folder.mkdir(parents=True, exist_ok=True)
    scale = recipe.generator.scale
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        model = phase.architecture.build(recipe.generator)
    finally:
        keras.config.set_dtype_policy(policy)
    averages = {v.path: a for v, a in zip(phase.variables, phase.average, strict=True)}
    use_average = recipe.optimiser.ema > 0
    trained = {v.path: v for v in phase.generator.weights}
    for variable in model.weights:
        source = averages.get(variable.path) if use_average else None
        variable.assign((source if source is not None else trained[variable.path]).value)
    write_export(
        folder,
        model,
        {
            "name": name or f"{recipe.family}-x{scale}",
            "family": recipe.family,
            "scale": scale,
            "multiple_of": recipe.generator.multiple_of,
            "architecture": recipe.generator.architecture,
            "generator": recipe.generator.to_dict(),
            "training": {
                "command": command or f"vsr train DATASET -o RUN --pipeline {recipe.name}",
                "data": shown.words,
                "seed": recipe.loop.seed,
                "hardware": hardware(),
                "duration_s": round(seconds, 1),
            },
            "face_width_px": list(shown.face_width_px),
            "licence": origins.licence,
            "terms": origins.terms,
            "figures": {f"validation_{k}": round(v, 4) for k, v in figures.items()},
        },
    )
    return folder
