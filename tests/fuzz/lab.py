"""Runs mutated inputs in a worker process and judges what becomes of them.

The rules, for every input whatever it holds:

- an answer within `TIME_S` seconds (the worker and all its children are killed after that);
- no exception but a `VsrError` whose message is one line;
- nothing under the output's name unless it is complete and plays;
- the whole process tree stays under `MEMORY_MIB` of resident memory;
- no process, thread or file handle of the job outlives it.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from tests.bench.process_tree import kill_tree, sample

ROOT = Path(__file__).resolve().parents[2]
TIME_S = 30.0
"""seconds an input may take"""
MEMORY_MIB = 2048
"""resident memory of the worker and its ffmpegs, MiB"""
_LOOK_EVERY_S = 0.1

Status = Literal["done", "refused", "fault"]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of one input."""

    status: Status
    """"done": a result; "refused": one line; "fault": a rule was broken"""
    detail: str = ""
    """the line of a refusal, or which rule was broken and how"""
    error: str = ""
    """class of the exception"""
    seconds: float = 0.0
    peak_mib: float = 0.0


@dataclass(slots=True)
class Tally:
    """Verdicts of many inputs."""

    counts: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    faults: list[dict[str, Any]] = field(default_factory=list)
    slowest_s: float = 0.0
    peak_mib: float = 0.0

    def add(self, name: str, verdict: Verdict) -> None:
        """Count one verdict; ``name`` says which input it was."""
        self.counts[verdict.status] += 1
        if verdict.error:
            self.errors[verdict.error] += 1
        if verdict.status == "fault":
            self.faults.append({"input": name, "error": verdict.error, "detail": verdict.detail})
        self.slowest_s = max(self.slowest_s, verdict.seconds)
        self.peak_mib = max(self.peak_mib, verdict.peak_mib)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "inputs": sum(self.counts.values()),
            **{status: self.counts[status] for status in ("done", "refused", "fault")},
            "errors": dict(self.errors.most_common()),
            "slowest_s": round(self.slowest_s, 2),
            "time_limit_s": TIME_S,
            "peak_mib": round(self.peak_mib, 1),
            "memory_limit_mib": MEMORY_MIB,
            "faults": self.faults,
        }


class Lab:
    """A worker for one kind of input; use as a context manager.

    kind: a name of `tests.fuzz.kinds.KINDS`. seeds: folder of `tests.fuzz.seeds`.
    """

    def __init__(
        self, kind: str, seeds: Path, *, time_s: float = TIME_S, memory_mib: float = MEMORY_MIB
    ) -> None:
        self._kind = kind
        self._time_s = time_s
        self._memory_mib = memory_mib
        self._seeds = seeds
        self._folder = tempfile.TemporaryDirectory(prefix="vsr-fuzz-")
        self._child: subprocess.Popen[bytes] | None = None
        self._answers = -1

    def __enter__(self) -> Lab:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._stop()
        self._folder.cleanup()

    def judge(self, seed: str, data: bytes) -> Verdict:
        """Give the worker one mutation of the seed called ``seed`` and see what it does."""
        if self._child is None:
            self._start()
        child = self._child
        assert child is not None
        assert child.stdin is not None
        path = Path(self._folder.name) / "mutation"
        path.write_bytes(data)
        child.stdin.write(json.dumps({"seed": seed, "data": str(path)}).encode() + b"\n")
        child.stdin.flush()
        started = time.monotonic()
        answer, peak = self._answer(child, started)
        seconds, peak_mib = time.monotonic() - started, peak / 2**20
        if answer is None:
            code = child.poll()
            self._stop()
            what = (
                f"no answer after {self._time_s:g} s" if code is None else f"worker died ({code})"
            )
            error = "hang" if code is None else "crash"
            return Verdict(
                status="fault", detail=what, error=error, seconds=seconds, peak_mib=peak_mib
            )
        verdict = Verdict(**answer, seconds=seconds, peak_mib=peak_mib)
        if verdict.error == "leak":
            self._stop()
        if peak_mib > self._memory_mib:
            self._stop()  # so that the next input begins small
            return Verdict(
                status="fault",
                detail=f"took {peak_mib:.0f} MiB; {verdict.status}: {verdict.detail}",
                error="memory",
                seconds=seconds,
                peak_mib=peak_mib,
            )
        return verdict

    def _answer(
        self, child: subprocess.Popen[bytes], started: float
    ) -> tuple[dict[str, Any] | None, int]:
        """The worker's answer (None: none came in time), and the most memory that was seen."""
        text, peak = b"", 0
        while time.monotonic() - started < self._time_s:
            ready, _, _ = select.select([self._answers], [], [], _LOOK_EVERY_S)
            peak = max(peak, sample(child.pid).resident)
            if ready:
                data = os.read(self._answers, 1 << 16)
                text += data
                if not data:
                    child.wait(10)
                    return None, peak
                if text.endswith(b"\n"):
                    return json.loads(text), peak
        return None, peak

    def _start(self) -> None:
        self._answers, theirs = os.pipe()
        room = Path(tempfile.mkdtemp(prefix="room-", dir=self._folder.name))
        command = [
            *(sys.executable, "-m", "tests.fuzz.worker", self._kind),
            *(str(self._seeds), str(room), str(theirs)),
        ]
        self._child = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL if "VSR_FUZZ_LOUD" not in os.environ else None,
            pass_fds=[theirs],
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "VSR_MODELS": str(room / "none")},
        )
        os.close(theirs)
        hello = os.read(self._answers, 1 << 16)  # its imports do not count as the input's time
        if hello != b"ready\n":
            code = self._child.wait(60)
            raise RuntimeError(f"worker for {self._kind} did not start (exit code {code})")

    def _stop(self) -> None:
        if self._child is None:
            return
        kill_tree(self._child.pid)
        self._child.wait()
        if self._child.stdin is not None:
            self._child.stdin.close()
        os.close(self._answers)
        self._child = None
