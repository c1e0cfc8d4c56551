"""A stretch of a source's frames, done alone with the results that a whole run gives for it.

Frames before it are decoded and followed again, so that track ids, smoothing and windows
carry the same state, but nothing of them is super-resolved. Frames after it are read as far
as its last faces need them: as views, and for the tracker, which looks ahead.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from vsr.core.types import Frame, FrameCrops, FrameFaces, Span
from vsr.faces.track import TrackConfig
from vsr.media.codecs import EncodeConfig

T = TypeVar("T", FrameFaces, FrameCrops)
In = TypeVar("In", Frame, FrameCrops)


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """Which frames are made; the whole source by default."""

    first: int = 0
    """index of the first frame, at the beginning of a segment"""
    end: int | None = None
    """index after the last frame, at the end of a segment; None: to the source's end"""
    segment_frames: int = EncodeConfig.part_frames
    """frames after which detection and the batches of the network begin anew, in every run;
    results are the same only where this is"""

    def __post_init__(self) -> None:
        if self.segment_frames < 1:
            raise ValueError(
                f"Stretch.segment_frames: got {self.segment_frames}, expected 1 or more"
            )
        for name, at in (("first", self.first), ("end", self.end or 0)):
            if at < 0 or at % self.segment_frames:
                raise ValueError(
                    f"Stretch.{name}: got {at}, expected a multiple of {self.segment_frames}"
                )
        if self.end is not None and self.end <= self.first:
            raise ValueError(f"Stretch.end: got {self.end}, expected more than {self.first}")

    def read_end(self, cfg: TrackConfig | None, span: Span) -> int | None:
        """The index before which reading must not stop; None: the source's end.

        A frame is final when the tracker has taken the ``lookahead`` frames after it, and its
        faces when the frames of their views are. cfg: of the tracker, None where faces are
        given.
        """
        return None if self.end is None else self.end + span.future + (cfg.lookahead if cfg else 0)

    def before_end(self, items: Iterable[T], span: Span | None = None) -> Iterator[T]:
        """Leave out, and don't wait for, what lies behind the stretch and its last views."""
        if self.end is None:
            return iter(items)
        end = self.end + (span.future if span else 0)
        return itertools.takewhile(lambda item: item.frame.index < end, items)

    def inside(self, items: Iterable[T]) -> Iterator[T]:
        """The frames of the stretch."""
        return (i for i in self.before_end(items) if i.frame.index >= self.first)


def by_segment(
    items: Iterable[In], segment_frames: int, stage: Callable[[Iterable[In]], Iterator[T]]
) -> Iterator[T]:
    """Run a stage anew for each segment of ``segment_frames`` frames of the source.

    No state and no batch crosses a segment's border, so that results of a segment don't depend
    on where a run began.
    """

    def segment(item: Frame | FrameCrops) -> int:
        return (item if isinstance(item, Frame) else item.frame).index // segment_frames

    for _, part in itertools.groupby(items, key=segment):
        yield from stage(part)
