"""Reading what a report is about: JSON of a known form, and the files it names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vsr.core.errors import DataError, InputError, ModelError
from vsr.core.types import Track
from vsr.evaluate.report.pictures import eight_bit
from vsr.faces.trackrecord import track_from_dict
from vsr.media.images import read_image
from vsr.models.registry import find_card, get_spec
from vsr.models.spec import ModelSpec
from vsr.run.manifest import FORMAT
from vsr.run.record import read_record
from vsr.run.source import source_hash

_KEYS = {"source": dict, "outputs": list, "model": dict, "frames": dict, "tracks": list,
         "recipe": dict, "faces": int, "seconds": float, "notices": list}  # fmt: skip


def check_format(values: Mapping[str, Any], path: Path, what: str, wanted: int) -> None:
    """Raise DataError where a record has another version than ``wanted``."""
    got = values.get("format")
    if got != wanted:
        raise DataError(
            f"{path}: {what} of format {got!r}, expected {wanted}; "
            "use the vsr version that wrote it, or run the command again"
        )


def read_manifest(path: Path) -> dict[str, Any]:
    """A run's manifest, its version and the keys a report needs checked."""
    values = read_record(path, "manifest of 'vsr run'", FORMAT, _KEYS)
    if not values["frames"].get("written"):
        raise DataError(f"{path}: the run wrote no frame, so there is nothing to report")
    return values


def read_tracks(values: Mapping[str, Any], path: Path) -> list[Track]:
    """The tracks of a manifest."""
    try:
        return [track_from_dict(t) for t in values["tracks"]]
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def find_output(entry: Mapping[str, Any], folder: Path) -> Path:
    """An output beside its record; raises InputError where it is gone,
    DataError where it is another file by its hash.
    """
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
            f"{path}: is not the {what} of this run (SHA-256 {got[:12]}…, expected "
            f"{str(wanted)[:12]}…); give the unchanged file"
        )


def picture_of(folder: Path, name: str) -> np.ndarray:
    """A picture that a record in ``folder`` names: RGB ``(h, w, 3)`` uint8.

    Raises InputError where it is missing or unreadable, DataError where it lies elsewhere.
    """
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise DataError(f"{folder}: its record names a picture outside the folder: {name}")
    if not path.is_file():
        raise InputError(f"{path}: is missing; put it back, or run the command again")
    return eight_bit(read_image(path))


def known_model(name: str, sha256: str | None = None) -> tuple[ModelSpec | None, str]:
    """A model's spec and card (Markdown), where it is installed here.

    sha256: of the weights that were used; another model of that name is not it. None: not told.
    """
    try:
        spec = get_spec(name)
        if sha256 is not None and spec.weights_sha256 != sha256:
            return None, ""
        return spec, find_card(name) or ""
    except ModelError:
        return None, ""
