"""The key frame of each track: the moment that shows a face best, for whoever examines it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from vsr.core.types import FaceCrop


@dataclass(frozen=True, slots=True)
class KeyFrame:
    """The clearest frame of a track so far."""

    row: dict[str, Any]
    """the face's row of the index"""
    pictures: dict[str, np.ndarray]
    """"lr", and where there are such "fused" (its views averaged) and "sr": RGB (h, w, 3)"""
    score: tuple[bool, float]
    """see `clearness`"""


class KeyFrames:
    """Keeps one frame of each track."""

    def __init__(self) -> None:
        self._best: dict[int, KeyFrame] = {}

    def consider(self, row: dict[str, Any], crop: FaceCrop) -> None:
        """Keep the crop, whose row of the index this is, if its track has no clearer one yet."""
        score = clearness(crop)
        known = self._best.get(row["track"])
        if known is None or score > known.score:
            found = {"lr": crop.lr, "fused": crop.fused, "sr": crop.sr}
            pictures = {kind: rgb for kind, rgb in found.items() if rgb is not None}
            self._best[row["track"]] = KeyFrame(row, pictures, score)

    def found(self) -> list[KeyFrame]:
        """One for each track, in the order of the tracks."""
        return [self._best[track] for track in sorted(self._best)]


def clearness(crop: FaceCrop) -> tuple[bool, float]:
    """Found and super-resolved before all others; then width times the strength of the edges.

    The strength is the root mean square of Sobel's derivatives (Tenengrad; Tenenbaum, 1970) of
    the averaged views where there are any, so that noise counts little.
    """
    seen = crop.lr if crop.fused is None else crop.fused
    luma = cv2.cvtColor(seen.astype(np.float32), cv2.COLOR_RGB2GRAY)
    across, down = cv2.Sobel(luma, cv2.CV_32F, 1, 0), cv2.Sobel(luma, cv2.CV_32F, 0, 1)
    edges = float(np.sqrt(np.mean(across * across + down * down)))
    good = not crop.face.filled and crop.outcome == "super-resolved"
    return good, crop.face.box.width * edges
