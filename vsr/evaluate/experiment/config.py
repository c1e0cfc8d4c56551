"""What an experiment is asked to do."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from vsr.core.config import near
from vsr.core.errors import UsageError
from vsr.degrade.presets import PRESETS
from vsr.degrade.recipe import Degradation

Group = Literal["fidelity", "perceptual", "identity", "stability"]
GROUPS: tuple[Group, ...] = ("fidelity", "perceptual", "identity", "stability")


def degradation(name: str, scale: int) -> Degradation:
    """A named degradation, with the reduction that models of a scale are judged by.

    Raises:
        UsageError: no such name.
    """
    if name not in PRESETS:
        raise UsageError(f"--degrade: unknown '{name}'; {near(name, PRESETS)}")
    if name in ("heavy", "tiny"):
        return PRESETS[name]
    return replace(PRESETS[name], reduction="area" if scale == 4 else "bicubic")


@dataclass(frozen=True, kw_only=True)
class ExperimentConfig:
    """How the truth is worsened, and what is measured of what comes back."""

    scale: int = 2
    """2, 4 or 8"""
    degrade: str = "clean"
    """name of the degradation, for the record"""
    degradation: Degradation = field(default_factory=Degradation)
    seed: int = 0
    """of the noise; a frame's noise depends on it and the frame's time alone"""
    start_s: float | None = None
    """frames from this second on, in the source's own time"""
    end_s: float | None = None
    """and before this one"""
    max_frames: int = 300
    """at most so many; 0: all"""
    faces: bool = False
    """the source is a folder of face pictures: each is one face as a whole, none is searched"""
    measures: tuple[str, ...] = GROUPS
    """groups of measures"""
    required: bool = False
    """a group whose package is missing is an error, and not left out with a notice"""
    feature_every: int = 1
    """perceptual and identity distances in every n-th frame only"""

    def __post_init__(self) -> None:
        if self.scale not in (2, 4, 8):
            raise UsageError(f"--scale: got {self.scale}, expected 2, 4 or 8")
        for name in self.measures:
            if name not in GROUPS:
                raise UsageError(f"--measures: unknown '{name}'; {near(name, GROUPS)}")
        if not self.measures:
            raise UsageError(f"--measures: got none, expected some of {', '.join(GROUPS)}")
        if self.faces and set(self.measures) == {"stability"}:
            raise UsageError("--measures stability: face pictures have no motion; measure others")
        for option, time in (("--start", self.start_s), ("--end", self.end_s)):
            if self.faces and time is not None:
                raise UsageError(f"{option}: face pictures have no time; leave it out")
        for option, value, least in (
            ("--max-frames", self.max_frames, 0),
            ("--feature-every", self.feature_every, 1),
            ("--seed", self.seed, 0),
        ):
            if value < least:
                raise UsageError(f"{option}: got {value}, expected {least} or more")
        start, end = self.start_s, self.end_s
        if start is not None and end is not None and end <= start:
            raise UsageError(f"--end: got {end:g} s, expected more than --start {start:g} s")

    def to_dict(self) -> dict[str, Any]:
        """As in ``metrics.json``."""
        how = {"name": self.degrade, **asdict(self.degradation)}
        kept = ("scale", "seed", "start_s", "end_s", "max_frames", "feature_every")
        return {**{name: getattr(self, name) for name in kept}, "degradation": how}
