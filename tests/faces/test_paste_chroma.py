from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from vsr.core.color import PIXEL_FORMATS, ColorSpec, rgb_to_yuv
from vsr.core.geometry import Box, Window
from vsr.core.types import Face, FaceCrop, Frame, FrameCrops, YuvPicture
from vsr.faces.paste import PasteConfig, paste


def test_chroma_is_sited_left() -> None:
    rgb = np.full((64, 64, 3), (60, 90, 120), np.uint8)
    rgb[:, 33:] = (180, 90, 60)
    fmt = PIXEL_FORMATS["yuv420p"]
    canvas = YuvPicture(np.full(fmt.samples(64, 64), 128, np.uint8), 64, 64, fmt, ColorSpec())
    item = FrameCrops(
        Frame(0, 0, Fraction(1, 30), rgb[::2, ::2].copy(), canvas),
        (
            FaceCrop(
                Face(Box(4, 4, 20, 24), 0.9, 0),
                Window(0, 0, 32, 32),
                rgb[::2, ::2].copy(),
                rgb,
                "super-resolved",
            ),
        ),
    )
    list(paste([item], 2, PasteConfig()))
    full = rgb_to_yuv(rgb, canvas.color, 8)[..., 1:]
    # sample k sits on luma column 2k: by definition the [1 2 1] / 4 of columns 2k-1, 2k, 2k+1
    for plane in (1, 2):
        c = full[0, :, plane - 1]
        for k in (15, 16, 17):
            wanted = (c[2 * k - 1] + 2 * c[2 * k] + c[2 * k + 1]) / 4
            assert canvas.planes()[plane][16, k] == pytest.approx(wanted, abs=0.51)
