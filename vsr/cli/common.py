"""What every command shares: the error line, notes, and the progress display."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from vsr.core.errors import one_line
from vsr.core.progress import RESUMING, Progress, ProgressHook, silent

INTERRUPTED = 130
"""exit code after Ctrl-C or SIGTERM"""


@dataclass(slots=True)
class State:
    """Options that reach beyond one command."""

    debug: bool = False
    told: bool = False
    """whether an error line was printed"""
    writes: bool = True
    """whether the command writes an output"""


state = State()


def fail(message: str) -> None:
    """The one error line on stderr."""
    state.told = True
    print(f"error: {one_line(message)}", file=sys.stderr, flush=True)


def note(message: str, *, quiet: bool = False) -> None:
    """A line of advice on stderr."""
    if not quiet:
        print(f"note: {one_line(message)}", file=sys.stderr, flush=True)


def say(message: str) -> None:
    """A line of the result on stdout; names in it cannot steer the terminal."""
    print(one_line(message), flush=True)


def printable(text: str) -> str:
    """Text of several lines in which nothing steers the terminal."""
    return "\n".join("".join(c if c.isprintable() else " " for c in x) for x in text.split("\n"))


def emit_json(value: Any) -> None:
    """The one machine-readable result on stdout."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    # JSON lets characters stand that steer a terminal, such as U+009B and U+202E.
    print("".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text))


def counted(number: int, thing: str) -> str:
    """A number of things in words: "1 face", "2 faces"."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


@contextlib.contextmanager
def show_progress(*, quiet: bool) -> Iterator[ProgressHook]:
    """A Rich bar on a terminal, a plain line now and then elsewhere, nothing when quiet."""
    if quiet:
        yield silent
    elif sys.stderr.isatty():
        with _rich_bar() as hook:
            yield hook
    else:
        yield _plain_lines()


@contextlib.contextmanager
def _rich_bar() -> Iterator[ProgressHook]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bar

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("starting", total=None, speed="")
        start, base = time.perf_counter(), Progress("", 0, None)

        def hook(p: Progress) -> None:
            nonlocal base
            if p.phase == RESUMING:
                base = p
            speed = _speed(p, time.perf_counter() - start, base)
            bar.update(task, description=p.phase, completed=p.done, total=p.total, speed=speed)

        yield hook


def _plain_lines(every_s: float = 5.0) -> ProgressHook:
    start = last = time.perf_counter()
    base = Progress("", 0, None)

    def hook(p: Progress) -> None:
        nonlocal last, base
        now = time.perf_counter()
        if p.phase == RESUMING:
            base = p
            print(f"resuming after {p.done} of {p.total} {p.unit}", file=sys.stderr, flush=True)
            return
        if now - last < every_s and p.done != p.total:
            return
        last = now
        rate = (p.done - base.done) / max(now - start, 1e-6)
        total = f"/{p.total}" if p.total is not None else ""
        left = f", {(p.total - p.done) / rate:.0f} s left" if p.total and rate > 0 else ""
        print(
            f"{p.phase}: {p.done}{total} {p.unit}, {_speed(p, now - start, base)}{left}",
            file=sys.stderr,
            flush=True,
        )

    return hook


def _speed(p: Progress, seconds: float, base: Progress) -> str:
    """base: what an earlier run had done."""
    rate = (p.done - base.done) / max(seconds, 1e-6)
    if p.unit == "frames":
        return f"{rate:.1f} fps, {p.faces} faces"
    return f"{rate:.1f} {p.unit}/s" if rate >= 0.1 else f"{60 * rate:.1f} {p.unit}/min"
