"""The product's own path on LR frames: faces are found and cut out once, for all models."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from vsr.core.color import yuv_to_rgb
from vsr.core.geometry import Box, Window
from vsr.core.types import Face, FaceCrop, Frame, FrameCrops, YuvPicture
from vsr.evaluate.experiment.truth import Truth
from vsr.evaluate.named import BASELINE
from vsr.faces.accept import accept
from vsr.faces.choose import choose
from vsr.faces.clip import with_clips
from vsr.faces.crop import crop
from vsr.faces.detect import detect, make_detector
from vsr.faces.fuse import fuse
from vsr.faces.paste import paste, verify
from vsr.faces.track import track
from vsr.faces.working import find_working
from vsr.models.networks import Networks
from vsr.models.tiles import CONTEXT, TILE, upscale_picture
from vsr.models.upscale import Upscaler, upscale
from vsr.run.recipe import Recipe
from vsr.run.stretch import by_segment

_PENDING_BYTES = 256 << 20
_MOST_PENDING = 8
"""frames, and bytes of their pictures, that may wait for a full batch of a model"""
_WHOLE = (TILE + 2 * CONTEXT) ** 2
"""LR pixels up to which a crop goes to the network in one piece"""


@dataclass(frozen=True, slots=True)
class Trial:
    """A frame with its truth and the faces found in the LR picture."""

    truth: Truth
    crops: tuple[FaceCrop, ...]
    """not super-resolved yet"""

    @property
    def frame(self) -> Frame:
        """The LR frame."""
        return self.truth.lr


@dataclass(frozen=True, slots=True)
class Rendering:
    """What one model makes of a trial."""

    rgb: np.ndarray
    """uint8 (s*h, s*w, 3): the frame with its faces pasted"""
    crops: tuple[FaceCrop, ...]
    """judged, in the trial's order"""


def find_trials(truths: Iterable[Truth], recipe: Recipe, *, whole: bool) -> Iterator[Trial]:
    """Faces of the LR pictures, as `vsr run` finds and cuts them; one trial per truth, in order.

    whole: each picture is a face as a whole; nothing is searched.
    """
    if whole:
        yield from map(_whole_face, truths)
        return
    waiting: deque[Truth] = deque()

    def frames() -> Iterator[Frame]:
        for truth in truths:
            waiting.append(truth)
            yield truth.lr

    found = detect(frames(), make_detector(recipe.detect), recipe.detect)
    followed = choose(track(found, recipe.track), recipe.choose)
    cut = crop(followed, recipe.crop)
    for item in fuse(with_clips(cut, recipe.crop, recipe.fuse.span)):
        yield Trial(waiting.popleft(), item.crops)


def _whole_face(truth: Truth) -> Trial:
    height, width = truth.lr.rgb.shape[:2]
    face = Face(Box(0, 0, width, height), confidence=1.0)
    return Trial(truth, (FaceCrop(face, Window(0, 0, width, height), truth.lr.rgb),))


def render_each(
    trials: Iterable[Trial], upscalers: Sequence[Upscaler], recipe: Recipe, *, whole: bool
) -> Iterator[tuple[Trial, tuple[Rendering, ...]]]:
    """Every trial with what each model makes of it, in the upscalers' order.

    The models go side by side, so that few trials wait at a time, however long the source is.
    whole: each picture is a face as a whole, and is enlarged as it is, at no working scale.
    """
    if whole:
        recipe = replace(recipe, working=replace(recipe.working, scale="crop"))
    iterator = iter(trials)
    first = next(iterator, None)
    if first is None:
        return
    room = pending_frames(first, len(upscalers))
    shown, *copies = itertools.tee(itertools.chain([first], iterator), len(upscalers) + 1)
    made = [render(c, u, recipe, room) for c, u in zip(copies, upscalers, strict=True)]
    for trial, *renderings in zip(shown, *made, strict=True):
        yield trial, tuple(renderings)


def pending_frames(trial: Trial, models: int) -> int:
    """How many trials of that size may wait in each of so many models."""
    return max(1, min(_MOST_PENDING, _PENDING_BYTES // (trial.truth.rgb.nbytes * (models + 4))))


def render(
    trials: Iterable[Trial], upscaler: Upscaler, recipe: Recipe, room: int = _MOST_PENDING
) -> Iterator[Rendering]:
    """The product's own stages from the working scale to the paste, on a copy of each canvas.

    Args:
        trials: in order.
        upscaler: of any scale; networks of its working scales are loaded when one is needed.
        recipe: its ``upscale`` table counts but for the model and the scale.
        room: trials that may wait for a full batch.
    """
    scale, known = upscaler.scale, deque[Trial]()
    cfg = replace(recipe.upscale, model="auto", scale=scale, max_pending_frames=room)
    networks = Networks(upscaler, cfg)

    def items() -> Iterator[FrameCrops]:
        for trial in trials:
            known.append(trial)
            yield FrameCrops(_own_canvas(trial.frame), _shown(trial.crops, upscaler))

    found = find_working(items(), scale, networks.scales, recipe.working)
    sharp = upscale(found, _Tiled(upscaler), cfg, lambda at: _Tiled(networks.at(at)))
    judged = verify(sharp, scale, recipe.paste)
    settled = by_segment(judged, recipe.encode.part_frames, lambda part: accept(part, recipe.paste))
    kept, pasted = itertools.tee(settled)
    for item, frame in zip(kept, paste(pasted, scale, recipe.paste), strict=True):
        plain = known.popleft().truth.plain
        yield Rendering(_picture(plain, frame, item.crops, scale), item.crops)


def _shown(crops: tuple[FaceCrop, ...], upscaler: Upscaler) -> tuple[FaceCrop, ...]:
    """The crops, to the baseline without other views: what averaging gains is to be seen."""
    return tuple(replace(c, fused=None) for c in crops) if upscaler.name == BASELINE else crops


class _Tiled:
    """An upscaler that takes crops of any size."""

    def __init__(self, upscaler: Upscaler) -> None:
        self.name, self.scale, self.sha256 = upscaler.name, upscaler.scale, upscaler.sha256
        self._upscaler = upscaler

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        if batch.shape[1] * batch.shape[2] <= _WHOLE:
            return self._upscaler(batch)
        return np.stack([upscale_picture(self._upscaler, picture) for picture in batch])


def _own_canvas(frame: Frame) -> Frame:
    assert frame.canvas is not None
    return replace(frame, canvas=replace(frame.canvas, buffer=frame.canvas.buffer.copy()))


def _picture(plain: np.ndarray, frame: Frame, crops: Iterable[FaceCrop], scale: int) -> np.ndarray:
    """The canvas in RGB: the plain picture, and what was pasted into it."""
    rgb = plain.copy()
    assert frame.canvas is not None
    for one in crops:
        if one.outcome == "super-resolved":
            window = one.window.scaled(scale)
            rgb[window.slices] = _to_rgb(frame.canvas, window)
    return rgb


def _to_rgb(picture: YuvPicture, window: Window) -> np.ndarray:
    """A window of a 4:4:4 picture, uint8 RGB."""
    yuv = np.stack([plane[window.slices] for plane in picture.planes()], axis=-1)
    unit = yuv_to_rgb(yuv, picture.color, picture.format.bit_depth)
    return np.clip(np.rint(unit * 255), 0, 255).astype(np.uint8)
