"""Reading a data set's pictures: folders of faces as one uint8 array, or as LR/HR file pairs.

A data set is a folder with ``train/HR`` and ``val/HR`` (and ``LR`` beside each ``HR``, same file
stems), as ``vsr prepare`` writes it. A plain folder of pictures is taken as training pictures.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from vsr.core.errors import DataError
from vsr.degrade.image import resize_image

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".pgm", ".ppm")


@dataclass(frozen=True, slots=True)
class FaceSet:
    """Pictures of one size in memory."""

    folder: Path
    pixels: np.ndarray
    """uint8 RGB ``(N, H, W, 3)``"""
    unreadable: tuple[Path, ...] = ()
    """files that were left out"""


def split_folder(dataset: Path, split: str, kind: str = "HR") -> Path | None:
    """``dataset/split/kind`` where it exists; for training HR also the data set itself."""
    folder = dataset / split / kind
    if folder.is_dir():
        return folder
    if split == "train" and kind == "HR" and dataset.is_dir() and picture_files(dataset):
        return dataset
    return None


def picture_files(folder: Path) -> list[Path]:
    """The picture files directly in a folder, by name."""
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())


def read_picture(path: Path) -> np.ndarray | None:
    """uint8 RGB ``(H, W, 3)``, or None where the file is no readable picture."""
    data = np.fromfile(path, np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    return None if picture is None else cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def load_faces(folder: Path, smallest_px: int, limit: int | None = None) -> FaceSet:
    """All pictures of a folder as one array; odd ones out are reduced to the usual size.

    Args:
        folder: picture files directly in it; others are ignored.
        smallest_px: what the training patches need, HR pixels.
        limit: take only so many, evenly spread over the names.

    Raises:
        DataError: no folder, no readable picture, or pictures smaller than ``smallest_px``.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; give a data set as 'vsr prepare' writes it")
    files = picture_files(folder)
    if limit is not None and len(files) > limit:
        files = [files[i] for i in np.linspace(0, len(files) - 1, limit).astype(int)]
    read = [(path, read_picture(path)) for path in files]
    bad = tuple(path for path, picture in read if picture is None)
    good = [(path, picture) for path, picture in read if picture is not None]
    if not good:
        what = f"{len(bad)} files, none readable" if bad else "no pictures"
        raise DataError(f"{folder}: holds {what}; make the data set with 'vsr prepare'")
    (height, width), _ = Counter(p.shape[:2] for _, p in good).most_common(1)[0]
    if min(height, width) < smallest_px:
        raise DataError(
            f"{folder}: pictures are {width}x{height}, the patches need {smallest_px} px; "
            "lower data.patch_px or prepare larger faces"
        )
    pixels = np.empty((len(good), height, width, 3), np.uint8)
    for index, (path, picture) in enumerate(good):
        if picture.shape[0] < height or picture.shape[1] < width:
            raise DataError(
                f"{path}: is {picture.shape[1]}x{picture.shape[0]}, the others {width}x{height}; "
                "remove it or prepare the data set again"
            )
        pixels[index] = resize_image(picture, width, height, "area")
    return FaceSet(folder, pixels, bad)


def paired_files(dataset: Path, split: str, scale: int) -> list[tuple[Path, Path]]:
    """(LR, HR) files of one stem, by name; sizes of the first pair are checked.

    Raises:
        DataError: a folder is missing, stems do not pair, or the set is for another scale.
    """
    lr_folder, hr_folder = split_folder(dataset, split, "LR"), split_folder(dataset, split)
    if lr_folder is None or hr_folder is None:
        raise DataError(
            f"{dataset}: has no {split}/LR and {split}/HR; make the pairs with 'vsr prepare'"
        )
    lr = {path.stem: path for path in picture_files(lr_folder)}
    hr = {path.stem: path for path in picture_files(hr_folder)}
    odd = sorted(lr.keys() ^ hr.keys())
    if odd:
        where = "LR" if odd[0] in lr else "HR"
        raise DataError(
            f"{dataset}: {len(odd)} names do not pair, e.g. '{odd[0]}' only in {split}/{where}; "
            "prepare the data set again"
        )
    if not lr:
        raise DataError(f"{lr_folder}: holds no pictures; make the data set with 'vsr prepare'")
    pairs = [(lr[stem], hr[stem]) for stem in sorted(lr)]
    small, large = (read_picture(path) for path in pairs[0])
    if small is None or large is None:
        raise DataError(f"{pairs[0][0]}: cannot be read as a picture; prepare the set again")
    wanted = (small.shape[0] * scale, small.shape[1] * scale)
    if large.shape[:2] != wanted:
        ratio = large.shape[1] / small.shape[1]
        raise DataError(
            f"{dataset}: its pairs are x{ratio:g} ({small.shape[1]} -> {large.shape[1]} px), the "
            f"recipe's generator.scale is {scale}; prepare the set for x{scale}"
        )
    return pairs
