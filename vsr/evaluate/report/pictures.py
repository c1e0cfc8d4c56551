"""Pictures inside the page: cut from videos at given times, and encoded as WebP data URIs."""

from __future__ import annotations

import base64
import contextlib
import io
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from vsr.core.geometry import Box, Window
from vsr.evaluate.report.document import Picture
from vsr.media.decode import SEEKABLE, DecodeConfig
from vsr.run.source import is_folder, open_source, probe_source

OVERVIEW_PX = 1280
"""most pixels a side of a whole frame"""
_LARGEST = 720
"""most pixels a side of a face picture"""
_QUALITY = 90
LOSSLESS = 256
"""pictures of at most so many pixels a side are stored without loss"""
_MARGIN = 0.14
"""part of the face box's longer side that is shown beyond it, on each side"""
_TOLERANCE_S = 0.002
"""containers that count in milliseconds move a frame's time by up to half of one"""
_SEEK_GAP_S = 10.0
"""a gap between wanted frames from which seeking is cheaper than decoding through, where the
container has an index"""


@dataclass(slots=True)
class Budget:
    """How many bytes of pictures the page may still take."""

    left: int = 16 << 20
    """bytes of the page; base64 is included"""
    refused: int = field(default=0)
    """pictures that were left out"""

    def take(self, picture: Picture) -> bool:
        """Whether the picture still fits; counts it."""
        size = len(picture.uri)
        if size > self.left:
            self.refused += 1
            return False
        self.left -= size
        return True


def region_of(box: Box, width: int, height: int) -> Window:
    """The square around a face that is shown, inside a picture of ``width`` x ``height`` pixels."""
    side = max(8, round(max(box.width, box.height) * (1 + 2 * _MARGIN)))
    side = min(side, width, height)
    cx, cy = box.center
    x, y = round(cx - side / 2), round(cy - side / 2)
    return Window(min(max(0, x), width - side), min(max(0, y), height - side), side, side)


def frames_at(
    path: Path, seconds: Iterable[float], folder_fps: str = "30"
) -> Iterator[tuple[float, np.ndarray]]:
    """The pictures of a video at given times of its own timestamps, in order of time.

    path: a video file, or a folder of numbered pictures taken at ``folder_fps``.
    Yields (the time as given, RGB ``(H, W, 3)`` uint8). Times without a frame are passed over.
    Raises InputError where the video cannot be read.
    """
    cfg = DecodeConfig(fps="source", folder_fps=folder_fps)
    info = probe_source(path, cfg)
    cheap = info.container in SEEKABLE or is_folder(info)
    for group in _groups(sorted(set(seconds)), _SEEK_GAP_S if cheap else math.inf):
        wanted = list(group)
        reader = open_source(
            info,
            cfg=cfg,
            start_s=wanted[0] - _TOLERANCE_S,
            end_s=wanted[-1] + 2 * _TOLERANCE_S,
        )
        with contextlib.closing(reader):
            for frame in reader:
                while wanted and wanted[0] < frame.seconds - _TOLERANCE_S:
                    wanted.pop(0)
                if wanted and abs(wanted[0] - frame.seconds) <= _TOLERANCE_S:
                    yield wanted.pop(0), eight_bit(frame.rgb)
                if not wanted:
                    break


def eight_bit(rgb: np.ndarray) -> np.ndarray:
    """RGB uint8, or uint16 reduced to it."""
    return rgb if rgb.dtype == np.uint8 else np.rint(rgb / np.float32(257)).astype(np.uint8)


def bicubic(rgb: np.ndarray, width: int, height: int) -> np.ndarray:
    """Pillow's bicubic resize of RGB ``(h, w, 3)`` uint8: the model "bicubic"."""
    return np.asarray(Image.fromarray(rgb).resize((width, height), Image.Resampling.BICUBIC))


def encode(rgb: np.ndarray, *, most: int = _LARGEST) -> Picture:
    """RGB ``(h, w, 3)`` uint8 as a picture of the page, reduced to ``most`` pixels a side.

    Small pictures are stored without loss: WebP else halves their colour's resolution.
    """
    image = Image.fromarray(rgb)
    if max(image.size) > most:
        image.thumbnail((most, most), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=_QUALITY, lossless=max(image.size) <= LOSSLESS, method=4)
    text = base64.b64encode(buffer.getvalue()).decode("ascii")
    return Picture(uri=f"data:image/webp;base64,{text}", width=image.width, height=image.height)


def _groups(times: list[float], gap_s: float) -> Iterator[list[float]]:
    """Times with gaps of at most ``gap_s`` between them together."""
    group: list[float] = []
    for time in times:
        if group and time - group[-1] > gap_s:
            yield group
            group = []
        group.append(time)
    if group:
        yield group
