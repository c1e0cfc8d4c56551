"""From rows to means with intervals, and what is known of each track."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from statistics import median
from typing import Any

import numpy as np

from vsr.evaluate.experiment.interval import MIN_TRACKS, STRETCH, bootstrap
from vsr.evaluate.experiment.measures import MEASURES
from vsr.evaluate.experiment.results import Estimate, FaceRow, FrameRow, Level, Row
from vsr.evaluate.experiment.stability import BoxJitter
from vsr.evaluate.identity import SAME_PERSON


def summarise(
    faces: Sequence[FaceRow], frames: Sequence[FrameRow], models: Sequence[str], baseline: str
) -> list[Estimate]:
    """Means over faces and frames of each model and measure, gains over the baseline."""
    found: list[Estimate] = []
    levels: tuple[tuple[Level, Sequence[Row]], ...] = (("face", faces), ("frame", frames))
    for level, rows in levels:
        of_model = {m: [row for row in rows if row.model == m] for m in models}
        for measure in (m.name for m in MEASURES if level in m.levels):
            base = of_model[baseline]
            for model in models:
                estimate = _estimate(level, measure, of_model[model], base)
                found += [estimate] if estimate is not None else []
    return found


def _estimate(
    level: Level, measure: str, rows: Sequence[Row], base: Sequence[Row]
) -> Estimate | None:
    """One line of the summary; None where nothing was measured."""
    pairs = [
        (row, row.values.get(measure), other.values.get(measure))
        for row, other in zip(rows, base, strict=True)
    ]
    kept = [(row, value, other) for row, value, other in pairs if value is not None]
    if not kept:
        return None
    clusters, over = _clusters([row for row, _, _ in kept])
    mean = bootstrap([value for _, value, _ in kept], clusters)
    model = kept[0][0].model
    estimate = (model, level, measure, mean.mean, mean.low, mean.high, mean.count, over)
    if model == base[0].model:
        return Estimate(*estimate)
    gains = [value - other for _, value, other in kept if other is not None]
    gain = bootstrap(gains, [c for c, k in zip(clusters, kept, strict=True) if k[2] is not None])
    return Estimate(*estimate, gain.mean, gain.low, gain.high)


def _clusters(rows: Sequence[Row]) -> tuple[list[Hashable], str]:
    """Which values belong together, and in words what is drawn again."""
    if not isinstance(rows[0], FaceRow):
        stretches: list[Hashable] = [row.frame // STRETCH for row in rows]
        return stretches, f"{_count(stretches, 'stretch')} of {STRETCH} frames"
    faces = [row for row in rows if isinstance(row, FaceRow)]
    if faces[0].picture is not None:
        pictures: list[Hashable] = [row.frame for row in faces]
        return pictures, _count(pictures, "picture")
    tracks: list[Hashable] = [row.track for row in faces]
    if len(set(tracks)) >= MIN_TRACKS:
        return tracks, _count(tracks, "track")
    parts: list[Hashable] = [(row.track, row.frame // STRETCH) for row in faces]
    return parts, f"{_count(parts, 'stretch')} of {STRETCH} frames of a track"


def _count(clusters: list[Hashable], what: str) -> str:
    number = len(set(clusters))
    plural = "es" if what.endswith("h") else "s"
    return f"{number} {what}{plural if number > 1 else ''}"


def same_person(faces: Sequence[FaceRow], models: Sequence[str]) -> dict[str, float]:
    """Share of faces whose identity distance stays under dlib's limit, by model."""
    shares: dict[str, float] = {}
    for model in models:
        found = [row.values.get("identity") for row in faces if row.model == model]
        known = [value for value in found if value is not None]
        if known:
            shares[model] = round(float(np.mean(np.array(known) < SAME_PERSON)), 4)
    return shares


def describe_tracks(faces: Sequence[FaceRow], models: Sequence[str]) -> list[dict[str, Any]]:
    """``tracks`` of ``metrics.json``; empty for face pictures."""
    of_track: dict[int, dict[str, list[FaceRow]]] = defaultdict(lambda: defaultdict(list))
    for row in faces:
        if row.track is not None:
            of_track[row.track][row.model].append(row)
    found: list[dict[str, Any]] = []
    for track, by_model in sorted(of_track.items()):
        rows = by_model[models[0]]
        jitter = BoxJitter()
        for row in rows:
            jitter.add(row.frame, row.box)
        found.append(
            {
                "track": track,
                "first_frame": rows[0].frame,
                "last_frame": rows[-1].frame,
                "frames": len(rows),
                "filled": sum(row.filled for row in rows),
                "median_width_px": round(median(row.box.width for row in rows), 2),
                "box_jitter_px": _round(jitter.pixels),
                "box_jitter": _round(jitter.of_width),
                "models": {model: _means(by_model[model]) for model in models},
            }
        )
    return found


def _means(rows: Sequence[FaceRow]) -> dict[str, Any]:
    means: dict[str, Any] = {"plain": sum(row.outcome == "plain" for row in rows)}
    for measure in (m.name for m in MEASURES if "face" in m.levels):
        known = [v for row in rows if (v := row.values.get(measure)) is not None]
        if known:
            means[measure] = _round(float(np.mean(known)))
    return means


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
