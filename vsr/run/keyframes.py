"""The key frame of each track: the moment that shows a face best, for whoever examines it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vsr.core.types import FaceCrop, Frame

KINDS = ("lr", "fused", "sr")


@dataclass(frozen=True, slots=True)
class KeyFrame:
    """The best frame of a track so far."""

    number: int
    """of the frame, as in the index"""
    frame: Frame
    """without its pictures"""
    crop: FaceCrop
    clearness: tuple[bool, float]

    def pictures(self) -> dict[str, np.ndarray]:
        """What there is of ``KINDS``: the crop itself, its views averaged, super-resolved."""
        found = {"lr": self.crop.lr, "fused": self.crop.fused, "sr": self.crop.sr}
        return {kind: picture for kind, picture in found.items() if picture is not None}


class KeyFrames:
    """Keeps one frame of each track."""

    def __init__(self) -> None:
        self._best: dict[int, KeyFrame] = {}

    def consider(self, number: int, frame: Frame, crop: FaceCrop) -> None:
        """Keep this frame of the crop's track if it is clearer than the one kept so far."""
        track = crop.face.track_id
        if track is None:
            return
        clearness = _clearness(crop)
        known = self._best.get(track)
        if known is None or clearness > known.clearness:
            bare = Frame(frame.index, frame.pts, frame.time_base, frame.rgb[:0, :0], None)
            self._best[track] = KeyFrame(number, bare, crop, clearness)

    def found(self) -> list[KeyFrame]:
        """One for each track, in the order of the tracks."""
        return [self._best[track] for track in sorted(self._best)]


def _clearness(crop: FaceCrop) -> tuple[bool, float]:
    """Found and super-resolved before all others; then width times the strength of the edges.

    The strength is the root mean square of Sobel's derivatives (Tenengrad; Tenenbaum, 1970) of
    the averaged views where there are any, so that noise counts little.
    """
    seen = crop.lr if crop.fused is None else crop.fused
    luma = cv2.cvtColor(seen.astype(np.float32), cv2.COLOR_RGB2GRAY)
    across, down = cv2.Sobel(luma, cv2.CV_32F, 1, 0), cv2.Sobel(luma, cv2.CV_32F, 0, 1)
    edges = float(np.sqrt(np.mean(across * across + down * down)))
    if seen.dtype != np.uint8:
        edges /= 257
    good = not crop.face.filled and crop.outcome == "super-resolved"
    return good, crop.face.box.width * edges
