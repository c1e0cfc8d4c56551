"""HR pictures of a data set, or of a plain folder, as one uint8 array."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from vsr.core.errors import DataError
from vsr.core.hashing import file_sha256
from vsr.degrade.image import resize_image
from vsr.media.images import is_whole
from vsr.train.origin import NOT_STATED, Origin
from vsr.train.prepare.dataset import PairedDataset, open_dataset
from vsr.train.prepare.pairs import HR_FOLDER

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".pgm", ".ppm")


@dataclass(frozen=True, slots=True)
class FaceSet:
    """Pictures of one size in memory."""

    origin: Origin
    pixels: np.ndarray
    """uint8 RGB ``(N, H, W, 3)``"""
    unreadable: tuple[Path, ...] = ()
    """files that were left out"""


def load_dataset(folder: Path, smallest_px: int) -> FaceSet:
    """The training HR pictures of a data set as ``vsr prepare`` makes it.

    smallest_px: what the training patches need.
    Raises DataError where it is no data set, damaged, or its pictures are too small.
    """
    dataset = open_dataset(folder, crop=smallest_px)
    return FaceSet(origin_of(dataset), dataset.load_hr("train"))


def origin_of(dataset: PairedDataset) -> Origin:
    """Where the training pictures of a data set come from."""
    name, terms = dataset.path.resolve().name, str(dataset.card.get("terms", NOT_STATED))
    sha256 = dataset.card.get("splits", {}).get("train", {}).get("sha256")
    if sha256 is None:  # made by hand
        hr = dataset.path / "train" / HR_FOLDER
        sha256 = _sha256_of([hr / picture for picture in dataset.names["train"]])
    return Origin(name, sha256, "" if terms == NOT_STATED else terms)


def _sha256_of(files: Sequence[Path]) -> str:
    lines = "".join(f"{path.name} {file_sha256(path)}\n" for path in files)
    return hashlib.sha256(lines.encode()).hexdigest()


def load_extra(folder: Path, smallest_px: int) -> FaceSet:
    """A data set's training pictures, or all pictures of a plain folder."""
    if (folder / "train" / HR_FOLDER).is_dir():
        return load_dataset(folder, smallest_px)
    return load_folder(folder, smallest_px)


def load_folder(folder: Path, smallest_px: int) -> FaceSet:
    """All pictures of a plain folder; larger ones are reduced to the most frequent size.

    Raises DataError where there is no folder, no readable picture, or one is too small.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; correct data.extra")
    suited = (p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
    files = sorted(p for p in suited if p.is_file())
    read = [(path, read_picture(path)) for path in files]
    bad = tuple(path for path, picture in read if picture is None)
    good = [(path, picture) for path, picture in read if picture is not None]
    if not good:
        what = f"{len(bad)} files, none readable" if bad else "no pictures"
        raise DataError(f"{folder}: holds {what}; correct data.extra")
    (height, width), _ = Counter(p.shape[:2] for _, p in good).most_common(1)[0]
    if min(height, width) < smallest_px:
        raise DataError(
            f"{folder}: pictures are {width}x{height}, the patches need {smallest_px} px; "
            "lower data.patch_px or take larger pictures"
        )
    pixels = np.empty((len(good), height, width, 3), np.uint8)
    for index, (path, picture) in enumerate(good):
        if picture.shape[0] < height or picture.shape[1] < width:
            raise DataError(
                f"{path}: is {picture.shape[1]}x{picture.shape[0]}, the others {width}x{height}; "
                "remove it, or make a data set with 'vsr prepare folder'"
            )
        pixels[index] = resize_image(picture, width, height, "area")
    origin = Origin(folder.resolve().name, _sha256_of([path for path, _ in good]))
    return FaceSet(origin, pixels, unreadable=bad)


def read_picture(path: Path) -> np.ndarray | None:
    """uint8 RGB ``(H, W, 3)``, or None where the file is no readable picture."""
    try:
        data = np.fromfile(path, np.uint8)
    except OSError:
        return None
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if picture is None or not is_whole(data.tobytes()):
        return None
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
