"""The journal of a run: what is finished of an output, so that the same command resumes it.

It is a hidden folder beside the output. ``header.json`` says of what input, weights and
settings it is; ``000000.nut`` … are the finished parts of the video; ``parts.jsonl`` has a line
for each of them, written once the part is safe on the disk, with what the manifest must know of
its faces; ``detections.jsonl`` spares the detector its work on frames that it has seen.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import vsr
from vsr.core.errors import DataError, OutputError
from vsr.core.hashing import file_sha256
from vsr.core.names import hidden_beside
from vsr.core.types import CropOutcome, FaceCrop, FrameCrops, Fusion
from vsr.core.video import VideoInfo
from vsr.faces.detections import DetectionRecord
from vsr.media.codecs import encoder_name
from vsr.media.segments import Part, sync_folder
from vsr.models.registry import resolve_model, weights_beside
from vsr.run.fingerprint import differences
from vsr.run.manifest import detector_entry, versions
from vsr.run.output import manifest_path, write_atomically
from vsr.run.recipe import Recipe
from vsr.run.samesize import frame_format

FORMAT = 3
"""version of the journal's layout"""

_Judged = tuple[tuple[CropOutcome, float | None, tuple[float, float] | None], ...]
"""outcome and deviation of each crop of a frame, and views and noise of its `Fusion`"""

_HEADER, _PARTS, _DETECTIONS, _LOCK = "header.json", "parts.jsonl", "detections.jsonl", "lock"
_WHOLE = "whole.json"


def journal_path(out: Path) -> Path:
    """Where the journal of an output lies."""
    return hidden_beside(out, ".vsr-journal")


@contextlib.contextmanager
def locked(out: Path) -> Iterator[Path]:
    """The folder of an output's journal, held against other runs; gone after, where empty.

    The lock ends with the process, however that ends. Raises OutputError where another run
    holds it, or where the folder cannot be made.
    """
    folder = journal_path(out)
    lock = _lock(folder, out)
    try:
        yield folder
    finally:
        if set(os.listdir(folder)) <= {_LOCK}:
            shutil.rmtree(folder, ignore_errors=True)
        lock.close()


def lost_after_naming(out: Path) -> bool:
    """Whether ``out`` is of a run that was lost after naming it, before its manifest was there."""
    try:
        noted = json.loads((journal_path(out) / _WHOLE).read_text(encoding="utf-8"))
        return noted == _identity(out) and not manifest_path(out).exists()
    except (OSError, ValueError):
        return False


def tidy(out: Path) -> None:
    """Remove the journal of an output that is complete, where a run was lost while doing so."""
    if journal_path(out).is_dir():
        with contextlib.suppress(OutputError, OSError), locked(out) as folder:
            _empty(folder, keep=(_LOCK,))


def _identity(path: Path) -> list[int]:
    """What a file keeps through renaming, and no other file has."""
    stat = path.stat()
    return [stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns]


def _lock(folder: Path, out: Path) -> IO[str]:
    while True:
        try:
            folder.mkdir(exist_ok=True)
            lock = (folder / _LOCK).open("a")
        except FileNotFoundError:
            if not folder.parent.is_dir():
                raise OutputError(f"{out}: the folder {folder.parent} is gone") from None
            continue  # the run that held it has just ended and removed it
        except OSError as error:
            raise OutputError(
                f"{folder}: cannot be made ({error.strerror or error}); check the folder's room "
                "and rights"
            ) from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise OutputError(
                f"{out}: another run is writing it; wait for that one, or choose another name"
            ) from None
        except OSError:
            return lock  # a file system without locks
        with contextlib.suppress(OSError):
            if os.fstat(lock.fileno()).st_ino == (folder / _LOCK).stat().st_ino:
                return lock
        lock.close()


@dataclass(frozen=True, slots=True)
class FinishedPart:
    """A part of the video, and what was found in its frames."""

    part: Part
    judged: tuple[_Judged, ...]
    """of each of its frames"""
    seconds: float
    """what the run had taken so far"""


class Journal:
    """Finished parts of one output, taken up or begun.

    folder: held by `locked`. header: see `header_of`. part_frames: frames of a part.
    restart: begin anew, whatever lies there. Raises OutputError where the journal is of another
    input, of other weights or settings, DataError where it is damaged.
    """

    def __init__(
        self, folder: Path, out: Path, header: Mapping[str, Any], part_frames: int, *, restart: bool
    ) -> None:
        self.folder = folder
        self.record = DetectionRecord(folder / _DETECTIONS)
        self._out = out
        self._part_frames = part_frames
        self._started = time.monotonic()
        self._waiting: deque[_Judged] = deque()
        """of frames whose part is not finished"""
        self.parts: list[Part] = []
        """the finished parts, in order"""
        self._earlier: list[FinishedPart] = []
        try:
            if not restart and self._holds_parts():
                self._check(header)
                self._earlier = self._read()
            self.parts = [d.part for d in self._earlier]
            self._clean()
            if not self.parts:
                write_atomically(folder / _HEADER, json.dumps(header, indent=2) + "\n")
                (folder / _PARTS).touch()
                sync_folder(folder)
                sync_folder(folder.parent)
        except OSError as error:
            raise OutputError(
                f"{folder}: {error.strerror or error}; check room and rights"
            ) from None
        self._earlier_s = self._earlier[-1].seconds if self._earlier else 0.0

    @property
    def first(self) -> int:
        """Index of the first frame that is not in a part from an earlier run."""
        return sum(d.part.frames for d in self._earlier)

    @property
    def faces(self) -> int:
        """Faces in the frames before `first`."""
        return sum(len(judged) for d in self._earlier for judged in d.judged)

    @property
    def seconds(self) -> float:
        """What earlier runs took for the frames before `first`."""
        return self._earlier_s

    def judged(self, item: FrameCrops) -> FrameCrops:
        """The crops of a frame before `first` with what became of them."""
        done = self._earlier[item.frame.index // self._part_frames]
        at = item.frame.index % self._part_frames
        found = done.judged[at]
        if done.part.pts[at] != item.frame.pts or len(found) != len(item.crops):
            raise DataError(
                f"{self.folder}: frame {item.frame.index} is not what it was; the source or this "
                "machine's decoder has changed; use --restart to start over"
            )
        pairs = zip(item.crops, found, strict=True)
        crops = tuple(
            dataclasses.replace(c, outcome=o, deviation=d, fusion=Fusion(*f) if f else None)
            for c, (o, d, f) in pairs
        )
        return dataclasses.replace(item, crops=crops)

    def note(self, items: Iterable[FrameCrops]) -> Iterator[FrameCrops]:
        """Pass judged frames on and remember them until their part is finished."""
        for item in items:
            self._waiting.append(tuple((c.outcome, c.deviation, _pair(c)) for c in item.crops))
            yield item

    def add(self, part: Part) -> None:
        """Write down a part that is safe on the disk. Raises OutputError."""
        judged = tuple(self._waiting.popleft() for _ in range(part.frames))
        seconds = self._earlier_s + time.monotonic() - self._started
        done = FinishedPart(part, judged, round(seconds, 3))
        try:
            with (self.folder / _PARTS).open("ab") as file:
                file.write(_line(done))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise OutputError(
                f"{self._out}: cannot be written ({error.strerror or error}); free some space, "
                "then run the same command again: it resumes"
            ) from None
        self.parts.append(part)

    def note_whole(self, path: Path) -> None:
        """Write down that the file ``path`` is the whole output, about to get its name."""
        write_atomically(self.folder / _WHOLE, json.dumps(_identity(path)))

    def remove(self) -> None:
        """The output is whole, or nothing is worth keeping."""
        _empty(self.folder, keep=(_LOCK,))

    def close(self) -> None:
        """Keep the journal only where it holds finished parts."""
        with contextlib.suppress(FileNotFoundError):
            # an interrupt may come between the line and our own knowledge of it
            if not self._holds_parts():
                self.remove()

    def _holds_parts(self) -> bool:
        """Whether there is something to resume: not where a run was lost at once."""
        book, header = self.folder / _PARTS, self.folder / _HEADER
        return header.exists() and book.exists() and book.stat().st_size > 0

    def _check(self, header: Mapping[str, Any]) -> None:
        path = self.folder / _HEADER
        try:
            there = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(there, dict) or there.get("format") != FORMAT:
                raise ValueError("of another format")
            found = differences(there, header)
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise DataError(
                f"{path}: cannot be read by this version of vsr ({error}); use --restart to start "
                "over"
            ) from None
        if found:
            raise OutputError(
                f"{self._out}: found an interrupted run with other settings ({'; '.join(found)}); "
                "re-run its command to resume it, or use --restart to start over"
            )

    def _read(self) -> list[FinishedPart]:
        """Whole parts that lie there as they were written; the file ends after them."""
        path = self.folder / _PARTS
        data = path.read_bytes() if path.exists() else b""
        done: list[FinishedPart] = []
        good = 0
        for line in data.splitlines(keepends=True):
            try:
                found = _finished(line)
                whole = self._is_as_written(found.part)
            except (ValueError, TypeError, KeyError, OSError):
                break
            # the last part of a video is shorter: it is made again, since segments are whole
            if not whole or found.part.frames != self._part_frames:
                break
            done.append(found)
            good += len(line)
        if path.exists():
            os.truncate(path, good)
        return done

    def _is_as_written(self, part: Part) -> bool:
        path = self.folder / part.name
        return path.stat().st_size == part.size and file_sha256(path) == part.sha256

    def _clean(self) -> None:
        """Remove what a run that was killed left unfinished."""
        keep = {_LOCK, _WHOLE, *(p.name for p in self.parts)}
        if self.parts:
            keep |= {_HEADER, _PARTS, _DETECTIONS}
        _empty(self.folder, keep=keep)


def header_of(recipe: Recipe, info: VideoInfo, source_sha256: str) -> dict[str, Any]:
    """What a run is recognised by. info: of the source."""
    encode = dataclasses.replace(recipe.encode, pix_fmt=frame_format(info, recipe).name)
    spec = resolve_model(recipe.upscale.model, recipe.upscale.scale)
    programs = {k: v for k, v in versions().items() if k != "python"}
    settings = {k: v for k, v in recipe.to_dict().items() if k != "name"}
    return {
        "format": FORMAT,
        "source": source_sha256,
        "model": {"name": spec.name, "sha256": spec.weights_sha256},
        "networks": {} if recipe.working.scale == "crop" else weights_beside(spec),
        "detector": detector_entry(recipe.detect),
        "recipe": settings,
        # a card that is gone encodes in another way: its parts and the processor's don't join
        "versions": {"vsr": vsr.__version__, "encoder": encoder_name(encode), **programs},
    }


def _empty(folder: Path, keep: Iterable[str]) -> None:
    for path in folder.iterdir():
        if path.name in keep:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _line(done: FinishedPart) -> bytes:
    values = {**done.part.to_dict(), "judged": done.judged, "seconds": done.seconds}
    return json.dumps(values, separators=(",", ":")).encode() + b"\n"


def _finished(line: bytes) -> FinishedPart:
    """The reverse of `_line`. Raises ValueError, TypeError or KeyError on anything else."""
    if not line.endswith(b"\n"):
        raise ValueError("cut short")
    values = json.loads(line)
    part = Part.from_dict(values)
    judged = tuple(tuple((o, d, _known(f)) for o, d, f in frame) for frame in values["judged"])
    if part.frames != len(judged):
        raise ValueError("counts differ")
    return FinishedPart(part, judged, float(values["seconds"]))


def _pair(crop: FaceCrop) -> tuple[float, float] | None:
    return None if crop.fusion is None else (crop.fusion.views, crop.fusion.noise)


def _known(pair: list[float] | None) -> tuple[float, float] | None:
    if pair is None:
        return None
    views, noise = pair
    return float(views), float(noise)


Judge = Callable[[FrameCrops], FrameCrops]
"""gives the crops of an earlier frame what became of them"""
