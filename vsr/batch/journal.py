"""What makes a batch resumable: a marker per finished job, and a log of what happened when.

The marker is the last thing a worker writes, after every output stands under its final name.
Without it a job is not done, whatever else lies there; with it, it is never done again while
settings and source stay what they were.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from typing import Any, Literal

import vsr
from vsr.batch.job import Job, Row
from vsr.batch.storage import STATE, Storage

Standing = Literal["open", "done", "other settings", "other source"]
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Checked:
    """How a job stands before a run."""

    standing: Standing
    row: Row | None = None
    """of the earlier run, where the job is done"""


def marker_path(name: str) -> str:
    """Where a job's marker lies in the output."""
    return f"{STATE}/done/{name}.json"


def write_marker(storage: Storage, job: Job, row: Row, outputs: dict[str, int]) -> None:
    """Say that a job is done; ``outputs``: path to bytes of a file or number of files below it."""
    facts: dict[str, Any] = {
        "format": _FORMAT,
        "vsr": vsr.__version__,
        "settings_print": job.settings_print,
        "source_print": job.source_print,
        "settings": job.settings,
        "outputs": outputs,
        "row": row.to_dict(),
    }
    storage.write_text(marker_path(job.name), json.dumps(facts, indent=1, ensure_ascii=False))


def check(storage: Storage, job: Job) -> Checked:
    """Whether a job is done: marker there, outputs there, settings and source the same."""
    text = storage.read_text(marker_path(job.name))
    if text is None:
        return Checked("open")
    try:
        facts = json.loads(text)
        row = Row.from_dict(facts["row"])
        outputs = dict(facts["outputs"])
        prints = facts["settings_print"], facts["source_print"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return Checked("open")  # damaged from outside: redone rather than trusted
    if any(_extent(storage, path) != extent for path, extent in outputs.items()):
        return Checked("open")
    if prints[0] != job.settings_print:
        return Checked("other settings")
    if prints[1] != job.source_print:
        return Checked("other source")
    return Checked("done", replace(row, kept=True, attempts=0))


def _extent(storage: Storage, path: str) -> int | None:
    return storage.count(path) if path.endswith("/") else storage.size(path)


def log(storage: Storage, event: str, name: str = "", **facts: Any) -> None:
    """Add a line to the journal (JSON lines; a last line cut short means nothing)."""
    line = {
        "time": round(time.time(), 3),
        "event": event,
        **({"job": name} if name else {}),
        **facts,
    }
    storage.append_line(f"{STATE}/journal.jsonl", json.dumps(line, ensure_ascii=False))
