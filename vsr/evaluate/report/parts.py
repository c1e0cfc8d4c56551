"""Pieces that the reports on runs and on exports have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vsr.core.types import Track
from vsr.evaluate.report import trust
from vsr.evaluate.report.document import Facts, Moment, Pair, TrackPart
from vsr.evaluate.report.words import number
from vsr.models.spec import FAMILIES, ModelSpec


def track_part(track: Track, pairs: list[Pair], spec: ModelSpec | None) -> TrackPart:
    """The section on a track; ``pairs`` in the order they are shown."""
    width = track.median_width_px
    if track.working_scale is not None and track.detail_px and track.window_px:
        width *= min(1.0, track.detail_px / track.window_px)  # what its pixels really show
    times = [p.seconds for p in track.timeline] or [0.0]
    return TrackPart(
        key=str(track.track_id),
        label=track.label or "",
        first_frame=track.first_frame,
        last_frame=track.last_frame,
        start_s=times[0],
        end_s=times[-1],
        frames=track.frames,
        filled=track.filled,
        plain=track.plain,
        median_px=track.median_width_px,
        narrowest_px=track.narrowest_px or track.median_width_px,
        widest_px=track.widest_px or track.median_width_px,
        verdict=trust.judge_width(width, spec),
        detail=detail_in_words(track),
        filled_frames=trust.runs_in_words(track.filled_frames, track.filled),
        plain_frames=trust.runs_in_words(track.plain_frames, track.plain),
        pairs=tuple(pairs),
        moments=tuple(
            Moment(
                frame=p.frame,
                seconds=p.seconds,
                width_px=p.box.width,
                filled=p.filled,
                outcome=p.outcome,
                deviation=p.deviation,
                box=p.box,
            )
            for p in track.timeline
        ),
    )


def detail_in_words(track: Track) -> str:
    """Detail and working scale of a track: "128 px crop, detail of about 34; …"; "" if unknown."""
    if track.detail_px is None or track.window_px is None:
        return ""
    seen = f"{track.window_px} px crop, detail of about {track.detail_px}"
    if track.working_scale is None:
        return seen
    return f"{seen}; reduced to {track.working_px} px, then enlarged {track.working_scale}x"


def width_limits(spec: ModelSpec | None) -> tuple[tuple[float, str], ...]:
    """Face widths in source pixels that mean something: (pixels, meaning)."""
    least = trust.smallest_px(spec)
    return (
        (least, f"{least:.0f} px: smallest learnt"),
        (trust.IDENTIFY_PX, f"{trust.IDENTIFY_PX:.0f} px: to identify, IEC 62676-4:2014"),
    )


def duration(tracks: list[Track]) -> tuple[float, float]:
    """First and last recorded second of all tracks."""
    times = [p.seconds for t in tracks for p in t.timeline]
    return (min(times), max(times)) if times else (0.0, 0.0)


def deviation_terms(recipe: Mapping[str, Any]) -> tuple[float | None, str]:
    """The deviation from which a face of a record stays plain, and what it is counted in."""
    paste = recipe.get("paste", {})
    if "max_contradiction" in paste:
        return paste["max_contradiction"], "times what the camera explains"
    return paste.get("max_deviation"), "grey levels from the source"


def poor_words(
    deviation: float | None, outcome: str | None, filled: bool, recipe: Mapping[str, Any]
) -> str:
    """Why a face is among the worst."""
    words = f"{number(deviation or 0, 2)} {deviation_terms(recipe)[1]}"
    if outcome == "plain":
        words += ", left plain"
    return words + ", filled in" if filled else words


def model_facts(values: Mapping[str, Any], spec: ModelSpec | None) -> Facts:
    """What is known of the model that a record names."""
    model = values["model"]
    about = [("Name", str(model.get("name"))), ("Enlarges", f"{model.get('scale')} times")]
    if spec is not None and spec.family != "interpolation":
        small, large = spec.face_width_px
        about += [
            ("Kind", FAMILIES[spec.family]),
            ("Learnt from", f"faces {small:g} to {large:g} px wide"),
            ("Licence", spec.licence),
            ("Terms", spec.terms or "none beyond the licence"),
        ]
    elif spec is not None:
        about.append(("Kind", f"interpolation, nothing is learnt: {spec.terms}"))
    if model.get("sha256"):
        about.append(("SHA-256", str(model["sha256"])))
    return Facts(title="Model", rows=tuple(about))


def version_facts(values: Mapping[str, Any]) -> Facts:
    """Versions of programs and packages, as recorded."""
    versions = [("vsr", str(values.get("vsr")))]
    versions += [(str(k), str(v)) for k, v in values.get("versions", {}).items()]
    return Facts(title="Made with", rows=tuple(versions))
