"""Boxes (sub-pixel) and windows (whole pixels)."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Box:
    """An axis-aligned rectangle in pixels; may reach over the picture's border."""

    x: float
    """left edge"""
    y: float
    """top edge"""
    width: float
    """> 0"""
    height: float
    """> 0"""

    def __post_init__(self) -> None:
        values = (self.x, self.y, self.width, self.height)
        if not all(math.isfinite(v) for v in values) or self.width <= 0 or self.height <= 0:
            raise ValueError(
                f"Box: got {values}, expected finite numbers, width and height above 0"
            )

    @property
    def center(self) -> tuple[float, float]:
        """(x, y) of the middle, pixels."""
        return self.x + self.width / 2, self.y + self.height / 2

    @property
    def area(self) -> float:
        """Square pixels."""
        return self.width * self.height

    def iou(self, other: Box) -> float:
        """Intersection over union with another box, 0..1."""
        w = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        h = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        if w <= 0 or h <= 0:
            return 0.0
        inter = w * h
        return inter / (self.area + other.area - inter)

    def scaled(self, factor: float) -> Box:
        """The same box in a picture ``factor`` times as large."""
        return Box(self.x * factor, self.y * factor, self.width * factor, self.height * factor)

    @staticmethod
    def from_center(cx: float, cy: float, width: float, height: float) -> Box:
        """Box of a size around a middle point, pixels."""
        return Box(cx - width / 2, cy - height / 2, width, height)


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of whole pixels inside a picture."""

    x: int
    """left column, inclusive, >= 0"""
    y: int
    """top row, inclusive, >= 0"""
    width: int
    """columns, > 0"""
    height: int
    """rows, > 0"""

    def __post_init__(self) -> None:
        if self.x < 0 or self.y < 0 or self.width <= 0 or self.height <= 0:
            raise ValueError(
                f"Window: got ({self.x}, {self.y}, {self.width}, {self.height}), "
                "expected x, y >= 0 and width, height > 0; clip it to the picture first"
            )

    @property
    def slices(self) -> tuple[slice, slice]:
        """(rows, columns) to index an array ``(H, W, ...)`` with."""
        return slice(self.y, self.y + self.height), slice(self.x, self.x + self.width)

    def scaled(self, factor: int) -> Window:
        """The same region in the picture upscaled by an integer factor."""
        return Window(self.x * factor, self.y * factor, self.width * factor, self.height * factor)
