"""Arrow between check and paste: FrameCrops -> FrameCrops, each track accepted or refused calmly.

A face is judged frame by frame; what is pasted must not change with every frame. A track's
acceptance follows the mean deviation over a few frames before and after, with hysteresis; it
holds for a second at least, and what changes fades in or out. Nothing is remembered beyond the
frames that a call is given, so that a segment done alone gives what a whole run gives.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from vsr.core.types import FaceCrop, Frame, FrameCrops
from vsr.faces.paste import PasteConfig

_AROUND = 4
"""frames before and after a frame whose deviations count for it"""
_CAP = 3.0
"""limits: a worse deviation counts as so much, lest one frame decides for all"""
_RETURN = 0.8
"""limits: a refused track is accepted again below"""
_BUFFER_BYTES = 256 << 20
"""that waiting frames may take; of large pictures fewer wait"""


@dataclass(slots=True)
class _State:
    """What is known of a track up to the frame that was decided last."""

    accepted: bool | None = None
    weight: float = 0.0
    """0..1: how much of the super-resolved face is seen"""
    changed_s: float | None = None
    """time of the last change of acceptance; None: there was none"""
    seen: dict[int, float] = field(default_factory=dict)
    """deviation by frame index, of the frames around"""


def accept(items: Iterable[FrameCrops], cfg: PasteConfig) -> Iterator[FrameCrops]:
    """Settle ``outcome`` of judged crops per track; fade by ``weight``.

    items: one per frame, in order, as `vsr.faces.paste.verify` leaves them. One `FrameCrops`
    per item comes out, as many as `_AROUND` frames later. Crops without a track, a deviation or
    a super-resolved picture stay as they were judged.
    """
    states: dict[int, _State] = {}
    waiting: deque[FrameCrops] = deque()
    for item in items:
        for track, deviation in _deviations(item):
            states.setdefault(track, _State()).seen[item.frame.index] = deviation
        waiting.append(item)
        if len(waiting) > min(_AROUND, _BUFFER_BYTES // _bytes(item.frame)):
            yield _settled(waiting.popleft(), states, cfg)
    while waiting:
        yield _settled(waiting.popleft(), states, cfg)


def _deviations(item: FrameCrops) -> Iterator[tuple[int, float]]:
    for crop in item.crops:
        if _followed(crop):
            assert crop.face.track_id is not None
            assert crop.deviation is not None
            yield crop.face.track_id, crop.deviation


def _followed(crop: FaceCrop) -> bool:
    known = crop.face.track_id is not None and crop.deviation is not None
    return known and crop.sr is not None


def _settled(item: FrameCrops, states: dict[int, _State], cfg: PasteConfig) -> FrameCrops:
    crops = tuple(
        _settle(c, item.frame, states[c.face.track_id], cfg)  # type: ignore[index]
        if _followed(c)
        else c
        for c in item.crops
    )
    for track in [t for t, s in states.items() if not s.seen]:
        del states[track]
    return replace(item, crops=crops)


def _settle(crop: FaceCrop, frame: Frame, state: _State, cfg: PasteConfig) -> FaceCrop:
    limit = cfg.max_contradiction
    around = [
        min(deviation, _CAP * limit)
        for index, deviation in state.seen.items()
        if abs(index - frame.index) <= _AROUND
    ]
    mean = float(np.mean(around))
    if state.accepted is None:
        state.accepted = mean <= limit
        state.weight = float(state.accepted)
    else:
        good = mean <= (limit if state.accepted else _RETURN * limit)
        if good != state.accepted and _held(state, frame.seconds, cfg.hold_s):
            state.accepted, state.changed_s = good, frame.seconds
        step = 1 / (cfg.fade + 1)
        moved = state.weight + (step if state.accepted else -step)
        state.weight = round(min(1.0, max(0.0, moved)), 9)
    state.seen = {i: d for i, d in state.seen.items() if i > frame.index - _AROUND}
    outcome = "super-resolved" if state.weight > 0 else "plain"
    return replace(crop, outcome=outcome, weight=state.weight)


def _held(state: _State, now_s: float, hold_s: float) -> bool:
    """Whether a state has lasted long enough to be changed."""
    if state.changed_s is None:
        return True
    if now_s < state.changed_s:  # a clock that stepped back
        state.changed_s = now_s
    return now_s - state.changed_s >= hold_s


def _bytes(frame: Frame) -> int:
    return frame.rgb.nbytes + (0 if frame.canvas is None else frame.canvas.buffer.nbytes)
