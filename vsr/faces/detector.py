"""The contract that every face detector keeps, and what their results have in common."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from vsr.core.geometry import Box


@dataclass(frozen=True, slots=True)
class Detection:
    """One face found in one picture."""

    box: Box
    """tight face box (brow to chin), pixels of the picture given; may reach over its border"""
    confidence: float
    """0..1, on libfacedetection's scale: 0.85 is sure, 0.6 wants support by other frames"""

    def __post_init__(self) -> None:
        if not 0.0 <= self.confidence <= 1.0:
            raise ValueError(f"Detection.confidence: got {self.confidence}, expected 0..1")

    def moved(self, scale_x: float, scale_y: float, dx: float, dy: float) -> Detection:
        """The same face after scaling the picture and then shifting it by whole pixels."""
        b = self.box
        box = Box(b.x * scale_x + dx, b.y * scale_y + dy, b.width * scale_x, b.height * scale_y)
        return Detection(box, self.confidence)


class FaceDetector(Protocol):
    """Finds faces in one picture. Holds its network; one thread uses it at a time."""

    @property
    def name(self) -> str:
        """The detector's name in recipes and manifests."""
        ...

    def detect(self, rgb: np.ndarray) -> list[Detection]:
        """Faces of a picture ``(H, W, 3)`` uint8 RGB, surest first; an empty list if none.

        Weak candidates are given too: whoever calls applies the threshold.
        """
        ...


def make_detection(box: Sequence[float], confidence: float) -> Detection | None:
    """A `Detection` from a network's raw numbers, or None where they make no box.

    box: (x, y, width, height) in pixels. Confidence is clipped to 0..1.
    """
    x, y, w, h = (float(v) for v in box)
    if not all(map(math.isfinite, (x, y, w, h, confidence))) or w < 1 or h < 1:
        return None
    return Detection(Box(x, y, w, h), min(1.0, max(0.0, float(confidence))))


def containment(a: Box, b: Box) -> float:
    """Shared area over the smaller box's area, 0..1."""
    w = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    h = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    return max(0.0, w) * max(0.0, h) / min(a.area, b.area)


def suppress_duplicates(
    detections: Iterable[Detection], *, max_iou: float = 0.4, max_containment: float = 0.75
) -> list[Detection]:
    """Non-maximum suppression: of boxes on the same face the surest stays. Surest first.

    Besides intersection over union, a box that lies almost wholly in another one
    counts as its duplicate (a nose found inside a face).
    """
    kept: list[Detection] = []
    for found in sorted(detections, key=lambda d: d.confidence, reverse=True):
        if all(
            found.box.iou(k.box) <= max_iou and containment(found.box, k.box) <= max_containment
            for k in kept
        ):
            kept.append(found)
    return kept
