"""What was seen of each face over the whole video, for the manifest and the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from vsr.core.geometry import Box
from vsr.core.types import (
    CropOutcome,
    FaceCrop,
    FaceSample,
    Frame,
    FrameCrops,
    FrameFaces,
    Fusion,
    Track,
    TrackPoint,
)

T = TypeVar("T")

_STEPS_PER_PX = 2
_MOMENTS = 200
"""most points of one track's timeline"""
_ALL_MOMENTS = 8000
"""most points of all timelines together, so that a film of many faces has a small record"""
_RUNS = 100
"""most runs of filled or refused frames that are listed for a track"""
_SAMPLES = 4
"""faces of a track that are kept to be looked at, of either kind"""
_ALL_SAMPLES = 800
"""most of them over all tracks, of either kind"""


class _Thinned(Generic[T]):
    """Every n-th frame's value, n a power of two that doubles whenever there are too many."""

    def __init__(self, most: int) -> None:
        self.values: dict[int, T] = {}
        self.step = 1
        self._most = most

    def add(self, frame: int, value: T) -> None:
        if frame % self.step == 0:
            self.values[frame] = value
            if len(self.values) > self._most:
                self.thin(2 * self.step)

    def thin(self, step: int) -> None:
        self.step = step
        self.values = {f: v for f, v in self.values.items() if f % step == 0}

    def limit(self, most: int) -> None:
        """Hold no more than ``most`` from now on."""
        self._most = most
        while len(self.values) > most:
            self.thin(2 * self.step)


class _Runs:
    """Frame numbers as runs of neighbours, the first ``_RUNS`` of them."""

    def __init__(self) -> None:
        self.runs: list[tuple[int, int]] = []
        self._full = False

    def add(self, frame: int) -> None:
        if self._full:
            return
        if self.runs and frame - self.runs[-1][1] == 1:
            self.runs[-1] = (self.runs[-1][0], frame)
        elif len(self.runs) < _RUNS:
            self.runs.append((frame, frame))
        else:
            self._full = True


class _Samples:
    """The best-scored face of each stretch of a track; stretches grow with the track."""

    def __init__(self, score: Callable[[FaceSample], float]) -> None:
        self._score = score
        self._length = 8
        self._found: dict[int, FaceSample] = {}

    def add(self, sample: FaceSample) -> None:
        self._take(sample)
        if len(self._found) > 2 * _SAMPLES:
            self._length *= 2
            known, self._found = self._found, {}
            for old in known.values():
                self._take(old)

    def ranked(self) -> list[FaceSample]:
        """The highest score first."""
        return sorted(self._found.values(), key=self._score, reverse=True)

    def _take(self, sample: FaceSample) -> None:
        stretch = sample.frame // self._length
        there = self._found.get(stretch)
        if there is None or self._score(sample) > self._score(there):
            self._found[stretch] = sample


def _clearness(sample: FaceSample) -> float:
    """Large, surely detected faces first that are fully super-resolved."""
    trusted = 0.5 if sample.filled or sample.outcome != "super-resolved" else 1.0
    return sample.box.area**0.5 * sample.confidence * trusted * sample.strength


def _distance(sample: FaceSample) -> float:
    """How far the super-resolved picture left its evidence."""
    return sample.deviation or 0.0


def _median(counts: Counter[int]) -> int | None:
    passed, total = 0, counts.total()
    for value in sorted(counts):
        passed += counts[value]
        if 2 * passed >= total:
            return value
    return None


_Outcome = tuple[CropOutcome, float | None]


@dataclass(slots=True)
class _Seen:
    """Of one track, what the tracker's end writes: `TrackLog.faces`."""

    first: int
    last: int
    frames: int = 0
    filled: int = 0
    label: str | None = None
    widths: Counter[int] = field(default_factory=Counter)
    """how often which width stood, in half pixels"""
    places: _Thinned[tuple[float, Box, bool]] = field(default_factory=lambda: _Thinned(_MOMENTS))
    filled_frames: _Runs = field(default_factory=_Runs)

    def median_width(self) -> float:
        return (_median(self.widths) or 0) / _STEPS_PER_PX


@dataclass(slots=True)
class _Judged:
    """Of one track, what the pasting end writes: `TrackLog.crops`."""

    plain: int = 0
    kept: int = 0
    plain_frames: _Runs = field(default_factory=_Runs)
    outcomes: _Thinned[_Outcome] = field(default_factory=lambda: _Thinned(_MOMENTS))
    best: _Samples = field(default_factory=lambda: _Samples(_clearness))
    worst: _Samples = field(default_factory=lambda: _Samples(_distance))
    windows: Counter[int] = field(default_factory=Counter)
    """how often a window had which width, pixels"""
    details: Counter[int] = field(default_factory=Counter)
    """the same of the detail it held, whole pixels"""
    working: Counter[tuple[int, int | None]] = field(default_factory=Counter)
    """how often the network got which side, and which network"""
    fusions: int = 0
    views: float = 0.0
    noise: float = 0.0
    """sums over the crops of which other views were looked for"""

    def working_of_most(self) -> tuple[int | None, int | None]:
        return max(self.working, key=lambda w: self.working[w], default=(None, None))

    def add_fusion(self, fusion: Fusion) -> None:
        self.fusions += 1
        self.views += fusion.views
        self.noise += fusion.noise

    def mean_fusion(self) -> Fusion | None:
        if not self.fusions:
            return None
        return Fusion(self.views / self.fusions, self.noise / self.fusions)


class TrackLog:
    """Records faces and outcomes as they flow by; `tracks` sums them up at the end.

    Memory grows with the number of tracks, not of frames, and slowly: the more there are, the
    less is kept of each, as in the summary. `faces` and `crops` may run in
    different threads: each writes only what is its own.
    """

    def __init__(self) -> None:
        self._seen: dict[int, _Seen] = {}
        self._judged: dict[int, _Judged] = {}

    def faces(self, items: Iterable[FrameFaces]) -> Iterator[FrameFaces]:
        """Pass tracked faces on and record them. Faces without a track id are passed over."""
        for item in items:
            for face in item.faces:
                if face.track_id is None:
                    continue
                index = item.frame.index
                seen = self._seen.get(face.track_id)
                if seen is None:
                    seen = self._seen[face.track_id] = _Seen(index, index)
                    _share((s.places for s in self._seen.values()), len(self._seen), seen.places)
                seen.last = index
                seen.frames += 1
                seen.filled += face.filled
                seen.label = seen.label or face.label
                seen.widths[round(face.box.width * _STEPS_PER_PX)] += 1
                seen.places.add(index, (item.frame.seconds, face.box, face.filled))
                if face.filled:
                    seen.filled_frames.add(index)
            yield item

    def crops(self, items: Iterable[FrameCrops]) -> Iterator[FrameCrops]:
        """Pass judged crops on and record what became of them."""
        for item in items:
            self.note(item)
            yield item

    def note(self, item: FrameCrops) -> None:
        """Record what became of one frame's crops; frames come in order."""
        for crop in item.crops:
            if crop.face.track_id is None:
                continue
            index = item.frame.index
            judged = self._judged.get(crop.face.track_id)
            if judged is None:
                judged = self._judged[crop.face.track_id] = _Judged()
                others = (j.outcomes for j in self._judged.values())
                _share(others, len(self._judged), judged.outcomes)
            judged.outcomes.add(index, (crop.outcome, crop.deviation))
            judged.windows[crop.window.width] += 1
            if crop.detail_px is not None:
                judged.details[round(crop.detail_px)] += 1
            work = crop.working
            judged.working[(work.side, work.scale) if work else (crop.lr.shape[1], None)] += 1
            judged.kept += crop.outcome == "kept"
            if crop.outcome == "plain":
                judged.plain += 1
                judged.plain_frames.add(index)
            if crop.fusion is not None:
                judged.add_fusion(crop.fusion)
            sample = _sample(item.frame, crop)
            judged.best.add(sample)
            if crop.deviation is not None:
                judged.worst.add(sample)

    @property
    def working_scales(self) -> set[int]:
        """Of the networks that took crops at another working scale than the run's own."""
        used = {scale for judged in self._judged.values() for _, scale in judged.working}
        return {scale for scale in used if scale is not None}

    @property
    def tracks(self) -> tuple[Track, ...]:
        """A summary of each track so far, by id."""
        count = max(1, len(self._seen))
        moments = _room(count)
        samples = max(1, min(_SAMPLES, _ALL_SAMPLES // count))
        return tuple(
            _summary(track_id, seen, self._judged.get(track_id, _Judged()), moments, samples)
            for track_id, seen in sorted(self._seen.items())
        )


def _room(tracks: int) -> int:
    """Most points of each timeline where there are so many tracks."""
    return max(4, min(_MOMENTS, _ALL_MOMENTS // tracks))


def _share(timelines: Iterable[_Thinned[T]], count: int, new: _Thinned[T]) -> None:
    """Make room for a new one: all are thinned again whenever their number has doubled."""
    room = _room(1 << (count.bit_length() - 1))
    if count & (count - 1) == 0:
        for timeline in timelines:
            timeline.limit(room)
    new.limit(room)


def _sample(frame: Frame, crop: FaceCrop) -> FaceSample:
    return FaceSample(
        frame=frame.index,
        pts=frame.pts,
        seconds=frame.seconds,
        box=crop.face.box,
        window=crop.window,
        confidence=crop.face.confidence,
        filled=crop.face.filled,
        outcome=crop.outcome,
        deviation=crop.deviation,
        strength=crop.face.strength,
    )


def _summary(track_id: int, seen: _Seen, judged: _Judged, moments: int, samples: int) -> Track:
    working_px, working_scale = judged.working_of_most()
    fusion = judged.mean_fusion()
    return Track(
        track_id=track_id,
        first_frame=seen.first,
        last_frame=seen.last,
        frames=seen.frames,
        filled=seen.filled,
        median_width_px=seen.median_width(),
        plain=judged.plain,
        kept=judged.kept,
        label=seen.label,
        narrowest_px=min(seen.widths) / _STEPS_PER_PX,
        widest_px=max(seen.widths) / _STEPS_PER_PX,
        filled_frames=tuple(seen.filled_frames.runs),
        plain_frames=tuple(judged.plain_frames.runs),
        best=tuple(sorted(judged.best.ranked()[:samples], key=lambda s: s.frame)),
        worst=tuple(judged.worst.ranked()[:samples]),
        timeline=_timeline(seen, judged, moments),
        window_px=_median(judged.windows),
        detail_px=_median(judged.details),
        working_px=working_px,
        working_scale=working_scale,
        views=fusion.views if fusion else None,
        noise=fusion.noise if fusion else None,
    )


def _timeline(seen: _Seen, judged: _Judged, most: int) -> tuple[TrackPoint, ...]:
    """Places and outcomes of the same frames, so few that they are at most ``most``."""
    step = max(seen.places.step, judged.outcomes.step)
    while sum(f % step == 0 for f in seen.places.values) > most:
        step *= 2
    nothing: tuple[None, None] = (None, None)
    return tuple(
        TrackPoint(frame, seconds, box, filled, *judged.outcomes.values.get(frame, nothing))
        for frame, (seconds, box, filled) in seen.places.values.items()
        if frame % step == 0
    )
