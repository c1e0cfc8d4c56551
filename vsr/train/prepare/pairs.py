"""One source image to one HR file and its LR files: read, cut, reduce, write.

HR is the cut square reduced by area (OpenCV's INTER_AREA); each LR is made from the 8-bit HR
image itself, so that a pair holds nothing but the reduction.
"""

from __future__ import annotations

import hashlib
import io
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from vsr.core.errors import OutputError
from vsr.core.geometry import Box, Window
from vsr.degrade.image import reduce_image, resize_image
from vsr.run.flow import Flow
from vsr.train.prepare.config import CropRule, PrepareConfig
from vsr.train.prepare.plan import PlannedPair
from vsr.train.prepare.source import Skipped, Unusable

HR_FOLDER = "hr"

_PNG_START = b"\x89PNG\r\n\x1a\n"
_PNG_END = b"IEND\xae\x42\x60\x82"
_PNG_LEVEL = 4
"""zlib level: on 128 px faces 1.3 % larger files than the usual 6 in 0.6 times the time"""
_MAX_PIXELS = 100_000_000
_ORIGIN = "Source"
_BROKEN = (
    # what Pillow raises for broken files, by format
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    EOFError,
    IndexError,
    struct.error,
    Image.DecompressionBombError,
)


def lr_folder(scale: int) -> str:
    """Name of the folder that holds the LR images of a scale."""
    return f"lr_x{scale}"


@dataclass(frozen=True, slots=True)
class MadePair:
    """A pair that stands on disk."""

    pair: PlannedPair
    hashes: dict[str, str]
    """folder ("hr", "lr_x2") to SHA-256 of the file"""
    kept: bool
    """True where an earlier run had made it"""


def make_pairs(
    plan: list[PlannedPair], folder: Path, cfg: PrepareConfig, crop: CropRule
) -> Iterator[MadePair | Skipped]:
    """Make every pair of the plan below ``folder``, several at a time, in the plan's order.

    Raises OutputError where a file cannot be written; unreadable or unfit images come back as
    `Skipped`.
    """
    jobs = min(cfg.jobs or os.cpu_count() or 1, max(1, len(plan)))
    with Flow() as flow:
        streams = [
            flow.stage(f"pairs-{k}", (_make(p, folder, cfg, crop) for p in plan[k::jobs]), size=8)
            for k in range(jobs)
        ]
        for k in range(len(plan)):
            yield next(streams[k % jobs])


def _make(
    pair: PlannedPair, folder: Path, cfg: PrepareConfig, crop: CropRule
) -> MadePair | Skipped:
    sides = {lr_folder(s): cfg.hr // s for s in cfg.scales} | {HR_FOLDER: cfg.hr}
    paths = {name: folder / pair.split / name / pair.name for name in sides}
    try:
        data = _read(pair.image.path)
        origin = _origin(data, pair.image.box)
        kept = _finished(paths, sides, origin)
        if kept is not None:
            return MadePair(pair, kept, True)
        rgb = decode_rgb(data)
        hr = cut_hr(rgb, square_of(rgb, pair.image.box, crop), cfg.hr, cfg.allow_upscale)
    except Unusable as fault:
        return Skipped(pair.image.source, fault.reason, fault.detail)
    # HR last: that it stands says that the whole pair does
    pictures = {lr_folder(s): reduce_image(hr, s, cfg.reduce) for s in cfg.scales}
    pictures[HR_FOLDER] = hr
    hashes = {name: write_png(paths[name], rgb, origin) for name, rgb in pictures.items()}
    return MadePair(pair, hashes, False)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Unusable("unreadable", error.strerror or str(error)) from error


def _origin(data: bytes, box: Box | None) -> str:
    """Says what a pair was made from; SHA-256 of the source file (and of the square in it)."""
    digest = hashlib.sha256(data)
    if box is not None:
        digest.update(repr(box).encode())
    return digest.hexdigest()


def decode_rgb(data: bytes) -> np.ndarray:
    """The bytes of an image file as upright RGB, uint8 ``(H, W, 3)``; raises Unusable."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            if picture.width * picture.height > _MAX_PIXELS:
                raise Unusable("unreadable", f"{picture.width}x{picture.height} is too large")
            upright = ImageOps.exif_transpose(picture)
            if upright.mode.startswith("I"):  # 16-bit grey: Pillow's own conversion clips it
                grey = np.clip(np.asarray(upright) / 257.0, 0, 255)
                return np.repeat(np.rint(grey).astype(np.uint8)[..., None], 3, axis=2)
            return np.asarray(upright.convert("RGB"))
    except UnidentifiedImageError as error:
        raise Unusable("unreadable", "not an image" if data else "empty file") from error
    except _BROKEN as error:
        raise Unusable("unreadable", " ".join(str(error).split())[:200]) from error


def square_of(rgb: np.ndarray, box: Box | None, crop: CropRule) -> Window:
    """The square of whole pixels to cut from uint8 ``(H, W, 3)``; raises Unusable."""
    height, width = rgb.shape[:2]
    if box is None:
        window = crop.window(width, height)
        if window is None:
            raise Unusable("too small", f"{width}x{height} does not hold the crop {crop}")
        return window
    side, x, y = round(box.width), round(box.x), round(box.y)
    if min(x, y) < 0 or x + side > width or y + side > height:
        raise Unusable("face reaches over the border", f"square {side} px at {x},{y}")
    if side < 1:
        raise Unusable("too small", f"square {box.width:.1f} px")
    return Window(x, y, side, side)


def cut_hr(rgb: np.ndarray, window: Window, hr: int, allow_upscale: bool) -> np.ndarray:
    """Cut the square and reduce it by area to uint8 ``(hr, hr, 3)``.

    Raises Unusable where it has fewer pixels than that, unless ``allow_upscale``.
    """
    square = np.ascontiguousarray(rgb[window.slices])
    if window.width >= hr:
        return resize_image(square, hr, hr, "area")
    if not allow_upscale:
        raise Unusable("too small", f"{window.width} px, HR wants {hr}")
    return resize_image(square, hr, hr, "bicubic")


def write_png(path: Path, rgb: np.ndarray, origin: str) -> str:
    """Write uint8 ``(H, W, 3)`` under a temporary name and rename it; returns the SHA-256.

    origin: goes into the file as text, so that a later run knows what it was made from.
    Raises OutputError where the disk is full or the folder not writable; nothing is left then.
    """
    buffer = io.BytesIO()
    text = PngInfo()
    text.add_text(_ORIGIN, origin)
    Image.fromarray(rgb).save(buffer, "PNG", pnginfo=text, compress_level=_PNG_LEVEL)
    data = buffer.getvalue()
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OutputError(
            f"{path}: cannot be written ({error.strerror or error}); free some room and run the "
            "same command again: it resumes where it stopped"
        ) from error
    return hashlib.sha256(data).hexdigest()


def png_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) by the header of a PNG file (ISO/IEC 15948); None where it is none."""
    if len(data) < 24 or not data.startswith(_PNG_START) or data[12:16] != b"IHDR":
        return None
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def _finished(paths: dict[str, Path], sides: dict[str, int], origin: str) -> dict[str, str] | None:
    """Hashes of a pair that an earlier run made whole from the same source, else None."""
    mark = _ORIGIN.encode() + b"\0" + origin.encode()
    hashes: dict[str, str] = {}
    for name, path in paths.items():
        try:
            data = path.read_bytes()
        except OSError:
            return None
        whole = png_size(data) == (sides[name], sides[name]) and data.endswith(_PNG_END)
        if not whole or mark not in data[:256]:
            return None
        hashes[name] = hashlib.sha256(data).hexdigest()
    return hashes
