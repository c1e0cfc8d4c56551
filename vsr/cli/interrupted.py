"""What a command says when Ctrl-C or SIGTERM ends it: what is kept."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from vsr.cli.common import INTERRUPTED, fail


@contextlib.contextmanager
def told_if_interrupted(out: Path) -> Iterator[None]:
    """Say on Ctrl-C that an output's finished parts are kept."""
    try:
        yield
    except KeyboardInterrupt:
        from typer import Exit

        from vsr.run.journal import journal_path

        if not journal_path(out).exists():
            raise
        fail("interrupted; finished parts are kept; the same command resumes")
        raise Exit(INTERRUPTED) from None


@contextlib.contextmanager
def kept_if_interrupted(out: Path | str) -> Iterator[None]:
    """Say on Ctrl-C or SIGTERM that a job which can always be gone on with keeps what is done."""
    try:
        yield
    except KeyboardInterrupt:
        fail(f"{out}: interrupted; finished work is kept; the same command resumes")
        raise
