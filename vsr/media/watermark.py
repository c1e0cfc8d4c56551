"""A line of small text in a corner of the picture, drawn on the encoder's own planes."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vsr.core.types import YuvPicture

_SMALLEST_PX = 10
"""font size below which text can no longer be read"""
_PART = 45
"""font size as a part of the picture's shorter side"""
_RIM = 0.85
"""0..1: how much of the picture the letters' dark rim covers; the letters cover all"""


class Watermark:
    """Draws one text into the lower right corner: white with a dark rim, on any background.

    text: characters beyond Latin-1 become "?". width, height: of the pictures, in pixels.
    """

    def __init__(self, text: str, width: int, height: int) -> None:
        self._size = width, height
        rim, body = _letters(_printable(text), width, height)
        rows, columns = rim.shape
        margin = max(2, min(width, height) // 100)
        # even positions, so that chroma samples lie fully inside or outside
        self._top = max(0, height - rows - margin) & ~1
        self._left = max(0, width - columns - margin) & ~1
        rows, columns = min(rows, height - self._top), min(columns, width - self._left)
        self._rim, self._body = rim[:rows, :columns], body[:rows, :columns]

    def draw(self, picture: YuvPicture) -> None:
        """Write the text into ``picture``, in place; it must be of the announced size."""
        if (picture.width, picture.height) != self._size:
            raise ValueError(
                f"Watermark.draw: got {picture.width}x{picture.height}, expected "
                f"{self._size[0]}x{self._size[1]}; make one for this size"
            )
        shift = picture.format.bit_depth - 8
        full = picture.color.full_range
        black, white = (0, 255 << shift) if full else (16 << shift, 235 << shift)
        y, u, v = picture.planes()
        rows, columns = self._rim.shape
        part = y[self._top : self._top + rows, self._left : self._left + columns]
        shaded = part + (black - part.astype(np.float32)) * self._rim
        part[:] = np.rint(shaded + (white - shaded) * self._body)
        down, right = picture.format.log2_chroma_h, picture.format.log2_chroma_w
        cover = _reduced(np.maximum(self._rim, self._body), 1 << down, 1 << right)
        top, left = self._top >> down, self._left >> right
        for plane in (u, v):
            part = plane[top : top + cover.shape[0], left : left + cover.shape[1]]
            part[:] = np.rint(part + ((128 << shift) - part.astype(np.float32)) * cover)


def _letters(text: str, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Coverage of rim and letters, 0..1, float32, as large as the text and its rim."""
    size = max(_SMALLEST_PX, min(width, height) // _PART)
    while True:
        font = ImageFont.load_default(size)
        rim = max(1, size // 10)
        left, top, right, bottom = font.getbbox(text, stroke_width=rim)
        if right - left <= 0.95 * width or size <= _SMALLEST_PX:
            break
        size -= 1
    masks = []
    for stroke, cover in ((rim, _RIM), (0, 1.0)):
        image = Image.new("L", (int(right - left) + 2, int(bottom - top) + 2))
        place = (1 - left, 1 - top)
        ImageDraw.Draw(image).text(place, text, fill=255, font=font, stroke_width=stroke)
        masks.append(np.asarray(image, np.float32) / np.float32(255) * np.float32(cover))
    return masks[0], masks[1]


def _reduced(mask: np.ndarray, down: int, right: int) -> np.ndarray:
    """The most of each block of ``down`` x ``right`` samples: no letter keeps a tint."""
    rows, columns = mask.shape
    padded = np.pad(mask, ((0, -rows % down), (0, -columns % right)))
    blocks = padded.reshape(padded.shape[0] // down, down, padded.shape[1] // right, right)
    return blocks.max(axis=(1, 3))


def _printable(text: str) -> str:
    return text.encode("latin-1", "replace").decode("latin-1")
