"""A known face found again by its looks alone: far cheaper than a detector, for some frames."""

from __future__ import annotations

import cv2
import numpy as np

from vsr.core.geometry import Box
from vsr.faces.cuts import to_uint8

_SIDE = 32
"""pixels: the longer side of a template, as the detector last saw a face; larger ones are
reduced to it"""
_REACH = 0.25
"""part of its size by which a face may have moved"""
_MIN_LIKENESS = 0.85
"""-1..1: correlation from which the face is taken to be the same, unturned"""
_MAX_MOVE = 0.2
"""part of its size beyond which a move is too fast to trust"""


def template_of(rgb: np.ndarray, box: Box) -> np.ndarray | None:
    """The template of a face in a picture ``(H, W, 3)``: grey, uint8 (h, w), at most 32 long.

    None where the face reaches over the border.
    """
    return _reduced(rgb, box, 0.0)


def follow(rgb: np.ndarray, template: np.ndarray, last: Box) -> Box | None:
    """Where the face stands now, sub-pixel; None where that cannot be said for sure.

    last: where it stood in the frame before. Its size is kept.
    """
    region = _reduced(rgb, last, _REACH)
    if region is None:
        return None
    scores = cv2.matchTemplate(region, template, cv2.TM_CCOEFF_NORMED)
    _, best, _, (x, y) = cv2.minMaxLoc(scores)
    if best < _MIN_LIKENESS:
        return None
    fx = x + _vertex(scores[y], x)
    fy = y + _vertex(scores[:, x], y)
    height, width = template.shape
    dx = (fx - (region.shape[1] - width) / 2) * last.width / width
    dy = (fy - (region.shape[0] - height) / 2) * last.height / height
    if abs(dx) > _MAX_MOVE * last.width or abs(dy) > _MAX_MOVE * last.height:
        return None
    return Box(last.x + dx, last.y + dy, last.width, last.height)


def _reduced(rgb: np.ndarray, box: Box, around: float) -> np.ndarray | None:
    """A box and its surroundings in grey, at the scale of templates."""
    scale = min(1.0, _SIDE / max(box.width, box.height))
    inner = max(4, round(box.width * scale)), max(4, round(box.height * scale))
    more = 2 * round(inner[0] * around), 2 * round(inner[1] * around)
    size = inner[0] + more[0], inner[1] + more[1]
    cx, cy = box.center
    width, height = box.width * size[0] / inner[0], box.height * size[1] / inner[1]
    x0, y0 = cx - width / 2, cy - height / 2
    if x0 < 0 or y0 < 0 or x0 + width > rgb.shape[1] or y0 + height > rgb.shape[0]:
        return None
    # Averaging whole pixels first, then placing: no aliasing, and sub-pixel positions count.
    left, top = int(x0), int(y0)
    right, bottom = min(rgb.shape[1], int(x0 + width) + 2), min(rgb.shape[0], int(y0 + height) + 2)
    part = cv2.cvtColor(to_uint8(rgb[top:bottom, left:right]), cv2.COLOR_RGB2GRAY)
    if scale < 1:
        part = cv2.blur(part, (max(1, round(1 / scale)),) * 2)
    sx, sy = width / size[0], height / size[1]
    place = np.array(
        [[sx, 0, x0 - left + sx / 2 - 0.5], [0, sy, y0 - top + sy / 2 - 0.5]], np.float64
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(part, place, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _vertex(values: np.ndarray, at: int) -> float:
    """Where between its neighbours the parabola through a maximum peaks, -0.5..0.5."""
    if not 0 < at < len(values) - 1:
        return 0.0
    before, here, after = (float(v) for v in values[at - 1 : at + 2])
    bend = before - 2 * here + after
    return 0.0 if bend >= 0 else max(-0.5, min(0.5, 0.5 * (before - after) / bend))
