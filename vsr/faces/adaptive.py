"""Faces found at a cost that follows what moves: `DetectConfig.stride` = "auto".

Three economies, each undone where it does not hold:

- What has not changed since it was searched is not searched again. Changed parts are searched
  in every other frame of small pictures, where that is cheap, in every third of large ones.
- A face of which the detector has been sure several times rests from it every other frame,
  as long as it is found again by its looks where it may be; then the second look confirms
  it anew, or it is lost.
- The whole picture is searched anew now and then, and at each restart of the stage.

`tests/bench/detection.py` compares it with a search of every frame.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from vsr.core.geometry import Box, Window
from vsr.core.types import Frame
from vsr.faces.detect import LOOK_MIN_IOU, DetectConfig, decide, search, search_scale
from vsr.faces.detector import Detection, FaceDetector, suppress_duplicates
from vsr.faces.follow import follow, template_of
from vsr.faces.motion import ChangedParts, grid_of

_SMALL_SIDE = 640
"""pixels: long side of a small picture as the detector sees it"""
_SMALL_FRAMES, _LARGE_FRAMES, _PARTS_S = 2, 3, 0.15
"""frames (of small and large pictures), or seconds, between two searches of what changed"""
_WHOLE_FRAMES, _WHOLE_S = 60, 2.0
"""the same of the whole picture"""
_LOST_CONTEXT = 3.5
"""side of the region that is searched for a lost face, over the face's size"""
_TRUSTED = 8
"""sure confirmations in a row from which a face may rest; more than a track needs"""
_SURE = 0.88
"""confidence of such a one: above what a track needs to begin, so that a face that wavers
around it is seen in every frame"""
_REST = 1
"""frames for which it may"""
_LOST_FRAMES = 8
"""frames for which a face that the second look missed is looked for again"""


@dataclass(frozen=True, slots=True)
class _Known:
    """A face of the frame before."""

    detection: Detection
    looks: int = 1
    """sure confirmations by the detector in a row"""
    rested: int = 0
    """frames since the last one"""
    missed: int = 0
    """frames since it was last found"""
    template: np.ndarray | None = None
    """what it looked like then, where it may rest"""


@dataclass(slots=True)
class _Rhythm:
    """When something is due again."""

    frames: int
    seconds: float
    _last: tuple[int, float] | None = None

    def due(self, frame: Frame) -> bool:
        if self._last is None:
            return True
        index, seconds = self._last
        return frame.index - index >= self.frames or frame.seconds - seconds >= self.seconds

    def done(self, frame: Frame) -> None:
        self._last = frame.index, frame.seconds


class Adaptive:
    """Finds the faces of one shot, frame by frame."""

    def __init__(self, detector: FaceDetector, cfg: DetectConfig) -> None:
        self._detector = detector
        self._cfg = cfg
        self._known: list[_Known] = []
        self._changed = ChangedParts()
        self._whole_due = _Rhythm(_WHOLE_FRAMES, _WHOLE_S)
        self._small_due = _Rhythm(_SMALL_FRAMES, _PARTS_S)
        self._large_due = _Rhythm(_LARGE_FRAMES, _PARTS_S)

    def find(self, frame: Frame) -> list[Detection]:
        """The faces of the next frame, surest first."""
        rgb = frame.rgb
        resting: list[_Known] = []
        candidates: list[Box] = []
        for known in self._known:
            rested = _rest(rgb, known)
            if rested is None:
                candidates.append(known.detection.box)
            else:
                resting.append(rested)
        held = [k.detection for k in resting]
        candidates += [
            new
            for new in (*self._search(frame), *self._search_lost(frame))
            if all(new.iou(h.box) < LOOK_MIN_IOU for h in held)
        ]
        seen = decide(rgb, candidates, self._detector, self._cfg)
        found = suppress_duplicates([*held, *seen])
        self._remember(rgb, found, resting)
        return found

    def _search(self, frame: Frame) -> list[Box]:
        """Candidates in what has changed, or in all of it."""
        rgb = frame.rgb
        size = rgb.shape[1], rgb.shape[0]
        small = max(size) * search_scale(rgb, self._cfg) <= _SMALL_SIDE
        rhythm = self._small_due if small else self._large_due
        if not rhythm.due(frame):
            return []
        rhythm.done(frame)
        faces = [k.detection.box for k in self._known if not k.missed]
        parts = self._changed.take(grid_of(rgb), size, faces)
        if self._whole_due.due(frame):
            parts = None
            self._changed.all_seen(grid_of(rgb))
        if parts is None:
            self._whole_due.done(frame)
            return [d.box for d in search(rgb, self._detector, self._cfg)]
        return [d.box for p in parts for d in search(rgb, self._detector, self._cfg, part=p)]

    def _search_lost(self, frame: Frame) -> list[Box]:
        """Candidates around the faces that the frame before has lost."""
        height, width = frame.rgb.shape[:2]
        found: list[Box] = []
        for known in self._known:
            if not known.missed:
                continue
            box = known.detection.box
            side = max(box.width, box.height) * _LOST_CONTEXT
            (cx, cy), half = box.center, side / 2
            left, top = max(0, int(cx - half)), max(0, int(cy - half))
            right, bottom = min(width, int(cx + half)), min(height, int(cy + half))
            if right - left >= 16 and bottom - top >= 16:
                part = Window(left, top, right - left, bottom - top)
                found += [d.box for d in search(frame.rgb, self._detector, self._cfg, part=part)]
        return found

    def _remember(self, rgb: np.ndarray, found: list[Detection], resting: list[_Known]) -> None:
        before, now = self._known, []
        for detection in found:
            rested = next((k for k in resting if k.detection is detection), None)
            if rested is not None:
                now.append(rested)
                continue
            same = max(before, key=lambda k: k.detection.box.iou(detection.box), default=None)
            looks = 1
            if same is not None and same.detection.box.iou(detection.box) >= LOOK_MIN_IOU:
                looks = 1 if same.missed else same.looks + 1
            if detection.confidence < _SURE:
                looks = 0
            template = template_of(rgb, detection.box) if looks >= _TRUSTED else None
            now.append(_Known(detection, looks, template=template))
        lost = [
            replace(k, looks=0, missed=k.missed + 1, template=None)
            for k in before
            if k.missed < _LOST_FRAMES
            and all(k.detection.box.iou(d.box) < LOOK_MIN_IOU for d in found)
        ]
        self._known = now + lost


def _rest(rgb: np.ndarray, known: _Known) -> _Known | None:
    """The face found again by its looks, or None where the detector must look."""
    if known.template is None or known.rested >= _REST:
        return None
    box = follow(rgb, known.template, known.detection.box)
    if box is None:
        return None
    moved = Detection(box, known.detection.confidence)
    return replace(known, detection=moved, rested=known.rested + 1)
