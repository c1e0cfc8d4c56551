"""A finished run becomes a model: averaged weights, spec and what the card needs."""

from __future__ import annotations

from pathlib import Path

import keras

from vsr.models.export import write_export
from vsr.models.generator import build_generator
from vsr.train.backend import hardware
from vsr.train.phases import PixelPhase
from vsr.train.recipe import TrainRecipe


def export_run(
    recipe: TrainRecipe,
    phase: PixelPhase,
    run: Path,
    *,
    name: str | None,
    command: str,
    pictures: str,
    terms: str,
    seconds: float,
    figures: dict[str, float],
) -> Path:
    """Writes ``run/export/NAME.json`` and ``NAME.weights.h5`` for ``vsr models add``.

    Args:
        pictures: the data in words.
        terms: of use of the data, which bind the weights too; empty where there are none.
        seconds: training time.
        figures: of the last validation; stored under "validation_…" names.
    """
    folder = run / "export"
    folder.mkdir(parents=True, exist_ok=True)
    scale = recipe.generator.scale
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        model = build_generator(recipe.generator)
    finally:
        keras.config.set_dtype_policy(policy)
    averages = {v.path: a for v, a in zip(phase.variables, phase.average, strict=True)}
    use_average = recipe.optimiser.ema > 0
    trained = {v.path: v for v in phase.generator.weights}
    for variable in model.weights:
        source = averages.get(variable.path) if use_average else None
        variable.assign((source if source is not None else trained[variable.path]).value)
    degrade, data = recipe.degrade, recipe.data
    more = f" and of {', '.join(Path(e).name for e in data.extra)}" if data.extra else ""
    words = f"{pictures}{more}; {degrade.share:.0%} of the patches degraded"
    write_export(
        folder,
        model,
        {
            "name": name or f"{recipe.family}-x{scale}",
            "family": recipe.family,
            "scale": scale,
            "multiple_of": recipe.generator.multiple_of,
            "generator": recipe.generator.to_dict(),
            "training": {
                "command": command or f"vsr train DATASET -o RUN --pipeline {recipe.name}",
                "data": words,
                "seed": recipe.loop.seed,
                "hardware": hardware(),
                "duration_s": round(seconds, 1),
            },
            "licence": "see the terms of the data" if terms else "Apache-2.0",
            "terms": f"trained on {terms}" if terms else "",
            "figures": {f"validation_{k}": round(v, 4) for k, v in figures.items()},
        },
    )
    return folder
