"""What a data set of clips is to look like: the settings of ``vsr prepare clips``."""

from __future__ import annotations

from dataclasses import dataclass

from vsr.train.prepare.config import PrepareConfig


@dataclass(frozen=True, kw_only=True)
class ClipConfig(PrepareConfig):
    """`PrepareConfig`, and what makes a clip of a face; ``hr`` is the side of its window."""

    frames: int = 6
    """of a clip"""
    versions: int = 1
    """degraded versions of each clip, each with its own draws"""
    group: int = 32
    """clips of a shard; in a video encoder they follow one another, with one kind and strength of
    degradation for all of them"""
    per_video: int = 64
    """clips of one video at most"""
    smallest: float = 1.0
    """stills are reduced by area before they move, their shorter side to between this many times
    ``hr`` and its own"""

    def __post_init__(self) -> None:
        PrepareConfig.__post_init__(self)
        for name, low, high in (
            ("frames", 1, 250),
            ("versions", 1, 64),
            ("group", 1, 1024),
            ("per_video", 1, 100_000),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name}: got {value}, expected {low} to {high}")
        if not 1 <= self.smallest <= 8:
            raise ValueError(f"smallest: got {self.smallest}, expected 1 to 8 times --hr")
        if any(scale not in (2, 4, 8) for scale in self.scales):
            raise ValueError(f"scale: got {self.scales}, expected some of 2, 4 and 8")
