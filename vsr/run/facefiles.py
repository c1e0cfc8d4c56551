"""The files of a run that makes face videos: how they are called, and what they may replace."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from vsr.core.errors import OutputError, VsrError
from vsr.core.names import NAME_BYTES
from vsr.media.containers import CONTAINERS
from vsr.run.output import claim_replaceable, manifest_path, replace_folder
from vsr.run.record import read_object

_LONGEST = ".face_0000000_000"
"""what a face video's name has beyond that of its output, at most"""


class FaceFiles:
    """The face videos of an output, one for each track and each of its appearances.

    out: a folder to be made (``out/face_0000.mp4``), or a video file name after which the
    videos are named (``clip.mp4`` -> ``clip.face_0000.mp4``).
    """

    def __init__(self, out: Path) -> None:
        self._out = out
        self._in_folder = out.suffix.lower() not in CONTAINERS
        self.suffix = ".mp4" if self._in_folder else out.suffix.lower()
        self._lead = "" if self._in_folder else f"{out.stem}."
        name = rf"{re.escape(self._lead)}face_\d{{4,}}(_\d+)?{re.escape(self.suffix)}"
        self._pattern = re.compile(name)

    def name(self, track_id: int, appearance: int) -> str:
        """A video's name while it is made; ``appearance`` counts from 1."""
        again = f"_{appearance}" if appearance > 1 else ""
        return f"face_{track_id:04d}{again}{self.suffix}"

    def claim(self, source: Path, *, overwrite: bool) -> None:
        """Refuse early to replace what is not an earlier run's: OutputError."""
        if self._in_folder:
            claim_replaceable(source, self._out, "face videos", self._is_earlier_folder)
        else:
            self._claim_names(source, overwrite=overwrite)

    def place(self, folder: Path, names: Iterable[str]) -> list[Path]:
        """Give the finished videos in ``folder`` their names, and say them. Raises OSError.

        What an earlier run made goes once the new ones stand.
        """
        if self._in_folder:
            replace_folder(folder, self._out)
            return [self._out / name for name in names]
        earlier = self._listed()
        placed = [
            (folder / name).replace(self._out.with_name(f"{self._lead}{name}")) for name in names
        ]
        for path in earlier.difference(placed):
            path.unlink(missing_ok=True)
        return placed

    def _claim_names(self, source: Path, *, overwrite: bool) -> None:
        out, record = self._out, manifest_path(self._out)
        if out.is_dir():
            raise OutputError(f"{out}: is a folder, expected a file name; choose another name")
        if len(os.fsencode(out.stem + _LONGEST + self.suffix)) > NAME_BYTES:
            raise OutputError(f"{out}: its name is too long to name face videos after it; cut it")
        there = [p for p in out.parent.iterdir() if self._is_face_video(p)]
        if any(os.path.samefile(source, p) for p in there if p.exists()):
            raise OutputError(
                f"{out}: the input {source.name} is called as a face video of it would be; "
                "choose another name with -o"
            )
        if record.exists():
            there.append(record)
            if overwrite and not _describes_faces(record):
                raise OutputError(
                    f"{record}: is no manifest of face videos, and is not replaced by one; "
                    "choose another name with -o"
                )
        if there and not overwrite:
            raise OutputError(
                f"{there[0]}: already exists; choose another name than {out.name}, or add "
                "--overwrite"
            )

    def _is_face_video(self, path: Path) -> bool:
        return self._pattern.fullmatch(path.name) is not None

    def _is_earlier_folder(self) -> bool:
        record = self._out / "manifest.json"
        if record.exists():
            return _describes_faces(record)
        return all(map(self._is_face_video, self._out.iterdir()))  # lost before its manifest

    def _listed(self) -> set[Path]:
        """The face videos of the earlier run whose manifest lies there."""
        record = manifest_path(self._out)
        if not _describes_faces(record):
            return set()
        entries = [e for e in _values(record).get("outputs") or () if isinstance(e, Mapping)]
        paths = {self._out.with_name(Path(str(e.get("name"))).name) for e in entries}
        return {p for p in paths if self._is_face_video(p)}


def _describes_faces(record: Path) -> bool:
    recipe = _values(record).get("recipe")
    return isinstance(recipe, Mapping) and recipe.get("output") == "faces"


def _values(record: Path) -> dict[str, Any]:
    """A manifest of whatever version; empty where there is none."""
    try:
        return read_object(record, "manifest")
    except VsrError:
        return {}
