"""One trial: ``vsr train`` in a process of its own, on a recipe with few steps.

A process, so that a trial that runs out of memory or crashes ends alone, nothing of one trial
reaches the next, and what is measured is what the same command gives anybody.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vsr.core.config import to_toml
from vsr.core.errors import DataError, MissingDependencyError, OutputError, UsageError, VsrError
from vsr.run.output import write_atomically
from vsr.train.recipe import TrainRecipe

Status = Literal["done", "diverged", "killed", "refused", "failed"]
"""refused: values that do not go together; killed: by a signal, mostly for want of memory"""

_POLL_S = 0.5
_PATIENCE_S = 20.0
"""for a process that was asked to end"""
_OUT_OF_MEMORY = ("out of memory", "oom when allocating", "resourceexhausted", "memoryerror")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a trial came to."""

    status: Status
    figures: dict[str, float]
    """of the validation faces; empty unless "done\""""
    seconds: float
    """training time, without start-up; 0 unless "done\""""
    reason: str = ""
    """of the failure, one line"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a trial's files lie: ``007.toml``, ``007.log`` and the run folder ``007/``."""

    folder: Path
    number: int

    @property
    def recipe(self) -> Path:
        """The training recipe: ``vsr train DATASET -o RUN --pipeline`` it repeats the trial."""
        return self.folder / f"{self.number:03}.toml"

    @property
    def log(self) -> Path:
        """What the process wrote to stderr."""
        return self.folder / f"{self.number:03}.log"

    @property
    def run(self) -> Path:
        """The training run; it holds a checkpoint as long as the trial is unfinished."""
        return self.folder / f"{self.number:03}"


@dataclass(frozen=True, slots=True)
class Trainer:
    """What all trials of a study have in common."""

    dataset: Path
    init: str | None
    """model that trials start from"""
    kept_open: tuple[int, ...] = ()
    """file descriptors that a trial inherits: the study's lock"""


def short_recipe(recipe: TrainRecipe, steps: int, seed: int) -> TrainRecipe:
    """The recipe for a trial of so many steps: measured once at the end, and no pictures.

    Everything else, precision and devices among it, is the recipe's own.
    """
    loop = dataclasses.replace(
        recipe.loop,
        steps=steps,
        minutes=None,
        seed=seed,
        validate_every=steps + 1,
        checkpoint_every=max(1, min(recipe.loop.checkpoint_every, steps // 4)),
        grid_steps=(),
        grid_every=0,
        tensorboard=False,
    )
    return dataclasses.replace(recipe, loop=loop)


def run_trial(
    trainer: Trainer,
    recipe: TrainRecipe,
    place: Place,
    *,
    deadline: float = math.inf,
    watch: Callable[[int], None] = lambda _: None,
) -> Outcome | None:
    """Trains a recipe, or goes on with what is left of it in its run folder.

    Args:
        recipe: as `short_recipe` makes it.
        deadline: of `time.monotonic`; the process is ended then, its checkpoint stays.
        watch: is told the number of steps done, now and then.

    Returns:
        The outcome; None where the deadline came first.

    Raises:
        OutputError, MissingDependencyError: what would hit every other trial, too.
        KeyboardInterrupt: the process was interrupted; its checkpoint stays.
    """
    text = to_toml(recipe.to_dict())
    write_atomically(place.recipe, f"# Trial {place.number} of a search by vsr tune.\n{text}")
    command = [sys.executable, "-m", "vsr", "train", str(trainer.dataset), "-o", str(place.run),
               "--pipeline", str(place.recipe), "--json", "--quiet"]  # fmt: skip
    if trainer.init is not None:
        command += ["--init", trainer.init]
    with (
        place.log.open("wb") as log,
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            pass_fds=trainer.kept_open,
            env={"TF_CPP_MIN_LOG_LEVEL": "2", **os.environ},
        ) as process,
    ):
        try:
            while process.poll() is None:
                if time.monotonic() > deadline:
                    return None
                watch(_steps_done(place.run / "log.csv"))
                _wait(process)
        finally:
            _end(process)
        # one JSON value is less than a pipe holds, so nobody had to read it meanwhile
        answer = process.stdout.read() if process.stdout else b""
    return outcome_of(process.returncode, answer, place.log)


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_POLL_S)
    except subprocess.TimeoutExpired:
        return


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends what still runs: politely, then not."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def outcome_of(code: int, answer: bytes, log: Path) -> Outcome:
    """What an ended ``vsr train --json`` came to.

    Args:
        code: its exit status; negative: the signal that ended it.
        answer: its stdout; ``log``: the file with its stderr.

    Raises as `run_trial` does.
    """
    if code == 0:
        result = json.loads(answer)
        figures = {name: float(value) for name, value in result["figures"].items()}
        if all(math.isfinite(value) for value in figures.values()):
            return Outcome("done", figures, float(result["seconds"]))
        return Outcome("diverged", {}, 0.0, "the validation figures are not finite")
    reason = _last_line(log)
    for error in (OutputError, MissingDependencyError):
        if code == error.exit_code:
            raise error(reason)
    if code == 130:
        raise KeyboardInterrupt
    if code < 0:
        name = signal.Signals(-code).name
        memory = " (out of memory?)" if name == "SIGKILL" else ""
        return Outcome("killed", {}, 0.0, f"ended by {name}{memory}")
    if code == UsageError.exit_code:
        return Outcome("refused", {}, 0.0, reason)
    if code == DataError.exit_code and "NaN" in reason:
        return Outcome("diverged", {}, 0.0, reason)
    if code == VsrError.exit_code and any(w in reason.lower() for w in _OUT_OF_MEMORY):
        return Outcome("killed", {}, 0.0, f"out of memory: {reason}")
    return Outcome("failed", {}, 0.0, reason)


def _last_line(log: Path) -> str:
    """The error in one line, without its "error: ", at most 300 characters."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    marked = [line for line in lines if line.startswith("error: ")]
    last = marked[-1].removeprefix("error: ") if marked else (lines[-1] if lines else "no message")
    return last.strip()[:300]


def _steps_done(log: Path) -> int:
    """The last step in a run's log.csv; 0 where there is none yet."""
    try:
        with log.open(newline="", encoding="utf-8") as file:
            steps = [row.get("step") or "" for row in csv.DictReader(file)]
    except (OSError, csv.Error, UnicodeDecodeError):
        return 0
    return max((int(step) for step in steps if step.isdigit()), default=0)
