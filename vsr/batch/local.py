"""The local engine: worker processes on this machine, driven through pipes.

One thread waits for all workers at once. A worker's death shows as the end of its pipe.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import IO, Any

from vsr.batch.job import EngineHook, Job, JobProgress, Row
from vsr.batch.worker import worker_environment
from vsr.core.errors import UsageError, VsrError
from vsr.core.machine import available_memory, core_count, cores
from vsr.media.process import describe_exit

_WORKER_BYTES = 2 << 30
"""memory to count on per worker: TensorFlow, a model, frames in the queues"""
_CORES_PER_WORKER = 2
"""decoding and encoding run beside the network"""
_START_ATTEMPTS = 3
"""workers that die in a row before they were ready"""


def default_workers(jobs: int) -> int:
    """Worker processes that fit what this process may use of the machine, at least 1."""
    by_cores = core_count() // _CORES_PER_WORKER
    by_memory = available_memory() // _WORKER_BYTES
    return max(1, min(by_cores, by_memory, jobs))


@dataclass(slots=True)
class _Task:
    job: Job
    attempts: int = 0


class _Worker:
    """A worker process; dead once its pipe has ended."""

    def __init__(self, slot: int, mine: list[int], threads: int, keep_open: Sequence[int]) -> None:
        self.slot = slot
        self.task: _Task | None = None
        self.ready = False
        self._rest = b""
        self._words: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, "-m", "vsr.batch.worker", str(os.getpid()), str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            process_group=0,
            pass_fds=tuple(keep_open),
            env={**os.environ, **worker_environment(threads)},
        )
        # a share of the processors: TensorFlow, OpenCV and ffmpeg count those they may use
        with contextlib.suppress(AttributeError, OSError):
            os.sched_setaffinity(self.process.pid, mine)

    @property
    def pipe(self) -> IO[bytes]:
        assert self.process.stdout is not None
        return self.process.stdout

    def give(self, task: _Task) -> None:
        """Hand over a job; a dead worker is noticed when its pipe is read."""
        assert self.process.stdin is not None
        self.task = task
        task.attempts += 1
        line = json.dumps(task.job.to_dict(), ensure_ascii=False)
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()

    def read(self) -> list[dict[str, Any]] | None:
        """Events that have come; None where the worker has ended."""
        data = os.read(self.pipe.fileno(), 1 << 16)
        if not data:
            return None
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [json.loads(line) for line in lines]

    def last_words(self) -> str:
        """How it ended: exit code or signal, and the last line it wrote."""
        code = self.process.wait()
        self._words.seek(max(0, self._words.seek(0, os.SEEK_END) - 4096))
        lines = [w for w in self._words.read().decode(errors="replace").splitlines() if w.strip()]
        return f"{describe_exit(code)}{': ' + lines[-1].strip() if lines else ''}"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        for file in (self.process.stdin, self.process.stdout, self._words):
            if file is not None:
                with contextlib.suppress(OSError):
                    file.close()


class LocalEngine:
    """N worker processes on this machine. See `vsr.batch.job.Engine`.

    workers: processes, None: as processors and memory allow. retries: further attempts of a
    job whose worker died. keep_open: file descriptors that live as long as any worker does.
    """

    name = "local"

    def __init__(
        self, workers: int | None = None, *, retries: int = 1, keep_open: Sequence[int] = ()
    ) -> None:
        if workers is not None and workers < 1:
            raise UsageError(f"--workers: got {workers}, expected 1 or more")
        if retries < 0:
            raise UsageError(f"--retries: got {retries}, expected 0 or more")
        self.workers = workers
        self.keep_open = tuple(keep_open)
        self._retries = retries
        self._failed_starts = 0

    def run(self, jobs: Sequence[Job], hook: EngineHook) -> Iterator[Row]:
        """See `vsr.batch.job.Engine`. The longest jobs go first."""
        tasks = deque(_Task(j) for j in sorted(jobs, key=lambda j: -(j.frames or 0)))
        count = min(self.workers or default_workers(len(jobs)), len(jobs))
        with selectors.DefaultSelector() as selector, contextlib.ExitStack() as stack:
            alive: dict[int, _Worker] = {}
            stack.callback(lambda: [w.kill() for w in alive.values()])
            for slot in range(count):
                self._start(slot, count, alive, selector)
            while tasks or any(w.task for w in alive.values()):
                for key, _ in selector.select():
                    worker: _Worker = key.data
                    events = worker.read()
                    if events is None:
                        selector.unregister(worker.pipe)
                        yield from self._bury(worker, tasks)
                        del alive[worker.slot]
                        worker.kill()
                        if tasks:
                            self._start(worker.slot, count, alive, selector)
                        continue
                    for event in events:
                        yield from self._take(worker, event, hook)
                    if worker.ready and worker.task is None and tasks:
                        worker.give(tasks.popleft())

    def _start(
        self, slot: int, count: int, alive: dict[int, _Worker], selector: selectors.BaseSelector
    ) -> None:
        every = cores()
        share = max(1, len(every) // count)
        mine = every[slot * share : (slot + 1) * share] or every
        worker = _Worker(slot, mine, max(1, core_count() // count), self.keep_open)
        alive[slot] = worker
        selector.register(worker.pipe, selectors.EVENT_READ, worker)

    def _take(self, worker: _Worker, event: dict[str, Any], hook: EngineHook) -> Iterator[Row]:
        if "ready" in event:
            worker.ready = True
            self._failed_starts = 0
        elif "progress" in event:
            hook(JobProgress(**event["progress"]))
        elif "row" in event and worker.task is not None:
            row = replace(Row.from_dict(event["row"]), attempts=worker.task.attempts)
            worker.task = None
            yield row

    def _bury(self, worker: _Worker, tasks: deque[_Task]) -> Iterator[Row]:
        """A dead worker's job goes back to the front of the queue, or fails."""
        task, words = worker.task, worker.last_words()
        if task is None:
            self._failed_starts += not worker.ready
            if self._failed_starts >= _START_ATTEMPTS:
                raise VsrError(f"workers die before they can start ({words}); see 'vsr doctor'")
        elif task.attempts <= self._retries:
            tasks.appendleft(task)
        else:
            times = f"{task.attempts} times" if task.attempts > 1 else "once"
            reason = f"its worker died {times}, the last by {words}; look for lack of memory"
            yield Row.failure(task.job, reason, attempts=task.attempts)
