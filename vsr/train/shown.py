"""What a source of batches shows a run: at which sizes, in words, and where it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vsr.degrade.recipe import DegradeConfig
from vsr.train.faces import FaceSet, origin_of
from vsr.train.origin import Origin
from vsr.train.prepare.dataset import PairedDataset
from vsr.train.recipe import DataConfig


@dataclass(frozen=True, slots=True)
class Shown:
    """For a run's record and a model's card."""

    words: str
    sides: tuple[int, int]
    """shorter sides of the smallest and the largest pictures, LR pixels"""
    origins: tuple[Origin, ...]
    unreadable: tuple[Path, ...] = ()
    """files that are left out"""

    @property
    def face_width_px(self) -> tuple[int, int]:
        """Widths of LR faces: an aligned one takes half of its picture, a near one all of it."""
        smallest, largest = self.sides
        return max(1, smallest // 2), largest


def shown_of_sets(
    sets: Sequence[FaceSet], scale: int, data: DataConfig, degrade: DegradeConfig
) -> Shown:
    """Pictures that are reduced and degraded on the way; the first set is the data set."""
    names = [faces.origin.name for faces in sets]
    more = f" and of {', '.join(names[1:])}" if names[1:] else ""
    ranges = [
        side_range(data, scale, min(faces.pixels.shape[1:3]), extra=index > 0)
        for index, faces in enumerate(sets)
    ]
    return Shown(
        words=f"{sum(len(faces.pixels) for faces in sets)} training pictures of {names[0]}{more}; "
        f"{degrade.share:.0%} of the patches degraded",
        sides=(min(low for low, _ in ranges) // scale, max(high for _, high in ranges) // scale),
        origins=tuple(faces.origin for faces in sets),
        unreadable=tuple(path for faces in sets for path in faces.unreadable),
    )


def shown_of_pairs(dataset: PairedDataset) -> Shown:
    """Pairs that are taken as they are."""
    origin, side = origin_of(dataset), dataset.lr_size
    count = len(dataset.names["train"])
    return Shown(f"{count} training pairs of {origin.name}", (side, side), (origin,))


def reduced_side(
    data: DataConfig, scale: int, full: int, extra: bool, rng: np.random.Generator
) -> int:
    """The shorter side, HR pixels, that a picture is reduced to before a patch is cut from it.

    full: the picture's own. extra: it is of ``data.extra``, whose sizes are all random.
    """
    draw = rng.random()
    if draw < data.fixed_share and not extra:
        return _fixed_side(data, scale, full)
    if draw < data.fixed_share + data.native_share and not extra:
        return full
    smallest, largest = _random_sides(data, scale, full, extra)
    side = int(rng.integers(smallest, largest + 1))
    return full if side > full - scale else side // scale * scale


def side_range(data: DataConfig, scale: int, full: int, *, extra: bool) -> tuple[int, int]:
    """The smallest and the largest side that `reduced_side` can give."""
    sides: list[int] = []
    if extra or data.fixed_share + data.native_share < 1:
        sides += _random_sides(data, scale, full, extra)
    if not extra and data.fixed_share:
        sides.append(_fixed_side(data, scale, full))
    if not extra and data.native_share:
        sides.append(full)
    return min(sides), max(sides)


def _fixed_side(data: DataConfig, scale: int, full: int) -> int:
    return min(max(data.fixed_px, data.patch_px * scale), full)


def _random_sides(data: DataConfig, scale: int, full: int, extra: bool) -> tuple[int, int]:
    smallest = max(data.patch_px * scale, min(data.smallest_px, full))
    return smallest, full if extra else min(full, max(data.largest_px, smallest))
