"""The report of a run: manifest in, `Document` out; pictures are cut from source and result."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vsr.core.config import to_toml
from vsr.core.progress import ProgressHook
from vsr.core.types import FaceSample, Track
from vsr.evaluate.report import trust
from vsr.evaluate.report.cutting import Cutter, Wanted
from vsr.evaluate.report.document import (
    Document,
    Facts,
    Notice,
    Pair,
    Poor,
)
from vsr.evaluate.report.parts import (
    deviation_terms,
    duration,
    model_facts,
    poor_words,
    track_part,
    version_facts,
    width_limits,
)
from vsr.evaluate.report.pictures import Budget
from vsr.evaluate.report.record import (
    find_output,
    known_model,
    read_manifest,
    read_tracks,
)
from vsr.evaluate.report.words import clock
from vsr.models.spec import ModelSpec
from vsr.run.record import find_source

_MOST_TRACKS = 24
"""tracks that are shown with pictures: those with the most pixels of face"""
_MOST_POOR = 8


def read_run(manifest: Path, source: Path | None, progress: ProgressHook) -> Document:
    """The report on a run.

    manifest: ``out.mp4.json``, or ``manifest.json`` in a folder of face videos.
    source: where the source lies now; None: where the manifest says, or beside it.
    Raises InputError where manifest, source or output is missing or unreadable, DataError where
    one of them is not what it must be.
    """
    values = read_manifest(manifest)
    tracks = read_tracks(values, manifest)
    folder = manifest.parent
    source_path = find_source(values["source"], folder, source)
    outputs = [find_output(entry, folder) for entry in values["outputs"]]
    spec, card = known_model(str(values["model"].get("name")), values["model"].get("sha256"))
    shown = sorted(tracks, key=_presence, reverse=True)[:_MOST_TRACKS]
    cutter = Cutter(values, source_path, outputs, progress)
    overview_at = _busiest(tracks)
    pairs, overview = cutter.cut(_choose(shown), overview_at, tracks)
    limit, unit = deviation_terms(values["recipe"])
    parts = tuple(track_part(t, _own(t, pairs), spec) for t in tracks)
    return Document(
        kind="Assembled video" if values.get("command") == "assemble" else "Restored video",
        subject=", ".join(p.name for p in outputs[:3]) + (" …" if len(outputs) > 3 else ""),
        summary=_summary(values, tracks),
        notices=tuple(_notices(values, tracks, spec, cutter.budget)),
        overview=overview,
        tracks=parts,
        duration=duration(tracks),
        deviation_limit=limit,
        deviation_unit=unit,
        width_limits=width_limits(spec),
        poor=tuple(_poor(tracks, pairs, values["recipe"])),
        facts=tuple(_facts(values, spec)),
        card=card,
        settings=to_toml({k: v for k, v in values["recipe"].items() if isinstance(v, Mapping)}),
        remarks=_remarks(values),
    )


def _choose(tracks: list[Track]) -> list[Wanted]:
    """The faces to show: each track's clearest first, then the worst, then the others."""
    first = [Wanted(t.track_id, _clearest(t)) for t in tracks if t.best]
    poor = [Wanted(i, s) for i, s in _ranked_poor(tracks)[:_MOST_POOR]]
    others = [Wanted(t.track_id, s) for t in tracks for s in t.best]
    return list({(w.track_id, w.sample.frame): w for w in [*first, *poor, *others]}.values())


def _clearest(track: Track) -> FaceSample:
    def clear(s: FaceSample) -> tuple[bool, float]:
        return (not s.filled and s.outcome == "super-resolved", s.box.area * s.confidence)

    return max(track.best, key=clear)


def _ranked_poor(tracks: list[Track]) -> list[tuple[int, FaceSample]]:
    """Refused crops first, then by how far the picture left its evidence."""
    found = [(t.track_id, s) for t in tracks for s in t.worst[:3]]
    return sorted(found, key=lambda e: (e[1].outcome == "plain", e[1].deviation or 0), reverse=True)


def _poor(
    tracks: list[Track], pairs: Mapping[tuple[int, int], Pair], recipe: Mapping[str, Any]
) -> list[Poor]:
    rows = []
    for track_id, s in _ranked_poor(tracks)[:_MOST_POOR]:
        words = poor_words(s.deviation, s.outcome, s.filled, recipe)
        rows.append(Poor(track=str(track_id), frame=s.frame, seconds=s.seconds, reason=words,
                         pair=pairs.get((track_id, s.frame))))  # fmt: skip
    return rows


def _own(track: Track, pairs: Mapping[tuple[int, int], Pair]) -> list[Pair]:
    """The pairs of a track, the clearest face first, the others by time."""
    found = [p for s in track.best if (p := pairs.get((track.track_id, s.frame))) is not None]
    lead = _clearest(track).frame if track.best else 0
    return sorted(found, key=lambda p: (p.frame != lead, p.frame))


def _busiest(tracks: list[Track]) -> float | None:
    """The recorded moment at which the most faces stand, the largest ones of equals."""
    seen: dict[float, tuple[int, float]] = {}
    for track in tracks:
        for p in track.timeline:
            many, wide = seen.get(p.seconds, (0, 0.0))
            seen[p.seconds] = many + 1, wide + p.box.width
    return max(seen, key=lambda s: seen[s]) if seen else None


def _notices(
    values: Mapping[str, Any], tracks: list[Track], spec: ModelSpec | None, budget: Budget
) -> list[Notice]:
    named = [(f"face {t.track_id}", t) for t in tracks]
    found = [trust.inferred(spec)] if tracks else []
    if values.get("broken_at_s") is not None:
        text = f"The source breaks off at {clock(values['broken_at_s'])}; the result ends there."
        found.append(Notice(tone="caution", title="The source is incomplete", text=text))
    found += trust.size_notices([(n, t.median_width_px) for n, t in named], spec)
    found += trust.track_notices(named)
    found += [Notice(tone="note", title="From the run", text=str(n)) for n in values["notices"]]
    if len(tracks) > _MOST_TRACKS or budget.refused:
        text = (
            f"The {_MOST_TRACKS} faces with the most pixels are shown with pictures; the table "
            "lists all."
        )
        found.append(Notice(tone="note", title="Not every face is pictured", text=text))
    return found


def _facts(values: Mapping[str, Any], spec: ModelSpec | None) -> list[Facts]:
    source, frames = values["source"], values["frames"]
    size = f"{source.get('width')} × {source.get('height')} px, {source.get('codec')}"
    rows = [
        ("Source", str(source.get("name"))),
        ("", size),
        ("SHA-256", str(source.get("sha256"))),
    ]
    for entry in values["outputs"][:8]:
        rows += [("Result", str(entry.get("name"))), ("SHA-256", str(entry.get("sha256")))]
    rows.append(("Frames", f"{frames.get('decoded')} decoded, {frames.get('written')} written"))
    rows.append(("Faces", f"{values['faces']:,} in {trust.count(len(values['tracks']), 'track')}"))
    if values.get("faces_from"):
        rows.append(("Faces from", str(values["faces_from"])))
    if values.get("recipe_sha256"):
        rows.append(("Settings", f"SHA-256 {values['recipe_sha256']}"))
    rows.append(("Computed in", f"{values['seconds']:,.1f} s"))
    return [
        Facts(title="Files", rows=tuple(rows)),
        model_facts(values, spec),
        version_facts(values),
    ]


def _remarks(values: Mapping[str, Any]) -> tuple[str, ...]:
    how = f"enlarged {values['model'].get('scale')} times"
    if values["recipe"].get("output") == "faces":
        how = "brought to the size of the face video"
    return (
        f"Every pair shows the same region of the same frame: left the source, {how} by "
        "Pillow’s bicubic interpolation, right the result file. The page shows both enlarged "
        "further by the same factor.",
        "Pictures are WebP, without loss up to 256 pixels a side, else at quality 90. They are "
        "made to be looked at; measure on the files, which the hashes name.",
        "“Grey levels from the source” is the mean absolute difference between the super-resolved "
        "face, reduced again, and the source’s pixels, in 8-bit levels. It finds pictures that "
        "contradict their evidence. It cannot find invented detail that agrees with it.",
        "Widths are those of the face box in source pixels, as detected and smoothed over time.",
    )


def _summary(values: Mapping[str, Any], tracks: list[Track]) -> str:
    frames = trust.count(values["frames"]["written"], "frame")
    if not tracks:
        return f"{frames}. No face was found, so the whole picture is plainly enlarged."
    faces = trust.count(values["faces"], "face picture")
    return (
        f"{frames} of {values['source'].get('name')}, {trust.count(len(tracks), 'face')} "
        f"followed, {faces} enlarged {values['model'].get('scale')} times by "
        f"{values['model'].get('name')}."
    )


def _presence(track: Track) -> float:
    return track.frames * max(1.0, track.median_width_px)
