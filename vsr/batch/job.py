"""What is exchanged between the planner, an engine and its workers: plain, serialisable data.

A `Job` is everything a worker needs to make one sequence's outputs, wherever it runs; a `Row`
is what became of it. Both go through JSON unchanged (`to_dict`, `from_dict`), so that any
engine can carry them: a pipe, Ray, a queue.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

JobKind = Literal["chokepoint", "videos"]
Status = Literal["ok", "failed"]
FacesFrom = Literal["truth", "detect"]
BatchProtocol = Literal["frames", "seed"]
Step = Literal["whole", "detect", "make", "join"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One sequence or video to be done. Paths below ``root`` and ``out`` are relative, posix."""

    name: str
    """unique; names the outputs: OUT/NAME.mp4, OUT/NAME/"""
    kind: JobKind
    root: str
    """location of the data (folder or URL)"""
    source: str
    """frame folder or video below ``root``; inside an archive: the archive's path, then the
    folder's within it"""
    archive: str | None = None
    """outermost archive that holds ``source``; None where it lies open"""
    files: tuple[str, ...] = ()
    """names of the frames in ``source``, in order; empty for a video"""
    labels: str | None = None
    """label file below ``root`` (may lie inside ``labels_archive``); None: detect the faces"""
    labels_archive: str | None = None
    """outermost archive that holds ``labels``"""
    labels_root: str = ""
    """location that ``labels`` is below; empty: ``root``"""
    out: str
    """location of the outputs (folder or URL)"""
    suffix: str = ".mp4"
    """container of the video"""
    settings: dict[str, Any] = field(default_factory=dict)
    """resolved recipe, model and options; equal settings make equal outputs"""
    machine: dict[str, Any] = field(default_factory=dict)
    """keys of the recipe's upscale table that say where and how it is done, not what"""
    source_print: str = ""
    """fingerprint of the source files and labels"""
    frames: int | None = None
    """number of frames to expect, None where unknown"""
    problem: str = ""
    """why it cannot be done; such a job fails without being tried"""
    step: Step = "whole"
    """of a long sequence: find or make the faces of a part of its frames, or join the parts (see
    `vsr.batch.parts`)"""
    first: int = 0
    """index of a part's first frame"""
    end: int | None = None
    """index after a part's last frame, None: to the sequence's end"""
    sequence: str = ""
    """whose part it is"""
    earlier_s: float = 0.0
    """wall time of the parts that are joined"""

    @property
    def settings_print(self) -> str:
        """Fingerprint of the settings."""
        return fingerprint(self.settings)

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return dataclasses.asdict(self)

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> Job:
        """The reverse of `to_dict`, also after a way through JSON."""
        return Job(**{**values, "files": tuple(values["files"])})


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """What became of a job: a row of the summary."""

    sequence: str
    status: Status
    frames: int = 0
    """frames written to the video"""
    persons: int = 0
    """different ids among the labels of these frames ("Unknown" is one); without labels: tracks"""
    faces: int = 0
    """face pictures written (labels with two distinct eyes; without labels: tracked faces)"""
    seconds: float = 0.0
    """wall time of the job"""
    reason: str = ""
    """why it failed, one line"""
    labels: int = 0
    """persons labelled in these frames, those with one eye included"""
    plain: int = 0
    """faces that stayed plainly upscaled: refused by the evidence check or off the picture"""
    skipped: int = 0
    """frames that could not be read (decoded, of a video) or have another size"""
    faces_from: str = ""
    """"truth" or "detect" """
    width: int = 0
    """of the video, pixels"""
    height: int = 0
    """of the video, pixels"""
    kept: bool = False
    """finished by an earlier run and not done again"""
    attempts: int = 1
    """how often it was started in this run"""
    notes: tuple[str, ...] = ()
    """what was noticed on the way, one line each"""

    @property
    def fps(self) -> float:
        """Frames per second of wall time."""
        return self.frames / self.seconds if self.seconds > 0 else 0.0

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return dataclasses.asdict(self)

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> Row:
        """The reverse of `to_dict`; keys of newer versions are passed over."""
        known = {f.name for f in dataclasses.fields(Row)}
        values = {k: v for k, v in values.items() if k in known}
        return Row(**{**values, "notes": tuple(values.get("notes", ()))})

    @staticmethod
    def failure(job: Job, reason: str, *, seconds: float = 0.0, attempts: int = 1) -> Row:
        """The row of a job that came to nothing."""
        line = " ".join(reason.split()) or "no reason was given"
        return Row(
            sequence=job.name, status="failed", reason=line, seconds=seconds, attempts=attempts
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class JobProgress:
    """How far a running job has come; a restarted job counts from 0 again."""

    name: str
    frames: int
    faces: int


EngineHook = Callable[[JobProgress], None]


class Engine(Protocol):
    """Runs jobs somewhere. Every engine passes ``tests/batch/engine_contract.py``.

    An engine starts workers, each with one `vsr.batch.runner.Runner` (which loads the model
    once), hands every job to one of them, and notices workers that die.
    """

    name: str

    def run(self, jobs: Sequence[Job], hook: EngineHook) -> Iterator[Row]:
        """Do all jobs; yields exactly one row per job, in the order they end.

        A job that fails is a row. A worker that dies costs its job another attempt, then it is
        a failed row. Closing the iterator (or an exception of the consumer) ends every worker
        before it returns. Raises VsrError only where no worker can be started at all.
        """
        ...


def fingerprint(value: Any) -> str:
    """SHA-256 of JSON values, independent of the order of keys; 32 hexadecimal digits."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
