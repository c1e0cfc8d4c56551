"""FrameCrops -> FrameCrops, each crop with the same face from the frames around it.

The face of one track is cut out of its neighbouring frames on their own pixel grids: windows
are whole pixels, so that what is between two pixels, which is what a further view adds, stays.
What a crop's clip holds depends on these frames alone, not on where a run began.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from vsr.core.geometry import Window
from vsr.core.types import FaceClip, FaceCrop, FrameCrops, Span
from vsr.faces.crop import CropConfig, cut_window

MAX_STEP_S = 0.2
"""seconds from frame to frame beyond which two views do not show one motion"""

_Row = Sequence[FrameCrops | None]
"""frames around one, by time; None where there is none"""


def with_clips(
    items: Iterable[FrameCrops], cfg: CropConfig, span: Span, *, first: int = 0
) -> Iterator[FrameCrops]:
    """Give each crop of a followed face its `FaceClip`. One `FrameCrops` per frame, in order.

    cfg: what the crops were cut with. first: frames of a smaller index get no clip, they are
    only views of later ones. Holds ``span.length`` frames; of those before the current one
    only the source pictures. A view is of the same track, not filled in by the tracker, and at
    most `MAX_STEP_S` per frame away; tracks end at cuts, so no clip crosses one.
    """
    if span.length == 1:
        yield from items
        return
    before: deque[FrameCrops] = deque(maxlen=span.past)
    ahead: deque[FrameCrops] = deque()

    def leave() -> FrameCrops:
        item = ahead.popleft()
        done = item if item.frame.index < first else _clipped(item, before, ahead, cfg, span)
        before.append(replace(item, frame=replace(item.frame, canvas=None)))
        return done

    for item in items:
        ahead.append(item)
        if len(ahead) > span.future:
            yield leave()
    while ahead:
        yield leave()


def _clipped(
    item: FrameCrops,
    before: Sequence[FrameCrops],
    ahead: Sequence[FrameCrops],
    cfg: CropConfig,
    span: Span,
) -> FrameCrops:
    future = list(ahead)[: span.future]
    row = [
        *[None] * (span.past - len(before)),
        *before,
        item,
        *future,
        *[None] * (span.future - len(future)),
    ]
    return replace(
        item, crops=tuple(replace(c, clip=_clip(c, item, row, cfg, span)) for c in item.crops)
    )


def _clip(
    crop: FaceCrop, item: FrameCrops, row: _Row, cfg: CropConfig, span: Span
) -> FaceClip | None:
    views, valid = [], []
    for place, there in enumerate(row):
        steps = abs(place - span.past)
        view = _view(crop, item, there, steps, cfg) if there is not None and steps else None
        views.append(crop.lr if view is None else view)
        valid.append(view is not None or not steps)
    return FaceClip(np.stack(views), np.array(valid), span.past) if sum(valid) > 1 else None


def _view(
    crop: FaceCrop, item: FrameCrops, there: FrameCrops, steps: int, cfg: CropConfig
) -> np.ndarray | None:
    """The face as another frame shows it, ``steps`` frames away; None where it does not."""
    same = _same_face(crop, item, there, steps)
    return None if same is None else cut_window(there.frame.rgb, _at(same, crop, there), cfg)


def _same_face(crop: FaceCrop, item: FrameCrops, there: FrameCrops, steps: int) -> FaceCrop | None:
    """The crop of another frame, ``steps`` frames away, that shows the same face."""
    track = crop.face.track_id
    if track is None or abs(there.frame.seconds - item.frame.seconds) > steps * MAX_STEP_S:
        return None
    return next(
        (c for c in there.crops if c.face.track_id == track and not c.face.filled),
        None,
    )


def _at(same: FaceCrop, crop: FaceCrop, there: FrameCrops) -> Window:
    """The neighbour's own window where it has the crop's side, else one of that side."""
    side = crop.window.width
    if same.window.width == side:
        return same.window
    height, width = there.frame.rgb.shape[:2]
    cx, cy = same.face.box.center
    x, y = round(cx - side / 2), round(cy - side / 2)
    return Window(min(max(0, x), width - side), min(max(0, y), height - side), side, side)
