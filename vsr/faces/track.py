"""Arrow 3 of the flow: FrameFaces -> FrameFaces with track ids, steady boxes, gaps filled.

Frames wait in a short buffer, so that a face is known from both sides when its frame
leaves: boxes are smoothed without lag, a face that was missed for some frames is put in
where the picture still shows it, and what was seen only in passing is dropped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from vsr.core.errors import UsageError
from vsr.core.geometry import Box
from vsr.core.types import Face, Frame, FrameFaces
from vsr.faces.associate import OpenTrack, Sighting, associate, likeness, patch_of
from vsr.faces.cuts import CutFinder
from vsr.faces.smooth import smooth_box


@dataclass(frozen=True, kw_only=True, slots=True)
class TrackConfig:
    """How detections become tracks."""

    start_confidence: float = 0.85
    """0..1: a track counts from `min_sure` detections of this confidence on"""
    min_sure: int = 2
    """sure detections that a track needs; in a scene of fewer frames, one in each"""
    min_length: int = 5
    """detections that a track needs, sure or not; in a scene of fewer frames, one in each"""
    max_gap: int = 8
    """frames without a detection that are filled between two detections"""
    min_likeness: float = 0.7
    """-1..1: correlation with the face before or after a gap that a filled frame needs"""
    smooth_s: float = 0.08
    """seconds: width (sigma) of the smoothing of positions; 0 leaves them as detected"""
    smooth_size_s: float = 0.25
    """seconds: width (sigma) of the smoothing of sizes; 0 leaves them as detected"""
    fade: int = 4
    """frames over which a face is blended in where its track begins within a scene, and out
    where it ends; 0: at once. Fading out takes a lookahead of max_gap + fade"""
    lookahead: int = 12
    """frames that wait; at least max_gap + 1 to fill the longest gaps"""
    buffer_mb: int = 256
    """the waiting pictures may take this many MiB; the lookahead shrinks for large pictures"""

    def __post_init__(self) -> None:
        if not 0.0 <= self.start_confidence <= 1.0:
            raise UsageError(f"track.start_confidence: got {self.start_confidence}, expected 0..1")
        if not -1.0 <= self.min_likeness <= 1.0:
            raise UsageError(f"track.min_likeness: got {self.min_likeness}, expected -1..1")
        for name, least in (
            ("min_sure", 0),
            ("min_length", 1),
            ("max_gap", 0),
            ("smooth_s", 0),
            ("smooth_size_s", 0),
            ("fade", 0),
            ("lookahead", 0),
            ("buffer_mb", 1),
        ):
            value = getattr(self, name)
            if value < least:
                raise UsageError(f"track.{name}: got {value}, expected {least} or more")


def track(
    items: Iterable[FrameFaces], cfg: TrackConfig, *, frame_bytes: int = 0
) -> Iterator[FrameFaces]:
    """Follow faces from frame to frame. One `FrameFaces` per frame, in order.

    Detections that belong to no confirmed track are dropped; the others carry the track's
    id and the smoothed box; filled ones are marked. Memory does not grow with the video.
    frame_bytes: what a waiting frame counts at least, so that frames which come without
    their canvas are followed as they would be with it.
    """
    tracker = _Tracker(cfg, frame_bytes)
    waiting: deque[FrameFaces] = deque()
    for item in items:
        if tracker.cuts.is_cut(item.frame.rgb):
            while waiting:
                yield tracker.finish(waiting.popleft())
            tracker.tracks.clear()
            tracker.scene_start = item.frame.index
        tracker.take(item)
        waiting.append(item)
        while len(waiting) > tracker.lookahead:
            yield tracker.finish(waiting.popleft())
    while waiting:
        yield tracker.finish(waiting.popleft())


class _Tracker:
    def __init__(self, cfg: TrackConfig, frame_bytes: int) -> None:
        self._frame_bytes = frame_bytes
        self.cfg = cfg
        self.cuts = CutFinder()
        self.tracks: list[OpenTrack] = []
        self.lookahead = cfg.lookahead
        self.scene_start = 0
        """index of the first frame since the last cut"""
        self._newest = 0
        """index of the last frame taken"""
        self._next_id = 0

    def take(self, item: FrameFaces) -> None:
        """Attach a frame's detections to tracks; start tracks for what is left."""
        frame = item.frame
        self._newest = frame.index
        size = max(self._frame_bytes, _bytes(frame))
        self.lookahead = min(self.cfg.lookahead, (self.cfg.buffer_mb << 20) // size)
        sightings = [
            Sighting(frame.index, frame.seconds, face, patch_of(frame.rgb, face.box))
            for face in item.faces
        ]
        alive = [
            t for t in self.tracks if frame.index - t.sightings[-1].index <= self.cfg.max_gap + 1
        ]
        left = {id(s): s for s in sightings}
        for old, sighting in associate(alive, sightings, self.cfg.start_confidence):
            old.add(sighting, sure=self._is_sure(sighting))
            del left[id(sighting)]
        for sighting in left.values():
            new = OpenTrack()
            new.add(sighting, sure=self._is_sure(sighting))
            self.tracks.append(new)

    def finish(self, item: FrameFaces) -> FrameFaces:
        """The frame with its final faces; forgets what no later frame needs."""
        frame = item.frame
        faces: list[Face] = []
        for open_track in self.tracks:
            if open_track.track_id is None and self._confirmed(open_track):
                open_track.track_id = self._next_id
                self._next_id += 1
            if open_track.track_id is not None:
                face = self._face_in(open_track, frame)
                if face is not None:
                    strength = self._strength(open_track, frame.index)
                    faces.append(replace(face, strength=strength))
        self._forget(frame.index)
        return replace(item, faces=_without_doubles(faces))

    def _is_sure(self, sighting: Sighting) -> bool:
        return sighting.face.confidence >= self.cfg.start_confidence

    def _confirmed(self, candidate: OpenTrack) -> bool:
        # a track cannot show more than the buffer holds, nor more than its scene has; a scene of
        # which less is known than the buffer holds has ended, by a cut or with the video
        scene = self._newest - self.scene_start + 1
        length = min(self.cfg.min_length, self.lookahead + 1, scene)
        return candidate.seen >= length and candidate.sure >= min(self.cfg.min_sure, length)

    def _face_in(self, known: OpenTrack, frame: Frame) -> Face | None:
        before = [s for s in known.sightings if s.index <= frame.index]
        after = [s for s in known.sightings if s.index >= frame.index]
        if not before or not after:
            return None
        seen = before[-1].index == frame.index
        if not seen and after[0].index - before[-1].index - 1 > self.cfg.max_gap:
            return None
        reach = max(1, self.lookahead)
        near = [s for s in known.sightings if abs(s.index - frame.index) <= reach]
        detected = before[-1].face.box if seen else None
        box = self._smooth(near, frame.seconds, detected)
        face = replace(before[-1].face, track_id=known.track_id, filled=not seen, box=box)
        if not seen:
            patch = patch_of(frame.rgb, face.box)
            alike = max(likeness(patch, before[-1].patch), likeness(patch, after[0].patch))
            if alike < self.cfg.min_likeness:
                return None
        return face

    def _strength(self, known: OpenTrack, index: int) -> float:
        """How far a face is blended in: rising from a track's start, falling to its end.

        A face that stands in the first or last frame of a scene was there before, or goes on.
        """
        steps = self.cfg.fade + 1
        risen = index - known.first_index + 1 if known.first_index > self.scene_start else steps
        last = known.sightings[-1].index
        over = last < self._newest and self._newest - last > self.cfg.max_gap
        left = last - index + 1 if over else steps
        return min(risen, left, steps) / steps

    def _smooth(self, near: list[Sighting], at_s: float, detected: Box | None) -> Box:
        """The box at a moment. What is not to be smoothed comes from ``detected``, if there."""
        moves, grows = self.cfg.smooth_s > 0, self.cfg.smooth_size_s > 0
        if detected is not None and not (moves or grows):
            return detected
        times = np.array([s.seconds for s in near])
        boxes = np.array([(*s.face.box.center, s.face.box.width, s.face.box.height) for s in near])
        tiny = 1e-3
        box = smooth_box(
            times, boxes, at_s, max(tiny, self.cfg.smooth_s), max(tiny, self.cfg.smooth_size_s)
        )
        if detected is None or (moves and grows):
            return box
        place, size = (box, detected) if moves else (detected, box)
        return Box.from_center(*place.center, size.width, size.height)

    def _forget(self, done: int) -> None:
        """Drop ended tracks, and sightings too old to matter for the frame after ``done``."""
        oldest = done + 1 - max(1, self.lookahead, self.cfg.max_gap + 1)
        for t in self.tracks:
            t.sightings = [s for s in t.sightings if s.index >= oldest] or t.sightings[-1:]
        self.tracks = [
            t for t in self.tracks if t.sightings[-1].index > done - self.cfg.max_gap - 1
        ]


def _bytes(frame: Frame) -> int:
    canvas = frame.canvas.buffer.nbytes if frame.canvas is not None else 0
    return max(1, frame.rgb.nbytes + canvas)


def _without_doubles(faces: list[Face]) -> tuple[Face, ...]:
    """A face that was put in where another track stands is not put in."""
    return tuple(
        face
        for face in faces
        if not face.filled
        or all(
            face is other or face.box.iou(other.box) < 0.4 for other in faces if not other.filled
        )
    )
