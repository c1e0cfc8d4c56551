"""Bicubic and Lanczos enlargement behind the same protocol as the networks.

Both are Pillow's: ``bicubic`` is Keys' kernel with a = -0.5, ``lanczos`` the sinc window of
three lobes (OpenCV's ``INTER_LANCZOS4`` has four; its bicubic a = -0.75). At the border the
kernel is cut off and renormalised.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from PIL import Image

from vsr.models.spec import OUTPUT_SCALES

Kernel = Literal["bicubic", "lanczos"]

_RESAMPLING = {"bicubic": Image.Resampling.BICUBIC, "lanczos": Image.Resampling.LANCZOS}


class InterpolationUpscaler:
    """Enlarges pictures without knowing anything of faces."""

    sha256 = ""

    def __init__(self, name: Kernel, scale: int) -> None:
        if name not in _RESAMPLING:
            raise ValueError(
                f"InterpolationUpscaler.name: got {name!r}, expected bicubic or lanczos"
            )
        if scale not in OUTPUT_SCALES:
            raise ValueError(
                f"InterpolationUpscaler.scale: got {scale}, expected one of {OUTPUT_SCALES}"
            )
        self.name: str = name
        self.scale = scale
        self._filter = _RESAMPLING[name]

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Enlarges ``(B, h, w, 3)`` uint8 or uint16 to ``(B, s*h, s*w, 3)`` of the same dtype."""
        count, height, width = batch.shape[:3]
        high = np.empty((count, height * self.scale, width * self.scale, 3), batch.dtype)
        for index, picture in enumerate(batch):
            high[index] = self._one(picture)
        return high

    def _one(self, rgb: np.ndarray) -> np.ndarray:
        size = (rgb.shape[1] * self.scale, rgb.shape[0] * self.scale)
        if rgb.dtype == np.uint8:
            return np.asarray(Image.fromarray(rgb).resize(size, self._filter))
        # Pillow has no 16-bit RGB: one float plane at a time, the same kernels
        planes = [
            Image.fromarray(np.ascontiguousarray(rgb[..., c], np.float32)).resize(
                size, self._filter
            )
            for c in range(3)
        ]
        high = np.stack([np.asarray(plane) for plane in planes], axis=-1)
        return np.clip(np.rint(high), 0, 65535).astype(np.uint16)
