"""From a root to jobs: which sequences or videos there are, and with which settings."""

from __future__ import annotations

import dataclasses
import fnmatch
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vsr.batch.archives import is_archive, unpack
from vsr.batch.chokepoint import ChokePointSequence, Found, find
from vsr.batch.job import BatchProtocol, FacesFrom, Job, JobKind
from vsr.batch.storage import LocalStorage, Storage, open_storage, path_below
from vsr.core.errors import InputError, UsageError
from vsr.core.progress import Progress, ProgressHook, silent
from vsr.models.registry import resolve_model, weights_beside
from vsr.run.recipe import Recipe, recipe_from_dict

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

    protocol: BatchProtocol = "frames"
    """ChokePoint: "frames": a video and the persons' faces; "seed": faces at the labelled eyes
    brought to 128 pixels, reduced to 64, super-resolved and measured"""

    def __post_init__(self) -> None:
        if self.protocol not in ("frames", "seed"):
            raise UsageError(f"--protocol: got '{self.protocol}', expected frames or seed")
        if self.protocol == "seed" and self.faces != "truth":
            raise UsageError("--protocol seed: cuts faces at labelled eyes; use --faces truth")
        if self.faces not in ("truth", "detect"):
            raise UsageError(f"--faces: got '{self.faces}', expected truth or detect")
        if self.background < 0:
            raise UsageError(f"--background: got {self.background}, expected 0 or more")
        if not 1 <= self.face_side <= 10 or not 1 <= self.crop_side <= 10:
            raise UsageError("face_side, crop_side: expected 1 to 10 eye distances")


def settings_of(recipe: Recipe, cfg: BatchConfig, kind: str) -> dict[str, Any]:
    """Everything that decides what the outputs are. Raises ModelError on an unknown model."""
    table = recipe.to_dict()
    spec = resolve_model(recipe.upscale.model, recipe.upscale.scale)
    upscale = {k: v for k, v in table["upscale"].items() if k not in _OF_THE_MACHINE}
    return {
        "recipe": {**table, "upscale": upscale},
        "model": {"name": spec.name, "sha256": spec.weights_sha256},
        "networks": {} if recipe.working.scale == "crop" else weights_beside(spec),
        "batch": dataclasses.asdict(cfg) if kind == "chokepoint" else {},
    }


def recipe_of(job: Job) -> Recipe:
    """The recipe that a job carries."""
    table = job.settings["recipe"]
    upscale = {**table["upscale"], **job.machine}
    return recipe_from_dict({**table, "upscale": upscale}, "job", table["name"])


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchRequest:
    """What is asked of a batch."""

    dataset: str
    """"chokepoint" or "videos" """
    root: Storage
    out: str
    """location of the outputs; empty where only a listing is wanted"""
    recipe: Recipe
    batch: BatchConfig = field(default_factory=BatchConfig)
    only: tuple[str, ...] = ()
    """shell patterns of names; empty: all"""
    labels: Storage | None = None
    """where label files lie, None: below ``root``"""
    unpacked: Storage | None = None
    """what the archives below ``root`` were unpacked into; None: they are read in place"""


def plan(request: BatchRequest, progress: ProgressHook = silent) -> tuple[Found, list[Job]]:
    """What lies below the root, and a job for each sequence or video.

    Raises UsageError on an unknown data set or an output that is the input, InputError where
    nothing is found, ModelError on an unknown model.
    """
    kind = kind_of(request.dataset)
    if request.out:  # a folder is a folder, however it is spelled
        request = dataclasses.replace(request, out=open_storage(request.out).url)
    _check_apart(request)
    if request.recipe.output != "frame":
        raise UsageError(
            f"recipe {request.recipe.name}: got output '{request.recipe.output}', "
            "expected 'frame'; choose another recipe"
        )
    if request.batch.protocol == "seed" and (kind, request.recipe.upscale.scale) != (
        "chokepoint", 2,
    ):  # fmt: skip
        raise UsageError("--protocol seed: expected --dataset chokepoint and a model of scale 2")
    settings = settings_of(request.recipe, request.batch, kind)
    if kind == "videos":
        found, jobs = _videos(request, settings)
    else:
        found = find(request.root, request.labels, progress, unpacked=request.unpacked)
        found = dataclasses.replace(found, sequences=_chosen(found.sequences, request.only))
        jobs = [_sequence_job(s, request, settings) for s in found.sequences]
    if not jobs:
        wanted = "video files" if kind == "videos" else "folders or archives of frames 00000000.jpg"
        chosen = f" named like {', '.join(request.only)}" if request.only else ""
        raise InputError(f"{request.root.url}: nothing found{chosen}, expected {wanted}")
    machine = {key: getattr(request.recipe.upscale, key) for key in _OF_THE_MACHINE}
    return found, [dataclasses.replace(job, machine=machine) for job in jobs]


def kind_of(dataset: str) -> JobKind:
    """A data set's name as the kind of its jobs."""
    if dataset == "chokepoint":
        return "chokepoint"
    if dataset == "videos":
        return "videos"
    raise UsageError(f"--dataset: got '{dataset}', expected chokepoint or videos")


def _videos(request: BatchRequest, settings: dict[str, Any]) -> tuple[Found, list[Job]]:
    """The videos of the root, and those that were unpacked; of two with one name the first."""
    from vsr.batch.videos import plan_videos

    jobs: dict[str, Job] = {}
    notices: list[str] = []
    for root in _roots(request):
        found, passed = plan_videos(root, request.out, settings, request.only)
        notices += passed
        for job in found:
            first = jobs.setdefault(job.name, job)
            if first is not job:
                notices.append(f"{root.where(job.source)}: there is also {first.source}; left out")
    return Found([], notices), list(jobs.values())


def _roots(request: BatchRequest) -> list[Storage]:
    """Where sources lie open."""
    more = request.unpacked
    inside = more is None or path_below(more.url, request.root) is not None
    return [request.root] if more is None or inside else [request.root, more]


def _sequence_job(s: ChokePointSequence, request: BatchRequest, settings: dict[str, Any]) -> Job:
    root = s.root or request.root.url
    return Job(
        name=s.name,
        kind="chokepoint",
        root=root,
        source=s.folder,
        archive=s.archive,
        files=s.files,
        labels=s.labels if request.batch.faces == "truth" else None,
        labels_archive=s.labels_archive,
        labels_root=s.labels_root if s.labels_root != root else "",
        out=request.out,
        settings=settings,
        source_print=s.source_print,
        frames=len(s.files),
        problem=s.problem,
    )


def _chosen(sequences: list[ChokePointSequence], only: Sequence[str]) -> list[ChokePointSequence]:
    return [s for s in sequences if not only or any(fnmatch.fnmatch(s.name, o) for o in only)]


def _check_apart(request: BatchRequest) -> None:
    for root in (request.root, request.unpacked):
        if root is not None and request.out and path_below(request.out, root) == ".":
            raise UsageError(
                f"{request.out}: output and input are the same folder; choose another with -o"
            )


def unpack_archives(root: Storage, into: Path, progress: ProgressHook = silent) -> Storage:
    """Unpack every archive below ``root`` into a folder; gives the folder.

    Raises InputError where there is no archive, DataError where one is damaged or unsafe,
    OutputError.
    """
    archives = [e for e in root.entries() if e.kind == "file" and is_archive(e.path)]
    if not archives:
        raise InputError(f"{root.url}: holds no archive; leave --unpack away")
    files = 0
    for entry in archives:
        with tempfile.TemporaryDirectory(prefix="vsr-") as folder:
            files += unpack(root.fetch(entry.path, Path(folder)), entry.path, into)
        progress(Progress("unpacking", files, None, unit="files"))
    return LocalStorage(into)
