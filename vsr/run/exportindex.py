"""What an export says of itself: ``index.json``, and the same rows as ``index.csv``."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import vsr
from vsr.core.types import FaceCrop, Frame
from vsr.run.output import write_atomically

FORMAT = 1
"""version of the index's layout"""
INDEX = "index.json"

_COLUMNS: tuple[str, ...] = (
    "frame", "pts", "seconds", "track", "label", "x", "y", "width", "height", "confidence",
    "face_width_px", "eye_distance_px", "filled", "outcome", "deviation", "detail_px",
    "working_px", "working_scale", "views", "noise", "model", "scale",
    "picture", "lr", "bicubic", "sr", "fused",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ExportIndex:
    """The record of one export."""

    source: dict[str, Any]
    """as in a run's manifest: name, path from here, sha256, size, time base, codec"""
    recipe: dict[str, Any]
    recipe_sha256: str
    model: dict[str, Any]
    """name, scale, sha256"""
    versions: dict[str, str]
    faces_from: str
    """"detector" or "given" """
    selection: dict[str, Any]
    """start_s, end_s (None: open), every, tracks, max_frames"""
    video: dict[str, Any] | None
    """what a video of the frames needs: width, height, pix_fmt, color, frame_rate, end_s,
    broken_at_s; None where only faces were exported"""
    exact: dict[str, Any] | None
    """name and sha256 of the file that holds the frames as the encoder gets them"""
    tracks: list[dict[str, Any]]
    """as in a run's manifest; frame counts are of the exported stretch"""
    frames: list[dict[str, Any]] = field(default_factory=list)
    """frame, pts, seconds, picture, sha256, source (files, or None)"""
    faces: list[dict[str, Any]] = field(default_factory=list)
    """one row for each face of an exported frame: `face_row`"""
    keys: list[dict[str, Any]] = field(default_factory=list)
    """such a row for each track's key frame, where they were asked for"""
    notices: list[str] = field(default_factory=list)
    seconds: float = 0.0
    """wall time"""
    vsr: str = vsr.__version__
    kind: str = "export"
    format: int = FORMAT

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON values."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def write(self, folder: Path) -> None:
        """Write ``index.json`` and ``index.csv``; raises OutputError."""
        write_atomically(folder / INDEX, _to_json(self.to_dict()))
        write_atomically(folder / "index.csv", self._to_csv())

    def _to_csv(self) -> str:
        """One line a face, and one for each frame without a face."""
        text = io.StringIO()
        writer: csv.DictWriter[str] = csv.DictWriter(
            text, _COLUMNS, extrasaction="ignore", lineterminator="\n"
        )
        writer.writeheader()
        by_frame: dict[int, list[dict[str, Any]]] = {}
        for row in self.faces:
            by_frame.setdefault(row["frame"], []).append(row)
        common = {"model": self.model["name"], "scale": self.model["scale"]}
        for frame in self.frames:
            for row in by_frame.get(frame["frame"], [{}]):
                writer.writerow({**frame, **common, **row})
        return text.getvalue()


def face_row(
    frame: Frame, number: int, crop: FaceCrop, eye_distance_px: float | None
) -> dict[str, Any]:
    """A face as JSON values, still without the names of its pictures."""
    box = crop.face.box
    return {
        "frame": number,
        "pts": frame.pts,
        "seconds": round(frame.seconds, 6),
        "track": crop.face.track_id,
        "label": crop.face.label,
        "x": round(box.x, 2),
        "y": round(box.y, 2),
        "width": round(box.width, 2),
        "height": round(box.height, 2),
        "confidence": round(crop.face.confidence, 4),
        "face_width_px": round(box.width, 2),
        "eye_distance_px": None if eye_distance_px is None else round(eye_distance_px, 2),
        "filled": crop.face.filled,
        "outcome": crop.outcome,
        "deviation": None if crop.deviation is None else round(crop.deviation, 3),
        "detail_px": None if crop.detail_px is None else round(crop.detail_px, 1),
        "working_px": crop.working.side if crop.working else crop.lr.shape[1],
        "working_scale": crop.working.scale if crop.working else None,
        "views": None if crop.fusion is None else round(crop.fusion.views, 3),
        "noise": None if crop.fusion is None else round(crop.fusion.noise, 3),
        "fused": None,
    }


def _to_json(values: dict[str, Any]) -> str:
    """Readable, yet one line for each frame and face."""
    parts = []
    for key, value in values.items():
        if key in ("frames", "faces", "tracks", "keys") and value:
            rows = ",\n    ".join(json.dumps(row, ensure_ascii=False) for row in value)
            parts.append(f"{json.dumps(key)}: [\n    {rows}\n  ]")
        else:
            text = json.dumps(value, indent=2, ensure_ascii=False).replace("\n", "\n  ")
            parts.append(f"{json.dumps(key)}: {text}")
    return "{\n  " + ",\n  ".join(parts) + "\n}\n"
