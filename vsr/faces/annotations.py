"""Given annotations: ChokePoint's eye positions, and where its sequences lie on disk.

The XML (Wong et al., CVPRW 2011) holds one ``<frame number="00000136">`` per kept frame with
any number of ``<person id="0003">``, each with ``<leftEye x y/>`` and ``<rightEye x y/>``.
"Left" is left in the picture. Real files have gaps in the numbers, frames marked
``deleted="true"``, persons with one eye, eyes at the same point or exchanged, persons called
"Unknown", and two persons of one frame under the same id: all of these are kept as they are,
so that each reader decides by itself.

Parsing uses expat with entity declarations refused: a file from elsewhere can neither blow up
nor read other files.
"""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from xml.parsers import expat

from vsr.core.errors import DataError
from vsr.core.geometry import Box

UNKNOWN = "Unknown"
"""the id of persons nobody has named"""

FRAME_NAME = re.compile(r"(\d{8})\.jpe?g", re.IGNORECASE)
"""a frame of a sequence: its number in eight digits"""

_MAX_BYTES = 64 << 20
_FARTHEST_PX = 1e6


@dataclass(frozen=True, slots=True)
class Point:
    """A position in the frame."""

    x: float
    """pixels from the left edge"""
    y: float
    """pixels from the top edge"""


@dataclass(frozen=True, slots=True)
class Person:
    """One labelled person in one frame."""

    person_id: str
    """e.g. "0003"; "Unknown" where nobody has named the person"""
    left_eye: Point | None
    right_eye: Point | None

    @property
    def known(self) -> bool:
        """Whether the id names a person."""
        return self.person_id != UNKNOWN

    @property
    def eye_distance_px(self) -> float | None:
        """Distance of the eyes in pixels (0 occurs); None where an eye is missing."""
        if self.left_eye is None or self.right_eye is None:
            return None
        return math.dist((self.left_eye.x, self.left_eye.y), (self.right_eye.x, self.right_eye.y))

    def box(self, side: float, eye_line: float) -> Box | None:
        """An upright square around the face; None where the eyes do not give one.

        side: length of an edge in eye distances, above 0.
        eye_line: how far down the square the eyes lie, 0 (top) to 1 (bottom).
        """
        distance = self.eye_distance_px
        if not distance or self.left_eye is None or self.right_eye is None:
            return None
        edge = side * distance
        x = (self.left_eye.x + self.right_eye.x) / 2
        y = (self.left_eye.y + self.right_eye.y) / 2
        return Box(x - edge / 2, y - eye_line * edge, edge, edge)


@dataclass(frozen=True, slots=True)
class AnnotatedFrame:
    """What is known of one frame."""

    number: int
    """as in the frame's file name; not consecutive"""
    persons: tuple[Person, ...] = ()
    """in the order of the file"""
    deleted: bool = False
    """True where the data set's authors took the frame out"""

    def shared_ids(self) -> frozenset[str]:
        """Ids that more than one person of this frame carries."""
        ids = [p.person_id for p in self.persons]
        return frozenset(i for i in ids if ids.count(i) > 1)


@dataclass(frozen=True, slots=True)
class SequenceAnnotations:
    """The labels of one sequence."""

    name: str
    """``dataset@name``: the sequence without its part (P2E_S1_C2 for P2E_S1_C2.1.xml)"""
    frames: tuple[AnnotatedFrame, ...]
    """by rising number"""

    def by_number(self) -> dict[int, AnnotatedFrame]:
        """Frame number to labels."""
        return {f.number: f for f in self.frames}


def read_annotations(path: Path) -> SequenceAnnotations:
    """Read one XML file; raises DataError in one line where it is not what it must be."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise DataError(f"{path}: more than {_MAX_BYTES >> 20} MiB, no ChokePoint labels")
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    return parse_annotations(data, str(path))


def parse_annotations(data: bytes, where: str) -> SequenceAnnotations:
    """Parse ChokePoint XML; ``where`` names the source in messages.

    Raises DataError naming the line: broken XML, another root, entity declarations, a frame
    without a number or listed twice, an eye without finite coordinates.
    """
    reader = _Reader(where)
    try:
        reader.parser.Parse(data, True)
    except (expat.ExpatError, LookupError, ValueError) as error:  # also: an unknown encoding
        raise DataError(f"{where}: not valid XML ({error}); get the file again") from error
    return reader.result()


class _Reader:
    """Collects frames while expat walks through the file."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.name: str | None = None
        self.frames: dict[int, AnnotatedFrame] = {}
        self._frame: tuple[int, bool] | None = None
        self._persons: list[Person] = []
        self._person: str | None = None
        self._eyes: dict[str, Point] = {}
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.EntityDeclHandler = self._refuse_entity
        self.parser.StartDoctypeDeclHandler = self._doctype

    def result(self) -> SequenceAnnotations:
        frames = tuple(self.frames[n] for n in sorted(self.frames))
        return SequenceAnnotations(self.name or "", frames)

    def _fault(self, text: str) -> DataError:
        return DataError(f"{self.where}, line {self.parser.CurrentLineNumber}: {text}")

    def _refuse_entity(self, *_: object) -> None:
        raise self._fault("declares an XML entity, which label files never need; refused")

    def _doctype(self, _name: str, system: str | None, public: str | None, _inside: int) -> None:
        if system is not None or public is not None:
            raise self._fault("refers to a DTD elsewhere, which label files never need; refused")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if self.name is None:
            if tag != "dataset":
                raise self._fault(f"got <{tag}>, expected <dataset>: no ChokePoint labels")
            self.name = attributes.get("name", "")
        elif tag == "frame":
            text = attributes.get("number", "")
            if not (text.isascii() and text.isdigit()):
                raise self._fault(f"frame number: got '{text}', expected digits")
            if int(text) in self.frames:
                raise self._fault(f"frame {text} is listed twice")
            self._frame = (int(text), attributes.get("deleted", "").lower() in ("true", "1"))
            self._persons = []
        elif tag == "person" and self._frame is not None:
            self._person = attributes.get("id", "").strip() or UNKNOWN
            self._eyes = {}
        elif tag in ("leftEye", "rightEye") and self._person is not None:
            self._eyes[tag] = self._point(tag, attributes)

    def _point(self, tag: str, attributes: dict[str, str]) -> Point:
        try:
            point = Point(float(attributes["x"]), float(attributes["y"]))
        except (KeyError, ValueError):
            point = Point(math.nan, math.nan)
        if not (abs(point.x) <= _FARTHEST_PX and abs(point.y) <= _FARTHEST_PX):  # NaN is not
            raise self._fault(f"{tag}: got {attributes}, expected numbers x and y in pixels")
        return point

    def _end(self, tag: str) -> None:
        if tag == "person" and self._person is not None:
            left, right = self._eyes.get("leftEye"), self._eyes.get("rightEye")
            self._persons.append(Person(self._person, left, right))
            self._person = None
        elif tag == "frame" and self._frame is not None:
            number, deleted = self._frame
            self.frames[number] = AnnotatedFrame(number, tuple(self._persons), deleted)
            self._frame = None


# === where sequences lie ===


@dataclass(frozen=True, slots=True)
class SequenceFolder:
    """One sequence (or one part of one) on disk."""

    name: str
    """stem of its XML and name of its folder, e.g. "P2E_S1_C2.1" """
    folder: Path
    """holds the frames"""
    frames: tuple[tuple[int, Path], ...]
    """(number, file) by rising number; there are gaps"""
    labels: Path | None
    """its XML, None where there is none"""


def find_sequences(root: Path, labels: Path | None = None) -> list[SequenceFolder]:
    """Every folder under ``root`` that holds frames with eight-digit names, by name.

    Nesting does not matter (``SEQ/``, ``P1E_S1/SEQ/SEQ/``, ``P2E_S1/P2E_S1_C2/SEQ.2/``); other
    files are passed over. Labels are XML files of the same stem anywhere under ``labels``, by
    default ``root``. Of two folders with one name the first by path counts. Raises DataError
    where ``root`` cannot be read.
    """
    found: dict[str, SequenceFolder] = {}
    xml = {p.stem: p for p in sorted((labels or root).rglob("*.xml"), reverse=True)}
    for folder, frames in sorted(_frame_folders(root)):
        found.setdefault(
            folder.name,
            SequenceFolder(folder.name, folder, tuple(sorted(frames)), xml.get(folder.name)),
        )
    return [found[name] for name in sorted(found)]


def _frame_folders(root: Path) -> list[tuple[Path, list[tuple[int, Path]]]]:
    def fail(error: OSError) -> None:
        raise DataError(f"{error.filename}: cannot be read ({error.strerror})") from error

    result = []
    seen: set[str] = set()
    for text, folders, names in os.walk(root, onerror=fail, followlinks=True):
        real = os.path.realpath(text)  # a link may lead back to a folder above it
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [f for f in folders if not f.startswith(".")]
        folder = Path(text)
        matches = [(FRAME_NAME.fullmatch(n), n) for n in names]
        frames = [(int(m.group(1)), folder / n) for m, n in matches if m]
        if frames:
            result.append((folder, frames))
    return result
