"""FrameFaces -> FrameFaces: the faces of chosen tracks; the others stay as the source has them.

Chosen after tracking, so that a track has the same number whatever is chosen.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from vsr.core.errors import UsageError
from vsr.core.types import FrameFaces

_RANGE = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?")


@dataclass(frozen=True, kw_only=True, slots=True)
class ChooseConfig:
    """Which tracks are super-resolved."""

    tracks: tuple[str, ...] = ()
    """numbers and ranges ("3", "7-9"); empty: all"""
    skip: tuple[str, ...] = ()
    """numbers and ranges of those that are not"""
    file: str = ""
    """faces file of ``vsr faces``, instead of detector and tracker; empty: none"""
    sha256: str = ""
    """its hash, which is taken when the recipe is read"""

    def __post_init__(self) -> None:
        for key in ("tracks", "skip"):
            for text in getattr(self, key):
                track_range(text, f"choose.{key}")

    def takes(self, track_id: int | None) -> bool:
        """Whether a track is chosen; faces without a track are where nothing is chosen."""
        if track_id is None:
            return not self.tracks
        chosen = not self.tracks or _within(track_id, self.tracks)
        return chosen and not _within(track_id, self.skip)

    def missing(self, seen: Iterable[int]) -> list[str]:
        """The entries of ``tracks`` that no track of those seen answers to."""
        seen = tuple(seen)
        return [t for t in self.tracks if not any(_within(number, (t,)) for number in seen)]


def choose(items: Iterable[FrameFaces], cfg: ChooseConfig) -> Iterator[FrameFaces]:
    """Leave out the faces that are not chosen. One `FrameFaces` per frame, in order."""
    for item in items:
        faces = tuple(face for face in item.faces if cfg.takes(face.track_id))
        yield item if len(faces) == len(item.faces) else replace(item, faces=faces)


@functools.cache  # asked of every face
def track_range(text: str, where: str) -> range:
    """The track numbers of "3" or "7-9"; raises UsageError naming ``where``."""
    match = _RANGE.fullmatch(text.strip())
    if match is None:
        raise UsageError(
            f"{where}: got '{text}', expected a track's number or a range, as 3 or 7-9"
        )
    first = int(match.group(1))
    last = int(match.group(2) or first)
    if last < first:
        raise UsageError(f"{where}: got '{text}', expected a rising range; write {last}-{first}")
    return range(first, last + 1)


def _within(track_id: int, texts: tuple[str, ...]) -> bool:
    return any(track_id in track_range(text, "choose") for text in texts)
