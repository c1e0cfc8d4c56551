"""The report of a batch: ``summary.json`` in, `Document` out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vsr.core.config import to_toml
from vsr.core.errors import DataError
from vsr.core.progress import ProgressHook
from vsr.evaluate.report import trust
from vsr.evaluate.report.document import Document, Facts, Notice, Table
from vsr.evaluate.report.record import known_model
from vsr.evaluate.report.words import number
from vsr.run.record import read_object

_COLUMNS = {
    "Sequence": "sequence",
    "Frames": "frames",
    "Persons": "persons",
    "Faces": "faces",
    "Left plain": "plain",
    "Unreadable": "skipped",
    "Seconds": "seconds",
}
_MOST_NOTES = 20


def read_batch(path: Path, source: Path | None, progress: ProgressHook) -> Document:
    """The report on a batch.

    path: its ``summary.json``. ``source`` and ``progress`` are not needed.
    Raises InputError where the file cannot be read, DataError where it is no such record.
    """
    values = read_object(path, "summary of 'vsr batch'")
    try:
        return _document(values, path.resolve().parent.name)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f"{path}: is no whole summary of 'vsr batch' ({error.__class__.__name__}: {error}); "
            "run 'vsr batch' again, it skips what is done"
        ) from None


def _document(values: Mapping[str, Any], name: str) -> Document:
    rows: list[Mapping[str, Any]] = list(values["rows"])
    good = [r for r in rows if r["status"] == "ok"]
    totals, settings = values["totals"], values["settings"]
    model = str(settings.get("model") or settings.get("upscale", {}).get("model") or "")
    versions = (("vsr", str(values["vsr"])), ("Engine", str(values["engine"])))
    work = (
        ("Sequences", f"{totals['sequences']:,}, {totals['ok']:,} of them done"),
        ("Frames", f"{totals['frames']:,}"),
        ("Faces", f"{totals['faces']:,}"),
        ("Last run", f"{values['seconds']:,.0f} s, {totals['kept']:,} kept from earlier ones"),
    )
    return Document(
        kind="Batch",
        subject=name,
        summary=f"{trust.count(totals['sequences'], 'sequence')}: {totals['frames']:,} frames, "
        f"{totals['faces']:,} faces. "
        + (f"{totals['failed']:,} failed." if totals["failed"] else "None failed."),
        notices=tuple(_notices(values, rows)),
        tables=(
            Table(
                title="Sequences",
                columns=tuple(_COLUMNS),
                rows=tuple(tuple(_cell(r[key]) for key in _COLUMNS.values()) for r in good),
                note="The persons are those of the labels; where there are none, face tracks.",
            ),
        )
        if good
        else (),
        facts=(Facts(title="Work", rows=work), Facts(title="Made with", rows=versions)),
        card=known_model(model)[1] if model else "",
        settings=to_toml(_plain(settings)),
    )


def _notices(values: Mapping[str, Any], rows: list[Mapping[str, Any]]) -> list[Notice]:
    found = [trust.INFERRED]
    failed = [r for r in rows if r["status"] != "ok"]
    for row in failed[:_MOST_NOTES]:
        title = f"{row['sequence']} failed"
        found.append(Notice(tone="stop", title=title, text=str(row["reason"])))
    if len(failed) > _MOST_NOTES:
        title = f"{len(failed) - _MOST_NOTES} more failed"
        found.append(Notice(tone="stop", title=title, text="Their reasons are in summary.csv."))
    found += [Notice(tone="note", title="From the run", text=str(n)) for n in values["notices"]]
    notes = [(r["sequence"], n) for r in rows for n in r.get("notes", ())]
    for sequence, text in notes[:_MOST_NOTES]:
        found.append(Notice(tone="note", title=str(sequence), text=str(text)))
    return found


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return number(value)
    return f"{value:,}" if isinstance(value, int) else str(value)


def _plain(value: Any) -> Any:
    """Settings as TOML has them: without nulls."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items() if v is not None}
    return value
