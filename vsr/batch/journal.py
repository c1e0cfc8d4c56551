"""What makes a batch resumable: a marker per finished job, and a log of what happened when.

The marker is the last thing a worker writes, after every output stands under its final name.
Without it a job is not done, whatever else lies there; with it, it is never done again while
settings and source stay what they were.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

import vsr
from vsr.batch.job import Job, Row
from vsr.batch.storage import STATE, Storage
from vsr.core.jsontext import parse_json

Standing = Literal["open", "done", "other settings", "other source", "foreign"]
_FORMAT = 1
_LOG = f"{STATE}/journal.jsonl"


@dataclass(frozen=True, slots=True)
class Checked:
    """How a job stands before a run."""

    standing: Standing
    row: Row | None = None
    """of the earlier run, where the job is done"""


def marker_path(name: str) -> str:
    """Where a job's marker lies in the output; a part's lies beside what it made."""
    if name.startswith(f"{STATE}/"):
        return f"{name}.json"
    return f"{STATE}/done/{name}.json"


def claim_outputs(storage: Storage, job: Job, paths: Iterable[str]) -> None:
    """Before a job's outputs are put in place: say that they are ours, and that it is not done.

    What earlier attempts have put in place, and this one will not replace, is removed.
    """
    earlier = _read(storage, job.name).get("outputs", {})
    paths = list(paths)
    owned = dict.fromkeys([*earlier, *paths], -1)
    storage.write_text(marker_path(job.name), json.dumps({"format": _FORMAT, "outputs": owned}))
    for path in earlier:
        if path not in paths:
            storage.remove(path.rstrip("/"))


def write_marker(storage: Storage, job: Job, row: Row, outputs: dict[str, int]) -> None:
    """Say that a job is done; ``outputs``: path to bytes of a file, or "path/" to files below."""
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


def _read(storage: Storage, name: str) -> dict[str, Any]:
    """A job's marker; empty where there is none or it was damaged from outside."""
    try:
        facts = parse_json(storage.read_text(marker_path(name)) or "{}")
    except ValueError:
        return {"outputs": {}}
    good = isinstance(facts, dict) and isinstance(facts.get("outputs", {}), dict)
    return facts if good else {"outputs": {}}


def check(storage: Storage, job: Job) -> Checked:
    """Whether a job is done: marker there, outputs there, settings and source the same."""
    facts = _read(storage, job.name)
    if not facts:
        video = f"{job.name}{job.suffix}"
        beside = f"{job.name}/" if job.kind == "chokepoint" else f"{video}.json"
        taken = any(_extent(storage, path) for path in (video, beside))
        return Checked("foreign" if taken else "open")
    try:
        row = Row.from_dict(facts["row"])
        outputs = facts["outputs"]
        prints = facts["settings_print"], facts["source_print"]
    except (KeyError, TypeError):
        return Checked("open")  # was being put in place, or damaged: redone rather than trusted
    if any(_extent(storage, path) != extent for path, extent in outputs.items()):
        return Checked("open")
    if prints[0] != job.settings_print:
        return Checked("other settings")
    if prints[1] != job.source_print:
        return Checked("other source")
    made_by = facts.get("vsr", vsr.__version__)
    if made_by != vsr.__version__ and (note := f"made by vsr {made_by}") not in row.notes:
        row = replace(row, notes=(*row.notes, note))
    return Checked("done", replace(row, kept=True, attempts=0))


def begun(storage: Storage) -> bool:
    """Whether a batch has been at work on an output."""
    return storage.size(_LOG) is not None or storage.count(_LOG) > 0


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
    storage.append_line(_LOG, json.dumps(line, ensure_ascii=False))
