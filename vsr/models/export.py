"""Making a model out of a trained network: weights, spec and card in one step.

A trainer writes an *export* (`write_export`): ``NAME.weights.h5`` and ``NAME.json``, the spec
without what only the finished file can tell, in its run folder or in ``export/`` there.
`add_model` (``vsr models add RUN``) turns that into a registered model.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import vsr
from vsr.core.errors import ModelError
from vsr.core.hashing import file_sha256
from vsr.core.jsontext import parse_json
from vsr.models.card import render_card
from vsr.models.registry import INTERPOLATIONS, STORE, build, fold, user_folder
from vsr.models.spec import FORMAT, ModelSpec, spec_from_dict, write_spec
from vsr.models.weights import check_plain, load_weights, save_weights

if TYPE_CHECKING:
    import keras

_FILLED = ("weights_file", "weights_sha256", "parameters", "bfloat16_error", "vsr_version")
"""Keys of a spec that `add_model` fills in."""


def write_export(folder: Path, model: keras.Model, fields: Mapping[str, Any]) -> None:
    """Leaves a trained generator in its run folder, ready for `add_model`.

    Args:
        folder: must exist; an older export of the same name in it is replaced.
        model: the generator with the weights to ship.
        fields: of `ModelSpec` (name, family, scale, architecture, generator, training, figures,
            licence, terms, face_width_px, …), plain JSON values; what `add_model` fills in may be
            left out.

    Raises:
        ModelError: a field is wrong, or a weight not finite; nothing is written then.
    """
    draft = _draft({"format": FORMAT, **fields}, "export")
    save_weights(model, folder / draft.weights_file)
    write_spec(draft, folder / f"{draft.name}.json")


def add_model(
    run: Path,
    *,
    changes: Mapping[str, Any] | None = None,
    folder: Path | None = None,
    overwrite: bool = False,
    comparison: str = "",
    figures: Mapping[str, float] | None = None,
) -> ModelSpec:
    """Registers the export of a training run.

    Args:
        run: the run's folder, its export's folder, or the export's ``NAME.json``.
        changes: fields of the spec to replace, e.g. ``{"name": "my-x2", "terms": "…"}``.
        folder: where the three files go; the user's model folder by default.
        overwrite: replace a model of the same name there.
        comparison: Markdown table for the card.
        figures: measured qualities, kept in the spec beside those of the export.

    Returns:
        The complete spec: hash, number of weights and error of bfloat16 filled in.

    Raises:
        ModelError: no export, wrong values, weights that do not fit, or the name is taken.
    """
    draft, trained = _read_draft(run)
    draft = dataclasses.replace(draft, **(changes or {}))
    draft = dataclasses.replace(draft, figures={**draft.figures, **(figures or {})})
    _check_free(draft.name, folder or user_folder(), overwrite)
    check_plain(trained)  # before the backend starts, which takes seconds
    model = build(draft)
    load_weights(model, trained)
    return finish(model, draft, folder, overwrite=overwrite, comparison=comparison)


def finish(
    model: keras.Model,
    draft: ModelSpec,
    folder: Path | None,
    *,
    overwrite: bool = False,
    comparison: str = "",
) -> ModelSpec:
    """Writes a network as a registered model: weights, card, and the spec that completes them.

    Args:
        model: with the weights to keep.
        draft: its spec; what only the file can tell is filled in.
        folder, overwrite, comparison: as for `add_model`.

    Raises:
        ModelError: the name is taken, or a weight is not finite.
    """
    folder = user_folder() if folder is None else folder
    _check_free(draft.name, folder, overwrite)
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / f"{draft.name}.weights.h5"
    save_weights(model, weights)
    load_weights(model, weights)  # measure what is stored, not what was trained
    spec = dataclasses.replace(
        draft,
        weights_file=weights.name,
        weights_sha256=file_sha256(weights),
        parameters=int(sum(np.prod(v.shape) for v in model.weights)),
        bfloat16_error=round(bfloat16_error(model, draft), 3),
        vsr_version=vsr.__version__,
    )
    (folder / f"{spec.name}.md").write_text(render_card(spec, comparison), encoding="utf-8")
    write_spec(spec, folder / f"{spec.name}.json")  # last: a spec stands for a complete model
    return spec


def read_export(run: Path) -> ModelSpec:
    """The spec of a run's export, not yet complete.

    Raises:
        ModelError: there is none, several, or it is damaged.
    """
    return _read_draft(run)[0]


def bfloat16_error(model: keras.Model, spec: ModelSpec) -> float:
    """How far bfloat16 takes the generator from its float32 result.

    Returns:
        99.9th percentile of the absolute difference over `probe_pictures`, 8-bit grey levels.
    """
    low, high = spec.value_range
    batch = (probe_pictures() / 255 * (high - low) + low).astype(np.float32)
    half = build(spec, "bfloat16")
    half.set_weights(model.get_weights())
    half = fold(half, spec, "bfloat16")  # as it runs
    exact, rounded = (np.clip(np.asarray(m(batch)), low, high) for m in (model, half))
    return float(np.percentile(np.abs(exact - rounded), 99.9) * 255 / (high - low))


def probe_pictures() -> np.ndarray:
    """Eight fixed test pictures: gradients, edges, texture, each clean and with noise.

    Returns:
        float64 ``(8, 48, 48, 3)``, 0..255.
    """
    y, x = np.mgrid[0:48, 0:48] / 47.0
    radius = np.hypot(x - 0.5, y - 0.45)
    shapes = [
        255 * (0.2 + 0.6 * x * y),
        np.where(radius < 0.35, 200.0, 40.0),
        127 + 110 * np.sin(2 * np.pi * 9 * x) * np.cos(2 * np.pi * 5 * y),
        np.where((np.floor(x * 8) + np.floor(y * 8)) % 2 == 0, 230.0, 25.0),
    ]
    tint = np.array([1.0, 0.85, 0.7])
    clean = np.stack([s[..., None] * tint for s in shapes])
    noise = np.random.default_rng(0).normal(0, 6, clean.shape)
    return np.clip(np.concatenate([clean, clean + noise]), 0, 255)


def _read_draft(run: Path) -> tuple[ModelSpec, Path]:
    """The export's spec and its weights file."""
    path = _find_export(run)
    try:
        values = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ModelError(
            f"{path}: not a readable export ({reason}); let 'vsr train' write it again"
        ) from None
    return _draft(values, str(path)), _weights_beside(path)


def _find_export(run: Path) -> Path:
    if run.suffix == ".json" and _weights_beside(run).is_file():
        return run
    places = (run, run / "export")
    found = [p for place in places for p in sorted(place.glob("*.json"))]
    exports = [p for p in found if _weights_beside(p).is_file()]
    if len(exports) == 1:
        return exports[0]
    what = f"holds {len(exports)} exports" if exports else "holds no export"
    raise ModelError(
        f"{run}: {what}, expected one NAME.json with NAME.weights.h5 beside it; "
        + ("name its .json" if exports else "give the folder that 'vsr train' wrote")
    )


def _weights_beside(spec: Path) -> Path:
    return spec.with_name(f"{spec.stem}.weights.h5")


def _draft(values: Any, source: str) -> ModelSpec:
    """An export's spec; what is not known yet stands in as a placeholder that validates."""
    if isinstance(values, dict):
        values = {k: v for k, v in values.items() if k not in _FILLED}
        weights = f"{values.get('name')}.weights.h5"
        values |= {"weights_file": weights, "weights_sha256": "0" * 64}
        if values.get("family") == "interpolation":
            raise ModelError(f"{source}: family: got 'interpolation', expected one with weights")
    return spec_from_dict(values, source)


def _check_free(name: str, folder: Path, overwrite: bool) -> None:
    taken = (folder / f"{name}.json").exists() and not overwrite
    shipped = (STORE / f"{name}.json").exists() and folder.resolve() != STORE.resolve()
    if taken or shipped or name in {s.name for s in INTERPOLATIONS}:
        remedy = "choose another --name" + (", or --overwrite" if taken and not shipped else "")
        raise ModelError(f"model '{name}': the name is taken; {remedy}")
