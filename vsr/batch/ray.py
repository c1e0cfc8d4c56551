"""The Ray engine: one actor per worker, on this machine or on a cluster.

An actor holds one `Runner`, so it loads the model once. The driver waits for all actors at
once and hands an actor its next job when it has ended the last: nothing piles up anywhere.
Restarts are the driver's own (not Ray's), so that attempts are counted and told.
"""

from __future__ import annotations

import contextlib
import importlib.util
import math
import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import vsr
from vsr.batch.cluster import NAMED, alive, connected, parts_of, room, words
from vsr.batch.job import EngineHook, Job, JobProgress, Row
from vsr.batch.worker import worker_environment
from vsr.core.errors import MissingDependencyError, UsageError, VsrError

_START_ATTEMPTS = 3
"""workers that die in a row before they were ready"""
_NODE_LOSSES = 8
"""machines that may vanish under one job before it is given up"""
_PATIENCE_S = 900.0
"""how long a cluster may take to give the first worker, or one after all were lost"""
_PROGRESS_WAIT_S = 10.0


class BatchWorker:
    """What runs in an actor: jobs in one thread, questions for progress in another (Ray's)."""

    def __init__(self, threads: int) -> None:
        os.environ.update(worker_environment(threads))
        import cv2

        from vsr.batch.runner import Runner
        from vsr.run.heap import steady_heap

        cv2.setNumThreads(threads)
        steady_heap()
        self._runner = Runner()
        self._news = threading.Condition()
        self._count = 0
        self._last: JobProgress | None = None

    def ready(self) -> tuple[str, str]:
        """The version of vsr there, and the node's id."""
        import ray

        return vsr.__version__, ray.get_runtime_context().get_node_id()

    def run(self, job: dict[str, Any]) -> tuple[dict[str, Any], JobProgress | None]:
        """Do a job (`Job.to_dict`); gives its row (`Row.to_dict`) and its last progress."""
        self._tell(None)
        row = self._runner.run(Job.from_dict(job), self._tell)
        last = self._last
        self._tell(None)
        return row.to_dict(), last

    def progress(self, seen: int) -> tuple[int, JobProgress | None]:
        """Wait for news after number ``seen``; their number and the last of them."""
        with self._news:
            self._news.wait_for(lambda: self._count > seen, _PROGRESS_WAIT_S)
            return self._count, self._last

    def _tell(self, progress: JobProgress | None) -> None:
        with self._news:
            self._count += 1
            self._last = progress
            self._news.notify_all()


@dataclass(slots=True)
class _Task:
    job: Job
    attempts: int = 0
    lost: int = 0
    """attempts that ended with the machine"""


@dataclass(slots=True)
class _Worker:
    actor: Any
    node: str = ""
    """id, once it is ready"""
    task: _Task | None = None
    seen: int = 0
    """number of the last news"""
    waits: dict[Any, str] = field(default_factory=dict)
    """what is being waited for: reference to method"""


class RayEngine:
    """Workers on a Ray cluster. See `vsr.batch.job.Engine`.

    workers: actors, None: as many as the cluster's nodes have room for now (more than that make
    an autoscaling cluster grow). retries: further attempts of a job whose worker died; a lost
    machine does not count. address: "HOST:6379", or "local" for one that is started on this machine
    for this batch; None: RAY_ADDRESS, a cluster that this machine belongs to, or else "local".
    cpus, gpus: what a worker takes of a machine (fractions of a GPU share it).
    Raises UsageError, MissingDependencyError.
    """

    name = "ray"

    def __init__(
        self,
        workers: int | None = None,
        *,
        retries: int = 1,
        address: str | None = None,
        cpus: float = 2.0,
        gpus: float = 0.0,
    ) -> None:
        if workers is not None and workers < 1:
            raise UsageError(f"--workers: got {workers}, expected 1 or more")
        if retries < 0:
            raise UsageError(f"--retries: got {retries}, expected 0 or more")
        if not cpus > 0:
            raise UsageError(f"--cpus: got {cpus:g}, expected more than 0")
        if gpus < 0 or (gpus > 1 and gpus != int(gpus)):
            raise UsageError(f"--gpus: got {gpus:g}, expected 0 to 1 or a whole number")
        if address is not None and address not in NAMED:
            parts_of(address)
        if importlib.util.find_spec("ray") is None:
            raise MissingDependencyError(
                "--engine ray: Ray is not installed; pip install 'face-vsr[ray]'"
            )
        self.workers = workers
        self._retries = retries
        self._address = address
        self._cpus, self._gpus = cpus, gpus

    def run(self, jobs: Sequence[Job], hook: EngineHook) -> Iterator[Row]:
        """See `vsr.batch.job.Engine`. The longest jobs go first."""
        if not jobs:
            return
        with connected(self._address):
            count = self.workers or room(self._cpus, self._gpus)
            crew = _Crew(min(count, len(jobs)), self._retries, self._cpus, self._gpus)
            with contextlib.closing(crew):
                yield from crew.work(jobs, hook)


class _Crew:
    """The actors of a batch and what they are at."""

    def __init__(self, count: int, retries: int, cpus: float, gpus: float) -> None:
        import ray

        self._count, self._retries = count, retries
        self._threads = max(1, math.floor(cpus))
        options: dict[str, Any] = {
            "num_cpus": cpus,
            "num_gpus": gpus,
            "max_restarts": 0,
            "max_task_retries": 0,
            "scheduling_strategy": "SPREAD",
            "concurrency_groups": {"progress": 1},
        }
        self._make = ray.remote(**options)(BatchWorker)
        self._workers: list[_Worker] = []
        self._failed_starts = 0

    def work(self, jobs: Sequence[Job], hook: EngineHook) -> Iterator[Row]:
        """Do all jobs; a row for each."""
        import ray
        from ray.exceptions import RayError

        order = sorted(jobs, key=lambda j: -(j.frames or 0))
        tasks = deque(_Task(_everywhere(j)) for j in order)
        for _ in range(self._count):
            self._start()
        while tasks or any(w.task for w in self._workers):
            refs = {ref: w for w in self._workers for ref in w.waits}
            for ref in self._wait(list(refs)):
                worker = refs[ref]
                method = worker.waits.pop(ref, None)
                if method is None:  # it has been buried in this round
                    continue
                try:
                    value = ray.get(ref)
                except RayError as error:
                    yield from self._faulted(worker, method, tasks, error)
                else:
                    yield from self._take(worker, method, value, hook)
                if worker in self._workers and worker.node and worker.task is None:
                    self._employ(worker, tasks)

    def close(self) -> None:
        """End every worker."""
        for worker in [*self._workers]:
            self._dismiss(worker)

    def _wait(self, refs: list[Any]) -> list[Any]:
        import ray

        idle = all(w.task is None for w in self._workers)
        ready, _ = ray.wait(refs, timeout=_PATIENCE_S if idle else None)
        if not ready:
            raise VsrError(
                f"the cluster has given no worker for {_PATIENCE_S / 60:.0f} minutes; see "
                "'ray status', or ask for less with --cpus and --gpus"
            )
        return ready

    def _start(self) -> None:
        worker = _Worker(self._make.remote(self._threads))
        worker.waits[worker.actor.ready.remote()] = "ready"
        self._workers.append(worker)

    def _dismiss(self, worker: _Worker) -> None:
        import ray

        self._workers.remove(worker)
        worker.waits.clear()
        ray.kill(worker.actor)

    def _employ(self, worker: _Worker, tasks: deque[_Task]) -> None:
        """Give a job; without one the worker goes, so that its machine may go too."""
        if not tasks:
            self._dismiss(worker)
            return
        worker.task = tasks.popleft()
        worker.task.attempts += 1
        worker.waits[worker.actor.run.remote(worker.task.job.to_dict())] = "run"
        if "progress" not in worker.waits.values():
            self._ask(worker)

    def _ask(self, worker: _Worker) -> None:
        ask = worker.actor.progress.options(concurrency_group="progress")
        worker.waits[ask.remote(worker.seen)] = "progress"

    def _take(self, worker: _Worker, method: str, value: Any, hook: EngineHook) -> Iterator[Row]:
        """Something a worker has answered."""
        if method == "ready":
            self._failed_starts = 0
            version, worker.node = value
            if version != vsr.__version__:
                raise VsrError(
                    f"node {worker.node[:8]}: has vsr {version}, expected {vsr.__version__} as "
                    "here; install the same on every machine"
                )
        elif worker.task is not None:
            name = worker.task.job.name
            if method == "progress":
                worker.seen, progress = value
                self._ask(worker)
            else:
                row, progress = value
                row = replace(Row.from_dict(row), attempts=worker.task.attempts)
                worker.task = None
            if progress is not None and progress.name == name:
                hook(progress)
            if method == "run":
                yield row

    def _faulted(
        self, worker: _Worker, method: str, tasks: deque[_Task], error: Exception
    ) -> Iterator[Row]:
        """A call has come to nothing: by itself, or because its worker is no more."""
        from ray.exceptions import RayTaskError

        if method == "ready" or not isinstance(error, RayTaskError):
            yield from self._bury(worker, tasks, error)
        elif method == "run" and worker.task is not None:  # the worker lives
            task, worker.task = worker.task, None
            reason = f"{type(error.cause).__name__}: {error.cause}"
            yield Row.failure(task.job, reason, attempts=task.attempts)

    def _bury(self, worker: _Worker, tasks: deque[_Task], error: Exception) -> Iterator[Row]:
        """A dead worker's job goes back to the front of the queue, or fails."""
        task = worker.task
        self._dismiss(worker)  # one that only cannot be reached must not go on
        if task is None:
            self._failed_starts += not worker.node
            if self._failed_starts >= _START_ATTEMPTS:
                raise VsrError(f"workers die before they can start ({words(error)})")
        else:
            task.lost += not alive(worker.node)
            counted = task.attempts - task.lost
            if counted <= self._retries and task.lost <= _NODE_LOSSES:
                tasks.appendleft(task)
            else:
                times = f"{task.attempts} times" if task.attempts > 1 else "once"
                reason = f"its worker died {times}, the last by {words(error)}"
                yield Row.failure(
                    task.job, f"{reason}; look for lack of memory", attempts=task.attempts
                )
        busy = sum(w.task is not None for w in self._workers)
        if len(self._workers) < min(self._count, busy + len(tasks)):
            self._start()


def _everywhere(job: Job) -> Job:
    """A job whose folders are found from any working directory."""
    return replace(
        job,
        root=_absolute(job.root),
        out=_absolute(job.out),
        labels_root=_absolute(job.labels_root) if job.labels_root else "",
    )


def _absolute(location: str) -> str:
    return location if "://" in location else str(Path(location).resolve())
