"""Reading a data set of short face clips, as ``vsr prepare clips`` makes it.

``train/hr/00000.npy`` holds the clips of a shard, ``train/lr_x2/00000.npy`` their degraded
versions; arrays are mapped, never loaded whole, so a data set may be larger than the memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vsr.core.errors import DataError
from vsr.core.jsontext import parse_json
from vsr.train.origin import NOT_STATED, Origin
from vsr.train.prepare.pairs import HR_FOLDER, lr_folder
from vsr.train.prepare.source import Split
from vsr.train.prepare.workspace import CARD_FILE

CLIP_KIND = "vsr-clips"
CLIP_FORMAT = 1

_REMEDY = "make it again with 'vsr prepare clips'"


@dataclass(frozen=True, slots=True)
class Shard:
    """Some tens of clips of one split, mapped."""

    hr: np.ndarray
    """uint8 RGB ``(N, T, S, S, 3)``"""
    lr: np.ndarray
    """uint8 RGB ``(N, V, T, S/s, S/s, 3)``: V degraded versions of each clip"""


@dataclass(frozen=True, slots=True)
class ClipSet:
    """A checked data set of clips, at one scale."""

    path: Path
    card: dict[str, Any]
    scale: int

    @property
    def hr_size(self) -> int:
        """Side of the HR frames, pixels."""
        return int(self.card["hr_size"])

    @property
    def origin(self) -> Origin:
        """Where the training clips come from."""
        terms = str(self.card.get("terms", NOT_STATED))
        sha256 = str(self.card["splits"]["train"]["sha256"])
        return Origin(self.path.resolve().name, sha256, "" if terms == NOT_STATED else terms)

    def count(self, split: Split) -> int:
        """Clips of a split."""
        return int(self.card["splits"][split]["clips"])

    def shards(self, split: Split) -> list[Shard]:
        """The shards of a split, in order; raises DataError where one is damaged."""
        found = []
        for index in range(int(self.card["splits"][split]["shards"])):
            hr = _mapped(self.path / split / HR_FOLDER / shard_name(index), 5)
            lr = _mapped(self.path / split / lr_folder(self.scale) / shard_name(index), 6)
            if len(hr) != len(lr) or hr.shape[1] != lr.shape[2]:
                raise DataError(
                    f"{self.path}: shard {index} of '{split}' holds {hr.shape} HR and {lr.shape} "
                    f"LR; {_REMEDY}"
                )
            found.append(Shard(hr, lr))
        return found


def shard_name(index: int) -> str:
    """File name of a shard's arrays."""
    return f"{index:05d}.npy"


def is_clipset(path: Path) -> bool:
    """Whether a folder's card says that it holds clips."""
    try:
        card = parse_json((path / CARD_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(card, dict) and card.get("kind") == CLIP_KIND


def open_clipset(path: Path, *, scale: int, crop: int) -> ClipSet:
    """Opens and checks a data set of clips.

    Args:
        path: its folder.
        scale: of the LR versions.
        crop: side of the HR patches that will be cut, pixels.

    Raises:
        DataError: no such data set, a newer format, another scale, or frames too small.
    """
    card = read_clip_card(path)
    scales = card["scales"]
    if scale not in scales:
        made = " and ".join(f"x{s}" for s in scales)
        raise DataError(
            f"{path}: made for scale {made}, expected x{scale}; prepare it with --scale {scale}"
        )
    if card["hr_size"] < crop:
        raise DataError(
            f"{path}: its HR frames of {card['hr_size']} px are smaller than the patches of {crop} "
            f"px; prepare it with --hr {crop}, or lower data.patch_px"
        )
    return ClipSet(path, card, scale)


def read_clip_card(path: Path) -> dict[str, Any]:
    """The content of ``dataset.json``; raises DataError where it is not of clips."""
    file = path / CARD_FILE
    try:
        card = parse_json(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror or error})") from error
    except ValueError as error:
        raise DataError(f"{file}: not valid JSON ({error}); {_REMEDY}") from error
    if not isinstance(card, dict) or card.get("kind") != CLIP_KIND:
        raise DataError(f"{file}: not the card of a data set of clips; {_REMEDY}")
    if card.get("format") != CLIP_FORMAT:
        raise DataError(f"{file}: format {card.get('format')}, expected {CLIP_FORMAT}; {_REMEDY}")
    whole = all(isinstance(card.get(key), int) for key in ("hr_size", "frames", "versions"))
    splits, scales = card.get("splits") or {}, card.get("scales")
    whole &= isinstance(splits, dict) and isinstance(scales, list) and bool(scales)
    if not whole or not all(
        isinstance(splits.get(s), dict) and {"clips", "shards", "sha256"} <= set(splits[s])
        for s in ("train", "val", "test")
    ):
        raise DataError(f"{file}: damaged; {_REMEDY}")
    return card


def _mapped(path: Path, dimensions: int) -> np.ndarray:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: cannot be read ({error}); {_REMEDY}") from error
    if array.dtype != np.uint8 or array.ndim != dimensions or array.shape[-1] != 3:
        raise DataError(f"{path}: holds {array.dtype} {array.shape}, not clips; {_REMEDY}")
    return array
