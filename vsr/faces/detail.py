"""The detail that a reduced face gains, brought back to the face's full size."""

from __future__ import annotations

import cv2
import numpy as np

from vsr.core.geometry import Window
from vsr.core.types import FaceCrop, Frame

_LACK_SIGMA = 6.0
"""super-resolved pixels: neighbourhood in which detail is weighed"""
_LACK_FROM = 1.2
"""strength of the source's own detail over the generator's from which nothing is added"""
_LACK_SLOPE = 2.0
_NO_DETAIL = 1e-8


def added_detail(crop: FaceCrop, sr: np.ndarray, rgb: np.ndarray, window: Window) -> np.ndarray:
    """What a resampled crop adds to the plain picture, as a difference.

    sr: the crop's super-resolved picture; rgb: the frame (H, W, 3) it was cut from; window:
    where it stands in the upscaled picture. Returns float32 (window height, width, 3), RGB,
    1 is white; before any mask.

    The generator saw fewer pixels than the source has. What it found beyond them is added
    only as far as the source's own pixels lack it: else a sharp face would get its
    detail twice. (Sharp portraits lost 2.0 dB without this and nothing with it; slightly
    blurred ones keep 1.2 of the 1.5 dB they gain.)
    """
    size = (sr.shape[1], sr.shape[0])
    peak = np.float32(np.iinfo(sr.dtype).max)
    # OpenCV's Lanczos is more than twice as fast on floats as on bytes
    known = cv2.resize(crop.lr.astype(np.float32), size, interpolation=cv2.INTER_LANCZOS4)
    source = _resize(rgb[crop.window.slices].astype(np.float32), size, cv2.INTER_LANCZOS4)
    found = (sr - known) / peak
    there = (source - known) / peak
    ratio = np.sqrt(_local_power(there) / (_local_power(found) + _NO_DETAIL))
    found *= np.clip(_LACK_SLOPE * (_LACK_FROM - ratio), 0, 1)[..., None]
    return _resize(found, (window.width, window.height), cv2.INTER_CUBIC)


def enlarged_window(frame: Frame, crop: FaceCrop, scale: int) -> np.ndarray:
    """A judged crop's window as a viewer sees it: ``scale`` times as large, the frame's dtype.

    Super-resolved where that was accepted (at full size also where the generator saw a reduced
    crop), else plainly enlarged (Lanczos). No mask, no blending with the surroundings.
    """
    sr = crop.sr if crop.outcome == "super-resolved" else None
    if sr is not None and not crop.resampled:
        return sr
    window = crop.window.scaled(scale)
    plain = cv2.resize(
        frame.rgb[crop.window.slices],
        (window.width, window.height),
        interpolation=cv2.INTER_LANCZOS4,
    )
    if sr is None:
        return plain
    peak = 255 if plain.dtype == np.uint8 else 65535
    sharp = plain + added_detail(crop, sr, frame.rgb, window) * peak
    return np.clip(np.rint(sharp), 0, peak).astype(plain.dtype)


def _local_power(detail: np.ndarray) -> np.ndarray:
    """Mean square of the luma over a neighbourhood: float32 (H, W, 3) -> (H, W)."""
    luma = cv2.cvtColor(detail, cv2.COLOR_RGB2GRAY)
    return cv2.GaussianBlur(luma * luma, (0, 0), _LACK_SIGMA)


def _resize(picture: np.ndarray, size: tuple[int, int], enlarge: int) -> np.ndarray:
    if size[0] == picture.shape[1]:
        return picture
    way = cv2.INTER_AREA if size[0] < picture.shape[1] else enlarge
    return cv2.resize(picture, size, interpolation=way)
