"""The 128/64 protocol: a face at its labelled eyes, brought to 128x128 and reduced to 64x64."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vsr.core.errors import DataError
from vsr.degrade.image import resize_image
from vsr.faces.annotations import Person

HR_SIDE, LR_SIDE = 128, 64
"""pixels"""
SCALE = HR_SIDE // LR_SIDE
FACE_SIDE = 3.0
"""side of the square around a face, eye distances"""
EYE_LINE = 0.36
"""how far down the square the eyes lie, 0 (top) to 1"""


@dataclass(frozen=True, slots=True)
class SeedPair:
    """One face of the protocol."""

    hr: np.ndarray
    """uint8 RGB ``(128, 128, 3)``: the truth; where the square is smaller than this in the
    frame it was itself enlarged, and holds no more detail than the frame"""
    lr: np.ndarray
    """uint8 RGB ``(64, 64, 3)``: PIL's bicubic reduction of ``hr``"""
    side_px: int
    """of the square in the frame"""
    left: int
    """column of the square in the frame; may lie off it"""
    top: int
    """row of the square in the frame"""


def cut_pair(rgb: np.ndarray, person: Person) -> SeedPair | None:
    """The pair of a labelled person, None where the eyes give no square or lie off the frame.

    rgb: uint8 ``(H, W, 3)``. A square of 3 eye distances in whole pixels, upright, padded by
    replication at the border; to 128 by area where it gets smaller, by bicubic where larger.
    """
    box = person.box(FACE_SIDE, EYE_LINE)
    if box is None:
        return None
    if rgb.dtype != np.uint8:
        raise DataError(f"seed protocol: got {rgb.dtype} frames, expected 8-bit ones")
    height, width = rgb.shape[:2]
    cx, cy = box.center
    if not (0 <= cx < width and 0 <= cy < height) or box.width > 2 * max(width, height):
        return None
    side = max(8, round(box.width))
    left, top = round(cx - side / 2), round(cy - side / 2)
    rows = np.clip(np.arange(top, top + side), 0, height - 1)
    columns = np.clip(np.arange(left, left + side), 0, width - 1)
    square = np.ascontiguousarray(rgb[rows][:, columns])
    way = cv2.INTER_AREA if side > HR_SIDE else cv2.INTER_CUBIC
    hr = cv2.resize(square, (HR_SIDE, HR_SIDE), interpolation=way)
    return SeedPair(hr, resize_image(hr, LR_SIDE, LR_SIDE, "bicubic"), side, left, top)
