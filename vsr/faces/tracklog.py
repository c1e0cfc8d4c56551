"""What was seen of each face over the whole video, for the manifest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from vsr.core.types import FrameCrops, FrameFaces, Track

_STEPS_PER_PX = 2


@dataclass(slots=True)
class _Entry:
    first: int
    last: int
    frames: int = 0
    filled: int = 0
    plain: int = 0
    label: str | None = None
    widths: Counter[int] = field(default_factory=Counter)
    """how often which width stood, in half pixels"""

    def median_width(self) -> float:
        passed = 0
        for width in sorted(self.widths):
            passed += self.widths[width]
            if 2 * passed >= self.frames:
                return width / _STEPS_PER_PX
        return 0.0


class TrackLog:
    """Counts faces and outcomes as they flow by; `tracks` sums them up at the end.

    Memory grows with the number of tracks, not of frames.
    """

    def __init__(self) -> None:
        self._entries: dict[int, _Entry] = {}

    def faces(self, items: Iterable[FrameFaces]) -> Iterator[FrameFaces]:
        """Pass tracked faces on and count them. Faces without a track id are not counted."""
        for item in items:
            for face in item.faces:
                if face.track_id is None:
                    continue
                index = item.frame.index
                entry = self._entries.setdefault(face.track_id, _Entry(index, index))
                entry.last = index
                entry.frames += 1
                entry.filled += face.filled
                entry.label = entry.label or face.label
                entry.widths[round(face.box.width * _STEPS_PER_PX)] += 1
            yield item

    def crops(self, items: Iterable[FrameCrops]) -> Iterator[FrameCrops]:
        """Pass judged crops on and count those that stay plain; `faces` comes before it."""
        for item in items:
            for crop in item.crops:
                entry = self._entries.get(
                    crop.face.track_id if crop.face.track_id is not None else -1
                )
                if entry is not None and crop.outcome == "plain":
                    entry.plain += 1
            yield item

    @property
    def tracks(self) -> tuple[Track, ...]:
        """A summary of each track so far, by id."""
        return tuple(
            Track(
                track_id=track_id,
                first_frame=e.first,
                last_frame=e.last,
                frames=e.frames,
                filled=e.filled,
                median_width_px=e.median_width(),
                plain=e.plain,
                label=e.label,
            )
            for track_id, e in sorted(self._entries.items())
        )
