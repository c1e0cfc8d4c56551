"""What an experiment found, and its files: ``metrics.json``, ``metrics.csv``, ``table.md``.

``metrics.json`` (a reader checks ``format`` and ``kind`` first) is one object:

====================  =======================================================================
``format``            whole number, `FORMAT`; another layout has another one
``kind``              ``"evaluation"``
``vsr``               version that measured
``versions``          package or program -> version
``source``            ``name``, ``path`` (relative to the folder of this file where the source
                      lies in or below its parent, else absolute), ``sha256`` (of the file; of a
                      folder: over the names and hashes of the pictures used), ``width`` and
                      ``height`` of the truth in pixels, ``time_base`` ("1/30"; null for face
                      pictures), ``frames`` measured, ``kind`` "video" | "frames" | "faces"
``settings``          ``scale``, ``degradation`` (name and every number), ``seed``, ``start_s``,
                      ``end_s``, ``max_frames``, ``recipe`` (of ``vsr run``), ``region`` and
                      ``canvas`` in words, ``feather``, ``baseline`` (the model gains refer to)
``models``            list of ``name``, ``family``, ``scale``, ``sha256``, ``licence``, ``terms``;
                      the baseline first, then in the order asked for
``measures``          measure -> ``title``, ``unit``, ``better`` ("higher" | "lower" | null),
                      ``levels`` (where it is taken: "face", "frame"), ``text``; only those
                      that were measured, in the order of tables
``not_measured``      group of measures -> why
``summary``           list of ``model``, ``level`` ("face" | "frame"), ``measure``, ``mean``,
                      ``low`` and ``high`` (confidence interval of the mean, null where it cannot
                      be told), ``count`` (values), ``over`` (what was resampled: "7 tracks"),
                      ``gain``, ``gain_low``, ``gain_high`` (the same minus the baseline's, pair by
                      pair; null for the baseline)
``same_person``       model -> share of faces whose ``identity`` is under dlib's 0.6; {} without
``tracks``            list of ``track``, ``first_frame``, ``last_frame``, ``frames``, ``filled``,
                      ``median_width_px`` (LR pixels), ``box_jitter_px`` (LR pixels) and
                      ``box_jitter`` (of the width; null under three frames in a row), ``models``
                      (model -> measure -> mean, and ``plain``: crops that were refused)
``faces``             list, one object for each face, frame and model: ``frame``, ``pts``,
                      ``seconds``, ``track`` (null: a face picture), ``model``, ``box`` and
                      ``window`` ([x, y, width, height] in LR pixels), ``filled``, ``outcome``
                      ("super-resolved" | "plain"), ``picture`` (file name, face pictures only),
                      and each measure (null where it does not apply: temporal ones in a track's
                      first frame, feature distances in frames left out)
``frames``            list, one object for each frame and model: ``frame``, ``pts``, ``seconds``,
                      ``model``, ``faces`` (their number), and each measure of level "frame"
``pictures``          list of ``track``, ``frame``, ``seconds``, ``width_px`` (LR pixels) and the
                      files of one face, relative to this folder: ``lr``, ``truth`` and ``models``
                      (model -> file; as pasted); the largest face of each track, 24 at most
``notices``           list of sentences
====================  =======================================================================

``metrics.csv`` holds the two long lists as one table, ``level`` in the first column.
"""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from vsr.core.geometry import Box, Window
from vsr.core.types import CropOutcome

FORMAT = 1
KIND = "evaluation"

Level = Literal["face", "frame"]
_PLACES = 6
_PLAIN_LIST = re.compile(r"(?<=\[)\n\s*[^\[\]{}]*?\n\s*(?=\])")


@dataclass(slots=True)
class Row:
    """What was measured of one frame of one model, or of one face in it."""

    frame: int
    """index among the frames that were measured"""
    pts: int
    seconds: float
    model: str
    values: dict[str, float | None] = field(default_factory=dict)
    """by measure; None where it does not apply"""

    def to_dict(self) -> dict[str, Any]:
        """As in ``metrics.json``."""
        return {**self._place(), **{k: _rounded(v) for k, v in self.values.items()}}

    def _place(self) -> dict[str, Any]:
        head = {"frame": self.frame, "pts": self.pts, "seconds": round(self.seconds, 6)}
        return {**head, "model": self.model}


@dataclass(slots=True)
class FrameRow(Row):
    """A whole frame."""

    faces: int = 0

    def _place(self) -> dict[str, Any]:
        # slots make new classes of decorated ones, which plain super() does not follow
        return {**Row._place(self), "faces": self.faces}


@dataclass(slots=True)
class FaceRow(Row):
    """A face; boxes in LR pixels."""

    track: int | None = None
    box: Box = field(default_factory=lambda: Box(0, 0, 1, 1))
    window: Window = field(default_factory=lambda: Window(0, 0, 1, 1))
    filled: bool = False
    outcome: CropOutcome = "pending"
    picture: str | None = None
    """file name, where the source is a folder of face pictures"""

    def _place(self) -> dict[str, Any]:
        b, w = self.box, self.window
        return {
            **Row._place(self),
            "track": self.track,
            "box": [round(v, 2) for v in (b.x, b.y, b.width, b.height)],
            "window": [w.x, w.y, w.width, w.height],
            "filled": self.filled,
            "outcome": self.outcome,
            **({"picture": self.picture} if self.picture is not None else {}),
        }


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over faces or frames and how sure it is."""

    model: str
    level: Level
    measure: str
    mean: float
    low: float | None
    high: float | None
    count: int
    over: str
    """what was resampled for the interval"""
    gain: float | None = None
    """minus the baseline's, pair by pair"""
    gain_low: float | None = None
    gain_high: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """As in ``metrics.json``."""
        return {name: _rounded(getattr(self, name)) for name in self.__slots__}


@dataclass(frozen=True, kw_only=True, slots=True)
class Results:
    """A finished experiment; the fields are those of ``metrics.json``."""

    vsr: str
    versions: dict[str, str]
    source: dict[str, Any]
    settings: dict[str, Any]
    models: list[dict[str, Any]]
    measures: dict[str, dict[str, Any]]
    not_measured: dict[str, str]
    summary: list[Estimate]
    same_person: dict[str, float]
    tracks: list[dict[str, Any]]
    faces: list[FaceRow]
    frames: list[FrameRow]
    pictures: list[dict[str, Any]]
    notices: list[str]

    def find(self, model: str, level: Level, measure: str) -> Estimate | None:
        """One line of the summary, None where it was not measured."""
        key = (model, level, measure)
        return next((e for e in self.summary if (e.model, e.level, e.measure) == key), None)

    def to_dict(self, *, rows: bool = True) -> dict[str, Any]:
        """Plain values for JSON; without ``rows`` the two long lists stay away."""
        values = {"format": FORMAT, "kind": KIND}
        for name in self.__slots__:
            value = getattr(self, name)
            if name in ("faces", "frames"):
                if rows:
                    values[name] = [row.to_dict() for row in value]
            else:
                values[name] = [e.to_dict() for e in value] if name == "summary" else value
        return values

    def to_json(self) -> str:
        """``metrics.json``: indented, a row or a list of plain values on one line."""
        values = self.to_dict()
        lists = {name: values.pop(name) for name in ("summary", "faces", "frames")}
        text = json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False)
        text = _PLAIN_LIST.sub(lambda m: re.sub(r"\n\s*", " ", m[0]).strip(), text)
        for name, rows in lists.items():
            lines = [json.dumps(row, ensure_ascii=False, allow_nan=False) for row in rows]
            body = "\n    " + ",\n    ".join(lines) + "\n  " if lines else ""
            text = text.removesuffix("\n}") + f',\n  "{name}": [{body}]\n}}'
        return text + "\n"

    def to_csv(self) -> str:
        """``metrics.csv``: frames and faces in one table."""
        place = ["level", "frame", "pts", "seconds", "model", "faces", "track",
                 "x", "y", "width", "height", "filled", "outcome", "picture"]  # fmt: skip
        out = io.StringIO()
        writer = csv.DictWriter(
            out, [*place, *self.measures], extrasaction="ignore", lineterminator="\n"
        )
        writer.writeheader()
        for frame in self.frames:
            writer.writerow({"level": "frame", **frame.to_dict()})
        for face in self.faces:
            values = face.to_dict()
            box = dict(zip(("x", "y", "width", "height"), values["box"], strict=True))
            writer.writerow({"level": "face", **values, **box})
        return out.getvalue()


def _rounded(value: Any) -> Any:
    return round(value, _PLACES) if isinstance(value, float) else value


def recorded_path(source: Path, folder: Path | None) -> str:
    """How ``source`` is named in a record that lies in ``folder``."""
    full = source.resolve()
    if folder is not None and full.is_relative_to(folder.resolve().parent):
        up = folder.resolve()
        return str(Path("..") / full.relative_to(up.parent)) if up not in full.parents else str(
            full.relative_to(up)
        )  # fmt: skip
    return str(full)
