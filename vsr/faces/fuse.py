"""FrameCrops -> FrameCrops: the views of a face averaged as far as they differ by noise alone.

Noise hides something else in each frame. Where frames are coded one by one (JPEG sequences,
MJPEG cameras, raw sensors) it is independent from frame to frame, and an average of the aligned
views keeps the face and loses the noise. The gate is measured, not set: by how much neighbouring
views differ where they agree best. A codec that predicts frames from each other has taken these
differences out already: then nothing is averaged, and the crop goes to the network as it is.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from vsr.core.errors import UsageError
from vsr.core.types import FaceClip, FaceCrop, FrameCrops, Fusion, Span

MAX_VIEWS = 9
_MIN_SIDE = 16
"""pixels: flow finds nothing to hold on to in smaller crops"""
_FLOW_SIGMA = 0.7
"""pixels by which luma is blurred before its flow is found"""
_PATCH = 7
"""pixels: side of the neighbourhood over which differences are averaged"""
_QUANTILE = 25
"""per cent of a face that differ by noise alone, even where it moves, blinks or speaks"""
_GRAIN_SIGMA = 3.0
"""pixels: noise is finer than this; what differs more widely is light or another face"""
_GRAIN_SHARE = 1.3
"""times its fine part that a difference can be at most and still count as noise"""
_QUIET, _NOISY = 0.75, 1.05
"""grey levels of difference up to which nothing is averaged, and from which on fully"""
_TOLERANCE, _PER_LEVEL = 2.0, 2.0
"""grey levels of difference at which a view counts by 1/e: at no noise, and more per level of it"""
_MAX_TOLERANCE = 12.0
_SHIFT = 0.4
"""times the tolerance: the same for a neighbourhood's mean, in which noise averages out, while
a lid that has closed or a light that has changed stays"""


@dataclass(frozen=True, kw_only=True, slots=True)
class FuseConfig:
    """How many views of a face are averaged before its super-resolution."""

    views: int = 1
    """frames, odd, 1 to 9: a face's own and as many before as after it; 1: its own alone"""

    def __post_init__(self) -> None:
        if self.views not in range(1, MAX_VIEWS + 1, 2):
            raise UsageError(
                f"fuse.views: got {self.views}, expected an odd number from 1 (off) to {MAX_VIEWS}"
            )

    @property
    def span(self) -> Span:
        """The frames that are looked at."""
        return Span(self.views // 2, self.views // 2)


def fuse(items: Iterable[FrameCrops]) -> Iterator[FrameCrops]:
    """Set ``fused`` and ``fusion`` of the crops that have a clip, and drop the clip.

    One `FrameCrops` per frame, in order; a crop's result depends on its clip alone.
    """
    for item in items:
        yield replace(item, crops=tuple(_fused(crop) for crop in item.crops))


def make_flow() -> cv2.DISOpticalFlow:
    """What finds the optical flow within one clip.

    One for each clip: OpenCV's lowers its number of scales for a small image and keeps to that,
    so that a result would depend on the sizes that came before.
    """
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    # its rows are shared out among threads, and what spreads along them would depend on how many
    flow.setUseSpatialPropagation(False)
    return flow


def _fused(crop: FaceCrop) -> FaceCrop:
    if crop.clip is None:
        return crop
    if min(crop.lr.shape[:2]) < _MIN_SIDE:
        return replace(crop, clip=None)
    average, fusion = average_views(crop.clip, make_flow())
    return replace(crop, clip=None, fused=average, fusion=fusion)


def average_views(clip: FaceClip, flow: cv2.DISOpticalFlow) -> tuple[np.ndarray | None, Fusion]:
    """The weighted mean of a clip's views, aligned to its centre, and what it is worth.

    A view's weight at a pixel is exp(-(d / t)^2 - (m / 0.4 t)^2) (the centre's own is 1), where d
    is the mean absolute difference of luma to the centre over 7x7 pixels and m the mean
    difference, in which noise cancels out. t grows with the noise:
    t = r * (2 + 2 * noise), at most 12 grey levels, where r rises from 0 at 0.75 levels of noise
    to 1 at 1.05. ``noise`` is the least 25th percentile of d between any two of the centre and the
    two nearest views. Views that equal a nearer one (frames shown twice) add nothing and are
    passed over.

    Returns ``(h, w, 3)`` in the clip's dtype, or None where nothing was averaged.
    """
    unit = np.float32(1 if clip.pixels.dtype == np.uint8 else 257)
    aligner = _Aligner(clip.pixels[clip.centre], unit, flow)
    others = _distinct(clip)
    nearest = [aligner.view(pixels) for pixels in others[:2]]
    noise = _noise([v.difference for v in nearest])
    tolerance = _tolerance(noise)
    if tolerance <= 0:
        return None, Fusion(1.0, noise)
    further = [aligner.view(pixels) for pixels in others[2:]]
    total = np.ones(clip.pixels.shape[1:3], np.float32)
    squares = total.copy()
    mean = clip.pixels[clip.centre].astype(np.float32)
    for view in (*nearest, *further):
        weight = _weight(view.difference, tolerance)
        mean += view.pixels * weight[..., None]
        total += weight
        squares += weight * weight
    mean /= total[..., None]
    worth = float(np.mean(total * total / squares))
    top = np.iinfo(clip.pixels.dtype).max
    return np.clip(np.rint(mean), 0, top).astype(clip.pixels.dtype), Fusion(worth, noise)


def _distinct(clip: FaceClip) -> list[np.ndarray]:
    """The views beside the centre that show something of their own, nearest first."""
    found = [clip.pixels[clip.centre]]
    for place in sorted(np.flatnonzero(clip.valid), key=lambda p: (abs(p - clip.centre), p)):
        pixels = clip.pixels[place]
        if not any(np.array_equal(pixels, other) for other in found):
            found.append(pixels)
    return found[1:]


@dataclass(frozen=True, slots=True)
class _View:
    """Another frame's view, moved to where the centre shows the same."""

    pixels: np.ndarray
    """float32 (h, w, 3), in the clip's own units"""
    difference: np.ndarray
    """float32 (h, w): luma minus the centre's, 8-bit grey levels"""


class _Aligner:
    """Moves views onto a crop by the optical flow between them."""

    def __init__(self, centre: np.ndarray, unit: np.float32, flow: cv2.DISOpticalFlow) -> None:
        self._unit, self._flow = unit, flow
        self._luma = _luma(centre.astype(np.float32)) / unit
        self._smooth = _smooth(self._luma)
        self._grid = _grid(*centre.shape[:2])

    def view(self, pixels: np.ndarray) -> _View:
        """A view ``(h, w, 3)`` seen from the centre (cubic interpolation)."""
        values = pixels.astype(np.float32)
        flow = self._flow.calc(self._smooth, _smooth(_luma(values) / self._unit), None)  # type: ignore[call-overload]
        x, y = cv2.split(self._grid + flow)
        moved = cv2.remap(values, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        return _View(moved, _luma(moved) / self._unit - self._luma)


def _noise(differences: list[np.ndarray]) -> float:
    """8-bit grey levels by which the nearest views differ where they agree best; 0: no view.

    Noise differs as much between any two of three views. Where only one of them shows something
    else (a flash, a jump of the track), the other two still tell it.
    """
    if len(differences) == 2:
        differences = [*differences, differences[0] - differences[1]]
    return min((_level(d) for d in differences), default=0.0)


def _level(difference: np.ndarray) -> float:
    fine = difference - cv2.GaussianBlur(difference, (0, 0), _GRAIN_SIGMA)
    whole, grain = (float(np.percentile(_local(np.abs(d)), _QUANTILE)) for d in (difference, fine))
    return min(whole, _GRAIN_SHARE * grain)


def _tolerance(noise: float) -> float:
    """8-bit grey levels of difference at which a view's weight has fallen to 1/e; 0: off."""
    rise = min(1.0, max(0.0, (noise - _QUIET) / (_NOISY - _QUIET)))
    return min(_MAX_TOLERANCE, rise * (_TOLERANCE + _PER_LEVEL * noise))


def _weight(difference: np.ndarray, tolerance: float) -> np.ndarray:
    """0..1 (h, w): how far a view shows at each pixel what the centre shows."""
    apart = _local(np.abs(difference)) / tolerance
    shift = _local(difference) / (_SHIFT * tolerance)
    return np.exp(-apart * apart - shift * shift)


def _luma(rgb: np.ndarray) -> np.ndarray:
    """BT.601 luma of float32 (h, w, 3), in the same units."""
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)


def _smooth(luma: np.ndarray) -> np.ndarray:
    """What flow is found on: uint8."""
    return np.rint(np.clip(cv2.GaussianBlur(luma, (0, 0), _FLOW_SIGMA), 0, 255)).astype(np.uint8)


def _local(values: np.ndarray) -> np.ndarray:
    return cv2.blur(values, (_PATCH, _PATCH))


@functools.lru_cache(maxsize=32)
def _grid(height: int, width: int) -> np.ndarray:
    """x and y of each pixel, float32 (height, width, 2); not to be written to."""
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    grid = np.dstack((columns, rows))
    grid.flags.writeable = False
    return grid
