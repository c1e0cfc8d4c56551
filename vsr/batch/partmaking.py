"""What the jobs of a long sequence's parts do: find faces, make a part, join the parts.

A part makes a folder: its piece of the video, its face pictures, and ``part.json``, which
tells of them.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from vsr.batch.job import Job, Row
from vsr.batch.making import (
    Sequence,
    complete,
    detection,
    face_pictures,
    fill,
    frames_of,
    labels_of,
    open_sequence,
    sized_frames_of,
    told,
)
from vsr.batch.parts import part_jobs, parts_folder, programs_of
from vsr.batch.persons import FaceRecord, Tally
from vsr.batch.runner import Loaded, Made
from vsr.batch.storage import Storage, open_storage
from vsr.core.errors import DataError, OutputError, VsrError
from vsr.core.progress import Progress, ProgressHook
from vsr.core.types import FrameCrops
from vsr.faces.detections import DetectionRecord
from vsr.media.segments import Part
from vsr.run.sinks import VideoSink

_FACTS = "part.json"
_NOTES = 21
_COUNTS = ("frames", "labels", "faces", "plain", "outside")


class _Parts:
    """Parts of a video in a folder. See `vsr.run.sinks.PartKeeper`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.parts: list[Part] = []
        folder.mkdir(exist_ok=True)

    def add(self, part: Part) -> None:
        """See `PartKeeper`."""
        self.parts.append(part)

    def note_whole(self, path: Path) -> None:
        """See `PartKeeper`: a part's marker says so here."""

    def note(self, items: Iterable[FrameCrops]) -> Iterator[FrameCrops]:
        """See `PartKeeper`."""
        return iter(items)


def detect_part(
    job: Job, data: Storage, folder: Path, loaded: Loaded, progress: ProgressHook
) -> Made:
    """The faces that a detector finds in a part's frames: ``NAME.jsonl``."""
    frames = frames_of(job, data, folder)
    try:
        sequence = open_sequence(job, None, frames, canvas=False)
        record = DetectionRecord(folder / "detections.jsonl")
        mine = itertools.islice(sequence.reader, job.first, None)
        length = sequence.stretch.segment_frames
        for item in record.detect(mine, length, detection(sequence, loaded)):
            sequence.tally.frames += 1
            sequence.tally.faces += len(item.faces)
            progress(Progress("detecting", sequence.tally.frames, job.frames, 0))
    except VsrError as error:
        raise type(error)(told(str(error), frames, job)) from error
    return Made(_row(sequence), {f"{job.name}.jsonl": record.path})


def make_part(
    job: Job, data: Storage, folder: Path, loaded: Loaded, progress: ProgressHook
) -> Made:
    """A part of the video and its face pictures: ``NAME/``."""
    frames = frames_of(job, data, folder)
    try:
        sequence = open_sequence(job, labels_of(job, data, folder), frames)
        stage = None
        if sequence.labels is None:
            stage = _found(job, folder, sequence).replay
        made = folder / "part"
        keeper, reader = _Parts(made), sequence.reader
        pictures = face_pictures(sequence, made)
        video = folder / f"video{job.suffix}"
        with VideoSink(video, reader.info, sequence.recipe, reader.frame_rate, keeper) as sink:
            fill(sink, sequence, pictures, stage, loaded, progress)
            sink.finish_parts()
    except VsrError as error:
        raise type(error)(told(str(error), frames, job)) from error
    notes = [told(text, frames, job) for text in reader.report.notices]
    _write_facts(made / _FACTS, keeper.parts, sequence, notes)
    return Made(_row(sequence), {f"{job.name}/": made})


def _found(job: Job, folder: Path, sequence: Sequence) -> DetectionRecord:
    """The detections of all frames that a part looks at."""
    out = open_storage(job.out)
    end = sequence.reader.expected_frames
    text = ""
    for part in part_jobs(job, "detect"):
        if part.first < end:
            text += _text(out, f"{part.name}.jsonl")
    record = DetectionRecord(folder / "detections.jsonl")
    record.path.write_text(text, encoding="utf-8")
    return record


def join_parts(
    job: Job, data: Storage, folder: Path, loaded: Loaded, progress: ProgressHook
) -> Made:
    """The sequence's outputs, as if it had been made in one piece.

    Raises DataError where a part is damaged, or was encoded in another way than the others.
    """
    frames = sized_frames_of(job, data, folder)
    out, keeper = open_storage(job.out), _Parts(folder / "parts")
    sequence = open_sequence(job, labels_of(job, data, folder), frames)
    pictures, tally = face_pictures(sequence, folder), sequence.tally
    notes: list[str] = []
    encoders: set[str] = set()
    for number, part in enumerate(part_jobs(job, "make")):
        facts = _facts(part, out)
        encoders.add(facts.encoder)
        notes = facts.notes
        facts.add_to(tally)
        _take(part, out, folder / f"part{number}", keeper, pictures.folder, facts)
        progress(Progress("joining", tally.frames, sequence.expected, tally.faces))
    if len(encoders) > 1:
        raise DataError(
            f"its parts come from different encoders ({', '.join(sorted(encoders))}); have the "
            f"same on every machine, and remove {out.where(parts_folder(job.name))}"
        )
    video, reader = folder / f"video{job.suffix}", sequence.reader
    with VideoSink(video, reader.info, sequence.recipe, reader.frame_rate, keeper) as sink:
        sink.finish(None)
    return complete(sequence, video, pictures, tuple(notes))


@dataclasses.dataclass(frozen=True, slots=True)
class _Facts:
    """What a part tells of itself."""

    videos: list[Part]
    records: list[FaceRecord]
    counts: dict[str, int]
    persons: list[str]
    notes: list[str]
    """what was noticed up to its end"""
    encoder: str

    def add_to(self, tally: Tally) -> None:
        for name, count in self.counts.items():
            setattr(tally, name, getattr(tally, name) + count)
        tally.persons.update(self.persons)
        tally.records += self.records


def _facts(part: Job, out: Storage) -> _Facts:
    try:
        found: dict[str, Any] = json.loads(_text(out, f"{part.name}/{_FACTS}"))
        return _Facts(
            videos=[Part.from_dict(p) for p in found["parts"]],
            records=[FaceRecord(**r) for r in found["records"]],
            counts={name: int(found[name]) for name in _COUNTS},
            persons=[str(p) for p in found["persons"]],
            notes=[str(n) for n in found["notes"]],
            encoder=str(found["encoder"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{out.where(part.name)}: is damaged ({error}); remove it") from None


def _take(part: Job, out: Storage, into: Path, keeper: _Parts, faces: Path, facts: _Facts) -> None:
    """Take a part's files."""
    names = [v.name for v in facts.videos] + [f"faces/{r.file}" for r in facts.records]
    if not names:
        return
    where = out.fetch_folder(part.name, tuple(names), into)
    for video in facts.videos:
        name = f"{len(keeper.parts):06d}.nut"
        _link(where / video.name, keeper.folder / name)
        keeper.add(dataclasses.replace(video, name=name))
    for record in facts.records:
        _link(where / "faces" / record.file, faces / record.file)


def _link(there: Path, here: Path) -> None:
    """The same file under another name: the part stays whole until the sequence is finished."""
    try:
        here.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(there, here)
        except FileNotFoundError:
            raise
        except OSError:  # a file system without links
            shutil.copyfile(there, here)
    except OSError as error:
        raise OutputError(f"{there}: cannot be joined ({error.strerror or error})") from None


def _text(out: Storage, path: str) -> str:
    text = out.read_text(path)
    if text is None:
        raise DataError(f"{out.where(path)}: is gone; run the command again")
    return text


def _write_facts(path: Path, parts: list[Part], sequence: Sequence, notes: list[str]) -> None:
    facts = dataclasses.asdict(sequence.tally)
    programs = programs_of(sequence.recipe)
    facts |= {
        "encoder": f"{programs['encoder']} of ffmpeg {programs['ffmpeg']}",
        "persons": sorted(sequence.tally.persons),
        "parts": [p.to_dict() for p in parts],
        "notes": notes[:_NOTES],
    }
    path.write_text(json.dumps(facts, ensure_ascii=False), encoding="utf-8")


def _row(sequence: Sequence) -> Row:
    tally = sequence.tally
    return Row(
        sequence=sequence.job.name,
        status="ok",
        frames=tally.frames,
        faces=tally.faces,
        persons=len(tally.persons),
        plain=tally.plain,
    )
