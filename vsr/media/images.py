"""Folders of pictures: numbered frames in, single pictures out. The one place of BGR."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from vsr.core.color import ColorSpec, PixelFormat
from vsr.core.errors import InputError, OutputError, UsageError
from vsr.core.types import Frame, YuvPicture
from vsr.media.convert import from_rgb
from vsr.media.decode import DecodeReport

IMAGE_SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".pgm")
)
"""what is taken for a picture, lower case"""

_NUMBER = re.compile(r"(\d+)(?=\D*$)")


def natural_key(path: Path) -> tuple[list[tuple[int, int, str]], str]:
    """Sort key under which frame2 comes before frame10."""
    parts = re.findall(r"\d+|\D+", path.name)
    return [(0, int(p), "") if p.isdigit() else (1, 0, p.lower()) for p in parts], path.name


def list_images(folder: Path) -> list[Path]:
    """The pictures of a folder in natural order; other and hidden files are passed over.

    Raises InputError where the folder is missing or holds no picture.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: is not a folder, wanted a folder of pictures")
    found = [
        p
        for p in folder.iterdir()
        if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith(".") and p.is_file()
    ]
    if not found:
        known = ", ".join(sorted(IMAGE_SUFFIXES))
        raise InputError(f"{folder}: holds no picture, wanted at least one of {known}")
    return sorted(found, key=natural_key)


def read_image(path: Path) -> np.ndarray:
    """A picture as RGB: (H, W, 3) uint8, or uint16 for 16-bit files; upright (EXIF is obeyed).

    Grey becomes RGB, transparency is dropped. Raises InputError where it can't be read.
    """
    try:
        data = np.frombuffer(Path(path).read_bytes(), np.uint8)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    bgr = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH) if data.size else None
    if bgr is None:
        raise InputError(f"{path}: is not a picture that can be read; check or remove the file")
    if bgr.dtype not in (np.uint8, np.uint16):
        raise InputError(f"{path}: has {bgr.dtype} samples, wanted 8 or 16 bit; convert it first")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def write_image(path: Path, rgb: np.ndarray, *, quality: int = 95, sync: bool = True) -> None:
    """Write RGB (H, W, 3) uint8 or uint16 as the suffix says; complete or not at all.

    quality: 1..100 for JPEG and WebP. uint16 needs .png or .tif. sync: wait until it is on the
    disk; not needed in a folder that is made durable as a whole.
    Raises UsageError on an unknown suffix, OutputError where it can't be written.
    """
    suffix = path.suffix.lower()
    if suffix not in IMAGE_SUFFIXES - {".pgm"}:
        raise UsageError(f"{path}: got the suffix '{suffix}', wanted .png, .jpg or .webp")
    if rgb.dtype == np.uint16 and suffix not in (".png", ".tif", ".tiff"):
        rgb = np.rint(rgb / np.float32(257)).astype(np.uint8)
    options = {
        ".jpg": [cv2.IMWRITE_JPEG_QUALITY, quality],
        ".jpeg": [cv2.IMWRITE_JPEG_QUALITY, quality],
        ".webp": [cv2.IMWRITE_WEBP_QUALITY, quality],
        ".png": [cv2.IMWRITE_PNG_COMPRESSION, 3],
    }.get(suffix, [])
    done, data = cv2.imencode(suffix, cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), options)
    if not done:
        raise OutputError(f"{path}: {rgb.shape} {rgb.dtype} cannot be written as {suffix}")
    temporary = path.with_name(f".{path.name}.partial")
    try:
        with temporary.open("wb") as file:
            file.write(data.tobytes())
            if sync:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from None


class ImageFolderReader:
    """Iterates the numbered pictures of a folder as frames, like `VideoReader` a video.

    The last number in a file name is its frame number, gaps included: its timestamp is
    ``number / fps``. Where names hold no numbers, or one twice, the position counts.
    Pictures that can't be read, or of another size than the first, are skipped and noted.
    """

    def __init__(
        self,
        folder: Path,
        *,
        fps: Fraction = Fraction(30),
        scale: int = 2,
        canvas: PixelFormat | None = None,
    ) -> None:
        if fps <= 0:
            raise UsageError(f"fps: got {fps}, wanted more than 0")
        self.paths = list_images(folder)
        self.report = DecodeReport()
        self._time_base = 1 / fps
        self._numbers = _frame_numbers(self.paths)
        self._scale = scale
        self._canvas = canvas
        self._closed = False

    @property
    def expected_frames(self) -> int:
        """Number of pictures found."""
        return len(self.paths)

    def __iter__(self) -> Iterator[Frame]:
        """The frames; raises InputError where not one picture can be read."""
        shape: tuple[int, ...] | None = None
        for path, number in zip(self.paths, self._numbers, strict=True):
            if self._closed:
                return
            try:
                rgb = read_image(path)
            except InputError as error:
                self.report.notices.append(f"{error} (skipped)")
                continue
            shape = shape or rgb.shape
            if rgb.shape != shape:
                self.report.notices.append(
                    f"{path.name}: is {rgb.shape[1]}x{rgb.shape[0]}, the others "
                    f"{shape[1]}x{shape[0]} (skipped)"
                )
                continue
            index = self.report.frames_kept
            self.report.frames_decoded += 1
            self.report.frames_kept += 1
            self.report.last_seconds = float(number * self._time_base)
            yield Frame(index, number, self._time_base, rgb, self._upscaled(rgb))
        if shape is None:
            raise InputError(f"{self.paths[0].parent}: not one of its pictures can be read")

    def close(self) -> None:
        """Stop before the next picture; safe from any thread."""
        self._closed = True

    def _upscaled(self, rgb: np.ndarray) -> YuvPicture | None:
        if self._canvas is None:
            return None
        size = rgb.shape[1] * self._scale, rgb.shape[0] * self._scale
        large = cv2.resize(rgb, size, interpolation=cv2.INTER_LANCZOS4)
        hd = rgb.shape[0] >= 720 or rgb.shape[1] >= 1280
        space = "bt709" if hd else "smpte170m"
        color = ColorSpec(
            matrix="bt709" if hd else "bt601", tag_space=space, tag_range="tv",
        )  # fmt: skip
        return from_rgb(large, self._canvas, color)


def _frame_numbers(paths: list[Path]) -> list[int]:
    matches = [_NUMBER.search(p.stem) for p in paths]
    numbers = [int(m.group(1)) for m in matches if m]
    rising = all(a < b for a, b in itertools.pairwise(numbers))
    if len(numbers) == len(paths) and rising:
        return numbers
    return list(range(len(paths)))
