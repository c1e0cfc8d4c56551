"""Single pictures in and out, and what a folder holds of them. The one place of BGR files."""

from __future__ import annotations

import contextlib
import io
import os
import re
import struct
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageCms, TiffImagePlugin, UnidentifiedImageError

from vsr.core.errors import InputError, OutputError, UsageError
from vsr.core.names import hidden_beside
from vsr.media.limits import MAX_PICTURE_BYTES, MAX_PIXELS

IMAGE_SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".pgm")
)
"""what is taken for a picture, lower case"""
_EXTRA_SAMPLES = 338
"""TIFF's tag of samples beyond colour"""
_ICC_PROFILE = 34675


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
        raise InputError(f"{folder}: is not a folder, expected a folder of pictures")
    found = [
        p
        for p in folder.iterdir()
        if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith(".") and p.is_file()
    ]
    if not found:
        known = ", ".join(sorted(IMAGE_SUFFIXES))
        raise InputError(f"{folder}: holds no picture, expected at least one of {known}")
    return sorted(found, key=natural_key)


def read_image(path: Path) -> np.ndarray:
    """A picture as RGB: (H, W, 3) uint8, or uint16 for 16-bit files; upright (EXIF is obeyed).

    Grey becomes RGB, transparency is dropped. Raises InputError where it can't be read.
    """
    try:
        if Path(path).stat().st_size > MAX_PICTURE_BYTES:
            raise InputError(
                f"{path}: has {Path(path).stat().st_size:,} bytes, expected at most "
                f"{MAX_PICTURE_BYTES:,}; make it smaller, or raise VSR_MAX_PICTURE_BYTES"
            )
        raw = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    _check_size(path, raw)
    data = np.frombuffer(raw, np.uint8)
    bgr = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH) if data.size else None
    if bgr is None or not is_whole(data.tobytes()):
        raise InputError(f"{path}: is not a picture that can be read; check or remove the file")
    if bgr.dtype not in (np.uint8, np.uint16):
        raise InputError(f"{path}: has {bgr.dtype} samples, expected 8 or 16 bit; convert it first")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


PICTURE_LOSSES = ("transparency", "the ICC profile")
"""what pictures may carry beside their samples and no result here has"""


def losses_of(path: Path) -> tuple[str, ...]:
    """Which of `PICTURE_LOSSES` a picture has, by its header; none where it cannot be read.

    A profile that says sRGB, as every program takes a picture without one, is no loss.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as picture:
                alpha = "A" in picture.getbands() or "transparency" in picture.info
                profile = picture.info.get("icc_profile")
    except UnidentifiedImageError:
        raw = path.read_bytes()
        alpha = _tiff_tag(raw, _EXTRA_SAMPLES) is not None
        profile = _tiff_tag(raw, _ICC_PROFILE)
    except (OSError, ValueError, SyntaxError, struct.error, OverflowError):
        return ()
    has = alpha, bool(profile) and not _is_srgb(profile)
    return tuple(name for name, there in zip(PICTURE_LOSSES, has, strict=True) if there)


def _is_srgb(profile: bytes) -> bool:
    try:
        found = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return "sRGB" in ImageCms.getProfileDescription(found)
    except (OSError, ImageCms.PyCMSError, TypeError, ValueError):
        return False


def loss_notices(lost: Counter[str], total: int) -> list[str]:
    """What to tell of ``total`` pictures, so many of which have each of `PICTURE_LOSSES`."""
    return [
        f"{name} was left out" + (f" ({lost[name]} of {total} pictures)" if total > 1 else "")
        for name in PICTURE_LOSSES
        if lost[name]
    ]


def _check_size(path: Path, raw: bytes) -> None:
    """Refuse, by its header alone, a picture that would unpack to more than MAX_PIXELS."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the limit here is lower than Pillow's own
            with Image.open(io.BytesIO(raw)) as picture:
                width, height = picture.size
    except Image.DecompressionBombError:
        raise InputError(f"{path}: its pixels are too many; make the picture smaller") from None
    except UnidentifiedImageError:
        width, height = _tiff_size(raw)
    except (OSError, ValueError, SyntaxError, struct.error, OverflowError):
        return  # whether it can be read at all is for the decoder to say
    if width * height > MAX_PIXELS:
        raise InputError(
            f"{path}: has {width}x{height}, expected at most {MAX_PIXELS:,} pixels; make it "
            "smaller, or raise VSR_MAX_PIXELS"
        )


def _tiff_size(raw: bytes) -> tuple[int, int]:
    """Size of a TIFF whose samples Pillow does not know, such as RGB of 16 bit; else (0, 0)."""
    sides = (_tiff_tag(raw, t) for t in (TiffImagePlugin.IMAGEWIDTH, TiffImagePlugin.IMAGELENGTH))
    try:
        width, height = (int(side) for side in sides)
        return width, height
    except (ValueError, TypeError):
        return 0, 0


def _tiff_tag(raw: bytes, tag: int) -> Any:
    """A tag of a TIFF; None where there is none, or it is no TIFF that can be read."""
    if raw[:4] not in (b"II*\0", b"MM\0*"):
        return None
    tags = TiffImagePlugin.ImageFileDirectory_v2(raw[:8])
    try:
        file = io.BytesIO(raw)
        file.seek(tags.next)
        tags.load(file)
        return tags[tag]
    except (OSError, KeyError, ValueError, TypeError, struct.error):
        return None


def is_whole(data: bytes) -> bool:
    """False for the bytes of a JPEG that breaks off: OpenCV before 5 makes its rest grey."""
    if not data.startswith(b"\xff\xd8"):
        return True
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        if data[at + 1] == 0xDA:  # the picture itself; what lies before may hold a thumbnail
            return data.find(b"\xff\xd9", at) >= 0
        fill = data[at + 1] == 0xFF
        at += 1 if fill else 2 + int.from_bytes(data[at + 2 : at + 4])
    return True  # odd, but OpenCV could read it


def write_image(path: Path, rgb: np.ndarray, *, quality: int = 95, sync: bool = True) -> None:
    """Write RGB (H, W, 3) uint8 or uint16 as the suffix says; complete or not at all.

    quality: 1..100 for JPEG and WebP. uint16 needs .png or .tif. sync: wait until it is on the
    disk; not needed in a folder that is made durable as a whole.
    Raises UsageError on an unknown suffix, OutputError where it can't be written.
    """
    suffix = path.suffix.lower()
    if suffix not in IMAGE_SUFFIXES - {".pgm"}:
        raise UsageError(f"{path}: got the suffix '{suffix}', expected .png, .jpg or .webp")
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
    temporary = hidden_beside(path, ".partial")
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
