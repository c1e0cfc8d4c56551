"""Reading back what a run or an export has written down: JSON of a known form and version."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vsr.core.errors import DataError, InputError, ModelError
from vsr.core.jsontext import parse_json
from vsr.models.registry import get_spec
from vsr.models.spec import ModelSpec
from vsr.run.recipe import Recipe, override, recipe_from_dict
from vsr.run.source import source_hash

_RETIRED = frozenset({("paste", "max_deviation"), ("paste", "max_local_deviation")})
"""(table, key) of recipes in older records: limits of a check that compared reduced pictures"""


def read_object(path: Path, what: str) -> dict[str, Any]:
    """A JSON object; raises InputError where unreadable, DataError where it is none."""
    try:
        values = parse_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    except ValueError as error:
        raise DataError(f"{path}: is no {what} (not JSON: {error})") from None
    if not isinstance(values, dict):
        raise DataError(f"{path}: is no {what}, got a JSON {type(values).__name__}")
    return values


def read_record(path: Path, what: str, version: int, keys: Mapping[str, type]) -> dict[str, Any]:
    """A JSON object of format ``version`` that holds ``keys``, each of its type.

    what: the name of such a record, for messages. Raises InputError where the file cannot be
    read, DataError where it is something else, of another version, or damaged.
    """
    values = read_object(path, what)
    if "format" not in values or "vsr" not in values:
        raise DataError(f"{path}: is no {what}; give the file that vsr wrote")
    if values["format"] != version:
        raise DataError(
            f"{path}: {what} of format {values['format']!r} (vsr {values['vsr']}), expected "
            f"{version}; use the vsr version that wrote it, or make it again"
        )
    for key, kind in keys.items():
        if not isinstance(values.get(key), kind):
            raise DataError(f"{path}: '{key}' is missing or damaged; this {what} was changed")
    return values


def find_source(entry: Mapping[str, Any], folder: Path, given: Path | None) -> Path:
    """The source that a record in ``folder`` names, its hash checked.

    given: where it lies now; None: where the record says, or beside the record.
    Raises InputError where it is nowhere, DataError where it is another one.
    """
    name = Path(str(entry.get("name", ""))).name
    places = [folder / str(entry["path"])] if entry.get("path") else []
    places.append(folder / name)
    found = given or next((p for p in places if p.exists()), None)
    if found is None or not found.exists():
        raise InputError(
            f"{found or places[0]}: the source is not there; say where it is with --source"
        )
    if (got := source_hash(found)) != entry.get("sha256"):
        raise DataError(
            f"{found}: is not the recorded source (SHA-256 {got[:12]}…, expected "
            f"{str(entry.get('sha256'))[:12]}…); give the unchanged one with --source"
        )
    return found


def recorded_recipe(values: Mapping[str, Any], path: Path) -> Recipe:
    """The recipe of a record with the very model that was used, its weights' hash checked.

    Raises DataError where the weights are others, UsageError or ModelError where recipe or
    model are not known here.
    """
    entry = values["model"]
    settings = _without_retired(values["recipe"])
    recipe = recipe_from_dict(settings, path.name, str(settings.get("name", "restore")))
    if recipe.upscale.model == "auto":
        recipe = override(recipe, [("upscale", "model", str(entry.get("name")))])
    spec = _spec(recipe.upscale.model, path)
    if spec.family != "interpolation" and spec.weights_sha256 != entry.get("sha256"):
        raise DataError(
            f"{path}: was made with other weights of {spec.name} (SHA-256 "
            f"{str(entry.get('sha256'))[:12]}…, here {spec.weights_sha256[:12]}…); "
            "install the vsr version or model that was used"
        )
    return recipe


def _without_retired(settings: Mapping[str, Any]) -> dict[str, Any]:
    """A recorded recipe without the keys of older versions that nothing reads any more."""
    return {
        name: {k: v for k, v in table.items() if (name, k) not in _RETIRED}
        if isinstance(table, Mapping)
        else table
        for name, table in settings.items()
    }


def _spec(name: str, path: Path) -> ModelSpec:
    try:
        return get_spec(name)
    except ModelError as error:
        raise ModelError(f"{path}: its model is not here: {error}") from None
