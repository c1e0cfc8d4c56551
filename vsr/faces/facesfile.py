"""The faces file: where the faces of a video are, as JSON lines that a person can edit.

The first line is a header, then comes a line for each frame, at last one for each track. Track
lines are what a person edits: ``drop`` (true: the track stays as the source has it),
``merge_into`` (the number of the track that shows the same person) and ``strength`` (0..1).
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vsr.core.config import near
from vsr.core.errors import DataError, InputError
from vsr.core.geometry import Box
from vsr.core.hashing import file_sha256
from vsr.core.types import Face, Frame, FrameFaces, Track

FORMAT = 1
KIND = "vsr_faces"
"""key of the header that says what file this is; its value is the format"""

_EDITS = {"drop": (bool,), "merge_into": (int, type(None)), "strength": (int, float)}
_TOLD = ("first", "last", "frames", "seconds", "width_px", "detail_px")
_FACE = ("track", "box", "confidence", "filled", "strength")


@dataclass(frozen=True, slots=True)
class TrackEdit:
    """What is to be done with a track."""

    drop: bool = False
    """the faces stay as the source has them"""
    merge_into: int | None = None
    """the track whose person this is; None: its own"""
    strength: float = 1.0
    """0..1: how much of the super-resolved faces is blended in"""


@dataclass(frozen=True, kw_only=True)
class FacesFile:
    """A faces file, read and checked."""

    path: Path
    header: Mapping[str, Any]
    frames: tuple[tuple[int, tuple[Face, ...]], ...]
    """pts and faces of each frame that is kept, from the first on"""
    edits: Mapping[int, TrackEdit] = field(default_factory=dict)
    """by track; tracks that are left out stay as found"""

    def find(self, frames: Iterable[Frame]) -> Iterator[FrameFaces]:
        """The faces of a video's frames, edited. Raises DataError where they are of another one."""
        size = self.header.get("width"), self.header.get("height")
        for frame in frames:
            got = frame.rgb.shape[1], frame.rgb.shape[0]
            if got != size:
                raise DataError(
                    f"{self.path}: is of a {size[0]}x{size[1]} video, expected {got[0]}x{got[1]}, "
                    f"the input's size; {self._remedy}"
                )
            pts = self.frames[frame.index][0] if frame.index < len(self.frames) else None
            if pts != frame.pts:
                what = "is not in it" if pts is None else f"is at {pts} in it"
                raise DataError(
                    f"{self.path}: frame {frame.index} {what}, expected at {frame.pts} as in the "
                    f"input; {self._remedy}"
                )
            yield FrameFaces(frame, self.faces_of(frame.index))

    @property
    def _remedy(self) -> str:
        return "make one of this video at this --fps with 'vsr faces'"

    def faces_of(self, index: int) -> tuple[Face, ...]:
        """The faces of a frame as edited."""
        found = (self._edited(face) for face in self.frames[index][1])
        return tuple(face for face in found if face is not None)

    def _edited(self, face: Face) -> Face | None:
        track = face.track_id
        edit = self.edits.get(track, TrackEdit()) if track is not None else TrackEdit()
        strength = face.strength * edit.strength
        while edit.merge_into is not None and not edit.drop:
            track = edit.merge_into
            edit = self.edits.get(track, TrackEdit())
        return None if edit.drop else replace(face, track_id=track, strength=strength)


def read_faces_file(path: Path, sha256: str = "") -> FacesFile:
    """Read and check a faces file.

    sha256: what it had when it was used before; empty: not asked.
    Raises InputError where it is missing, DataError where it is damaged, of another kind, or
    edited in a way that makes no sense, with the number of the line.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such faces file; make it with: vsr faces INPUT -o {path}")
    if sha256 and file_sha256(path) != sha256:
        raise DataError(
            f"{path}: was changed since, expected SHA-256 {sha256[:12]}…; give the file as it was, "
            "or run with it anew"
        )
    frames: list[tuple[int, tuple[Face, ...]]] = []
    edits: dict[int, TrackEdit] = {}
    header: dict[str, Any] | None = None
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            where = f"{path}, line {number}"
            if not line.strip():
                continue
            values = _object(line, where)
            if header is None:
                header = _header(values, where)
            elif "frame" in values:
                frames.append(_frame(values, len(frames), where))
            elif "track" in values:
                track = _whole(values["track"], "track", where)
                if track in edits:
                    raise DataError(f"{where}: track {track} has a line already; remove one")
                edits[track] = _edit(values, where)
            else:
                raise DataError(
                    f"{where}: expected a 'frame' or a 'track'; remove or mend the line"
                )
    if header is None:
        raise DataError(f"{path}: is empty, expected a faces file as 'vsr faces' writes it")
    if header.get("frames") not in (None, len(frames)):
        raise DataError(
            f"{path}: holds {len(frames)} frames, expected the {header['frames']} of its header; "
            "it was cut short: make it again"
        )
    made = FacesFile(path=path, header=header, frames=tuple(frames), edits=edits)
    _check_merges(made)
    return made


def _object(line: bytes, where: str) -> dict[str, Any]:
    try:
        values = json.loads(line)
    except ValueError as error:
        raise DataError(f"{where}: not JSON ({error}); mend the line") from None
    if not isinstance(values, dict):
        raise DataError(f"{where}: got a {type(values).__name__}, expected an object in braces")
    return values


def _header(values: dict[str, Any], where: str) -> dict[str, Any]:
    if values.get(KIND) != FORMAT:
        raise DataError(
            f"{where}: expected the header of a faces file of format {FORMAT}; make the file with "
            "'vsr faces'"
        )
    return values


def _frame(values: dict[str, Any], count: int, where: str) -> tuple[int, tuple[Face, ...]]:
    if values["frame"] != count:
        raise DataError(
            f"{where}: got frame {values['frame']}, expected {count}; leave the frames' lines and "
            "their order alone"
        )
    try:
        faces = tuple(_face(face, where) for face in values["faces"])
        return int(values["pts"]), faces
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{where}: frame {count} cannot be read ({error}); mend the line") from None


def _face(values: Mapping[str, Any], where: str) -> Face:
    for key in values:
        if key not in _FACE:
            raise DataError(f"{where}: unknown key '{key}' of a face; {near(key, _FACE)}")
    return Face(
        Box(*(float(v) for v in values["box"])),
        float(values.get("confidence", 1.0)),
        _whole(values["track"], "track", where),
        bool(values.get("filled", False)),
        strength=float(values.get("strength", 1.0)),
    )


def _edit(values: Mapping[str, Any], where: str) -> TrackEdit:
    for key, value in values.items():
        if key in ("track", *_TOLD):
            continue
        if key not in _EDITS:
            raise DataError(f"{where}: unknown key '{key}' of a track; {near(key, _EDITS)}")
        kinds = _EDITS[key]
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            wanted = {"drop": "true or false", "merge_into": "a track's number or null"}
            raise DataError(
                f"{where}: {key}: got {json.dumps(value)}, expected {wanted.get(key, '0 to 1')}"
            )
    strength = float(values.get("strength", 1.0))
    if not 0 <= strength <= 1:
        raise DataError(f"{where}: strength: got {strength:g}, expected 0 to 1")
    return TrackEdit(values.get("drop", False), values.get("merge_into"), strength)


def _whole(value: Any, key: str, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise DataError(f"{where}: {key}: got {json.dumps(value)}, expected a whole number from 0")
    return value


def _check_merges(file: FacesFile) -> None:
    """Raises DataError where a track is merged into none, into itself by others, or where two
    that become one stand in one frame."""
    known = {f.track_id for _, faces in file.frames for f in faces if f.track_id is not None}
    for track, edit in file.edits.items():
        where = f"{file.path}: track {track}"
        if track not in known:
            raise DataError(f"{where}: no frame shows it; {_tracks(known)}")
        passed: list[int] = [track]
        last = edit.merge_into
        while last is not None:
            if last not in known:
                raise DataError(f"{where}: merge_into: there is no track {last}; {_tracks(known)}")
            if last in passed:
                chain = " into ".join(map(str, [*passed, last]))
                raise DataError(f"{where}: merge_into: {chain} has no end; take one of them out")
            passed.append(last)
            last = file.edits.get(last, TrackEdit()).merge_into
    for index, (_, faces) in enumerate(file.frames):
        into = {}
        for before, after in zip(faces, map(file._edited, faces), strict=True):
            if after is None:
                continue
            other = into.setdefault(after.track_id, before.track_id)
            if other != before.track_id:
                raise DataError(
                    f"{file.path}: tracks {other} and {before.track_id} become one, but both stand "
                    f"in frame {index}; they are two persons, or one of them is to be dropped"
                )


def _tracks(known: Iterable[int]) -> str:
    numbers = sorted(known)
    runs = []
    for _, group in itertools.groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        run = [number for _, number in group]
        runs.append(f"{run[0]}" if len(run) == 1 else f"{run[0]}-{run[-1]}")
    return f"there are {', '.join(runs)}" if runs else "there are none"


def header_line(**told: Any) -> str:
    """The first line; ``width`` and ``height`` are of the source's frames, pixels."""
    return _line({KIND: FORMAT, **told})


def frame_line(item: FrameFaces) -> str:
    """A frame's line."""
    faces = [
        {
            "track": face.track_id,
            "box": [face.box.x, face.box.y, face.box.width, face.box.height],
            "confidence": face.confidence,
            **({"filled": True} if face.filled else {}),
            **({"strength": face.strength} if face.strength != 1 else {}),
        }
        for face in item.faces
    ]
    return _line({"frame": item.frame.index, "pts": item.frame.pts, "faces": faces})


def track_line(track: Track, seconds: tuple[float, float]) -> str:
    """A track's line, nothing edited yet; seconds: of its first and last frame."""
    return _line(
        {
            "track": track.track_id,
            "drop": False,
            "merge_into": None,
            "strength": 1.0,
            "first": track.first_frame,
            "last": track.last_frame,
            "frames": track.frames,
            "seconds": [round(s, 3) for s in seconds],
            "width_px": round(track.median_width_px, 1),
            "detail_px": track.detail_px,
        }
    )


def _line(values: dict[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False) + "\n"
