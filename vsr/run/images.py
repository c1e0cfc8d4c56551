"""A folder of face pictures enlarged: PNG, the same names, exactly ``scale`` times as large."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vsr.core.errors import InputError, OutputError, VsrError
from vsr.core.progress import Progress, ProgressHook, silent
from vsr.media.images import list_images, loss_notices, losses_of, read_image, write_image
from vsr.models.tiles import CONTEXT, TILE, upscale_picture
from vsr.models.upscale import Upscaler
from vsr.run.output import check_writable

_WHOLE = (TILE + 2 * CONTEXT) ** 2
"""LR pixels up to which pictures are batched; larger ones go alone, in tiles."""


@dataclass(slots=True)
class ImagesReport:
    """What became of a folder."""

    model: str
    scale: int
    sha256: str
    """of the weights, empty for interpolation"""
    written: list[str] = field(default_factory=list)
    """names of the files written, in the order of the input"""
    failed: dict[str, str] = field(default_factory=dict)
    """name of an input: why it was skipped"""
    notices: list[str] = field(default_factory=list)
    """what the results do not have of the inputs"""
    seconds: float = 0.0
    """wall time"""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


def upscale_images(
    folder: Path,
    out: Path,
    upscaler: Upscaler,
    *,
    batch_size: int = 8,
    overwrite: bool = False,
    progress: ProgressHook = silent,
) -> ImagesReport:
    """Enlarges every picture of a folder into another one, as PNG under the same stem.

    A picture that cannot be read, or whose stem an earlier one has taken, is skipped and
    reported; the others do not suffer. Every file appears complete or not at all.

    Raises:
        InputError: no folder, or no picture in it.
        OutputError: ``out`` is the input, cannot be written, or holds one of the results
            already and ``overwrite`` is not set.
    """
    start = time.perf_counter()
    paths = list_images(folder)
    targets = {path: out / f"{path.stem}.png" for path in paths}
    _prepare(folder, out, targets.values(), overwrite)
    report = ImagesReport(upscaler.name, upscaler.scale, upscaler.sha256)
    for batch in _batches(paths, batch_size, report):
        if batch[0][1].size // 3 > _WHOLE:
            high = [upscale_picture(upscaler, picture) for _, picture in batch]
        else:
            high = list(upscaler(np.stack([picture for _, picture in batch])))
        for (path, _), picture in zip(batch, high, strict=True):
            write_image(targets[path], picture)
            report.written.append(targets[path].name)
        done = len(report.written) + len(report.failed)
        progress(Progress("enlarging", done, len(paths), len(report.written), "images"))
    enlarged = [path for path in paths if path.name not in report.failed]
    lost = Counter(name for path in enlarged for name in losses_of(path))
    report.notices += loss_notices(lost, len(enlarged))
    report.seconds = time.perf_counter() - start
    return report


def _prepare(folder: Path, out: Path, targets: Iterable[Path], overwrite: bool) -> None:
    if out.exists() and os.path.samefile(folder, out):
        raise OutputError(f"{out}: output and input are the same folder; choose another with -o")
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out}: is not a folder; choose another with -o")
    taken = [target for target in targets if target.exists()]
    if taken and not overwrite:
        raise OutputError(
            f"{taken[0]}: already exists ({len(taken)} of the results do); "
            "choose another folder or add --overwrite"
        )
    try:
        out.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{out}: cannot be made ({error.strerror or error}); create its parent folder first"
        ) from None
    check_writable(out)


def _batches(
    paths: list[Path], size: int, report: ImagesReport
) -> Iterator[list[tuple[Path, np.ndarray]]]:
    """Readable pictures of one shape and type that follow each other, up to ``size`` of them."""
    batch: list[tuple[Path, np.ndarray]] = []
    seen: dict[str, str] = {}
    for path in paths:
        try:
            if path.stem in seen:
                raise InputError(f"has the same stem as {seen[path.stem]}; rename one of them")
            picture = read_image(path)
        except VsrError as error:
            report.failed[path.name] = str(error)
            continue
        seen[path.stem] = path.name
        alike = batch and (batch[0][1].shape, batch[0][1].dtype) == (picture.shape, picture.dtype)
        large = picture.size // 3 > _WHOLE
        if batch and (not alike or len(batch) == size or large):
            yield batch
            batch = []
        batch.append((path, picture))
    if batch:
        yield batch
