"""One batch from start to end: what is done stays, the rest goes to an engine, rows come out."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass

from vsr.batch.job import Engine, Job, JobProgress, Row
from vsr.batch.journal import Standing, check, log
from vsr.batch.local import LocalEngine
from vsr.batch.parts import in_steps, is_long, is_made, is_part, owner_of, parts_folder
from vsr.batch.storage import Storage, open_storage, prepare_output
from vsr.batch.summary import Summary, refuse_foreign, write_summary
from vsr.core.errors import OutputError, UsageError
from vsr.core.progress import Progress, ProgressHook, silent


@dataclass(frozen=True, slots=True)
class WorkOptions:
    """Where and how the jobs are done."""

    engine: str = "local"
    """"local" or "ray" """
    workers: int | None = None
    """None: as processors and memory, or the cluster, allow"""
    retries: int = 1
    """further attempts of a job whose worker died"""
    overwrite: bool = False
    """redo what was done with other settings or from another source"""
    split: bool = True
    """do long sequences in parts (see `vsr.batch.parts`); the results are the same"""
    address: str | None = None
    """Ray: of the cluster"""
    cpus: float | None = None
    """Ray: processors per worker, None: 2"""
    gpus: float | None = None
    """Ray: GPUs per worker, a fraction shares one; None: 0"""


def do_jobs(
    jobs: Sequence[Job],
    out: str,
    options: WorkOptions,
    notices: Sequence[str] = (),
    progress: ProgressHook = silent,
) -> Summary:
    """Lock the output, start the engine, run the batch. Raises as `run_batch`, UsageError."""
    storage = open_storage(out)
    make_engine(options, ())  # a senseless option is told before anything is made
    prepare_output(storage)
    with storage.lock() as keep_open:
        engine = make_engine(options, keep_open)
        return run_batch(
            jobs, storage, engine,
            overwrite=options.overwrite, split=options.split, notices=notices, progress=progress,
        )  # fmt: skip


def make_engine(options: WorkOptions, keep_open: Sequence[int]) -> Engine:
    """The engine that is asked for; it starts nothing yet. Raises UsageError.

    keep_open: file descriptors that live as long as any of its workers on this machine.
    """
    if options.engine == "ray":
        from vsr.batch.ray import RayEngine

        return RayEngine(
            options.workers, retries=options.retries, address=options.address,
            cpus=2.0 if options.cpus is None else options.cpus, gpus=options.gpus or 0.0,
        )  # fmt: skip
    for name in ("address", "cpus", "gpus"):
        if getattr(options, name) is not None:
            raise UsageError(f"--{name}: is for --engine ray; got --engine {options.engine}")
    if options.engine == "local":
        return LocalEngine(options.workers, retries=options.retries, keep_open=keep_open)
    raise UsageError(f"--engine: got '{options.engine}', expected local or ray")


def run_batch(
    jobs: Sequence[Job],
    storage: Storage,
    engine: Engine,
    *,
    overwrite: bool = False,
    split: bool = True,
    notices: Sequence[str] = (),
    progress: ProgressHook = silent,
) -> Summary:
    """Do the jobs that are not done, and write ``summary.csv`` and ``summary.json``.

    storage: the output, locked by the caller. overwrite: redo what was done with other
    settings or from another source; without it that is an error before any work. split: do long
    sequences in parts.
    Raises OutputError, and VsrError where the engine cannot start.
    """
    started = time.perf_counter()
    refuse_foreign(storage)
    storage.sweep()
    kept, todo = _sort_out(jobs, storage, overwrite)
    log(storage, "batch", engine=engine.name, jobs=len(jobs), kept=len(kept))
    rows = {row.sequence: row for row in kept}
    long = {job.name for job in jobs if is_long(job)}
    for name in long & rows.keys():  # a run was killed before it had tidied up
        storage.remove(parts_folder(name))
    board = _Board(jobs, kept, progress)
    if todo:

        def run(some: Sequence[Job]) -> Generator[Row, None, None]:
            yield from engine.run(some, board.moved)

        steps = in_steps(todo, storage, run) if split else run(todo)
        with contextlib.closing(steps) as results:
            for row in results:
                board.finished(row)
                if not row.kept:
                    log(storage, row.status, row.sequence, seconds=row.seconds,
                        attempts=row.attempts, reason=row.reason)  # fmt: skip
                if not is_part(row.sequence):
                    rows[row.sequence] = row
                if row.sequence in long and row.status == "ok":
                    storage.remove(parts_folder(row.sequence))
        storage.sweep()
    order = [rows[j.name] for j in jobs]
    settings = jobs[0].settings if jobs else {}
    return write_summary(
        storage,
        Summary(
            rows=tuple(order),
            settings=settings,
            engine=engine.name,
            seconds=round(time.perf_counter() - started, 3),
            notices=tuple(notices),
        ),
    )


def _sort_out(
    jobs: Sequence[Job], storage: Storage, overwrite: bool
) -> tuple[list[Row], list[Job]]:
    """Rows of what is done, jobs of what is not."""
    kept: list[Row] = []
    todo: list[Job] = []
    changed: list[tuple[Job, Standing]] = []
    for job in jobs:
        found = check(storage, job)
        if found.row is not None:
            kept.append(found.row)
            continue
        todo.append(job)
        if found.standing == "foreign":
            raise OutputError(
                f"{storage.where(job.name)}: already exists and was not created by vsr batch; "
                "choose another folder with -o"
            )
        if found.standing != "open":
            changed.append((job, found.standing))
    if changed and not overwrite:
        job, standing = changed[0]
        raise OutputError(
            f"{storage.where(job.name)}: was made with {standing}"
            f"{f' ({len(changed)} of {len(jobs)} were)' if len(changed) > 1 else ''}; add "
            "--overwrite to redo what has changed, or choose another folder with -o"
        )
    return kept, todo


@dataclass(slots=True)
class _Standings:
    frames: int = 0
    faces: int = 0


class _Board:
    """Adds up the progress of all workers."""

    def __init__(self, jobs: Sequence[Job], kept: Sequence[Row], progress: ProgressHook) -> None:
        self._jobs = len(jobs)
        self._ended = len(kept)
        self._progress = progress
        names = {row.sequence for row in kept}
        todo = [j for j in jobs if j.name not in names]
        known = all(j.frames is not None for j in todo)
        self._total = sum(j.frames or 0 for j in todo) if known else None
        self._at = {j.name: _Standings() for j in todo}
        self._split: set[str] = set()
        self._expected = {j.name: j.frames or 0 for j in todo}

    def moved(self, p: JobProgress) -> None:
        """A job has come further."""
        if is_made(p.name):
            self._split.add(owner_of(p.name))
        elif is_part(p.name) or p.name in self._split:  # faces are found, parts are joined
            return
        self._at[p.name] = _Standings(p.frames, p.faces)
        self._show()

    def finished(self, row: Row) -> None:
        """A job has ended; its frames count as dealt with."""
        if is_part(row.sequence):
            self.moved(JobProgress(name=row.sequence, frames=row.frames, faces=row.faces))
            return
        self._ended += 1
        for part in [n for n in self._at if n.startswith(f"{parts_folder(row.sequence)}/")]:
            del self._at[part]
        frames = max(row.frames, self._expected[row.sequence])
        self._at[row.sequence] = _Standings(frames, row.faces)
        self._show()

    def _show(self) -> None:
        done = sum(s.frames for s in self._at.values())
        faces = sum(s.faces for s in self._at.values())
        phase = f"batch, {self._ended} of {self._jobs} done"
        self._progress(Progress(phase, done, self._total, faces))
