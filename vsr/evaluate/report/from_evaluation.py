"""The report of a ground-truth experiment: ``metrics.json`` in, `Document` out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from vsr.core.config import to_toml
from vsr.core.errors import DataError
from vsr.core.progress import Progress, ProgressHook
from vsr.core.types import Track
from vsr.evaluate.experiment.results import FORMAT, KIND
from vsr.evaluate.report import trust
from vsr.evaluate.report.document import (
    Chart,
    Document,
    Facts,
    Line,
    Moment,
    Notice,
    Pair,
    Poor,
    Table,
    TrackPart,
)
from vsr.evaluate.report.pictures import Budget, encode
from vsr.evaluate.report.record import check_format, known_model, picture_of
from vsr.evaluate.report.words import number
from vsr.models.spec import ModelSpec
from vsr.run.record import read_object

_MOST_POINTS = 400
"""of one curve; neighbours are averaged beyond"""
_MOST_POOR = 12
_LEVELS = {"face": "Faces", "frame": "Whole frames"}
_ARROWS = {"higher": " ↑", "lower": " ↓"}

Rows = list[Mapping[str, Any]]


def read_evaluation(path: Path, source: Path | None, progress: ProgressHook) -> Document:
    """The report on an experiment.

    path: its ``metrics.json``. ``source`` and ``progress`` are not needed.
    Raises InputError where the file cannot be read, DataError where it is no such record.
    """
    values = read_object(path, "record of 'vsr evaluate'")
    if values.get("kind") != KIND:
        raise DataError(f"{path}: is no record of 'vsr evaluate'; give the metrics.json it wrote")
    check_format(values, path, "record", FORMAT)
    try:
        return _document(values, path.parent, progress)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f"{path}: damaged ({error.__class__.__name__}: {error}); run 'vsr evaluate' again"
        ) from None


def _document(values: Mapping[str, Any], folder: Path, progress: ProgressHook) -> Document:
    models = [str(m["name"]) for m in values["models"]]
    faces, frames = list(values["faces"]), list(values["frames"])
    known = [known_model(str(m["name"]), m.get("sha256")) for m in values["models"]]
    specs = [spec for spec, _ in known if spec is not None and spec.family != "interpolation"]
    spec = specs[-1] if specs else None
    times = [float(r["seconds"]) for r in [*faces, *frames]]
    pairs = _pairs(values, folder, progress)
    parts = tuple(
        replace(part, pairs=tuple(pairs[part.key]))
        for part in _parts(values["tracks"], faces, models, spec)
    )
    return Document(
        kind="Ground-truth experiment",
        subject=str(values["source"]["name"]),
        summary=_summary(values, models),
        notices=tuple(_notices(values, parts, spec)),
        tracks=parts,
        duration=(min(times), max(times)) if times else (0.0, 0.0),
        width_limits=(),
        charts=tuple(_charts(values["measures"], models, {"face": faces, "frame": frames})),
        poor=tuple(_poor(values, faces)),
        tables=tuple(_tables(values, models)),
        facts=tuple(_facts(values)),
        card="\n\n".join(filter(None, (card for _, card in known))),
        settings=to_toml(_plain(values["settings"])),
        remarks=_remarks(values),
    )


def _pairs(
    values: Mapping[str, Any], folder: Path, progress: ProgressHook
) -> dict[str, list[Pair]]:
    """Of each track's pictured face: every model beside the baseline, and beside the truth."""
    found: dict[str, list[Pair]] = defaultdict(list)
    budget = Budget()
    shown = [p for p in values.get("pictures", ()) if p["track"] is not None]
    for done, entry in enumerate(shown):
        lr, truth = (encode(picture_of(folder, entry[kind])) for kind in ("lr", "truth"))
        made = {str(m): encode(picture_of(folder, file)) for m, file in entry["models"].items()}
        base = next(iter(made))
        sides = [(base, made[base], m, made[m]) for m in list(made)[1:]]
        sides += [(m, made[m], "truth", truth) for m in list(made)[1:] or [base]]
        for left, before, right, after in sides:
            if budget.take(before) and budget.take(after):
                pair = Pair(
                    frame=entry["frame"],
                    seconds=entry["seconds"],
                    width_px=entry["width_px"],
                    before=before,
                    after=after,
                    source=lr,
                    left=left,
                    right=right,
                    name=f"{left} | {right}",
                )
                found[str(entry["track"])].append(pair)
        progress(Progress("reading pictures", done + 1, len(shown), 0, "faces"))
    return found


def _summary(values: Mapping[str, Any], models: list[str]) -> str:
    source, settings = values["source"], values["settings"]
    how = settings["degradation"]
    how = how.get("name", "") if isinstance(how, Mapping) else how
    frames = trust.count(int(source["frames"]), "frame")
    return (
        f"{frames} of {source['width']} × {source['height']} px, reduced {settings['scale']} times "
        f"({how}) and enlarged again by {trust.listed(models)}, compared with what was there."
    )


def _notices(
    values: Mapping[str, Any], parts: tuple[TrackPart, ...], spec: ModelSpec | None
) -> list[Notice]:
    found = [trust.INFERRED]
    found += trust.size_notices([(f"face {p.key}", p.median_px) for p in parts], spec)
    for group, reason in values["not_measured"].items():
        found.append(Notice(tone="caution", title=f"Not measured: {group}", text=str(reason)))
    found += [Notice(tone="note", title="From the run", text=str(n)) for n in values["notices"]]
    if not parts and not values["faces"]:
        text = "No face was found in the reduced video, so only whole frames are compared."
        found.append(Notice(tone="caution", title="No face", text=text))
    return found


def _tables(values: Mapping[str, Any], models: list[str]) -> list[Table]:
    estimates = {(e["level"], e["measure"], e["model"]): e for e in values["summary"]}
    tables = []
    for level, title in _LEVELS.items():
        names = [m for m in values["measures"] if any((level, m, x) in estimates for x in models)]
        if not names:
            continue
        rows, best = [], []
        for name in names:
            measure = values["measures"][name]
            cells = [estimates.get((level, name, model)) for model in models]
            unit = f", {measure['unit']}" if measure.get("unit") else ""
            head = f"{measure['title']}{unit}{_ARROWS.get(measure.get('better'), '')}"
            rows.append((head, *map(_cell, cells)))
            best.append(_best([c and c["mean"] for c in cells], measure.get("better")))
        over = sorted({str(e["over"]) for e in values["summary"] if e["level"] == level})
        tables.append(
            Table(
                title=title,
                columns=("Measure", *models),
                rows=tuple(rows),
                best=tuple(best),
                note="Means and, in brackets, the confidence interval of the mean"
                + (f" (resampled over {trust.listed(over)})" if over else "")
                + ". ↑ higher is better, ↓ lower is better; the best of a row is bold.",
            )
        )
    return tables


def _cell(estimate: Mapping[str, Any] | None) -> str:
    if estimate is None or estimate["mean"] is None:
        return "–"
    text = number(estimate["mean"], 4)
    if estimate["low"] is not None and estimate["high"] is not None:
        text += f" [{number(estimate['low'], 4)}, {number(estimate['high'], 4)}]"
    return text


def _best(means: list[float | None], better: str | None) -> int | None:
    """The column of the best mean; None where nothing says which, or all are equal."""
    known = [m for m in means if m is not None]
    if better not in _ARROWS or len(set(known)) < 2:
        return None
    return means.index(max(known) if better == "higher" else min(known))


def _charts(
    measures: Mapping[str, Any], models: list[str], rows: Mapping[str, Rows]
) -> list[Chart]:
    charts = []
    for level, what in (("face", "faces"), ("frame", "whole frame")):
        for name, measure in measures.items():
            if level not in measure["levels"]:
                continue
            lines = tuple(Line(name=m, points=_curve(rows[level], m, name)) for m in models)
            if any(len(line.points) > 1 for line in lines):
                charts.append(
                    Chart(
                        title=f"{measure['title']}, {what}",
                        unit=str(measure.get("unit") or ""),
                        lines=lines,
                    )
                )
    return charts


def _curve(rows: Rows, model: str, measure: str) -> tuple[tuple[float, float | None], ...]:
    """A measure over time: means of a frame's faces; of neighbours too where there are many."""
    at: dict[float, list[float]] = defaultdict(list)
    for row in rows:
        value = row.get(measure)
        if row["model"] == model and value is not None:
            at[float(row["seconds"])].append(float(value))
    points = [(second, _mean(found)) for second, found in sorted(at.items())]
    size = -(-len(points) // _MOST_POINTS)
    groups = [points[i : i + size] for i in range(0, len(points), size)] if points else []
    return tuple((_mean(s for s, _ in g), _mean(v for _, v in g)) for g in groups)


def _poor(values: Mapping[str, Any], faces: Rows) -> list[Poor]:
    """The faces where the last model did worst by the first measure that has a better side."""
    rated = [
        (name, m)
        for name, m in values["measures"].items()
        if "face" in m["levels"] and m.get("better") in _ARROWS
    ]
    if not rated or not values["models"]:
        return []
    name, measure = rated[0]
    model = values["models"][-1]["name"]
    found = [r for r in faces if r["model"] == model and r.get(name) is not None]
    found.sort(key=lambda r: r[name], reverse=measure["better"] == "lower")
    unit = f" {measure['unit']}" if measure.get("unit") else ""
    return [
        Poor(
            track=str(r.get("picture") or r.get("track")),
            frame=r["frame"],
            seconds=r["seconds"],
            reason=f"{measure['title']} {number(r[name])}{unit} by {model}"
            + (", left plain" if r["outcome"] == "plain" else "")
            + (", filled in" if r["filled"] else ""),
        )
        for r in found[:_MOST_POOR]
    ]


def _parts(
    tracks: Rows, faces: Rows, models: list[str], spec: ModelSpec | None
) -> tuple[TrackPart, ...]:
    own: dict[Any, Rows] = defaultdict(list)
    for row in faces:
        if row["model"] == models[-1]:
            own[row["track"]].append(row)
    parts = []
    for t in tracks:
        rows = sorted(own[t["track"]], key=lambda r: r["frame"])
        widths = [float(r["box"][2]) for r in rows] or [float(t["median_width_px"])]
        summary = Track(
            t["track"], t["first_frame"], t["last_frame"], t["frames"], t["filled"], widths[0]
        )
        filled = [int(r["frame"]) for r in rows if r["filled"]]
        plain = [int(r["frame"]) for r in rows if r["outcome"] == "plain"]
        parts.append(
            TrackPart(
                key=str(summary.track_id),
                first_frame=summary.first_frame,
                last_frame=summary.last_frame,
                start_s=float(rows[0]["seconds"]) if rows else 0.0,
                end_s=float(rows[-1]["seconds"]) if rows else 0.0,
                frames=summary.frames,
                filled=summary.filled,
                plain=len(plain),
                median_px=float(t["median_width_px"]),
                narrowest_px=min(widths),
                widest_px=max(widths),
                verdict=trust.judge_width(float(t["median_width_px"]), spec),
                filled_frames=trust.runs_in_words(trust.runs_of(filled), len(filled)),
                plain_frames=trust.runs_in_words(trust.runs_of(plain), len(plain)),
                moments=tuple(_moment(r) for r in rows),
            )
        )
    return tuple(parts)


def _moment(row: Mapping[str, Any]) -> Moment:
    return Moment(
        frame=row["frame"],
        seconds=float(row["seconds"]),
        width_px=float(row["box"][2]),
        filled=bool(row["filled"]),
        outcome=row["outcome"],
    )


def _facts(values: Mapping[str, Any]) -> list[Facts]:
    source = values["source"]
    rows = [
        ("Truth", str(source["name"])),
        ("SHA-256", str(source.get("sha256"))),
        ("Frames", f"{source['frames']:,} of {source['width']} × {source['height']} px"),
    ]
    versions = [("vsr", str(values["vsr"]))]
    versions += [(str(k), str(v)) for k, v in values["versions"].items()]
    about = []
    for model in values["models"]:
        about.append((str(model["name"]), str(model.get("terms") or model.get("licence") or "")))
        if model.get("sha256"):
            about.append(("SHA-256", str(model["sha256"])))
    share = [(str(m), f"{100 * float(v):.0f} %") for m, v in values["same_person"].items()]
    facts = [
        Facts(title="Files", rows=tuple(rows)),
        Facts(title="Models", rows=tuple(about)),
        Facts(title="Made with", rows=tuple(versions)),
    ]
    if share:
        facts.append(Facts(title="Taken for the same person by dlib", rows=tuple(share)))
    return facts


def _remarks(values: Mapping[str, Any]) -> tuple[str, ...]:
    texts = [f"{m['title']}: {m['text']}" for m in values["measures"].values() if m.get("text")]
    return (
        *texts,
        "Face widths are those in the reduced video, which is what the models saw.",
        "Curves over faces are means over the faces of a frame.",
    )


def _plain(value: Any) -> Any:
    """Settings as TOML has them: without nulls."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items() if v is not None}
    return value


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found)
