"""What a data set is to look like: the settings of ``vsr prepare``."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Literal

from vsr.core.config import to_table
from vsr.core.geometry import Window
from vsr.degrade.kernels import Reduction

_CROP = re.compile(r"(\d+)(?:\+(\d+)\+(\d+))?")


@dataclass(frozen=True, slots=True)
class CropRule:
    """Which square of a picture becomes the HR image."""

    side: int | None = None
    """pixels; None takes the largest centred square"""
    left: int | None = None
    """column of its left edge; None centres it"""
    top: int | None = None
    """row of its top edge; None centres it"""

    @staticmethod
    def parse(text: str) -> CropRule:
        """Read "square", "178" (centred) or "164+7+31" (side, left, top); raises ValueError."""
        if text == "square":
            return CropRule()
        match = _CROP.fullmatch(text)
        if match is None or int(match.group(1)) == 0:
            raise ValueError(
                f"crop: got '{text}', expected 'square', a side ('178') or SIDE+LEFT+TOP (164+7+31)"
            )
        side, left, top = (None if g is None else int(g) for g in match.groups())
        return CropRule(side, left, top)

    def window(self, width: int, height: int) -> Window | None:
        """The square inside a picture of this size; None where the picture is too small."""
        side = min(width, height) if self.side is None else self.side
        left = (width - side) // 2 if self.left is None else self.left
        top = (height - side) // 2 if self.top is None else self.top
        if min(left, top) < 0 or left + side > width or top + side > height:
            return None
        return Window(left, top, side, side)

    def __str__(self) -> str:
        if self.side is None:
            return "square"
        return str(self.side) if self.left is None else f"{self.side}+{self.left}+{self.top}"


@dataclass(frozen=True, kw_only=True)
class PrepareConfig:
    """Sizes, cut, splits; defaults are the seed's 128/64 pairs."""

    hr: int = 128
    """side of the HR images in pixels, a multiple of every scale"""
    scales: tuple[int, ...] = (2,)
    """one folder of LR images each, side hr / scale"""
    reduce: Reduction = "bicubic"
    """how LR is made from HR: "bicubic" is Pillow's (a = -0.5), "area" the mean of what it covers.
    HR is always made from the source by area"""
    crop: str = "auto"
    """see `CropRule.parse`; "auto" is the layout's own (CelebA: 178 centred, else square)"""
    allow_upscale: bool = False
    """enlarge (bicubic) what is smaller than ``hr`` instead of skipping it"""
    val: float = 0.05
    """share of the images for validation where the source names no splits, 0..1"""
    test: float = 0.05
    """share for testing, likewise"""
    seed: int = 0
    """of the split and of the choice that ``limit`` makes"""
    limit: int | None = None
    """at most this many images in each split, None for all"""
    identity: Literal["auto", "folder", "file"] = "auto"
    """layout "folder": who is on an image; "folder": its sub-folder names the person, "file":
    every image is another person, "auto": the sub-folder where there is one"""
    every: int = 1
    """layout "chokepoint": take every n-th labelled frame"""
    face_side: float = 4.6
    """layout "chokepoint": side of the square in eye distances (CelebA's 178 px crop has 4.6)"""
    terms: str = ""
    """terms of use for the card; empty takes what is known of the layout"""
    jobs: int = 0
    """images worked on at the same time; 0 is one per processor"""

    def __post_init__(self) -> None:
        if not 8 <= self.hr <= 4096:
            raise ValueError(f"hr: got {self.hr}, expected 8 to 4096 pixels")
        if not self.scales or len(set(self.scales)) != len(self.scales):
            raise ValueError(f"scale: got {self.scales}, expected one or more different numbers")
        for scale in self.scales:
            if not 2 <= scale <= 16 or self.hr % scale:
                raise ValueError(
                    f"scale: got {scale}, expected 2 to 16 and a divisor of --hr {self.hr}"
                )
        if self.crop != "auto":
            CropRule.parse(self.crop)
        if min(self.val, self.test) < 0 or not self.val + self.test < 1:
            raise ValueError(
                f"val and test: got {self.val} and {self.test}, expected shares that leave some "
                "images for training (each 0 or more, together below 1)"
            )
        for name, value, least in (("every", self.every, 1), ("jobs", self.jobs, 0)):
            if value < least:
                raise ValueError(f"{name}: got {value}, expected {least} or more")
        if self.limit is not None and self.limit < 1:
            raise ValueError(f"limit: got {self.limit}, expected 1 or more")
        if not (math.isfinite(self.face_side) and self.face_side > 1):
            raise ValueError(f"face-side: got {self.face_side}, expected more than 1 eye distance")

    def settings(self) -> dict[str, Any]:
        """The settings that decide what the files hold, as JSON values."""
        table = to_table(self)
        for key in ("jobs", "terms"):
            del table[key]
        return table
