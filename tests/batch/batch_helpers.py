"""What the batch tests share: calling the command, looking at outputs."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FAST = ("--model", "bicubic", "--scale", "2", "--set", "encode.preset=ultrafast")
"""where it does not matter how faces are enlarged"""


@dataclass(frozen=True)
class Outcome:
    code: int
    stdout: str
    stderr: str

    def json(self) -> dict[str, Any]:
        assert self.stdout, self.stderr
        return json.loads(self.stdout)


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "vsr", *map(str, arguments)]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}


def contents(out: Path) -> dict[str, str]:
    """Hash of every file below an output that is a result: neither journal nor summary."""
    return {
        p.relative_to(out).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(out.rglob("*"))
        if p.is_file() and ".vsr" not in p.parts and not p.name.startswith("summary.")
    }


def rows_of(out: Path) -> dict[str, dict[str, Any]]:
    """The rows of an output's summary, by sequence."""
    summary = json.loads((out / "summary.json").read_text())
    return {row["sequence"]: row for row in summary["rows"]}
