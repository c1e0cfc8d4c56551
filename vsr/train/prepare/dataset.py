"""Reading a data set of pairs: checked once when it is opened, so that training can trust it.

Made by ``vsr prepare``, or by hand in the same layout: ``train/hr/NAME.png`` with
``train/lr_x2/NAME.png``, likewise ``val`` and ``test``.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vsr.core.errors import DataError
from vsr.core.hashing import file_sha256
from vsr.core.jsontext import parse_json
from vsr.train.prepare.card import FORMAT, INDEX_FILE, KIND
from vsr.train.prepare.pairs import HR_FOLDER, lr_folder, png_size
from vsr.train.prepare.source import SPLITS, SUFFIXES, Split
from vsr.train.prepare.workspace import CARD_FILE, STATE_FILE

_REMEDY = "make it again with 'vsr prepare'"


@dataclass(frozen=True, slots=True)
class PairedDataset:
    """A checked data set; every image of a kind has the same size."""

    path: Path
    scale: int
    """of the LR images in use"""
    scales: tuple[int, ...]
    """all that it holds"""
    hr_size: int
    """side of the HR images, pixels"""
    names: dict[Split, tuple[str, ...]]
    """file names, the same in every folder of the split, sorted"""
    card: dict[str, Any]
    """content of ``dataset.json``; empty for a data set made by hand"""

    @property
    def lr_size(self) -> int:
        """Side of the LR images, pixels."""
        return self.hr_size // self.scale

    def pairs(self, split: Split) -> list[tuple[Path, Path]]:
        """(LR, HR) paths of a split, by name; raises DataError where the split is empty."""
        self._check_split(split)
        lr, hr = self._folder(split, lr_folder(self.scale)), self._folder(split, HR_FOLDER)
        return [(lr / name, hr / name) for name in self.names[split]]

    def load_hr(self, split: Split, limit: int | None = None) -> np.ndarray:
        """The first ``limit`` HR images (all by default): uint8 RGB ``(N, H, W, 3)``.

        Raises DataError where the split is empty or an image cannot be decoded.
        """
        return self._load(split, HR_FOLDER, self.hr_size, limit)

    def load_lr(self, split: Split, limit: int | None = None) -> np.ndarray:
        """The LR images of the same faces in the same order: uint8 RGB ``(N, h, w, 3)``."""
        return self._load(split, lr_folder(self.scale), self.lr_size, limit)

    def verify(self) -> None:
        """Compare every file with its hash in ``index.csv``; raises DataError at the first that
        differs (a data set made by hand has no hashes and passes)."""
        if not self.card:
            return
        for split, names in self.names.items():
            listed = self._hashes(split)
            for folder in (HR_FOLDER, *map(lr_folder, self.scales)):
                for name in names:
                    path = self._folder(split, folder) / name
                    if file_sha256(path) != listed.get(name, {}).get(f"{folder}_sha256"):
                        raise DataError(f"{path}: was changed since it was made; {_REMEDY}")

    def _hashes(self, split: Split) -> dict[str, dict[str, str]]:
        """The rows of ``index.csv`` for a split, by file name."""
        path = self.path / INDEX_FILE
        try:
            with path.open(encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file))
        except (OSError, ValueError, csv.Error) as error:
            raise DataError(f"{path}: cannot be read ({error}); {_REMEDY}") from error
        return {str(row.get("name")): row for row in rows if row.get("split") == split}

    def _folder(self, split: str, name: str) -> Path:
        return self.path / split / name

    def _check_split(self, split: Split) -> None:
        if not self.names[split]:
            held = ", ".join(f"{s} {len(n)}" for s, n in self.names.items())
            raise DataError(f"{self.path}: split '{split}' holds no pairs ({held}); {_REMEDY}")

    def _load(self, split: Split, folder: str, side: int, limit: int | None) -> np.ndarray:
        self._check_split(split)
        names = self.names[split][:limit]
        images = np.empty((len(names), side, side, 3), np.uint8)
        for image, name in zip(images, names, strict=True):
            path = self._folder(split, folder) / name
            try:
                with Image.open(path) as picture:
                    image[:] = np.asarray(picture.convert("RGB"))
            except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
                raise DataError(f"{path}: cannot be decoded ({error}); {_REMEDY}") from error
        return images


def open_dataset(
    path: Path | str, *, scale: int | None = None, crop: int | None = None
) -> PairedDataset:
    """Open a data set and check names, pairing and sizes of all its images (by their headers).

    scale: the one wanted; None takes the smallest there is. crop: side of the HR patches that
    training will cut, None for whole images. Raises DataError, in one line, for: no such folder,
    an empty or unfinished one, no data set, another scale, LR and HR names that do not pair,
    unreadable images, wrong sizes, images smaller than the crop, a card that counts otherwise.
    """
    path = Path(path)
    _check_folder(path)
    card = read_card(path) if (path / CARD_FILE).is_file() else {}
    scales = tuple(card["scales"]) if card else _scales_by_folder(path)
    if scale is not None and scale not in scales:
        made = " and ".join(f"x{s}" for s in scales)
        raise DataError(
            f"{path}: made for scale {made}, expected x{scale}; prepare it with --scale {scale}"
        )
    names: dict[Split, tuple[str, ...]] = {s: _paired_names(path / s, scales) for s in SPLITS}
    first = next(((s, n[0]) for s, n in names.items() if n), None)
    if first is None:
        raise DataError(f"{path}: holds no images; {_REMEDY}")
    hr_size = card["hr_size"] if card else image_size(path / first[0] / HR_FOLDER / first[1])[0]
    dataset = PairedDataset(
        path=path,
        scale=min(scales) if scale is None else scale,
        scales=scales,
        hr_size=hr_size,
        names=names,
        card=card,
    )
    _check_counts(dataset)
    _check_sizes(dataset)
    if crop is not None and crop > hr_size:
        raise DataError(
            f"{path}: its HR images of {hr_size} px are smaller than the crop of {crop} px; "
            f"prepare it with --hr {crop} or use a smaller crop"
        )
    return dataset


def read_card(path: Path) -> dict[str, Any]:
    """The content of ``dataset.json``; raises DataError where it is none of ours."""
    file = path / CARD_FILE
    try:
        card = parse_json(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror or error})") from error
    except ValueError as error:
        raise DataError(f"{file}: not valid JSON ({error}); {_REMEDY}") from error
    if not isinstance(card, dict) or card.get("kind") != KIND:
        raise DataError(f"{file}: not the card of a vsr data set; {_REMEDY}")
    if card.get("format") != FORMAT:
        raise DataError(
            f"{file}: format {card.get('format')}, this version reads format {FORMAT}; {_REMEDY}"
        )
    wrong = [key for key, good in _CARD_KEYS.items() if not good(card.get(key))]
    if wrong:
        raise DataError(f"{file}: lacks {', '.join(wrong)}, or holds it damaged; {_REMEDY}")
    return card


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= 1 << 16


def _are_splits(value: Any) -> bool:
    if not isinstance(value, dict) or not value or not set(value) <= set(SPLITS):
        return False
    return all(isinstance(s, dict) and isinstance(s.get("pairs"), int) for s in value.values())


_CARD_KEYS: dict[str, Callable[[Any], bool]] = {
    "hr_size": _is_size,
    "scales": lambda v: isinstance(v, list) and bool(v) and all(map(_is_size, v)),
    "splits": _are_splits,
    "settings": lambda v: isinstance(v, dict) and bool(v),
    "terms": lambda v: isinstance(v, str) and bool(v),
}
"""what a reader of the card relies on"""


def image_size(path: Path) -> tuple[int, int]:
    """(width, height) from the header of an image file; raises DataError."""
    try:
        with path.open("rb") as file:
            size = png_size(file.read(24))
        if size is None:
            with Image.open(path) as picture:
                size = picture.size
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: not a readable image; {_REMEDY}") from error
    return size


def _check_folder(path: Path) -> None:
    partial = path.with_name(path.name + ".partial")
    if not path.exists() and partial.is_dir():
        raise DataError(f"{path}: is unfinished ({partial.name}); run the same 'vsr prepare' again")
    if not path.is_dir():
        what = "is a file, expected a folder" if path.exists() else "no such folder"
        raise DataError(f"{path}: {what}; make a data set with 'vsr prepare'")
    if not any(path.iterdir()):
        raise DataError(f"{path}: is empty; make a data set with 'vsr prepare'")
    if (path / CARD_FILE).is_file():
        return
    if (path / STATE_FILE).is_file():
        raise DataError(f"{path}: is unfinished; run the same 'vsr prepare' again")
    if not any((path / split / HR_FOLDER).is_dir() for split in SPLITS):
        raise DataError(
            f"{path}: no data set (no {CARD_FILE}, no train/{HR_FOLDER}/); turn the images into "
            "one with 'vsr prepare folder'"
        )


def _scales_by_folder(path: Path) -> tuple[int, ...]:
    matches = (re.fullmatch(r"lr_x(\d+)", p.name) for s in SPLITS for p in (path / s).glob("lr_x*"))
    scales = sorted({int(m.group(1)) for m in matches if m})
    if not scales:
        raise DataError(f"{path}: no LR images (no folder train/lr_x2 or the like); {_REMEDY}")
    return tuple(scales)


def _paired_names(split: Path, scales: tuple[int, ...]) -> tuple[str, ...]:
    """The names that all folders of a split share; raises DataError where one differs."""
    hr = _names(split / HR_FOLDER)
    for scale in scales:
        lr = _names(split / lr_folder(scale))
        alone = sorted(hr ^ lr)
        if alone:
            has, lacks = (
                (HR_FOLDER, lr_folder(scale)) if alone[0] in hr else (lr_folder(scale), HR_FOLDER)
            )
            raise DataError(
                f"{split}: {len(alone)} images do not pair, e.g. {alone[0]} is in {has} and not in "
                f"{lacks}; names must be equal"
            )
    return tuple(sorted(hr))


def _names(folder: Path) -> set[str]:
    if not folder.is_dir():
        return set()
    return {
        p.name
        for p in folder.iterdir()
        if p.suffix.lower() in SUFFIXES and not p.name.startswith(".")
    }


def _check_counts(dataset: PairedDataset) -> None:
    for split, told in dataset.card.get("splits", {}).items():
        found = len(dataset.names[split])
        if found != told["pairs"]:
            raise DataError(
                f"{dataset.path / split}: holds {found} pairs, its card says {told['pairs']}; "
                f"{_REMEDY}"
            )


def _check_sizes(dataset: PairedDataset) -> None:
    sides = {HR_FOLDER: dataset.hr_size}
    sides |= {lr_folder(s): dataset.hr_size // s for s in dataset.scales}
    for split, names in dataset.names.items():
        for folder, side in sides.items():
            for name in names:
                path = dataset.path / split / folder / name
                size = image_size(path)
                if size != (side, side):
                    raise DataError(
                        f"{path}: is {size[0]}x{size[1]}, expected {side}x{side} (HR "
                        f"{dataset.hr_size}, {folder}); {_REMEDY}"
                    )
