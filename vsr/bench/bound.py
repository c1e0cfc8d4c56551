"""The bound that a run is held against: arithmetic alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StageTime:
    """What a stage alone took for all frames of a clip."""

    seconds: float
    """wall time"""
    cpu_s: float
    """processor seconds, its child processes included"""


@dataclass(frozen=True, slots=True)
class Bound:
    """No arrangement of these stages on these cores can be quicker."""

    seconds: float
    limited_by: str
    """the name of the slowest stage, or "cores" """


def lower_bound(stages: Mapping[str, StageTime], cores: int) -> Bound:
    """The larger of the slowest stage alone and of all processor seconds over the cores.

    A stage cannot be quicker than when it has the machine to itself, and the cores cannot do
    more than one second of work a second each. Raises ValueError on no stage or no core.
    """
    if not stages or cores < 1:
        raise ValueError(f"lower_bound: got {len(stages)} stages, {cores} cores; expected both")
    name, slowest = max(stages.items(), key=lambda item: item[1].seconds)
    work = sum(stage.cpu_s for stage in stages.values()) / cores
    if work >= slowest.seconds:
        return Bound(work, "cores")
    return Bound(slowest.seconds, name)
