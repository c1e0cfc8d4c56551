"""Which of a frame's detections continues which track."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from vsr.core.geometry import Box
from vsr.core.types import Face
from vsr.faces.cuts import to_uint8

_PATCH_SIDE = 16
_MIN_IOU = 0.2
_NEAR = 0.5
"""distance of middle points over the mean size that passes without overlap"""
_NEAR_PER_S = 4.0
"""by how much it grows per second between two sightings"""
_MAX_SIZE_RATIO = 1.8
_MIN_LIKENESS = 0.3
"""appearance that a face must keep while it was not seen, or when it leaps"""
_MIN_LIKENESS_WEAK = 0.33
"""appearance that a weak sighting must share with the last sure one: faces that turned away
kept 0.36 and more, faces that another one or a hand had covered 0.29 and less"""
_VELOCITY_SPAN = 4


@dataclass(frozen=True, slots=True)
class Sighting:
    """One detection in a track."""

    index: int
    """frame index"""
    seconds: float
    face: Face
    patch: np.ndarray
    """what the face looks like, see `patch_of`"""


@dataclass(slots=True)
class OpenTrack:
    """A track that may still grow."""

    sightings: list[Sighting] = field(default_factory=list)
    """the recent ones, oldest first"""
    seen: int = 0
    """number of all sightings"""
    first_index: int = 0
    """frame index of the first sighting"""
    sure: int = 0
    """how many of them passed the confidence for new faces"""
    track_id: int | None = None
    """None until confirmed"""
    sure_patch: np.ndarray | None = None
    """appearance of the last sure sighting"""

    def add(self, sighting: Sighting, *, sure: bool) -> None:
        """Take the next sighting."""
        if not self.seen:
            self.first_index = sighting.index
        self.sightings.append(sighting)
        self.seen += 1
        if sure:
            self.sure += 1
            self.sure_patch = sighting.patch

    def predict(self, index: int) -> Box:
        """Where the face should stand in a later frame: steady motion of the last sightings."""
        last = self.sightings[-1]
        first = self.sightings[-min(_VELOCITY_SPAN, len(self.sightings))]
        if first.index == last.index:
            return last.face.box
        frames = (index - last.index) / (last.index - first.index)
        (x0, y0), (x1, y1) = first.face.box.center, last.face.box.center
        box = last.face.box
        reach = max(box.width, box.height)
        dx = float(np.clip((x1 - x0) * frames, -reach, reach))
        dy = float(np.clip((y1 - y0) * frames, -reach, reach))
        return Box(box.x + dx, box.y + dy, box.width, box.height)


def patch_of(rgb: np.ndarray, box: Box) -> np.ndarray:
    """What stands in a box: float32 (768,), 16x16 RGB without its mean, of unit length.

    The box is clipped to the picture; an empty or flat region gives zeros.
    """
    height, width = rgb.shape[:2]
    left, right = max(0, round(box.x)), min(width, round(box.x + box.width))
    top, bottom = max(0, round(box.y)), min(height, round(box.y + box.height))
    if right - left < 2 or bottom - top < 2:
        return np.zeros(3 * _PATCH_SIDE**2, np.float32)
    region = to_uint8(np.ascontiguousarray(rgb[top:bottom, left:right]))
    small = cv2.resize(region, (_PATCH_SIDE, _PATCH_SIDE), interpolation=cv2.INTER_AREA)
    patch = small.astype(np.float32).ravel()
    patch -= patch.mean()
    length = float(np.linalg.norm(patch))
    return patch / length if length > 1 else np.zeros_like(patch)


def likeness(a: np.ndarray, b: np.ndarray) -> float:
    """Normalised cross-correlation of two patches, -1..1."""
    return float(a @ b)


def associate(
    tracks: Sequence[OpenTrack],
    sightings: Sequence[Sighting],
    start_confidence: float,
) -> list[tuple[OpenTrack, Sighting]]:
    """Pairs of track and sighting, each at most once.

    Greedy by descending score, sure sightings first (Zhang et al., "ByteTrack", ECCV
    2022): a weak detection may carry a track on, but does not take it from a sure one.
    """
    pairs: list[tuple[bool, float, int, int]] = []
    for s, sighting in enumerate(sightings):
        sure = sighting.face.confidence >= start_confidence
        for t, track in enumerate(tracks):
            score = _score(track, sighting, sure=sure)
            if score is not None:
                pairs.append((sure, score, t, s))
    pairs.sort(reverse=True)
    taken_tracks: set[int] = set()
    taken_sightings: set[int] = set()
    chosen: list[tuple[OpenTrack, Sighting]] = []
    for _, _, t, s in pairs:
        if t not in taken_tracks and s not in taken_sightings:
            taken_tracks.add(t)
            taken_sightings.add(s)
            chosen.append((tracks[t], sightings[s]))
    return chosen


def _score(track: OpenTrack, sighting: Sighting, *, sure: bool) -> float | None:
    """How well a sighting continues a track, or None where it cannot."""
    last = track.sightings[-1]
    box = sighting.face.box
    ratio = (box.area / last.face.box.area) ** 0.5
    if not 1 / _MAX_SIZE_RATIO <= ratio <= _MAX_SIZE_RATIO:
        return None
    # people start and stop: where the face stood counts as well as where it should have moved
    places = (track.predict(sighting.index), last.face.box)
    overlap = max(p.iou(box) for p in places)
    distance = min(_distance(p, box) for p in places)
    reach = _NEAR + _NEAR_PER_S * min(0.5, sighting.seconds - last.seconds)
    if overlap < _MIN_IOU and distance > reach:
        return None
    alike = likeness(last.patch, sighting.patch)
    if alike < _MIN_LIKENESS and (overlap < _MIN_IOU or sighting.index - last.index > 1):
        return None
    known = track.sure_patch
    if not sure and known is not None and likeness(known, sighting.patch) < _MIN_LIKENESS_WEAK:
        # else a weak box would wander from a covered face to whatever covers it
        return None
    return overlap + 0.5 * (1 - min(1.0, distance)) + 0.5 * alike


def _distance(a: Box, b: Box) -> float:
    """Distance of the middle points over the mean size."""
    (x0, y0), (x1, y1) = a.center, b.center
    return float(np.hypot(x1 - x0, y1 - y0)) / ((a.area**0.5 + b.area**0.5) / 2)
