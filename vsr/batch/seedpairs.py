"""A sequence by the 128/64 protocol: HR, LR and SR of each labelled face, and their likeness."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from itertools import islice
from pathlib import Path

import numpy as np

from vsr.batch.job import Job, Row
from vsr.batch.persons import INDEX_FILE, safe_name
from vsr.batch.runner import Loaded, Made
from vsr.core.errors import DataError, InputError
from vsr.core.progress import Progress, ProgressHook
from vsr.degrade.image import enlarge_image
from vsr.evaluate.metrics import psnr_y, ssim_y
from vsr.evaluate.seed import HR_SIDE, SCALE, SeedPair, cut_pair
from vsr.faces.annotations import SequenceAnnotations
from vsr.media.folder import FolderReader, probe_folder
from vsr.media.images import write_image
from vsr.models.upscale import Upscaler
from vsr.run.recipe import Recipe

FRAME_SIZE = 800, 600
"""of the protocol's frames, pixels"""
EQUAL_PSNR_DB = 100.0
"""equal pictures count as this"""
_BATCH = 16


@dataclass(frozen=True, slots=True)
class SeedRecord:
    """A line of ``faces.csv``: one face of the protocol."""

    file: str
    """below ``hr/``, ``lr/`` and ``sr/``: ``PERSON/FRAME.png``"""
    frame: int
    person: str
    x: int
    """left column of the face's square in the frame, may lie off it"""
    y: int
    """top row"""
    side: int
    """of the square, frame pixels: under 128 the HR picture was itself enlarged"""
    eye_distance_px: float
    """in the frame"""
    psnr_db: float
    """of SR, on luma"""
    ssim: float
    bicubic_psnr_db: float
    """of LR enlarged by PIL's bicubic"""
    bicubic_ssim: float


@dataclass(slots=True)
class _Tally:
    frames: int = 0
    labels: int = 0
    left_out: int = 0
    persons: set[str] = field(default_factory=set)
    records: list[SeedRecord] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Face:
    file: str
    frame: int
    person: str
    eye_distance_px: float
    pair: SeedPair


def make_seed_pairs(
    job: Job,
    recipe: Recipe,
    labels: SequenceAnnotations | None,
    frames: Path,
    folder: Path,
    loaded: Loaded,
    progress: ProgressHook,
) -> Made:
    """``NAME/{hr,lr,sr}/PERSON/FRAME.png`` and ``NAME/faces.csv``; no video.

    Raises DataError without labels or where frames are not 800x600, InputError where more than
    half of them cannot be read.
    """
    if labels is None:
        raise DataError("has no label file; the seed protocol cuts faces at labelled eyes")
    info = probe_folder(frames, recipe.decode)
    if (info.width, info.height) != FRAME_SIZE or info.bit_depth != 8:
        raise DataError(
            f"{frames}: got frames of {info.width}x{info.height} in {info.bit_depth} bit, expected "
            f"{FRAME_SIZE[0]}x{FRAME_SIZE[1]} in 8; get them in their original size"
        )
    reader, tally = FolderReader(info, cfg=recipe.decode), _Tally()
    upscaler, out = loaded.upscaler(recipe.upscale), folder / "faces"
    faces, expected = _faces(reader, labels, tally), reader.expected_frames
    while batch := list(islice(faces, _BATCH)):
        _write(batch, upscaler, out, tally)
        progress(Progress("restoring", tally.frames, expected, len(tally.records)))
    skipped = expected - tally.frames
    if skipped * 2 > expected:
        first = next(iter(reader.report.notices), "")
        raise InputError(f"{skipped} of {expected} frames cannot be read: {first}")
    notes = list(reader.report.notices[:20])
    if tally.left_out:
        notes.append(f"{tally.left_out} faces lie off their frames; left out")
    if tally.records:
        _write_index(out / INDEX_FILE, tally.records)
    row = Row(
        sequence=job.name,
        status="ok",
        frames=tally.frames,
        persons=len(tally.persons),
        faces=len(tally.records),
        labels=tally.labels,
        skipped=skipped,
        faces_from="truth",
        width=HR_SIDE,
        height=HR_SIDE,
        notes=tuple(notes),
    )
    return Made(row, {f"{job.name}/": out} if tally.records else {})


def _faces(reader: FolderReader, labels: SequenceAnnotations, tally: _Tally) -> Iterator[_Face]:
    """Every labelled face with two distinct eyes, frame by frame."""
    by_number = labels.by_number()
    for frame in reader:
        tally.frames += 1
        number = reader.number_of(frame)
        labelled = by_number.get(number)
        seen: Counter[str] = Counter()
        for person in labelled.persons if labelled else ():
            tally.labels += 1
            tally.persons.add(person.person_id)
            if not person.eye_distance_px:
                continue
            seen[person.person_id] += 1
            nth = seen[person.person_id]
            pair = cut_pair(frame.rgb, person)
            if pair is None:
                tally.left_out += 1
                continue
            name = f"{number:08d}" + (f"_{nth}" if nth > 1 else "")
            file = f"{safe_name(person.person_id)}/{name}.png"
            yield _Face(file, number, person.person_id, person.eye_distance_px, pair)


def _write(batch: list[_Face], upscaler: Upscaler, out: Path, tally: _Tally) -> None:
    """Super-resolve, measure and write some faces."""
    large = upscaler(np.stack([face.pair.lr for face in batch]))
    for face, sr in zip(batch, large, strict=True):
        pair = face.pair
        plain = enlarge_image(pair.lr, SCALE)
        figures = (
            min(psnr_y(sr, pair.hr), EQUAL_PSNR_DB),
            ssim_y(sr, pair.hr),
            min(psnr_y(plain, pair.hr), EQUAL_PSNR_DB),
            ssim_y(plain, pair.hr),
        )
        tally.records.append(
            SeedRecord(
                face.file, face.frame, face.person, pair.left, pair.top, pair.side_px,
                round(face.eye_distance_px, 2), *(round(f, 5) for f in figures),
            )
        )  # fmt: skip
        for kind, picture in (("hr", pair.hr), ("lr", pair.lr), ("sr", sr)):
            path = out / kind / face.file
            path.parent.mkdir(parents=True, exist_ok=True)
            write_image(path, picture, sync=False)


def _write_index(path: Path, records: list[SeedRecord]) -> None:
    columns = [f.name for f in fields(SeedRecord)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([getattr(r, c) for c in columns] for r in records)
