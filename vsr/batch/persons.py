"""Labelled persons as faces, and a picture of every person's face in every frame."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path

import cv2
import numpy as np

from vsr.core.errors import DataError, UsageError
from vsr.core.geometry import Box
from vsr.core.types import Face, FaceCrop, Frame, FrameCrops, FrameFaces
from vsr.faces.annotations import AnnotatedFrame, SequenceAnnotations, read_annotations
from vsr.faces.detail import enlarged_window
from vsr.media.folder import numbered_pictures
from vsr.media.images import write_image

NumberOf = Callable[[Frame], int]
"""a frame's number in its file name"""

_MIN_SIDE_PX = 8
INDEX_FILE = "faces.csv"
"""beside the persons' folders: a line per face picture"""


@dataclass(frozen=True, slots=True)
class Labelled:
    """One labelled person of a frame whose eyes give a box."""

    person: str
    nth: int
    """1 for the first of this id in the frame, 2 for the second"""
    track_id: int
    """one for each id and ``nth``"""
    box: Box
    """face box, source pixels"""


@dataclass(slots=True)
class Labels:
    """The labels of a sequence, ready to be looked up frame by frame."""

    annotations: SequenceAnnotations
    side: float
    """of the face box, eye distances"""
    eye_line: float
    """how far down the box the eyes lie"""
    _tracks: dict[tuple[str, int], int] = field(default_factory=dict)
    _frames: dict[int, AnnotatedFrame] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._frames = self.annotations.by_number()
        for frame in self.annotations.frames:  # ids do not depend on which frames are read
            self.of(frame.number)

    def raw(self, number: int) -> AnnotatedFrame:
        """Everything that is said of a frame."""
        return self._frames.get(number, AnnotatedFrame(number))

    def of(self, number: int) -> list[Labelled]:
        """Persons with two distinct eyes, in the order of the file."""
        seen: Counter[str] = Counter()
        found = []
        for person in self.raw(number).persons:
            box = person.box(self.side, self.eye_line)
            if box is None:
                continue
            seen[person.person_id] += 1
            key = person.person_id, seen[person.person_id]
            track = self._tracks.setdefault(key, len(self._tracks))
            found.append(Labelled(*key, track, box))
        return found


def labelled_finder(
    source: Path, labels: Path, side: float, eye_line: float
) -> Callable[[Iterable[Frame]], Iterator[FrameFaces]]:
    """The stage that gives the labelled faces of a folder of numbered frames.

    labels: a ChokePoint XML; side, eye_line: see `Labels`. Raises UsageError where the source is
    no folder, DataError where the labels cannot be read.
    """
    if not source.is_dir():
        raise UsageError(f"--labels: {source} is not a folder of frames, which labels belong to")
    known = Labels(read_annotations(labels), side, eye_line)
    first = numbered_pictures(source)[0][0]
    return lambda frames: given_faces(frames, known, lambda frame: first + frame.pts)


def given_faces(
    frames: Iterable[Frame], labels: Labels, number_of: NumberOf
) -> Iterator[FrameFaces]:
    """The labelled faces of each frame, in place of detector and tracker."""
    for frame in frames:
        faces = labels.of(number_of(frame))
        yield FrameFaces(
            frame, tuple(Face(f.box, 1.0, track_id=f.track_id, label=f.person) for f in faces)
        )


@dataclass(frozen=True, slots=True)
class FaceRecord:
    """A line of ``faces.csv``: one face picture."""

    file: str
    """below the sequence's folder: ``PERSON/FRAME.png``"""
    frame: int
    """number in the frame's name"""
    person: str
    """id in the labels, or the track's folder"""
    x: int
    """left column of the picture's square in the frame, may lie off it"""
    y: int
    """top row"""
    side: int
    """of the square, frame pixels"""
    eye_distance_px: float | None
    """in the frame, by the labels; None for detected faces"""
    outcome: str
    """"super-resolved", "plain" or "kept": see `FaceCrop.outcome`"""
    deviation: float | None
    """see `FaceCrop.deviation`; None where the face was not cut out"""


@dataclass(slots=True)
class Tally:
    """What went by."""

    frames: int = 0
    labels: int = 0
    faces: int = 0
    plain: int = 0
    outside: int = 0
    """faces whose middle lies off the picture"""
    persons: set[str] = field(default_factory=set)
    records: list[FaceRecord] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True, slots=True)
class FacePictures:
    """Where and how the pictures of faces are written."""

    folder: Path
    scale: int
    """of the generator"""
    widen: float
    """side of a picture over the side of the face box"""
    number_of: NumberOf
    labels: Labels | None
    """None: faces go by their track"""

    def write(self, items: Iterable[FrameCrops], tally: Tally) -> Iterator[FrameCrops]:
        """Write every face's picture, ``PERSON/FRAME.png``; frames pass through unchanged.

        ``PERSON`` is the id, or ``face_0000`` of a track; the second face of one id in a frame
        is ``FRAME_2.png``. Pictures are squares of whole pixels, ``scale`` times as large as
        in the source, padded by replication where they reach over the picture's border.
        """
        for item in items:
            number = self.number_of(item.frame)
            tally.frames += 1
            if self.labels is None:
                self._tracked(item, number, tally)
            else:
                self._labelled(item, number, self.labels, tally)
            yield item

    def _tracked(self, item: FrameCrops, number: int, tally: Tally) -> None:
        for crop in item.crops:
            who = f"face_{crop.face.track_id or 0:04d}"
            tally.persons.add(who)
            name = f"{number:08d}"
            self._save(item.frame, number, crop.face.box, crop, who, name, None, tally)

    def _labelled(self, item: FrameCrops, number: int, labels: Labels, tally: Tally) -> None:
        everybody = labels.raw(number).persons
        tally.labels += len(everybody)
        tally.persons.update(p.person_id for p in everybody)
        crops = {c.face.track_id: c for c in item.crops}
        for face in labels.of(number):
            name = f"{number:08d}" + (f"_{face.nth}" if face.nth > 1 else "")
            crop = crops.get(face.track_id)
            distance = face.box.width / labels.side
            self._save(item.frame, number, face.box, crop, face.person, name, distance, tally)

    def _save(
        self,
        frame: Frame,
        number: int,
        box: Box,
        crop: FaceCrop | None,
        who: str,
        name: str,
        eye_distance_px: float | None,
        tally: Tally,
    ) -> None:
        height, width = frame.rgb.shape[:2]
        if max(box.width, abs(box.x), abs(box.y)) > 4 * max(height, width):
            raise DataError(
                f"frame {name}, person {who}: the eyes give a face of {box.width:.0f} px at "
                f"{box.x:.0f},{box.y:.0f} in a picture of {width}x{height}; correct the labels"
            )
        sharp = crop is not None and crop.outcome == "super-resolved"
        picture = self._super_resolved(frame, box, crop) if crop and sharp else None
        if picture is None:
            picture, sharp = self._plain(frame, box), False
        cx, cy = box.center
        tally.outside += not (0 <= cx < width and 0 <= cy < height)
        tally.faces += 1
        kept = crop is not None and crop.outcome == "kept"
        tally.plain += not sharp and not kept
        file = f"{safe_name(who)}/{name}.png"
        deviation = None if crop is None or crop.deviation is None else round(crop.deviation, 3)
        outcome = "super-resolved" if sharp else "kept" if kept else "plain"
        distance = None if eye_distance_px is None else round(eye_distance_px, 2)
        tally.records.append(
            FaceRecord(file, number, who, *self._square(box), distance, outcome, deviation)
        )
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        write_image(path, picture, sync=False)

    def finish(self, tally: Tally) -> None:
        """Write the index of the pictures, ``faces.csv``; nothing where there are none."""
        if not tally.records:
            return
        columns = [f.name for f in fields(FaceRecord)]
        with (self.folder / INDEX_FILE).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            for record in tally.records:
                values = [getattr(record, c) for c in columns]
                writer.writerow(["" if v is None else v for v in values])

    def _square(self, box: Box) -> tuple[int, int, int]:
        """Left column, top row and side of a face's picture in the source, whole pixels."""
        side = max(_MIN_SIDE_PX, round(max(box.width, box.height) * self.widen))
        cx, cy = box.center
        return round(cx - side / 2), round(cy - side / 2), side

    def _super_resolved(self, frame: Frame, box: Box, crop: FaceCrop) -> np.ndarray | None:
        """None where the crop's window does not hold the face."""
        x, y, side = self._square(box)
        window, scale = crop.window, self.scale
        large = enlarged_window(frame, crop, scale)
        left, right = max(x, window.x), min(x + side, window.x + window.width)
        top, bottom = max(y, window.y), min(y + side, window.y + window.height)
        if left >= right or top >= bottom:
            return None
        inner = large[
            (top - window.y) * scale : (bottom - window.y) * scale,
            (left - window.x) * scale : (right - window.x) * scale,
        ]
        above, below = (top - y) * scale, (y + side - bottom) * scale
        before, behind = (left - x) * scale, (x + side - right) * scale
        return np.pad(inner, ((above, below), (before, behind), (0, 0)), mode="edge")

    def _plain(self, frame: Frame, box: Box) -> np.ndarray:
        x, y, side = self._square(box)
        height, width = frame.rgb.shape[:2]
        rows = np.clip(np.arange(y, y + side), 0, height - 1)
        columns = np.clip(np.arange(x, x + side), 0, width - 1)
        patch = np.ascontiguousarray(frame.rgb[rows][:, columns])
        size = side * self.scale, side * self.scale
        return cv2.resize(patch, size, interpolation=cv2.INTER_LANCZOS4)


def safe_name(person: str) -> str:
    """An id from a label file as the name of one folder, whatever it holds."""
    plain = re.sub(r"[^A-Za-z0-9_-]", lambda m: f"%{ord(m.group(0)):02X}", person)
    return plain[:80] or "%"
