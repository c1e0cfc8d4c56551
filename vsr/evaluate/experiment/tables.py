"""An experiment as tables for people: one row a measure, one column a model."""

from __future__ import annotations

from vsr.evaluate.experiment.measures import BY_NAME
from vsr.evaluate.experiment.results import Estimate, Level, Results

_CAPTIONS: dict[Level, str] = {"face": "Faces", "frame": "Whole frames"}
_ARROWS = {"higher": " ↑", "lower": " ↓", None: ""}


def levels(results: Results) -> list[Level]:
    """The tables that there are: face pictures, for one, have no frame around them."""
    wanted: tuple[Level, ...] = (
        ("face",) if results.source["kind"] == "faces" else ("face", "frame")
    )
    return [level for level in wanted if any(e.level == level for e in results.summary)]


def caption(results: Results, level: Level) -> str:
    """What a table shows, in one line."""
    source, settings = results.source, results.settings
    rows = results.faces if level == "face" else results.frames
    count = len(rows) // len(results.models)
    what = f"{count} {level}{'s' if count > 1 else ''}"
    if level == "face" and results.tracks:
        tracks = len(results.tracks)
        what += f" of {tracks} track{'s' if tracks > 1 else ''}"
    how = settings["degradation"]["name"]
    return f"{_CAPTIONS[level]}: {what} of {source['name']}, x{settings['scale']}, {how}"


def columns(results: Results) -> list[str]:
    """The headings."""
    return ["measure", *(model["name"] for model in results.models)]


def rows(results: Results, level: Level) -> list[list[str]]:
    """The cells of a table: mean, 95 % interval, and what was gained over the baseline."""
    table: list[list[str]] = []
    for name in results.measures:
        found = [results.find(model["name"], level, name) for model in results.models]
        if any(found):
            measure = BY_NAME[name]
            unit = f" ({measure.unit})" if measure.unit else ""
            cells = ["" if e is None else _cell(e, measure.unit) for e in found]
            table.append([f"{measure.title}{unit}{_ARROWS[measure.better]}", *cells])
    if level == "face" and results.same_person:
        shares = (results.same_person.get(model["name"]) for model in results.models)
        cells = ["" if share is None else f"{share:.1%}" for share in shares]
        table.append(["same person (identity < 0.6) ↑", *cells])
    if level == "face" and results.tracks:
        plain = [
            sum(track["models"][model["name"]]["plain"] for track in results.tracks)
            for model in results.models
        ]
        table.append(["refused, left plain", *(str(count) for count in plain)])
    return table


def _cell(e: Estimate, unit: str) -> str:
    places = 2 if unit == "dB" else 3 if unit else 4
    text = f"{e.mean:.{places}f}"
    if e.low is not None and e.high is not None:
        text += f" [{e.low:.{places}f}, {e.high:.{places}f}]"
    if e.gain is not None:
        text += f" {e.gain:+.{places}f}"
    return text


def jitter(results: Results) -> str:
    """The tremor of the boxes in one sentence; empty where there is none to tell."""
    known = [(t["box_jitter"], t["box_jitter_px"]) for t in results.tracks if t["box_jitter"]]
    if not known:
        return ""
    worst = max(known)
    mean = sum(share for share, _ in known) / len(known)
    return (
        f"Box jitter (LR, the same for all models): mean {mean:.2%} of the width over "
        f"{len(known)} track{'s' if len(known) > 1 else ''}, "
        f"worst {worst[0]:.2%} ({worst[1]:.2f} px)."
    )


def note(results: Results) -> str:
    """How to read the tables."""
    over: dict[Level, str] = {e.level: e.over for e in results.summary}
    drawn = "; ".join(f"{_CAPTIONS[level].lower()}: {words}" for level, words in over.items())
    base = results.settings["baseline"]
    return (
        f"Mean [95 % interval], then the gain over {base}. Interval: bootstrap ({drawn}). "
        "Measured before encoding; faces in the pasted frame. docs/evaluation.md explains "
        "every figure."
    )


def markdown(results: Results) -> str:
    """``table.md``."""
    heads = columns(results)
    lines: list[str] = []
    for level in levels(results):
        lines += [f"{caption(results, level)}:", "", f"| {' | '.join(heads)} |"]
        lines.append("|---" * len(heads) + "|")
        lines += [f"| {' | '.join(row)} |" for row in rows(results, level)]
        lines.append("")
    lines += [text + "\n" for text in (jitter(results), note(results)) if text]
    for group, why in results.not_measured.items():
        lines.append(f"Not measured: {group} ({why}).\n")
    return "\n".join(lines)
