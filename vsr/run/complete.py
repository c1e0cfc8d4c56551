"""Whether an output stands there already, whole and made of the same input in the same way."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from vsr.core.errors import VsrError
from vsr.core.hashing import file_sha256
from vsr.models.registry import resolve_model, weights_beside
from vsr.models.spec import ModelSpec
from vsr.run.fingerprint import setting_differences
from vsr.run.journal import tidy
from vsr.run.manifest import FORMAT, Manifest, backend_name, detector_entry
from vsr.run.output import manifest_path
from vsr.run.recipe import Recipe
from vsr.run.record import read_record
from vsr.run.source import source_hash

_KEYS = {"source": dict, "outputs": list, "recipe": dict, "model": dict, "frames": dict}


def complete(source: Path, out: Path, recipe: Recipe) -> Manifest | None:
    """The manifest of ``out``, where the same run would give it again; else None.

    The same are the source's hash, the model's and the detector's weights, Keras' backend and
    every setting, and every output lies there with its recorded hash. Large files are read only
    where all else agrees.
    """
    path = manifest_path(out)
    if not (os.path.isfile(path) and os.path.exists(source)):  # false too where a name can't be
        return None
    try:
        values = read_record(path, "manifest of 'vsr run'", FORMAT, _KEYS)
        spec = resolve_model(recipe.upscale.model, recipe.upscale.scale)
        known = {f.name for f in dataclasses.fields(Manifest)}
        manifest = Manifest(**{k: v for k, v in values.items() if k in known})
        same = (
            (manifest.command, manifest.faces_from) == ("run", "detector")
            and manifest.model.get("name") == spec.name
            and manifest.model.get("sha256") == spec.weights_sha256
            and manifest.networks == _networks(manifest, spec)
            and manifest.detector == detector_entry(recipe.detect)
            and manifest.versions.get("backend") == backend_name()
            and not setting_differences(manifest.recipe, recipe.to_dict())
            and bool(manifest.outputs)
            and all(_whole(path.parent, entry) for entry in manifest.outputs)
            and source_hash(source) == manifest.source.get("sha256")
        )
    except (VsrError, OSError, TypeError, AttributeError, KeyError):
        return None  # whatever lies there, it is not this output
    if not same:
        return None
    tidy(out)
    return manifest


def _networks(manifest: Manifest, spec: ModelSpec) -> dict[str, str]:
    """The weights of today that the networks of a manifest would have."""
    there = weights_beside(spec)
    return {name: there.get(name, "") for name in manifest.networks}


def _whole(folder: Path, entry: dict[str, str]) -> bool:
    file = folder / Path(entry["name"]).name
    return file.is_file() and file_sha256(file) == entry["sha256"]
