"""The record of a study: its rows, on disk and for people, and the best recipe."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from vsr.core.config import to_toml
from vsr.core.errors import DataError
from vsr.core.jsontext import parse_json
from vsr.run.output import write_atomically
from vsr.train.tune.engine import Proposal
from vsr.train.tune.recipe import TuneRecipe, Values, with_values
from vsr.train.tune.trial import Status

ROWS_FILE, TABLE_FILE, BEST_FILE = "trials.json", "trials.csv", "best.toml"
Ended = Literal["trials", "minutes", "space", "unfinished"]


@dataclass(frozen=True, slots=True)
class Row:
    """One finished trial."""

    number: int
    values: Values
    steps: int
    promoted_from: int | None
    """the shorter trial with the same values"""
    mflops: float | None
    """million operations per LR pixel"""
    status: Status = "failed"
    score: float | None = None
    """the measure that the search makes large; None where the trial has no figures"""
    figures: dict[str, float] = field(default_factory=dict)
    """of the validation faces: psnr and gains in dB, ssim"""
    seconds: float = 0.0
    """training time"""
    reason: str = ""
    """why it has no figures, one line"""

    @staticmethod
    def of(proposal: Proposal, mflops: float | None) -> Row:
        """The row of a trial that is yet to run."""
        return Row(proposal.number, proposal.values, proposal.steps, proposal.promoted_from, mflops)


@dataclass(frozen=True, slots=True)
class StudyResult:
    """What a study came to."""

    study: Path
    rows: tuple[Row, ...]
    """in the order they ran"""
    best: Row | None
    """None where no trial has figures"""
    base: Row | None
    """the base recipe after as many steps as ``best``; None where it did not get so far"""
    ended: Ended
    """what ended it: all trials run, the time, a space used up"""

    @property
    def recipe(self) -> Path | None:
        """The best recipe, for ``vsr train --pipeline``."""
        return self.study / BEST_FILE if self.best is not None else None

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "study": str(self.study),
            "ended": self.ended,
            "best": None if self.best is None else asdict(self.best),
            "base": None if self.base is None else asdict(self.base),
            "recipe": None if self.recipe is None else str(self.recipe),
            "trials": [asdict(row) for row in self.rows],
        }


def write_results(out: Path, recipe: TuneRecipe, rows: list[Row], ended: Ended) -> StudyResult:
    """Writes the record, the table and the best recipe, each file complete or as it was.

    Raises OutputError.
    """
    best = find_best(rows)
    result = StudyResult(out, tuple(rows), best, _base_of(best, rows), ended)
    record = json.dumps([asdict(row) for row in rows], indent=1)
    write_atomically(out / ROWS_FILE, record + "\n")  # first: the others follow from it
    write_atomically(out / TABLE_FILE, _csv(rows))
    if best is not None:
        full = replace(with_values(recipe.base, best.values), name="best")
        purpose = f"# Found by vsr tune in {len(rows)} trials: {_claim(best, result.base, recipe)}."
        write_atomically(out / BEST_FILE, f"{purpose}\n{to_toml(full.to_dict())}")
    return result


def read_rows(out: Path) -> list[Row]:
    """The record of a study; empty where there is none yet. Raises DataError where damaged."""
    path = out / ROWS_FILE
    if not path.is_file():
        return []
    try:
        rows = [Row(**values) for values in parse_json(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{path}: cannot be read ({error}); choose another folder") from None
    if [row.number for row in rows] != list(range(1, len(rows) + 1)):
        raise DataError(f"{path}: trials are missing from the record; choose another folder")
    return rows


def find_best(rows: list[Row] | tuple[Row, ...]) -> Row | None:
    """The largest score; among equals the lighter generator, then the earlier trial."""
    scored = [row for row in rows if row.score is not None]
    return max(scored, key=lambda r: (r.score, -(r.mflops or 0.0), -r.number), default=None)


def ranked(rows: tuple[Row, ...]) -> list[Row]:
    """Best first, those without figures last."""
    return sorted(rows, key=lambda r: (r.score is None, -(r.score or 0.0), r.number))


def columns(recipe: TuneRecipe) -> list[str]:
    """The headings of a table for people."""
    measure = recipe.search.measure.replace("_", " ")
    heading = measure if measure == "ssim" else f"{measure} (dB)"
    keys = [p.key if len({q.table for q in recipe.space if q.key == p.key}) == 1 else p.name
            for p in recipe.space]  # fmt: skip
    return ["trial", "steps", heading, "MFLOP/px", "seconds", *keys]


def cells(row: Row, recipe: TuneRecipe) -> list[str]:
    """A row's texts, one per heading."""
    origin = "" if row.promoted_from is None else f" (of {row.promoted_from})"
    heavy = "" if row.mflops is None else f"{row.mflops:.2f}"
    seconds = f"{row.seconds:.0f}" if row.score is not None else ""
    score = _score(row, recipe).removesuffix(" dB")
    values = [_told(row.values[p.name]) for p in recipe.space]
    return [f"{row.number}{origin}", str(row.steps), score, heavy, seconds, *values]


def short(row: Row, recipe: TuneRecipe) -> str:
    """A row as one line."""
    values = ", ".join(f"{name}={_told(value)}" for name, value in row.values.items())
    what = f"{recipe.search.measure} {_score(row, recipe)}" if row.score is not None else row.status
    why = f": {row.reason}" if row.reason else ""
    return f"trial {row.number}, {row.steps} steps: {what}{why} [{values}]"


def verdict(result: StudyResult, recipe: TuneRecipe) -> str:
    """What the study found, in one sentence."""
    if result.best is None:
        return "no trial has figures; see the reasons in trials.csv"
    return f"best: trial {result.best.number}, {_claim(result.best, result.base, recipe)}"


def _claim(best: Row, base: Row | None, recipe: TuneRecipe) -> str:
    text = f"{recipe.search.measure} {_score(best, recipe)} after {best.steps} steps"
    if base is None:
        return f"{text} (the base recipe was not run that long)"
    if base.values == best.values:
        return f"{text}, which is the base recipe itself"
    return f"{text} (base recipe: {_score(base, recipe)})"


def _base_of(best: Row | None, rows: list[Row]) -> Row | None:
    """The first trial's values after as many steps as the best one."""
    if best is None:
        return None
    same = (r for r in rows if r.values == rows[0].values and r.steps == best.steps)
    return next((row for row in same if row.score is not None), None)


def _score(row: Row, recipe: TuneRecipe) -> str:
    if row.score is None:
        return row.status
    if recipe.search.measure == "ssim":
        return f"{row.score:.4f}"
    return f"{row.score:.2f} dB" if recipe.search.measure == "psnr" else f"{row.score:+.3f} dB"


def _told(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _csv(rows: list[Row]) -> str:
    figures = list(dict.fromkeys(name for row in rows for name in row.figures))
    keys = list(dict.fromkeys(name for row in rows for name in row.values))
    head = ["trial", "steps", "promoted_from", "status", "score"]
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*head, *figures, "mflops_per_pixel", "seconds", *keys, "reason"])
    for row in rows:
        promoted = "" if row.promoted_from is None else row.promoted_from
        scored = "" if row.score is None else f"{row.score:.6g}"
        measured = [f"{row.figures[n]:.6g}" if n in row.figures else "" for n in figures]
        heavy = "" if row.mflops is None else f"{row.mflops:.4g}"
        values = [row.values.get(key, "") for key in keys]
        writer.writerow([row.number, row.steps, promoted, row.status, scored, *measured,
                         heavy, f"{row.seconds:.1f}", *values, row.reason])  # fmt: skip
    return file.getvalue()
