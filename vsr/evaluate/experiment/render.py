"""The product's own path on LR frames: detect, track and crop once, then each model in turn."""

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
from vsr.faces.clip import with_clips
from vsr.faces.crop import crop
from vsr.faces.detect import detect, make_detector
from vsr.faces.fuse import fuse
from vsr.faces.paste import paste, verify
from vsr.faces.track import track
from vsr.models.tiles import CONTEXT, TILE, upscale_picture
from vsr.models.upscale import Upscaler, upscale
from vsr.run.recipe import Recipe

_CHUNK_BYTES = 256 << 20
_MAX_CHUNK = 8
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
    cut = crop(track(found, recipe.track), recipe.crop)
    for item in fuse(with_clips(cut, recipe.crop, recipe.fuse.span)):
        yield Trial(waiting.popleft(), item.crops)


def _whole_face(truth: Truth) -> Trial:
    height, width = truth.lr.rgb.shape[:2]
    face = Face(Box(0, 0, width, height), confidence=1.0)
    return Trial(truth, (FaceCrop(face, Window(0, 0, width, height), truth.lr.rgb),))


def in_chunks(trials: Iterable[Trial], models: int) -> Iterator[list[Trial]]:
    """Trials in lists short enough that the pictures of every model fit into memory."""
    iterator = iter(trials)
    for first in iterator:
        size = first.truth.rgb.nbytes * (models + 4)
        more = max(1, min(_MAX_CHUNK, _CHUNK_BYTES // size)) - 1
        yield [first, *itertools.islice(iterator, more)]


def render(trials: Sequence[Trial], upscaler: Upscaler, recipe: Recipe) -> list[Rendering]:
    """Upscale, verify and paste: the product's own stages, on a copy of each canvas."""
    scale = upscaler.scale
    items = [FrameCrops(_own_canvas(t.frame), _shown(t.crops, upscaler)) for t in trials]
    sharp = upscale(items, _Tiled(upscaler), recipe.upscale)
    judged = list(verify(sharp, scale, recipe.paste))
    frames = paste(judged, scale, recipe.paste)
    return [
        Rendering(_picture(trial.truth.plain, frame, item.crops, scale), item.crops)
        for trial, frame, item in zip(trials, frames, judged, strict=True)
    ]


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
