"""Tracks as JSON values and back: small enough for the manifest of a long film.

Boxes and windows are ``[x, y, width, height]``; a timeline is a table with named columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vsr.core.errors import DataError
from vsr.core.geometry import Box, Window
from vsr.core.types import FaceSample, Track, TrackPoint

_COLUMNS = ("frame", "seconds", "x", "y", "width", "height", "filled", "outcome", "deviation")
_PLAIN = (
    "track_id",
    "first_frame",
    "last_frame",
    "frames",
    "filled",
    "median_width_px",
    "plain",
    "label",
    "narrowest_px",
    "widest_px",
)


def track_to_dict(track: Track) -> dict[str, Any]:
    """A track as JSON values; lengths to a tenth of a pixel, times to a tenth of a millisecond."""
    return {
        **{name: getattr(track, name) for name in _PLAIN},
        "filled_frames": [list(run) for run in track.filled_frames],
        "plain_frames": [list(run) for run in track.plain_frames],
        "best": [_sample_to_dict(s) for s in track.best],
        "worst": [_sample_to_dict(s) for s in track.worst],
        "timeline": {
            "columns": list(_COLUMNS),
            "rows": [_row(p) for p in track.timeline],
        },
    }


def track_from_dict(values: Mapping[str, Any]) -> Track:
    """The reverse of `track_to_dict`; what older records lack stays empty.

    Raises DataError where a value is missing or of another kind.
    """
    try:
        return Track(
            **{name: values[name] for name in _PLAIN if name in values},
            filled_frames=tuple((int(a), int(b)) for a, b in values.get("filled_frames", ())),
            plain_frames=tuple((int(a), int(b)) for a, b in values.get("plain_frames", ())),
            best=tuple(_sample(s) for s in values.get("best", ())),
            worst=tuple(_sample(s) for s in values.get("worst", ())),
            timeline=tuple(_points(values.get("timeline", {}))),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f"track record: {error.__class__.__name__}: {error}; "
            "wanted what 'vsr run' writes: run it again"
        ) from None


def _sample_to_dict(sample: FaceSample) -> dict[str, Any]:
    window = sample.window
    return {
        "frame": sample.frame,
        "pts": sample.pts,
        "seconds": round(sample.seconds, 4),
        "box": _box(sample.box),
        "window": [window.x, window.y, window.width, window.height],
        "confidence": round(sample.confidence, 3),
        "filled": sample.filled,
        "outcome": sample.outcome,
        "deviation": _rounded(sample.deviation),
        "strength": round(sample.strength, 3),
    }


def _sample(values: Mapping[str, Any]) -> FaceSample:
    fields = FaceSample.__dataclass_fields__.keys() - {"box", "window", "strength"}
    rest = {k: values[k] for k in fields}
    return FaceSample(**rest, box=Box(*values["box"]), window=Window(*values["window"]),
                      strength=values.get("strength", 1.0))  # fmt: skip


def _row(point: TrackPoint) -> list[Any]:
    judged = (int(point.filled), point.outcome, _rounded(point.deviation))
    return [point.frame, round(point.seconds, 4), *_box(point.box), *judged]


def _points(table: Mapping[str, Any]) -> list[TrackPoint]:
    names = table.get("columns", [])
    points = []
    for row in table.get("rows", []):
        cell = dict(zip(names, row, strict=True))
        points.append(
            TrackPoint(
                frame=cell["frame"],
                seconds=cell["seconds"],
                box=Box(cell["x"], cell["y"], cell["width"], cell["height"]),
                filled=bool(cell["filled"]),
                outcome=cell["outcome"],
                deviation=cell["deviation"],
            )
        )
    return points


def _box(box: Box) -> list[float]:
    return [round(v, 1) for v in (box.x, box.y, box.width, box.height)]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
