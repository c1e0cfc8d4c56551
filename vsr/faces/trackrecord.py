"""Tracks as JSON values and back: small enough for the manifest of a long film.

Boxes and windows are ``[x, y, width, height]``; a timeline is a table with named columns.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeVar

from vsr.core.config import build
from vsr.core.errors import DataError, UsageError
from vsr.core.geometry import Box, Window
from vsr.core.types import FaceSample, Track, TrackPoint

T = TypeVar("T")

_COLUMNS = ("frame", "seconds", "x", "y", "width", "height", "filled", "outcome", "deviation")
_PLAIN = (
    "track_id",
    "first_frame",
    "last_frame",
    "frames",
    "filled",
    "median_width_px",
    "plain",
    "kept",
    "label",
    "narrowest_px",
    "widest_px",
    "window_px",
    "detail_px",
    "working_px",
    "working_scale",
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
        "views": _rounded(track.views),
        "noise": _rounded(track.noise),
    }


def track_from_dict(values: Mapping[str, Any]) -> Track:
    """The reverse of `track_to_dict`; what older records lack stays empty.

    Raises DataError where a value is missing or of another kind.
    """
    try:
        plain = {name: values[name] for name in _PLAIN if name in values}
        lists: dict[str, Any] = {
            "filled_frames": values.get("filled_frames", ()),
            "plain_frames": values.get("plain_frames", ()),
            "best": [_sample(s) for s in values.get("best", ())],
            "worst": [_sample(s) for s in values.get("worst", ())],
            "timeline": _points(values.get("timeline", {})),
            "views": values.get("views"),
            "noise": values.get("noise"),
        }
        return _checked(Track, plain | lists)
    except (KeyError, TypeError, ValueError, AttributeError, UsageError) as error:
        raise DataError(
            f"track record: {error.__class__.__name__}: {error}; "
            "expected what 'vsr run' writes: run it again"
        ) from None


def _checked(cls: type[T], values: Mapping[str, Any]) -> T:
    """One of the record's classes, each value of the kind that its field says, and finite."""
    for name, value in values.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{name}: got {value}, expected a finite number")
    return build(cls, values, cls.__name__)


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
    if "strength" in values:
        rest["strength"] = values["strength"]
    window = dict(zip(Window.__dataclass_fields__, values["window"], strict=True))
    places = {"box": Box(*values["box"]), "window": _checked(Window, window)}
    return _checked(FaceSample, rest | places)


def _row(point: TrackPoint) -> list[Any]:
    judged = (int(point.filled), point.outcome, _rounded(point.deviation))
    return [point.frame, round(point.seconds, 4), *_box(point.box), *judged]


def _points(table: Mapping[str, Any]) -> list[TrackPoint]:
    names = table.get("columns", [])
    points = []
    for row in table.get("rows", []):
        cell = dict(zip(names, row, strict=True))
        plain = {k: cell[k] for k in ("frame", "seconds", "outcome", "deviation")}
        box = Box(cell["x"], cell["y"], cell["width"], cell["height"])
        points.append(_checked(TrackPoint, plain | {"box": box, "filled": bool(cell["filled"])}))
    return points


def _box(box: Box) -> list[float]:
    return [round(v, 1) for v in (box.x, box.y, box.width, box.height)]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
