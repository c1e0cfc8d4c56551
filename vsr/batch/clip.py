"""A sequence's numbered JPEGs as frames at 30 per second; a gap in the numbers is one in time."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from vsr.core.color import ColorSpec
from vsr.core.errors import InputError
from vsr.core.types import Frame
from vsr.core.video import VideoInfo
from vsr.media.codecs import EncodeConfig, choose_format
from vsr.media.convert import from_rgb
from vsr.media.images import read_image

RATE = Fraction(30)
"""frames per second of ChokePoint's cameras"""
_COLOR = ColorSpec(
    matrix="bt601",
    tag_space="smpte170m",
    tag_primaries="smpte170m",
    tag_transfer="smpte170m",
    tag_range="tv",
)
"""what a JPEG's own matrix becomes in a video of less than 720 lines"""
_SAMPLE = 25
"""headers that are looked at to know the size of the frames"""
_END_OF_IMAGE = b"\xff\xd9"


class SequenceClip:
    """The frames ``files`` (``00000000.jpg`` …) of a folder, in this order.

    Frame n stands at (n - first) / 30 s. Files that cannot be read to their end, or of another
    size than most, are skipped and noted. Raises InputError where not one can be read.
    """

    def __init__(
        self, folder: Path, files: Sequence[str], *, scale: int, encode: EncodeConfig
    ) -> None:
        self._folder = folder
        self._files = files
        self._scale = scale
        self._size = self._usual_size()
        self.first = int(files[0][:8])
        self.canvas = choose_format(self.info, encode)
        """what the frames' canvas is in"""
        self.skipped: list[str] = []
        """one line per frame left out"""

    @property
    def info(self) -> VideoInfo:
        """The facts of the clip as of a video."""
        last = int(self._files[-1][:8]) - self.first
        return VideoInfo(
            path=self._folder,
            container="image2",
            codec="mjpeg",
            stream_index=0,
            width=self._size[0],
            height=self._size[1],
            rotation_deg=0,
            pix_fmt="yuvj420p",
            bit_depth=8,
            color=_COLOR,
            sample_aspect=Fraction(1),
            time_base=1 / RATE,
            frame_rate=RATE,
            frame_count=len(self._files),
            start_pts=0,
            last_pts=last,
            duration_s=float((last + 1) / RATE),
        )

    def number(self, frame: Frame) -> int:
        """A frame's number in its file name."""
        return frame.pts + self.first

    def __iter__(self) -> Iterator[Frame]:
        """The frames that can be read."""
        index = 0
        for name in self._files:
            try:
                rgb = self._read(self._folder / name)
            except InputError as error:
                self.skipped.append(str(error))
                continue
            size = self._size[0] * self._scale, self._size[1] * self._scale
            large = cv2.resize(rgb, size, interpolation=cv2.INTER_LANCZOS4)
            canvas = from_rgb(large, self.canvas, _COLOR)
            yield Frame(index, int(name[:8]) - self.first, 1 / RATE, rgb, canvas)
            index += 1

    def _read(self, path: Path) -> np.ndarray:
        try:
            with path.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - 256))
                tail = file.read()
        except OSError as error:
            raise InputError(f"{path.name}: cannot be read ({error.strerror})") from None
        if not tail.rstrip(b"\0").endswith(_END_OF_IMAGE):
            raise InputError(f"{path.name}: the JPEG is cut off")
        rgb = read_image(path)
        height, width = rgb.shape[:2]
        if (width, height) != self._size:
            wanted = f"{self._size[0]}x{self._size[1]}"
            raise InputError(f"{path.name}: is {width}x{height}, the others {wanted}")
        return rgb

    def _usual_size(self) -> tuple[int, int]:
        """(width, height) that most frames have, by the headers of some, else of all."""
        step = max(1, len(self._files) // _SAMPLE)
        for names in (self._files[::step], self._files):
            sizes = Counter(size for n in names if (size := _header_size(self._folder / n)))
            if sizes:
                return sizes.most_common(1)[0][0]
        raise InputError(
            f"{self._folder.name}: not one of its {len(self._files)} frames can be read"
        )


def _header_size(path: Path) -> tuple[int, int] | None:
    try:
        with Image.open(path) as image:
            return image.size
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
