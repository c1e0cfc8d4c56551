"""From a root to jobs: which sequences or videos there are, and with which settings."""

from __future__ import annotations

import dataclasses
import fnmatch
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from vsr.batch.chokepoint import ChokePointSequence, Found, find
from vsr.batch.job import FacesFrom, Job, fingerprint
from vsr.batch.storage import STATE, Entry, LocalStorage, Storage
from vsr.core.errors import InputError, UsageError
from vsr.core.progress import ProgressHook, silent
from vsr.media.containers import CONTAINERS
from vsr.models.registry import resolve_model
from vsr.run.recipe import Recipe

VIDEO_SUFFIXES = frozenset((
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts",
    ".wmv", ".flv", ".3gp", ".ogv",
))  # fmt: skip
_OF_THE_MACHINE = ("device", "max_pending_frames", "max_pending_mb")
"""upscaling keys that say where and how, not what"""


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchConfig:
    """What a batch does beside its recipe."""

    faces: FacesFrom = "truth"
    """"truth": labelled eyes where there are labels, else the detector; "detect": always that"""
    background: int = 100
    """ChokePoint: no faces are searched in frames with a smaller number (part 1 or no part);
    labelled ones always count"""
    face_side: float = 2.3
    """side of the face box in eye distances"""
    eye_line: float = 0.42
    """how far down the box the eyes lie, 0 (top) to 1"""
    crop_side: float = 3.0
    """side of a person's face picture in eye distances (around a tracked face: times its width
    over ``face_side``)"""

    def __post_init__(self) -> None:
        if self.faces not in ("truth", "detect"):
            raise UsageError(f"--faces: got '{self.faces}', wanted truth or detect")
        if self.background < 0:
            raise UsageError(f"--background: got {self.background}, wanted 0 or more")
        if not 1 <= self.face_side <= 10 or not 1 <= self.crop_side <= 10:
            raise UsageError("face_side, crop_side: wanted 1 to 10 eye distances")


def settings_of(recipe: Recipe, cfg: BatchConfig, kind: str) -> dict[str, Any]:
    """Everything that decides what the outputs are. Raises ModelError on an unknown model."""
    table = recipe.to_dict()
    spec = resolve_model(recipe.upscale.model, recipe.upscale.scale)
    upscale = {k: v for k, v in table["upscale"].items() if k not in _OF_THE_MACHINE}
    return {
        "recipe": {**table, "upscale": upscale},
        "model": {"name": spec.name, "sha256": spec.weights_sha256},
        "batch": dataclasses.asdict(cfg) if kind == "chokepoint" else {},
    }


def machine_options(recipe: Recipe) -> dict[str, Any]:
    """What the settings leave out: how the work is done here."""
    return {key: getattr(recipe.upscale, key) for key in _OF_THE_MACHINE}


def plan_chokepoint(
    root: Storage,
    out: str,
    settings: dict[str, Any],
    *,
    labels: Storage | None = None,
    only: Sequence[str] = (),
    progress: ProgressHook = silent,
) -> tuple[Found, list[Job]]:
    """The sequences below a root, and a job for each.

    only: shell patterns of sequence names; none: all. Raises InputError where nothing is found.
    """
    found = find(root, labels, progress)
    found = dataclasses.replace(found, sequences=_chosen(found.sequences, only))
    if not found.sequences:
        what = f"no sequence like {', '.join(only)}" if only else "no ChokePoint sequence"
        raise InputError(
            f"{root.url}: {what} found, wanted folders or archives of frames named 00000000.jpg"
        )
    jobs = [_sequence_job(s, root, labels, out, settings) for s in found.sequences]
    return found, jobs


def _sequence_job(
    s: ChokePointSequence, root: Storage, labels: Storage | None, out: str, settings: dict[str, Any]
) -> Job:
    from_labels = settings["batch"]["faces"] == "truth"
    return Job(
        name=s.name,
        kind="chokepoint",
        root=root.url,
        source=s.folder,
        archive=s.archive,
        files=s.files,
        labels=s.labels if from_labels else None,
        labels_archive=s.labels_archive,
        labels_root=labels.url if labels is not None else "",
        out=out,
        settings=settings,
        source_print=s.source_print,
        frames=len(s.files),
        problem=s.problem,
    )


def _chosen(sequences: list[ChokePointSequence], only: Sequence[str]) -> list[ChokePointSequence]:
    return [s for s in sequences if not only or any(fnmatch.fnmatch(s.name, o) for o in only)]


def plan_videos(
    root: Storage, out: str, settings: dict[str, Any], *, only: Sequence[str] = ()
) -> list[Job]:
    """A job for every video file below a root, sub-folders kept.

    Raises InputError where there is none.
    """
    outside = _not_in(root, out)
    entries = [
        e
        for e in root.entries()
        if e.kind == "file"
        and PurePosixPath(e.path).suffix.lower() in VIDEO_SUFFIXES
        and outside(e)
    ]
    entries = [e for e in entries if not only or any(fnmatch.fnmatch(e.path, o) for o in only)]
    if not entries:
        raise InputError(f"{root.url}: no video file found, wanted at least one .mp4, .mov, .mkv …")
    stems = Counter(str(PurePosixPath(e.path).with_suffix("")) for e in entries)
    return [_video_job(e, root, out, settings, stems) for e in entries]


def _video_job(
    e: Entry, root: Storage, out: str, settings: dict[str, Any], stems: Counter[str]
) -> Job:
    path = PurePosixPath(e.path)
    stem = str(path.with_suffix(""))
    codec = settings["recipe"]["encode"]["codec"]
    container = CONTAINERS.get(path.suffix.lower())
    suffix = path.suffix.lower() if container and codec in container.codecs else ".mp4"
    if codec not in CONTAINERS[suffix].codecs:
        suffix = ".mkv"
    return Job(
        name=stem if stems[stem] == 1 else str(path),
        kind="videos",
        root=root.url,
        source=e.path,
        out=out,
        suffix=suffix,
        settings=settings,
        source_print=fingerprint([e.path, e.size, e.stamp]),
    )


def _not_in(root: Storage, out: str):  # noqa: ANN202
    """Whether an entry lies outside the output, which may lie below the root."""
    if not isinstance(root, LocalStorage) or "://" in out:
        return lambda _: True
    here, there = root.root.resolve(), Path(out).resolve()
    if there == here:
        raise UsageError(f"{out}: output and input are the same folder; choose another with -o")
    if not there.is_relative_to(here):
        return lambda _: True
    inside = there.relative_to(here).as_posix() + "/"
    return lambda entry: not entry.path.startswith(inside)


def safe_name(person: str) -> str:
    """An id from a label file as the name of one folder, whatever it holds."""
    plain = re.sub(r"[^A-Za-z0-9_-]", lambda m: f"%{ord(m.group(0)):02X}", person)
    return plain[:80] or STATE
