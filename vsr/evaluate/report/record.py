"""Reading what a report is about: JSON of a known form, and the files it names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vsr.core.errors import DataError, InputError
from vsr.core.types import Track
from vsr.faces.trackrecord import track_from_dict
from vsr.models.registry import find_card, get_spec
from vsr.models.spec import ModelSpec
from vsr.run.manifest import FORMAT
from vsr.run.source import source_hash


def read_json(path: Path, what: str) -> dict[str, Any]:
    """A JSON object; raises InputError where unreadable, DataError where it is none."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    except ValueError as error:
        raise DataError(f"{path}: is no {what} (not JSON: {error})") from None
    if not isinstance(values, dict):
        raise DataError(f"{path}: is no {what}, got a JSON {type(values).__name__}")
    return values


def check_format(values: Mapping[str, Any], path: Path, what: str, wanted: int) -> None:
    """Raise DataError where a record has another version than ``wanted``."""
    got = values.get("format")
    if got != wanted:
        raise DataError(
            f"{path}: {what} of format {got!r}, wanted {wanted}; "
            "use the vsr version that wrote it, or run the command again"
        )


def read_manifest(path: Path) -> dict[str, Any]:
    """A run's manifest, its version and the keys a report needs checked."""
    values = read_json(path, "manifest of 'vsr run'")
    if not {"recipe", "tracks", "outputs"} <= values.keys():
        raise DataError(f"{path}: is no manifest of 'vsr run'; give the OUTPUT.json that it wrote")
    check_format(values, path, "manifest", FORMAT)
    kinds = {"source": dict, "outputs": list, "model": dict, "frames": dict, "tracks": list}
    for key, kind in kinds.items():
        if not isinstance(values.get(key), kind):
            raise DataError(f"{path}: '{key}' is missing or damaged; run 'vsr run' again")
    if not values["frames"].get("written"):
        raise DataError(f"{path}: the run wrote no frame, so there is nothing to report")
    return values


def read_tracks(values: Mapping[str, Any], path: Path) -> list[Track]:
    """The tracks of a manifest."""
    try:
        return [track_from_dict(t) for t in values["tracks"]]
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def find_source(entry: Mapping[str, Any], folder: Path, given: Path | None) -> Path:
    """The source that a record names: where ``given`` says, or where the record or its folder does.

    Raises InputError where it is nowhere, DataError where it is another file by its hash.
    """
    name = str(entry.get("name", ""))
    places = [folder / str(entry["path"])] if entry.get("path") else []
    places += [folder / name, Path(name)]
    found = given if given is not None else next((p for p in places if name and p.exists()), None)
    if found is None or not found.exists():
        raise InputError(
            f"{found or name}: the source of this run is not there; say where with --source FILE"
        )
    check_hash(found, entry, "source")
    return found


def find_output(entry: Mapping[str, Any], folder: Path) -> Path:
    """An output beside its record; raises InputError or DataError like `find_source`."""
    path = folder / Path(str(entry.get("name", ""))).name
    if not path.is_file():
        raise InputError(
            f"{path}: the output of this run is not there; put it back beside its manifest, "
            "or run 'vsr run' again"
        )
    check_hash(path, entry, "output")
    return path


def check_hash(path: Path, entry: Mapping[str, Any], what: str) -> None:
    """Raise DataError where a file is not the one that was recorded."""
    wanted = entry.get("sha256")
    if wanted and (got := source_hash(path)) != wanted:
        raise DataError(
            f"{path}: is not the {what} of this run (SHA-256 {got[:12]}…, wanted "
            f"{str(wanted)[:12]}…); give the unchanged file"
        )


def known_model(name: str) -> tuple[ModelSpec | None, str]:
    """A model's spec and card (Markdown), where it is installed here."""
    from vsr.core.errors import ModelError

    try:
        return get_spec(name), find_card(name) or ""
    except ModelError:
        return None, ""
