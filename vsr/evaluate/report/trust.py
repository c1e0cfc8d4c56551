"""What may be said of a super-resolved face, by its measured size; plain words for warnings."""

from __future__ import annotations

from collections.abc import Iterable

from vsr.core.types import Track
from vsr.evaluate.report.document import Notice, Verdict
from vsr.evaluate.report.words import width
from vsr.models.spec import ModelSpec

IDENTIFY_PX = 40.0
"""IEC 62676-4:2014 asks for 250 pixels per metre to identify an unknown person: about 40 pixels
across a face 16 cm wide. (The 2025 edition asks for 500 to validate an identity.)"""
_SMALLEST_PX = 16.0
"""where no model was trained (bicubic, lanczos): what the shipped ones were trained from"""

INFERRED = Notice(
    tone="stop",
    title="Super-resolved detail is inferred. It is no basis for identification.",
    text="The network adds what faces usually look like at this place. Eyes, mouths, wrinkles or "
    "marks in the enlarged picture may never have been in front of the camera. Compare with the "
    "source’s own pixels, and use the result to find the footage worth examining, not to say "
    "who someone is.",
)


_INTERPOLATED = Notice(
    tone="note",
    title="Enlarged by interpolation",
    text="No network was used, nothing was added: the faces hold no more than the source does.",
)


def inferred(spec: ModelSpec | None) -> Notice:
    """The first of all warnings, for a model or for mere interpolation."""
    return _INTERPOLATED if spec is not None and spec.family == "interpolation" else INFERRED


def smallest_px(spec: ModelSpec | None) -> float:
    """The narrowest face, in source pixels, that the model was trained on."""
    if spec is None or spec.family == "interpolation":
        return _SMALLEST_PX
    return spec.face_width_px[0]


def judge_width(width_px: float, spec: ModelSpec | None) -> Verdict:
    """What the width of a face box in source pixels allows to be said."""
    least = smallest_px(spec)
    if width_px < least:
        return Verdict(
            tone="stop",
            word="too small to trust",
            text=f"{width(width_px)} px wide: narrower than the smallest faces the model learnt "
            f"from ({least:.0f} px). What it adds is guesswork.",
        )
    if width_px < IDENTIFY_PX:
        return Verdict(
            tone="caution",
            word="small",
            text=f"{width(width_px)} px wide: under the {IDENTIFY_PX:.0f} px that IEC 62676-4:2014 "
            "takes to identify an unknown person (250 px per metre). Features of a person "
            "cannot be read from it.",
        )
    if (
        spec is not None
        and spec.family != "interpolation"
        and width_px > (largest := spec.face_width_px[1])
    ):
        return Verdict(
            tone="note",
            word="larger than trained",
            text=f"{width(width_px)} px wide: wider than the largest faces the model learnt from "
            f"({largest:.0f} px). Little is gained here.",
        )
    return Verdict(
        tone="fair",
        word="within training",
        text=f"{width(width_px)} px wide: within the sizes the model learnt from. "
        "Its detail is inferred all the same.",
    )


def runs_in_words(runs: Iterable[tuple[int, int]], total: int) -> str:
    """Runs of frame numbers as text: "3–9, 14 and 5 more frames"."""
    shown: list[str] = []
    counted = 0
    for first, last in runs:
        if len(shown) == 12:
            break
        shown.append(f"{first}–{last}" if last > first else f"{first}")
        counted += last - first + 1
    text = ", ".join(shown)
    rest = total - counted
    return f"{text} and {count(rest, 'more frame')}" if rest > 0 and text else text


def runs_of(frames: Iterable[int]) -> list[tuple[int, int]]:
    """Rising frame numbers as runs of neighbours."""
    runs: list[tuple[int, int]] = []
    for frame in frames:
        if runs and frame == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], frame)
        else:
            runs.append((frame, frame))
    return runs


def count(number: int, noun: str) -> str:
    """A number and its noun: "1 face", "2 faces"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def size_notices(widths: Iterable[tuple[str, float]], spec: ModelSpec | None) -> list[Notice]:
    """Warnings on faces (name, median width in source pixels) that are too small."""
    groups: dict[str, list[str]] = {"stop": [], "caution": []}
    for name, width_px in widths:
        tone = judge_width(width_px, spec).tone
        if tone in groups:
            groups[tone].append(f"{name} ({width(width_px)} px)")
    notices = []
    if small := groups["stop"]:
        notices.append(
            Notice(
                tone="stop",
                title=f"{count(len(small), 'face')} too small to trust",
                text=f"Narrower than the smallest faces the model learnt from "
                f"({smallest_px(spec):.0f} px): {listed(small)}. What it adds there is guesswork.",
            )
        )
    if small := groups["caution"]:
        notices.append(
            Notice(
                tone="caution",
                title=f"{count(len(small), 'small face')}",
                text=f"Under {IDENTIFY_PX:.0f} px wide: {listed(small)}. IEC 62676-4:2014 asks for "
                "250 pixels per metre to identify an unknown person, about "
                f"{IDENTIFY_PX:.0f} across a face; its 2025 edition for twice that.",
            )
        )
    return notices


def track_notices(tracks: Iterable[tuple[str, Track]]) -> list[Notice]:
    """Warnings on frames that the tracker filled in and crops that stayed plain."""
    named = list(tracks)
    notices = []
    if filled := [(name, t) for name, t in named if t.filled]:
        total = sum(t.filled for _, t in filled)
        parts = [f"{name}: {runs_in_words(t.filled_frames, t.filled)}" for name, t in filled]
        notices.append(
            Notice(
                tone="note",
                title=f"{count(total, 'face')} filled in by the tracker",
                text="No detection supports the place of these faces; the tracker put them in "
                f"between two detections, where the picture still matched. Frames of "
                f"{listed(parts, ';', 6)}.",
            )
        )
    if plain := [(name, t) for name, t in named if t.plain]:
        total = sum(t.plain for _, t in plain)
        parts = [f"{name}: {runs_in_words(t.plain_frames, t.plain)}" for name, t in plain]
        notices.append(
            Notice(
                tone="note",
                title=f"{count(total, 'face')} left plain",
                text="Reduced again, their super-resolved picture no longer gave the source’s "
                "pixels back, so the plainly enlarged pixels were kept. Frames of "
                f"{listed(parts, ';', 6)}.",
            )
        )
    return notices


def listed(parts: list[str], mark: str = ",", most: int = 12) -> str:
    """Parts in a row, the rest counted."""
    shown = f"{mark} ".join(parts[:most])
    rest = len(parts) - most
    return f"{shown}{mark} and {rest} more" if rest > 0 else shown
