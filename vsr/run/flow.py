"""The only threads of vsr: each stage in one, joined by bounded queues.

A stage is a plain iterator. `Flow.stage` runs it in a thread of its own and hands
its items on through a queue that holds at most ``size`` of them, so a fast stage
waits for a slow one and memory stays flat. Leaving the ``with`` block, for whatever
reason, stops and joins every thread; what a stage raises is raised in its reader.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")

_POLL_S = 0.05
_END = object()


@dataclass(slots=True)
class StageStats:
    """How long a stage worked and waited; the slowest stage never waits to hand on."""

    name: str
    items: int = 0
    """items handed on"""
    busy_s: float = 0.0
    """seconds inside the stage itself, its wait for input included"""
    blocked_s: float = 0.0
    """seconds waiting for room in the queue (the reader is slower)"""
    starved_s: float = 0.0
    """seconds the reader waited for an item of this stage (this stage is slower)"""


class _Stopped(Exception):
    """Raised inside a stage's thread to unwind it."""


@dataclass(slots=True)
class _Failure:
    error: BaseException


class Flow:
    """Owns the threads of one run; use as a context manager."""

    def __init__(self, join_timeout_s: float = 10.0) -> None:
        self.stats: list[StageStats] = []
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._on_stop: list[Callable[[], None]] = []
        self._join_timeout_s = join_timeout_s

    def __enter__(self) -> Flow:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def on_stop(self, action: Callable[[], None]) -> None:
        """Register what unblocks a thread from outside (kill a process, close a pipe)."""
        self._on_stop.append(action)

    def close(self) -> None:
        """Stop every stage and join its thread; safe to call twice."""
        self._stop.set()
        for action in reversed(self._on_stop):
            action()
        deadline = time.monotonic() + self._join_timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._threads = [t for t in self._threads if t.is_alive()]

    @property
    def alive(self) -> int:
        """Threads that did not end within the join time-out (0 is right)."""
        return len(self._threads)

    def stage(self, name: str, items: Iterable[T], size: int) -> Iterator[T]:
        """Run ``items`` in a thread; yields them in order, at most ``size`` (> 0) ahead."""
        if size < 1:
            raise ValueError(f"Flow.stage {name}: got size {size}, expected 1 or more")
        stats = StageStats(name)
        self.stats.append(stats)
        box: queue.Queue[object] = queue.Queue(maxsize=size)
        thread = threading.Thread(
            target=self._work, args=(items, box, stats), name=f"vsr-{name}", daemon=True
        )
        thread.start()  # first: an interrupt in between must not leave a thread that never ran
        self._threads.append(thread)
        return self._read(box, stats)

    def _work(self, items: Iterable[T], box: queue.Queue[object], stats: StageStats) -> None:
        iterator = iter(items)
        try:
            while True:
                start = time.perf_counter()
                try:
                    item: object = next(iterator)
                except StopIteration:
                    break
                finally:
                    stats.busy_s += time.perf_counter() - start
                self._put(box, item, stats)
                stats.items += 1
                del item  # a frame must not live on here while the next one is made
            self._put(box, _END, stats)
        except _Stopped:
            pass
        except BaseException as error:
            with contextlib.suppress(_Stopped):
                self._put(box, _Failure(error), stats)
        finally:
            close = getattr(iterator, "close", None)
            if close is not None:
                close()

    def _put(self, box: queue.Queue[object], item: object, stats: StageStats) -> None:
        start = time.perf_counter()
        while not self._stop.is_set():
            try:
                box.put(item, timeout=_POLL_S)
                stats.blocked_s += time.perf_counter() - start
                return
            except queue.Full:
                continue
        raise _Stopped

    def _read(self, box: queue.Queue[object], stats: StageStats) -> Iterator[Any]:
        while True:
            start = time.perf_counter()
            item = self._get(box)
            stats.starved_s += time.perf_counter() - start
            if item is _END:
                return
            if isinstance(item, _Failure):
                raise item.error
            yield item
            del item

    def _get(self, box: queue.Queue[object]) -> object:
        while True:
            try:
                return box.get(timeout=_POLL_S)
            except queue.Empty:
                if self._stop.is_set():
                    raise _Stopped from None
