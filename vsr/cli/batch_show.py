"""How ``vsr batch`` shows its listing and its summary."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from vsr.cli.common import emit_json, note, one_line

if TYPE_CHECKING:
    from vsr.batch.chokepoint import Found
    from vsr.batch.job import Job
    from vsr.batch.seedtables import ProtocolRow
    from vsr.batch.summary import Summary

_LISTING = ("sequence", "frames", "first", "last", "gaps", "persons", "faces", "missing")
_SUMMARY = ("sequence", "status", "frames", "persons", "faces", "plain", "seconds", "fps", "reason")


def show_listing(found: Found, jobs: list[Job], *, as_json: bool, quiet: bool) -> None:
    """What there is and what is missing."""
    if as_json:
        emit_json({"sequences": _listed(found, jobs), "notices": found.notices})
        return
    if quiet:
        return
    if found.sequences:
        rows = [_listing_row(entry) for entry in _listed(found, jobs)]
        counts = [s.counts for s in found.sequences if s.counts]
        frames = sum(len(s.files) for s in found.sequences)
        total = f"{len(rows)} sequences, {frames} frames, {sum(c.faces for c in counts)} faces"
        _table(_LISTING, rows, total)
    else:
        _table(("video", "bytes"), [[j.source, ""] for j in jobs], f"{len(jobs)} videos")
    for text in found.notices:
        note(text)


def _listed(found: Found, jobs: list[Job]) -> list[dict[str, object]]:
    if not found.sequences:
        return [{"sequence": j.name, "source": j.source} for j in jobs]
    return [
        {
            "sequence": s.name,
            "source": s.folder,
            "archive": s.archive,
            "labels": s.labels,
            "frames": len(s.files),
            "first": s.numbers[0] if s.files else None,
            "last": s.numbers[-1] if s.files else None,
            "gaps": s.gaps,
            "counts": dataclasses.asdict(s.counts) if s.counts else None,
            "problem": s.problem,
            "missing": _missing(s.problem, s.labels, s.counts.without_picture if s.counts else 0),
        }
        for s in found.sequences
    ]


def _missing(problem: str, labels: str | None, pictures: int) -> list[str]:
    texts = [problem] if problem else []
    if labels is None:
        texts.append("no labels: faces will be detected")
    if pictures:
        texts.append(f"{pictures} labelled frames without picture")
    return texts


def _listing_row(entry: dict[str, object]) -> list[str]:
    counts = entry["counts"]
    known = counts if isinstance(counts, dict) else {}
    missing = entry["missing"]
    values = {**entry, "persons": known.get("persons"), "faces": known.get("faces")}
    values["missing"] = "; ".join(missing) if isinstance(missing, list) else ""
    return ["" if values[c] is None else str(values[c]) for c in _LISTING]


def write_tables(summary: Summary, out: str) -> list[ProtocolRow]:
    """Sum the seed protocol's figures up and write them beside the summary."""
    from vsr.batch.seedtables import protocol_rows, write_protocol
    from vsr.batch.storage import open_storage

    storage = open_storage(out)
    table = protocol_rows(storage, summary.rows)
    write_protocol(storage, table, summary.settings)
    return table


def show_summary(
    summary: Summary,
    out: str,
    *,
    as_json: bool,
    quiet: bool,
    protocol: list[ProtocolRow] | None = None,
) -> None:
    """What became of every sequence, and what the seed protocol came to."""
    if as_json:
        extra = {} if protocol is None else {"protocol": [dataclasses.asdict(r) for r in protocol]}
        emit_json({**summary.to_dict(), **extra})
        return
    if quiet:
        return
    rows = []
    for row in summary.rows:
        values = {**row.to_dict(), "fps": f"{row.fps:.1f}", "seconds": f"{row.seconds:.1f}"}
        values["status"] = "ok, kept" if row.kept else row.status
        rows.append([one_line(str(values[c])) for c in _SUMMARY])
    totals = summary.to_dict()["totals"]
    _table(
        _SUMMARY,
        rows,
        f"{out}: {totals['ok']} of {totals['sequences']} ok ({totals['kept']} from before), "
        f"{totals['frames']} frames, {totals['faces']} faces in {summary.seconds:.1f} s",
    )
    if protocol:
        from vsr.batch.seedtables import COLUMNS, cells

        _table(COLUMNS, [cells(r) for r in protocol], f"{out}: protocol.csv, .json, .md")


def _table(columns: tuple[str, ...], rows: list[list[str]], caption: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    numbers = {"frames", "first", "last", "gaps", "persons", "faces", "plain", "seconds", "fps"}
    for column in columns:
        right = column in numbers
        table.add_column(
            column,
            justify="right" if right else "left",
            no_wrap=column not in ("reason", "missing"),
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # names may hold what Rich takes for markup
    console = Console()
    console = Console(width=max(console.width, 110))
    console.print(table)
    console.print(Text(caption))
