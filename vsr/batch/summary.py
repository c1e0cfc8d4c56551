"""What a batch came to: rows for people, for spreadsheets and for programs."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from typing import Any

import vsr
from vsr.batch.job import Row
from vsr.batch.journal import begun
from vsr.batch.storage import Storage
from vsr.core.errors import OutputError

CSV_FILE, JSON_FILE = "summary.csv", "summary.json"
TABLES = "protocol.csv", "protocol.json", "protocol.md"
"""of the seed protocol, see `vsr.batch.seedtables`"""
COLUMNS = (
    "sequence", "status", "frames", "persons", "faces", "seconds", "reason", "labels", "plain",
    "skipped", "faces_from", "width", "height", "fps", "kept", "attempts", "notes",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """Everything a batch has to tell."""

    rows: tuple[Row, ...]
    """one per job, in the order of the jobs"""
    settings: dict[str, Any]
    """resolved recipe, model and options"""
    engine: str
    seconds: float
    """wall time of this run"""
    notices: tuple[str, ...] = ()

    @property
    def failed(self) -> tuple[Row, ...]:
        """Rows of jobs that came to nothing."""
        return tuple(r for r in self.rows if r.status == "failed")

    @property
    def incomplete(self) -> tuple[Row, ...]:
        """Rows of jobs that are done, but not with every frame of their source."""
        return tuple(r for r in self.rows if r.status == "ok" and r.skipped)

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        ok = [r for r in self.rows if r.status == "ok"]
        return {
            "vsr": vsr.__version__,
            "engine": self.engine,
            "seconds": self.seconds,
            "totals": {
                "sequences": len(self.rows),
                "ok": len(ok),
                "failed": len(self.failed),
                "kept": sum(r.kept for r in self.rows),
                "frames": sum(r.frames for r in ok),
                "skipped": sum(r.skipped for r in ok),
                "faces": sum(r.faces for r in ok),
            },
            "notices": list(self.notices),
            "settings": self.settings,
            "rows": [{**r.to_dict(), "fps": round(r.fps, 2)} for r in self.rows],
        }


def refuse_foreign(storage: Storage) -> None:
    """Raise OutputError where a summary or table stands that no batch can have made."""
    if begun(storage):
        return
    for name in (CSV_FILE, JSON_FILE, *TABLES):
        if storage.size(name) is not None:
            raise OutputError(
                f"{storage.where(name)}: already exists and was not created by vsr batch; choose "
                "another folder with -o"
            )


def write_summary(storage: Storage, summary: Summary) -> Summary:
    """Write ``summary.csv`` and ``summary.json``, each complete or as it was."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in summary.rows:
        values = {**row.to_dict(), "fps": f"{row.fps:.2f}", "notes": "; ".join(row.notes)}
        values["kept"] = "yes" if row.kept else "no"
        writer.writerow([values[c] for c in COLUMNS])
    storage.write_text(CSV_FILE, file.getvalue())
    storage.write_text(JSON_FILE, json.dumps(summary.to_dict(), indent=1, ensure_ascii=False))
    return summary
