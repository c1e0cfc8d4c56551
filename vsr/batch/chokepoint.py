"""The ChokePoint reader: which sequences lie below a root, and what their labels say.

It looks at paths only, so folders, archives and buckets are one to it. A folder that holds
eight-digit JPEGs is a sequence, however deep it lies (``SEQ/``, ``P1E_S1/SEQ/SEQ/``,
``P2E_S1/P2E_S1_C2/P2E_S1_C2.1/``); an empty or unreadable folder that is named like one is a
sequence with a problem. Everything else is passed over.
"""

from __future__ import annotations

import itertools
import re
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from vsr.batch.archives import bare, is_archive, members
from vsr.batch.job import fingerprint
from vsr.batch.storage import Entry, Storage, path_below
from vsr.core.errors import DataError, VsrError
from vsr.core.progress import Progress, ProgressHook, silent
from vsr.faces.annotations import FRAME_NAME, SequenceAnnotations, parse_annotations

SEQUENCE_NAME = re.compile(r"P\d[EL]_S\d_C\d(?:\.\d)?")
_MAX_LABEL_BYTES = 64 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelCounts:
    """What the labels of a sequence say, for the frames that are there."""

    frames: int = 0
    """labelled frames, with or without picture"""
    labels: int = 0
    """persons labelled in frames that are there"""
    faces: int = 0
    """of these, persons with two distinct eyes: each gives a face picture"""
    persons: int = 0
    """different ids among the labels ("Unknown" is one)"""
    one_eye: int = 0
    same_point: int = 0
    """persons whose eyes lie at one point"""
    unknown: int = 0
    """labels called "Unknown" """
    shared: int = 0
    """frames in which two persons carry one id"""
    deleted: int = 0
    """frames marked deleted"""
    without_picture: int = 0
    """labelled frames whose picture is missing"""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChokePointSequence:
    """One sequence, or one part of one."""

    name: str
    """of its folder, part included"""
    root: str = ""
    """location that ``folder`` is below"""
    folder: str
    """through an archive as `archives.members` names it"""
    archive: str | None = None
    """outermost archive around ``folder``"""
    files: tuple[str, ...] = ()
    """names of the frames by rising number"""
    labels: str | None = None
    """its label file"""
    labels_archive: str | None = None
    labels_root: str = ""
    """location that ``labels`` is below"""
    counts: LabelCounts | None = None
    """None without labels"""
    source_print: str = ""
    """fingerprint of frames and labels"""
    problem: str = ""
    """why it cannot be done"""

    @property
    def numbers(self) -> tuple[int, ...]:
        """Frame numbers, rising."""
        return tuple(int(f[:8]) for f in self.files)

    @property
    def gaps(self) -> int:
        """Places where numbers are missing."""
        numbers = self.numbers
        return sum(b != a + 1 for a, b in itertools.pairwise(numbers))


@dataclass(frozen=True, slots=True)
class Found:
    """What lies below a root."""

    sequences: list[ChokePointSequence]
    """by name"""
    notices: list[str] = field(default_factory=list)
    """missing pieces and oddities, one line each"""
    archives: tuple[str, ...] = ()
    """outermost archives that were read"""


@dataclass(slots=True)
class _Folder:
    root: Storage
    path: str
    archive: str | None
    files: dict[int, Entry] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _Labels:
    root: Storage
    path: str
    archive: str | None
    data: bytes | None
    """None: lies open, is read when wanted"""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Wanted:
    """What is looked for below a location."""

    frames: bool = True
    labels: bool = True
    archives: bool = True
    """inside of these too"""


def find(
    root: Storage,
    labels: Storage | None = None,
    progress: ProgressHook = silent,
    *,
    unpacked: Storage | None = None,
) -> Found:
    """Everything below ``root``; nothing is decoded, archives are read through once.

    labels: where the label files lie, and no others count; None: below ``root`` too. unpacked:
    what root's archives hold, which are passed over then.
    Raises InputError where a root cannot be read; all other faults cost one sequence.
    """
    reader = _Reader()
    wanted = _Wanted(labels=labels is None, archives=unpacked is None)
    reader.take(root, wanted, progress)
    if unpacked is not None and path_below(unpacked.url, root) is None:
        reader.take(unpacked, wanted, progress)
    if labels is not None:
        reader.take(labels, _Wanted(frames=False), progress)
    return reader.result()


class _Reader:
    """Collects frame folders and label files while the entries go by."""

    def __init__(self) -> None:
        self.folders: dict[tuple[str, str], _Folder] = {}
        """by location and path"""
        self.labels: dict[str, _Labels] = {}
        self.problems: dict[str, tuple[str, str]] = {}
        """name: (path, reason)"""
        self.notices: list[str] = []
        self.archives: list[str] = []
        self.seen = 0

    def take(self, storage: Storage, wanted: _Wanted, progress: ProgressHook) -> None:
        for entry in storage.entries():
            if entry.kind != "file":
                self._bad_folder(entry, wanted)
            elif not is_archive(entry.path):
                self._file(storage, entry, None, None, wanted)
            elif wanted.archives:
                self.archives.append(entry.path)
                self._archive(storage, entry, wanted, progress)
            self._tick(progress)

    def _archive(
        self, storage: Storage, entry: Entry, wanted: _Wanted, progress: ProgressHook
    ) -> None:
        last = ""
        try:
            for inner, data in _inside(storage, entry, wanted):
                last = inner.path.rpartition("/")[0]
                self._file(storage, inner, entry.path, data, wanted)
                self._tick(progress)
        except VsrError as error:
            broken = self.folders.get((storage.url, last))
            if broken is not None:  # it breaks off inside this sequence
                broken.problem = str(error)
            else:
                name = bare(PurePosixPath(entry.path).name)
                self.problems.setdefault(name, (entry.path, str(error)))

    def _tick(self, progress: ProgressHook) -> None:
        self.seen += 1
        if self.seen % 500 == 0:
            progress(Progress("looking", self.seen, None, unit="files"))

    def _bad_folder(self, entry: Entry, wanted: _Wanted) -> None:
        name = PurePosixPath(entry.path).name
        reason = "is empty" if entry.kind == "empty folder" else f"cannot be read ({entry.reason})"
        if wanted.frames and SEQUENCE_NAME.fullmatch(name):
            self.problems.setdefault(name, (entry.path, f"{entry.path}: the folder {reason}"))
        elif entry.kind == "unreadable":
            self.notices.append(f"{entry.path}: {reason}; passed over")

    def _file(
        self, root: Storage, entry: Entry, archive: str | None, data: bytes | None, wanted: _Wanted
    ) -> None:
        parent, _, name = entry.path.rpartition("/")
        match = FRAME_NAME.fullmatch(name)
        if match and wanted.frames:
            place = root.url, parent
            folder = self.folders.setdefault(place, _Folder(root, parent, archive))
            folder.files.setdefault(int(match.group(1)), entry)
        elif wanted.labels and name.lower().endswith(".xml"):
            self.labels.setdefault(name[:-4], _Labels(root, entry.path, archive, data))

    def result(self) -> Found:
        chosen: dict[str, _Folder] = {}
        for folder in sorted(self.folders.values(), key=lambda f: (f.archive is not None, f.path)):
            name = _folder_name(folder.path or _name_of(folder.root))
            if name in chosen:
                self.notices.append(f"{folder.path}: there is also {chosen[name].path}; left out")
            else:
                chosen[name] = folder
        sequences = [self._sequence(name, f) for name, f in chosen.items()]
        for name, (path, reason) in self.problems.items():
            if any(s.name == name for s in sequences):
                self.notices.append(reason)
            else:
                sequences.append(ChokePointSequence(name=name, folder=path, problem=reason))
        known = {s.name for s in sequences}
        absent = sorted(s for s in self.labels if s not in known and SEQUENCE_NAME.fullmatch(s))
        if absent:
            self.notices.append(f"labels without frames: {', '.join(absent)}")
        sequences.sort(key=lambda s: s.name)
        return Found(sequences, self.notices, tuple(self.archives))

    def _sequence(self, name: str, folder: _Folder) -> ChokePointSequence:
        """A frame folder with its labels."""
        numbers = sorted(folder.files)
        entries = [folder.files[n] for n in numbers]
        sequence = ChokePointSequence(
            name=name,
            root=folder.root.url,
            folder=folder.path,
            archive=folder.archive,
            files=tuple(PurePosixPath(e.path).name for e in entries),
            problem=folder.problem,
        )
        listing = [[PurePosixPath(e.path).name, e.size, e.stamp] for e in entries]
        found = self.labels.get(name)
        if found is None:
            return replace(sequence, source_print=fingerprint(listing))
        sequence = replace(
            sequence,
            labels=found.path,
            labels_archive=found.archive,
            labels_root=found.root.url,
        )
        try:
            data = found.data if found.data is not None else _read(found.root, found.path)
            counts = count_labels(parse_annotations(data, found.path), numbers)
        except VsrError as error:
            return replace(sequence, problem=str(error))
        listing.append([found.path, len(data), fingerprint(data.hex())])
        return replace(sequence, counts=counts, source_print=fingerprint(listing))


def _folder_name(path: str) -> str:
    """The sequence a frame folder is of: its own name, without an archive's suffix."""
    name = PurePosixPath(path).name
    match = SEQUENCE_NAME.match(name)
    return match.group(0) if match and is_archive(name) else name


def _name_of(root: Storage) -> str:
    return PurePosixPath(root.url).name if "://" in root.url else Path(root.url).resolve().name


def _inside(
    storage: Storage, entry: Entry, wanted: _Wanted
) -> Iterator[tuple[Entry, bytes | None]]:
    """The files of an archive as entries; label files with their content."""
    with tempfile.TemporaryDirectory(prefix="vsr-") as folder:
        for member in members(storage.fetch(entry.path, Path(folder)), entry.path):
            data = None
            if wanted.labels and member.path.lower().endswith(".xml"):
                if member.size > _MAX_LABEL_BYTES:
                    continue
                data = member.read()
            yield Entry(member.path, member.size, member.stamp), data


def _read(storage: Storage, path: str) -> bytes:
    size = storage.size(path)
    if size is None or size > _MAX_LABEL_BYTES:
        raise DataError(f"{path}: cannot be read, or is no label file")
    return storage.read_bytes(path)


def count_labels(annotations: SequenceAnnotations, numbers: Iterable[int]) -> LabelCounts:
    """Count the labels of the frames ``numbers``."""
    there = set(numbers)
    frames = [f for f in annotations.frames if f.number in there]
    people = [p for f in frames for p in f.persons]
    return LabelCounts(
        frames=len(annotations.frames),
        labels=len(people),
        faces=sum(1 for p in people if p.eye_distance_px),
        persons=len({p.person_id for p in people}),
        one_eye=sum(p.eye_distance_px is None for p in people),
        same_point=sum(p.eye_distance_px == 0 for p in people),
        unknown=sum(not p.known for p in people),
        shared=sum(bool(f.shared_ids()) for f in frames),
        deleted=sum(f.deleted for f in annotations.frames),
        without_picture=sum(f.number not in there for f in annotations.frames if not f.deleted),
    )
