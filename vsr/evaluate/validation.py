"""The pictures that models are judged on: real faces, reduced in a fixed, published way.

CelebA's aligned 178x218 pictures are cropped to the face and brought to 128x128 by area: that
is HR. LR is PIL's bicubic at x2 and x8, area at x4. At x8 the crop is the tighter one of the
face super-resolution literature, and 8 pixels of border do not count.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from vsr.core.errors import DataError, InputError
from vsr.core.geometry import Window
from vsr.degrade.image import degrade_image, resize_image
from vsr.degrade.kernels import Reduction
from vsr.degrade.presets import JPEG
from vsr.degrade.recipe import Degradation
from vsr.media.images import IMAGE_SUFFIXES, read_image

Condition = Literal["clean", "degraded"]
CONDITIONS: tuple[Condition, ...] = ("clean", "degraded")

HR_SIDE = 128
"""Pixels."""

_CELEBA_SIZE = (218, 178)
_PARTITIONS = {"train": "0", "val": "1", "test": "2"}


@dataclass(frozen=True, slots=True)
class Protocol:
    """How a face picture becomes an LR/HR pair."""

    scale: int
    celeba_crop: Window
    """of the aligned 178x218 picture; other pictures are cropped to their central square"""
    reduction: Reduction
    border: int
    """HR pixels on every side that metrics leave out"""

    def degradation(self, condition: Condition) -> Degradation:
        """Only the reduction, or blur 0.8, noise 6/255 and JPEG 50 as well."""
        if condition == "clean":
            return Degradation(reduction=self.reduction)
        return replace(JPEG, reduction=self.reduction)


PROTOCOLS: dict[int, Protocol] = {
    2: Protocol(2, Window(0, 20, 178, 178), "bicubic", 0),
    4: Protocol(4, Window(0, 20, 178, 178), "area", 0),
    8: Protocol(8, Window(7, 31, 164, 164), "bicubic", 8),
}


@dataclass(frozen=True, slots=True)
class FacePair:
    """One picture of the validation set."""

    name: str
    hr: np.ndarray
    """uint8 RGB ``(128, 128, 3)``"""
    lr: dict[Condition, np.ndarray]
    """uint8 RGB ``(128 / s, 128 / s, 3)``"""


def find_faces(data: Path, limit: int | None = None, split: str = "val") -> list[Path]:
    """The pictures of a data set's split, by name.

    Args:
        data: CelebA in its official layout (``img_align_celeba/`` beside
            ``list_eval_partition.txt``), or any folder of face pictures.
        limit: at most so many, evenly spaced over the list; None for all.
        split: of CelebA: "train", "val" or "test".

    Raises:
        DataError: no such folder, no pictures, or an unreadable partition file.
    """
    if not data.is_dir():
        raise DataError(f"--data {data}: is not a folder; give CelebA's or one of face pictures")
    partition = data / "list_eval_partition.txt"
    if partition.is_file():
        folder = data / "img_align_celeba"
        found = [folder / name for name in _celeba_names(partition, split)]
        found = [path for path in found if path.is_file()]
    else:
        found = sorted(p for p in data.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
    if not found:
        raise DataError(f"--data {data}: holds no face pictures; unpack the data set there")
    if limit is None or limit >= len(found):
        return found
    return [found[i] for i in np.linspace(0, len(found) - 1, limit).round().astype(int)]


def make_pair(path: Path, protocol: Protocol, seed: int = 0) -> FacePair:
    """Reads a picture and degrades it; noise depends on its name and the seed alone.

    Raises:
        DataError: unreadable, or smaller than the crop.
    """
    hr = read_hr(path, protocol)
    lr = {}
    for condition in CONDITIONS:
        rng = np.random.default_rng([seed, zlib.crc32(path.name.encode())])
        lr[condition] = degrade_image(hr, protocol.scale, protocol.degradation(condition), rng)
    return FacePair(path.name, hr, lr)


def read_hr(path: Path, protocol: Protocol) -> np.ndarray:
    """The HR picture of a file, uint8 RGB ``(128, 128, 3)``.

    Raises:
        DataError: unreadable, or smaller than 128x128.
    """
    try:
        rgb = read_image(path)
    except InputError as error:
        raise DataError(str(error)) from None
    if rgb.dtype == np.uint16:
        rgb = np.rint(rgb / 257.0).astype(np.uint8)
    height, width = rgb.shape[:2]
    if (height, width) == _CELEBA_SIZE:
        window = protocol.celeba_crop
    else:
        side = min(height, width)
        window = Window((width - side) // 2, (height - side) // 2, side, side)
    if window.width < HR_SIDE:
        raise DataError(
            f"{path}: is {width}x{height}, expected at least {HR_SIDE} pixels a side; leave it out"
        )
    return resize_image(np.ascontiguousarray(rgb[window.slices]), HR_SIDE, HR_SIDE, "area")


def batches(
    paths: Sequence[Path], protocol: Protocol, size: int, skipped: list[str], seed: int = 0
) -> Iterator[list[FacePair]]:
    """The pairs of the files, ``size`` at a time; messages of bad files go to ``skipped``."""
    batch: list[FacePair] = []
    for path in paths:
        try:
            batch.append(make_pair(path, protocol, seed))
        except DataError as error:
            skipped.append(str(error))
            continue
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _celeba_names(partition: Path, split: str) -> list[str]:
    wanted = _PARTITIONS[split]
    try:
        rows = [line.split() for line in partition.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{partition}: cannot be read ({error}); unpack it again") from None
    return sorted(row[0] for row in rows if len(row) == 2 and row[1] == wanted)
