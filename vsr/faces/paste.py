"""Arrow 7 of the flow: FrameCrops -> Frame, the faces blended into the plain picture.

The plain picture (`Frame.canvas`) is written in the encoder's own pixel format. Only
pixels inside a face's mask change; all others keep their bits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from vsr.core.color import yuv_transform
from vsr.core.errors import DataError, UsageError
from vsr.core.geometry import Window
from vsr.core.types import FaceCrop, Frame, FrameCrops, YuvPicture
from vsr.faces.consistency import Limits, judge
from vsr.faces.detail import added_detail
from vsr.faces.grain import with_grain
from vsr.faces.mask import feathered_mask, touching

Planes = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True, kw_only=True, slots=True)
class PasteConfig:
    """How faces are blended in."""

    feather: float = 0.2
    """0..1: part of the window's half side over which a face fades into the picture"""
    max_contradiction: float = 1.0
    """how far a super-resolved crop may leave its evidence: 1 is as far as noise and coding of
    that crop explain; above, the plain pixels stay"""
    strength: float = 1.0
    """0..1: how much of what super-resolution changes is pasted; 0 leaves the plain picture"""
    grain: float = 0.0
    """0..1: share of the noise around it that a cleared face gets back, see `vsr.faces.grain`"""
    fade: int = 4
    """frames over which a face fades in or out where its track becomes accepted or refused"""
    hold_s: float = 1.0
    """seconds for which a track stays accepted or refused at least"""
    correct_drift: bool = True
    """take out slow colour differences between a super-resolved crop and its source"""

    def __post_init__(self) -> None:
        if self.max_contradiction < 0:
            raise UsageError(
                f"paste.max_contradiction: got {self.max_contradiction}, expected 0 or more"
            )
        for name in ("feather", "strength", "grain"):
            value = getattr(self, name)
            if not 0.0 <= value <= 1.0:
                raise UsageError(f"paste.{name}: got {value}, expected 0..1")
        for name in ("fade", "hold_s"):
            if getattr(self, name) < 0:
                raise UsageError(f"paste.{name}: got {getattr(self, name)}, expected 0 or more")

    @property
    def limits(self) -> Limits:
        """What `judge` asks of a crop."""
        return Limits(max_contradiction=self.max_contradiction, correct_drift=self.correct_drift)


@dataclass(slots=True)
class _Patch:
    """What a crop changes: differences to the untouched canvas, in code values."""

    window: Window
    """in the canvas"""
    mask: np.ndarray
    """float32 (H, W) of the luma plane"""
    chroma_mask: np.ndarray
    """float32, of a chroma plane"""
    change: Planes
    """float32: Y, U and V, before the mask"""


def verify(items: Iterable[FrameCrops], scale: int, cfg: PasteConfig) -> Iterator[FrameCrops]:
    """Decide of each crop whether it is pasted. One `FrameCrops` per frame, in order.

    Sets ``outcome`` and ``deviation`` of the crops that are still "pending". Raises
    `DataError` where a crop's ``sr`` is not ``scale`` times its size.
    """
    for item in items:
        yield replace(item, crops=_judged(item, scale, cfg))


def _judged(item: FrameCrops, scale: int, cfg: PasteConfig) -> tuple[FaceCrop, ...]:
    height, width = item.frame.rgb.shape[:2]
    return tuple(
        judge(c, scale, cfg.limits, touching(c.window, width, height))
        if c.outcome == "pending"
        else c
        for c in item.crops
    )


def paste(items: Iterable[FrameCrops], scale: int, cfg: PasteConfig) -> Iterator[Frame]:
    """Blend the crops that pass `verify` into their frame's canvas, in place.

    Crops still "pending" are verified here. One `Frame` per item, in order. Raises
    `DataError` where a frame has no canvas of ``scale`` times its size, and `UsageError`
    for an odd scale where chroma is subsampled and a window lies between its samples.
    """
    for item in items:
        judged = _judged(item, scale, cfg)
        crops = [c for c in judged if c.outcome == "super-resolved" and c.sr is not None]
        if crops and cfg.strength > 0:
            canvas = _canvas(item.frame, scale, crops)
            _blend(canvas, [_patch(c, item.frame, canvas, scale, cfg) for c in crops])
        yield item.frame


def _canvas(frame: Frame, scale: int, crops: Iterable[FaceCrop]) -> YuvPicture:
    canvas = frame.canvas
    height, width = frame.rgb.shape[:2]
    if canvas is None or (canvas.width, canvas.height) != (width * scale, height * scale):
        got = "none" if canvas is None else f"{canvas.width}x{canvas.height}"
        raise DataError(
            f"paste: got canvas {got} for frame {frame.index}, expected "
            f"{width * scale}x{height * scale}; decode with the scale of the model"
        )
    across, down = 1 << canvas.format.log2_chroma_w, 1 << canvas.format.log2_chroma_h
    windows = [crop.window.scaled(scale) for crop in crops]
    if any(w.x % across or w.width % across or w.y % down or w.height % down for w in windows):
        raise UsageError(
            f"scale: got {scale}, expected an even one for {canvas.format.name}, or windows of "
            "even places and sides"
        )
    return canvas


def _patch(
    crop: FaceCrop, frame: Frame, canvas: YuvPicture, scale: int, cfg: PasteConfig
) -> _Patch:
    window = crop.window.scaled(scale)
    luma, chroma = window.slices, _chroma_slices(window, canvas)
    planes = canvas.planes()
    assert crop.sr is not None
    if crop.resampled:
        change = _difference_to_planes(added_detail(crop, crop.sr, frame.rgb, window), canvas)
    else:
        sr = with_grain(crop.sr, crop.lr, cfg.grain) if cfg.grain else crop.sr
        wanted = _to_planes(sr, canvas)
        there = (planes[0][luma], planes[1][chroma], planes[2][chroma])
        change = _subtract(wanted, there)
    borders = touching(window, canvas.width, canvas.height)
    strength = np.float32(crop.face.strength * crop.weight * cfg.strength)

    def mask(plane: np.ndarray) -> np.ndarray:
        height, width = plane.shape
        return feathered_mask(height, width, cfg.feather, borders) * strength

    return _Patch(window, mask(change[0]), mask(change[1]), change)


def _to_planes(rgb: np.ndarray, canvas: YuvPicture) -> Planes:
    matrix = yuv_transform(canvas.color, canvas.format.bit_depth)
    matrix[:, :3] /= np.iinfo(rgb.dtype).max
    return _subsample(cv2.transform(rgb.astype(np.float32), matrix), canvas)


def _difference_to_planes(rgb: np.ndarray, canvas: YuvPicture) -> Planes:
    # the conversion is affine: without its offset it holds for differences too
    matrix = yuv_transform(canvas.color, canvas.format.bit_depth)[:, :3]
    return _subsample(cv2.transform(rgb, np.ascontiguousarray(matrix)), canvas)


def _subsample(yuv: np.ndarray, canvas: YuvPicture) -> Planes:
    """Y'CbCr (H, W, 3) float32 -> planes in the canvas' sampling, float32.

    Chroma is sited as H.264 has it by default: with the left of two luma columns, midway
    between two rows (ITU-T H.273, chroma sample location type 0).
    """
    y, u, v = cv2.split(yuv)
    return y, _subsampled(u, canvas), _subsampled(v, canvas)


def _subsampled(chroma: np.ndarray, canvas: YuvPicture) -> np.ndarray:
    if canvas.format.log2_chroma_h:
        chroma = (chroma[0::2] + chroma[1::2]) / 2
    if canvas.format.log2_chroma_w:
        even, odd = chroma[:, 0::2], chroma[:, 1::2]
        sides = odd.copy()
        sides[:, 1:] += odd[:, :-1]
        sides[:, 0] += chroma[:, 0]
        chroma = even / 2 + sides / 4
    return chroma


def _subtract(a: Planes, b: Planes) -> Planes:
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


def _chroma_slices(window: Window, canvas: YuvPicture) -> tuple[slice, slice]:
    w, h = canvas.format.log2_chroma_w, canvas.format.log2_chroma_h
    return (
        slice(window.y >> h, (window.y + window.height) >> h),
        slice(window.x >> w, (window.x + window.width) >> w),
    )


def _blend(canvas: YuvPicture, patches: list[_Patch]) -> None:
    """Add the patches to the canvas. Where windows overlap, their weights share what is there."""
    top = 2**canvas.format.bit_depth - 1
    planes = canvas.planes()
    for patch in patches:
        others = [p for p in patches if p is not patch and _overlap(p.window, patch.window)]
        luma, chroma = patch.window.slices, _chroma_slices(patch.window, canvas)
        luma_mask = _shared(patch.mask, luma, [(p.mask, p.window.slices) for p in others])
        chroma_mask = _shared(
            patch.chroma_mask,
            chroma,
            [(p.chroma_mask, _chroma_slices(p.window, canvas)) for p in others],
        )
        _add(planes[0][luma], patch.change[0], luma_mask, top)
        _add(planes[1][chroma], patch.change[1], chroma_mask, top)
        _add(planes[2][chroma], patch.change[2], chroma_mask, top)


def _add(region: np.ndarray, change: np.ndarray, mask: np.ndarray, top: int) -> None:
    changed = change * mask
    changed += region
    np.rint(changed, out=changed)
    region[...] = np.clip(changed, 0, top, out=changed)


def _overlap(a: Window, b: Window) -> bool:
    apart_x = a.x + a.width <= b.x or b.x + b.width <= a.x
    apart_y = a.y + a.height <= b.y or b.y + b.height <= a.y
    return not (apart_x or apart_y)


def _shared(
    mask: np.ndarray,
    at: tuple[slice, slice],
    others: list[tuple[np.ndarray, tuple[slice, slice]]],
) -> np.ndarray:
    """The mask, reduced where it and the others' masks together exceed 1."""
    if not others:
        return mask
    rows, columns = at
    total = mask.copy()
    for other, (other_rows, other_columns) in others:
        y0, y1 = max(rows.start, other_rows.start), min(rows.stop, other_rows.stop)
        x0, x1 = max(columns.start, other_columns.start), min(columns.stop, other_columns.stop)
        if y0 < y1 and x0 < x1:
            total[y0 - rows.start : y1 - rows.start, x0 - columns.start : x1 - columns.start] += (
                other[
                    y0 - other_rows.start : y1 - other_rows.start,
                    x0 - other_columns.start : x1 - other_columns.start,
                ]
            )
    return mask / np.maximum(total, 1)
