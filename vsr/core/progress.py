"""The progress hook: the library reports, whoever calls decides how it looks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a long job has come."""

    phase: str
    """what is being done, e.g. "restoring" """
    done: int
    """units finished"""
    total: int | None
    """units in all, None where unknown"""
    faces: int = 0
    """faces super-resolved so far"""
    unit: str = "frames"
    """what is counted, in the plural"""


RESUMING = "resuming"
"""phase that is reported once, where an earlier run's work is taken up"""

ProgressHook = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """The hook that shows nothing."""
