"""A run repeated from its manifest, and whether the same came out."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vsr.core.errors import DataError, InputError
from vsr.core.hashing import file_sha256
from vsr.core.progress import ProgressHook, silent
from vsr.media.hashes import decoded_pictures
from vsr.run.manifest import FORMAT, Manifest, recipe_hash
from vsr.run.output import check_writable
from vsr.run.record import find_source, read_record, recorded_recipe
from vsr.run.restore import restore

_KEYS = {"source": dict, "outputs": list, "recipe": dict, "model": dict, "versions": dict}


@dataclass(frozen=True, kw_only=True)
class OutputComparison:
    """One output file of the first run against that of the second."""

    name: str
    file_same: bool
    """byte for byte"""
    encoded_same: bool
    """the pictures and timestamps that went into the encoder"""
    pts_same: bool | None
    """every timestamp of the decoded file; None where the first file is not there to compare"""
    pictures_same: bool | None
    """every decoded picture, likewise"""
    frames: tuple[int | None, int]
    """in the first and the second file"""
    different_frames: int | None = None
    """decoded pictures that differ, None where not compared"""

    @property
    def same(self) -> bool:
        """Whether a viewer gets the same pictures at the same times."""
        if self.file_same:
            return True
        if self.pictures_same is None:
            return self.encoded_same
        return self.pictures_same and bool(self.pts_same)


@dataclass(frozen=True, kw_only=True)
class RerunReport:
    """What a repetition found."""

    manifest: str
    same: bool
    outputs: tuple[OutputComparison, ...]
    version_changes: tuple[str, ...] = ()
    """programs and packages that are not of the recorded version, a backend or a detector that
    is another"""
    notices: list[str] = field(default_factory=list)
    kept: str | None = None
    """where the new output was written, None where it was only compared"""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        values = dataclasses.asdict(self)
        for row, output in zip(values["outputs"], self.outputs, strict=True):
            row["same"] = output.same
        return values


def rerun(
    manifest: Path,
    out: Path | None = None,
    *,
    source: Path | None = None,
    overwrite: bool = False,
    progress: ProgressHook = silent,
) -> RerunReport:
    """Repeat the run that a manifest describes and compare what comes out.

    manifest: its path, or that of the output it describes.
    out: keep the repetition under this name; None: it is made in a folder of its own beside
    the manifest, compared, and removed. source: where the source lies, if it moved.
    The first run's output is compared picture by picture where it still lies beside its
    manifest unchanged; else the recorded hashes decide.
    Raises InputError, DataError where manifest, source or weights are not those of the run.
    """
    path = _manifest_of(manifest)
    values = read_record(path, "manifest of 'vsr run'", FORMAT, _KEYS)
    _check(values, path)
    recipe = recorded_recipe(values, path)
    found = find_source(values["source"], path.parent, source)
    with _room(path, values, out) as target:
        again = restore(
            found, target, recipe, overwrite=overwrite, progress=progress, journal=False
        )
        pairs = zip(values["outputs"], again.outputs, strict=False)
        folder = target if target.is_dir() else target.parent
        outputs = tuple(_compare(old, path.parent, new, folder) for old, new in pairs)
    whole = len(values["outputs"]) == len(again.outputs)
    notices = list(again.notices)
    if not whole:
        notices.append(
            f"{len(again.outputs)} files came out, the first time {len(values['outputs'])}"
        )
    return RerunReport(
        manifest=str(path),
        same=whole and all(o.same for o in outputs),
        outputs=outputs,
        version_changes=_version_changes(values, again),
        notices=notices,
        kept=str(out) if out is not None else None,
    )


def _manifest_of(path: Path) -> Path:
    """The manifest itself, where a folder or the output that it describes was named."""
    if path.is_dir():
        return path / "manifest.json"
    beside = path.with_name(path.name + ".json")
    return beside if beside.is_file() and path.suffix != ".json" else path


def _check(values: dict[str, Any], path: Path) -> None:
    command = values.get("command", "run")
    if command != "run":
        raise DataError(f"{path}: describes '{command}', expected 'run', which can be repeated")
    if values.get("faces_from", "detector") != "detector":
        raise DataError(
            f"{path}: the faces of this run were given from outside, and are not in its manifest; "
            "repeat the command that gave them"
        )
    if recipe_hash(values["recipe"]) != values.get("recipe_sha256"):
        raise DataError(f"{path}: its recipe was changed after the run; give the file as written")
    entries = values["outputs"]
    if not entries or not all(isinstance(e, dict) and e.get("name") for e in entries):
        raise DataError(f"{path}: names no output, so there is nothing to compare with")


@contextmanager
def _room(path: Path, values: dict[str, Any], out: Path | None) -> Iterator[Path]:
    """The name under which the repetition is written."""
    if out is not None:
        yield out
        return
    check_writable(path.parent)
    folder = Path(tempfile.mkdtemp(prefix=".rerun.partial", dir=path.parent))
    try:
        if path.name == "manifest.json":  # face videos in a folder
            yield folder / "faces"
        elif values["recipe"].get("output") == "faces":
            yield folder / path.stem
        else:
            yield folder / Path(values["outputs"][0]["name"]).name
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _compare(
    old: dict[str, Any], old_folder: Path, new: dict[str, Any], new_folder: Path
) -> OutputComparison:
    first, second = old_folder / Path(old["name"]).name, new_folder / new["name"]
    there = first.is_file() and file_sha256(first) == old.get("sha256")
    pts_same = pictures_same = different = None
    frames = old.get("frames")
    file_same = new["sha256"] == old.get("sha256")
    if file_same:
        pts_same, pictures_same, different = True, True, 0
    elif there:
        before, after = _decoded(first), _decoded(second)
        frames = len(before)
        pts_same = [p.time for p in before] == [p.time for p in after]
        pictures = list(zip(before, after, strict=False))
        different = sum(a.sha256 != b.sha256 for a, b in pictures)
        different += abs(len(before) - len(after))
        pictures_same = different == 0
    return OutputComparison(
        name=old["name"],
        file_same=file_same,
        encoded_same=new["pictures_sha256"] == old.get("pictures_sha256"),
        pts_same=pts_same,
        pictures_same=pictures_same,
        frames=(frames, new["frames"]),
        different_frames=different,
    )


def _decoded(path: Path):
    try:
        return decoded_pictures(path)
    except InputError as error:
        raise DataError(f"{error}; the comparison cannot be made") from None


def _version_changes(values: dict[str, Any], again: Manifest) -> tuple[str, ...]:
    before, now = values["versions"], again.versions
    changes = [
        f"{name} {before.get(name, 'none')} -> {now.get(name, 'none')}"
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    ]
    old, new = values.get("detector"), again.detector
    if isinstance(old, dict) and old != new:  # older manifests don't tell
        same_name = old.get("name") == new["name"]
        what = "weights of detector" if same_name else "detector"
        was, is_ = ((d.get("sha256") if same_name else d.get("name")) for d in (old, new))
        changes.append(f"{what} {was} -> {is_}")
    return tuple(changes)
