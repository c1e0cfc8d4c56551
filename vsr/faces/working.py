"""The working scale: FrameCrops -> FrameCrops, each crop with the detail that it really holds.

A crop of an enlarged or defocused video has more pixels than detail, and a network that was made
for sharp small faces sharpens its blocks. Where clearly fewer pixels hold all it shows, it is
reduced to about that many, and the network of the fitting scale takes it from there. The choice
is the track's: it follows the median of many frames, and changes rarely.
"""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import cv2
import numpy as np

from vsr.core.errors import UsageError
from vsr.core.types import FaceCrop, Frame, FrameCrops, Working
from vsr.faces.spectrum import detail_of

WorkingChoice = Literal["auto", "crop"]

_REMEMBERED = 15
"""estimates of a track whose median counts"""
_EVERY = 5
"""frames between estimates once a track is known"""
_SURE = 3
"""successive estimates that, all of them, end a reduction at once: detail must not be lost"""
_STEPS_PER_OCTAVE = 2
"""reductions between 1 and 2, 2 and 4, …: few, so that a choice stays"""
_SIDES = 4
"""pixels: working sides are multiples of this, so that batches fill"""
_LEAST_SIDE = 16
"""pixels of the smallest working side: of a face that the x8 networks were made for"""
_MOST_SIDE = 320
"""pixels to which wider windows are reduced before their detail is estimated"""
_ANOTHER_STEP = 0.75
"""octaves by which a reduction must be wrong before another one is chosen"""
_FORGET_AFTER = 90
"""frames after which a vanished track is forgotten"""


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkingConfig:
    """Whether, and from which lack of detail on, crops are reduced before the network."""

    scale: WorkingChoice = "auto"
    """"auto": by the detail that each track holds; "crop": every crop as it was cut out"""
    enter: float = 3.7
    """pixels for each pixel of detail from which a track's crops are reduced"""
    leave: float = 3.2
    """the same below which they no longer are; less than ``enter``"""
    same_enter: float = 2.0
    """``enter`` where the output has the source's size (``upscale.scale = 1``): there a face that
    is not reduced stays as it is"""
    same_leave: float = 1.6
    """``leave`` for the source's size"""
    excess: float = 1.05
    """how much further than to the estimated detail a crop is reduced: what lies just below the
    limit is weak, and the networks were made for faces that are sharp to the pixel"""
    hold_frames: int = 60
    """frames for which a track keeps its choice, but to let go of a reduction"""

    def __post_init__(self) -> None:
        if self.scale not in ("auto", "crop"):
            raise UsageError(f"working.scale: got {self.scale!r}, expected 'auto' or 'crop'")
        for low, high in (("leave", "enter"), ("same_leave", "same_enter")):
            least, most = getattr(self, low), getattr(self, high)
            if not 1.0 <= least < most <= 16.0:
                raise UsageError(
                    f"working.{low}, working.{high}: got {least} and {most}, expected two rising "
                    "numbers from 1 to 16"
                )
        if not 0.5 <= self.excess <= 2.0:
            raise UsageError(f"working.excess: got {self.excess}, expected 0.5..2")
        if self.hold_frames < 0:
            raise UsageError(f"working.hold_frames: got {self.hold_frames}, expected 0 or more")


def find_working(
    items: Iterable[FrameCrops], scale: int, networks: Sequence[int], cfg: WorkingConfig
) -> Iterator[FrameCrops]:
    """Set ``detail_px`` and ``working`` of each crop. One `FrameCrops` per frame, in order.

    scale: of the output, 1 to 8. networks: scales for which there is a network, ascending; one
    alone at an output scale above 1 leaves nothing to choose. Crops without a track id stand
    for themselves. A track's choice depends on its own earlier frames only, so a stage that is
    given them again chooses as before.
    """
    chooser = _Chooser(scale, tuple(networks), cfg)
    if cfg.scale == "crop" or not chooser.possible:
        for item in items:
            yield replace(item, crops=tuple(map(chooser.unjudged, item.crops)))
        return
    tracks: dict[int, _TrackDetail] = {}
    for item in items:
        index = item.frame.index
        crops: list[FaceCrop] = []
        for crop in item.crops:
            known = _TrackDetail()
            if crop.face.track_id is not None:
                known = tracks.setdefault(crop.face.track_id, known)
            crops.append(known.choose(crop, item.frame, chooser))
        if len(tracks) > 64:
            tracks = {t: d for t, d in tracks.items() if index - d.last <= _FORGET_AFTER}
        yield replace(item, crops=tuple(crops))


@dataclass(frozen=True, slots=True)
class _Chooser:
    """What the output and the networks allow."""

    scale: int
    networks: tuple[int, ...]
    cfg: WorkingConfig

    @property
    def possible(self) -> bool:
        """Whether any crop can be reduced."""
        return self.most >= 2 or (self.scale == 1 and bool(self.networks))

    @property
    def most(self) -> float:
        """The largest reduction after which a network still reaches the output's size."""
        return max(self.networks, default=self.scale) / self.scale

    @property
    def enter(self) -> float:
        return self.cfg.same_enter if self.scale == 1 else self.cfg.enter

    @property
    def leave(self) -> float:
        return self.cfg.same_leave if self.scale == 1 else self.cfg.leave

    def reduction(self, surplus: float) -> float:
        """The reduction for crops of so many pixels per pixel of detail, in steps; 2 or more."""
        steps = math.log2(surplus * self.cfg.excess) * _STEPS_PER_OCTAVE
        return max(2.0, min(self.most, 2 ** (round(steps) / _STEPS_PER_OCTAVE)))

    def working(self, side: int, reduction: float) -> Working | None:
        """How a crop of ``side`` pixels is reduced by about that much; None: not at all."""
        reduced = max(_LEAST_SIDE, _SIDES * round(side / reduction / _SIDES))
        if reduced * math.sqrt(2) > side:
            return None
        reaching = (n for n in self.networks if n * reduced >= 0.95 * self.scale * side)
        network = next(reaching, max(self.networks))
        return Working(reduced, network)

    def unjudged(self, crop: FaceCrop) -> FaceCrop:
        """A crop whose detail is not asked for: halved where the output's size demands it."""
        if self.scale > 1 or not self.networks:
            return crop
        return replace(crop, working=self.working(_side(crop), float(self.networks[0])))


@dataclass(slots=True)
class _TrackDetail:
    """What a track's frames have told so far."""

    shares: deque[float] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    """estimates: detail over the window's width, 0..1"""
    frames: int = 0
    last: int = 0
    """index of the last frame"""
    reduction: float | None = None
    """of the window's pixels; None: crops stay as they are"""
    chosen_at: int = 0
    """index of the frame of the last choice"""

    def choose(self, crop: FaceCrop, frame: Frame, chooser: _Chooser) -> FaceCrop:
        """The crop with the track's detail and working scale, both as of this frame."""
        self.last = frame.index
        width = crop.window.width
        size = _side(crop) / width
        if self.frames < _REMEMBERED or frame.index % _EVERY == 0:
            self.shares.append(_share(frame.rgb[crop.window.slices]))
            self._decide(size, frame.index, chooser)
        self.frames += 1
        working = None
        if self.reduction is not None:
            working = chooser.working(_side(crop), self.reduction * size)
        return replace(crop, detail_px=statistics.median(self.shares) * width, working=working)

    def _decide(self, size: float, index: int, chooser: _Chooser) -> None:
        """size: of the crop, over its window's."""
        latest = list(self.shares)[-_SURE:]
        if self.reduction is not None and all(size / s < chooser.leave for s in latest):
            self._set(None, index)
            return
        settled = self.frames >= _REMEMBERED
        if settled and index - self.chosen_at < chooser.cfg.hold_frames:
            return
        surplus = size / statistics.median(self.shares)
        if self.reduction is None:
            if surplus >= chooser.enter:
                self._set(chooser.reduction(surplus) / size, index)
        elif surplus < chooser.leave:
            self._set(None, index)
        elif abs(math.log2(surplus * chooser.cfg.excess / size / self.reduction)) > _ANOTHER_STEP:
            self._set(chooser.reduction(surplus) / size, index)

    def _set(self, reduction: float | None, index: int) -> None:
        if reduction != self.reduction:
            self.reduction, self.chosen_at = reduction, index


def _share(rgb: np.ndarray) -> float:
    """The part of a window's width that would hold its detail, 0..1."""
    height, width = rgb.shape[:2]
    if min(height, width) > _MOST_SIDE:  # a face of so much detail needs no closer look
        size = (_MOST_SIDE * width // min(height, width), _MOST_SIDE * height // min(height, width))
        rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    return detail_of(rgb) / min(rgb.shape[:2])


def _side(crop: FaceCrop) -> int:
    return min(crop.lr.shape[:2])
