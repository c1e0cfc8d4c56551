"""Long sequences in parts, so that many workers share one and a killed run keeps what it has.

A sequence of more frames than a segment (``encode.part_frames``) becomes jobs of one segment
each, in three steps: find its faces (where no labels give them), make its part of the video and
its face pictures, and a last job that joins them. Detector and network begin anew with every
segment in any run, so that the parts are what the sequence would be in one piece.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import vsr
from vsr.batch.job import Job, Row, Step
from vsr.batch.journal import check
from vsr.batch.plan import recipe_of
from vsr.batch.storage import STATE, Storage
from vsr.media.codecs import encoder_name
from vsr.run.manifest import detector_entry, versions
from vsr.run.recipe import Recipe

RunJobs = Callable[[Sequence[Job]], Generator[Row, None, None]]
"""does jobs that don't depend on each other; a row for each"""


def is_long(job: Job) -> bool:
    """Whether a sequence can be done in parts."""
    frames = job.kind == "chokepoint" and job.settings["batch"]["protocol"] == "frames"
    return frames and not job.problem and len(job.files) > _length(job)


def parts_folder(name: str) -> str:
    """Where the parts of a sequence lie in the output until it is finished."""
    return f"{STATE}/parts/{name}"


def is_part(name: str) -> bool:
    """Whether a job's name is that of a part."""
    return name.startswith(parts_folder(""))


def is_made(name: str) -> bool:
    """Whether it is that of a part whose frames are made, and not only searched."""
    return is_part(name) and name.endswith(".make")


def owner_of(name: str) -> str:
    """The sequence that a part's name belongs to."""
    return name.removeprefix(parts_folder("")).rpartition("/")[0]


def part_jobs(job: Job, step: Step, programs: dict[str, str] | None = None) -> list[Job]:
    """The jobs of a step of a sequence, one for each segment.

    programs: versions of what makes the parts. Those of others are not joined with them, as
    they may differ from what the sequence would be in one piece.
    """
    name, count, length = job.sequence or job.name, len(job.files), _length(job)
    return [
        replace(
            job,
            name=f"{parts_folder(name)}/{first:06d}.{step}",
            step=step,
            settings={**job.settings, "programs": programs or {}},
            first=first,
            end=first + length if first + length < count else None,
            sequence=name,
            frames=min(length, count - first),
        )
        for first in range(0, count, length)
    ]


@dataclass(slots=True)
class _Course:
    """How the parts of a sequence have gone so far."""

    seconds: float = 0.0
    attempts: int = 0
    reason: str = ""
    """of the first that failed"""

    def note(self, row: Row) -> None:
        self.seconds += row.seconds
        self.attempts = max(self.attempts, row.attempts)
        if row.status != "ok":
            self.reason = self.reason or row.reason


def in_steps(jobs: Sequence[Job], storage: Storage, run: RunJobs) -> Generator[Row, None, None]:
    """Do jobs, the long ones in parts; a row for each job, and before it one for each part.

    Parts that an earlier run has finished, from the same source with the same settings and
    programs, are not done again; their rows are ``kept``.
    """
    courses = {job.name: _Course() for job in jobs if is_long(job)}
    long = [job for job in jobs if job.name in courses]
    programs = programs_of(recipe_of(long[0])) if long else {}
    steps: tuple[Step, ...] = ("detect", "make")
    for step in steps:
        todo: list[Job] = []
        for job in long:
            if courses[job.name].reason or (step == "detect" and job.labels is not None):
                continue
            for part in part_jobs(job, step, programs):
                found = check(storage, part)
                if found.row is None:
                    todo.append(part)
                else:
                    courses[job.name].note(found.row)
                    yield found.row
        owners = {part.name: part.sequence for part in todo}
        if step == "make":
            todo += [job for job in jobs if job.name not in courses]
        with closing(run(todo)) as rows:
            for row in rows:
                if row.sequence in owners:
                    courses[owners[row.sequence]].note(row)
                yield row
    for job in long:
        course = courses[job.name]
        if course.reason:
            yield Row.failure(
                job, course.reason, seconds=round(course.seconds, 3), attempts=course.attempts
            )
    whole = [job for job in long if not courses[job.name].reason]
    joins = [replace(j, step="join", earlier_s=courses[j.name].seconds) for j in whole]
    with closing(run(joins)) as rows:
        for row in rows:
            yield replace(row, attempts=max(row.attempts, courses[row.sequence].attempts))


def programs_of(recipe: Recipe) -> dict[str, str]:
    """What has a say in a part and is not among the settings: detector, encoder and versions."""
    found = {k: v for k, v in versions().items() if k != "python"}
    detector = " ".join(detector_entry(recipe.detect).values()).strip()
    encoder = encoder_name(recipe.encode)
    return {"vsr": vsr.__version__, "detector": detector, "encoder": encoder, **found}


def _length(job: Job) -> int:
    return int(job.settings["recipe"]["encode"]["part_frames"])
