"""A study: the search from its first trial to its last, over as many starts as it takes.

Folder: ``study.json`` (what is searched, on which data), ``trials.json`` (the record),
``trials.csv`` (the same for spreadsheets), ``best.toml``, ``trials/`` (see `trial.Place`).
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from vsr.core.config import build, to_table
from vsr.core.errors import DataError, OutputError, UsageError, VsrError
from vsr.core.jsontext import parse_json
from vsr.core.progress import Progress, ProgressHook, silent
from vsr.run.output import check_writable, write_atomically
from vsr.train.prepare.dataset import open_dataset
from vsr.train.recipe import train_recipe_from_dict
from vsr.train.tune.engine import Proposal, load_engine, mflops, proposals
from vsr.train.tune.recipe import SearchConfig, TuneRecipe, with_values
from vsr.train.tune.record import Ended, Row, StudyResult, read_rows, short, write_results
from vsr.train.tune.trial import Outcome, Place, Trainer, run_trial, short_recipe

SETTINGS_FILE = "study.json"
_WORST = -1e6
"""score of a trial without figures: it loses its race, but the race goes on"""

Report = Callable[[str], None]


def tune(
    recipe: TuneRecipe,
    dataset: Path,
    out: Path,
    *,
    init: str | None = None,
    progress: ProgressHook = silent,
    report: Report = lambda _: None,
) -> StudyResult:
    """Searches, or goes on with the search that the folder holds.

    Args:
        dataset: made by ``vsr prepare``, with a validation split.
        out: the study's folder, made where missing. Whatever ends the search (time, Ctrl-C, a
            kill), the next call goes on: finished trials count as they are, the unfinished one
            continues from its checkpoint. ``trials`` and ``minutes`` may differ then.
        init: a model that every trial starts from.
        report: gets one line per trial.

    Raises:
        UsageError: the folder holds another search, or is in use; the recipe cannot work.
        DataError: the data set does not fit, or the record is damaged.
        OutputError: nothing can be written there.
        MissingDependencyError: Keras Tuner is not installed.
    """
    load_engine()  # a missing package is said before a folder is made
    base = recipe.base
    data = open_dataset(dataset, crop=base.data.patch_px * base.generator.scale)
    if not data.names["val"]:
        raise DataError(f"{dataset}: has no validation split to compare trials on; prepare one")
    _open_folder(out)
    with _locked(out) as descriptors:
        _settle(out, recipe, dataset, init)
        trainer = Trainer(dataset, init, descriptors)
        return _Study(recipe, out, trainer, progress, report).run()


class _Study:
    """One start of a study."""

    def __init__(
        self,
        recipe: TuneRecipe,
        out: Path,
        trainer: Trainer,
        progress: ProgressHook,
        report: Report,
    ) -> None:
        self.recipe, self.out, self.trainer = recipe, out, trainer
        self.progress, self.report = progress, report
        self.rows = read_rows(out)
        minutes = recipe.search.minutes
        self.deadline = math.inf if minutes is None else time.monotonic() + 60 * minutes

    def run(self) -> StudyResult:
        search = self.recipe.search
        if self.rows:
            self.report(f"{self.out}: resumes after {len(self.rows)} trials")
        elif search.trials < search.first_race:
            self.report(
                f"{search.trials} trials end before one runs all {search.steps} steps; that takes "
                f"{search.first_race} (or fewer search.rungs)"
            )
        asking = proposals(self.recipe)
        try:
            ended = self._search(asking)
        finally:
            asking.close()
        return write_results(self.out, self.recipe, self.rows, ended)

    def _search(self, asking: Generator[Proposal, float, None]) -> Ended:
        """Asks, tries, answers; says what ended it."""
        proposal = next(asking)  # the base recipe: there always is one
        while True:
            if proposal.number > len(self.rows):
                if len(self.rows) >= self.recipe.search.trials:
                    return "trials"
                row = self._try(proposal)
                if row is None:
                    return "minutes"
                self.rows.append(row)
                write_results(self.out, self.recipe, self.rows, "unfinished")
                self.report(short(row, self.recipe))
            try:
                proposal = asking.send(self._recorded(proposal))
            except StopIteration:
                return "space"

    def _recorded(self, proposal: Proposal) -> float:
        """The score on record for a proposal; raises DataError where another one is on record."""
        row = self.rows[proposal.number - 1]
        if (row.values, row.steps) != (proposal.values, proposal.steps):
            raise DataError(
                f"{self.out}: trial {row.number} on record is not the one that this version "
                "proposes; use the version that began the study, or another folder"
            )
        return _WORST if row.score is None else row.score

    def _try(self, proposal: Proposal) -> Row | None:
        """Runs a trial; None where the time was up first."""
        search, number = self.recipe.search, proposal.number
        if time.monotonic() > self.deadline:
            return None
        place = Place(self.out / "trials", number)
        row = Row.of(proposal, mflops(self.recipe, proposal.values))
        try:
            full = with_values(self.recipe.base, proposal.values)
        except UsageError as error:
            return replace(row, status="refused", reason=str(error))
        recipe = short_recipe(full, proposal.steps, search.seed)

        def watch(steps: int) -> None:
            part = f"trial {number}, step {steps} of {proposal.steps}"
            self.progress(Progress(part, number - 1, search.trials, unit="trials"))

        outcome = run_trial(self.trainer, recipe, place, deadline=self.deadline, watch=watch)
        if outcome is None:
            return None
        if number == 1 and outcome.status in ("refused", "failed"):
            raise VsrError(f"the base recipe itself cannot be trained: {outcome.reason}")
        (place.run / "checkpoint.npz").unlink(missing_ok=True)  # three times the weights
        return _filled(row, outcome, search.measure)


def _filled(row: Row, outcome: Outcome, measure: str) -> Row:
    figures = dict(outcome.figures)
    if figures:
        figures["mean_gain"] = (figures["gain"] + figures["gain_degraded"]) / 2
    return replace(
        row,
        status=outcome.status,
        score=figures.get(measure),
        figures=figures,
        seconds=outcome.seconds,
        reason=outcome.reason,
    )


def _open_folder(out: Path) -> None:
    try:
        (out / "trials").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{out}: cannot be used as study folder ({error.strerror or error}); choose another"
        ) from None
    check_writable(out)


@contextmanager
def _locked(out: Path) -> Iterator[tuple[int, ...]]:
    """Holds the study's lock; yields its descriptors for trials to inherit.

    So a trial that outlives a killed search keeps the next one off its run folder.
    """
    try:
        import fcntl
    except ImportError:  # no such locks on Windows
        yield ()
        return
    with (out / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(
                f"{out}: in use by another vsr tune, or by a trial of one that was killed; wait "
                "for it, end it, or choose another folder"
            ) from None
        yield (lock.fileno(),)


def _settle(out: Path, recipe: TuneRecipe, dataset: Path, init: str | None) -> None:
    """Writes what the study is about, or checks that the folder's is the same."""
    path = out / SETTINGS_FILE
    wanted = {
        "space": recipe.to_dict()["space"],
        "search": _bound(recipe.search),
        "base": recipe.base.to_dict() | {"name": "base"},
        "dataset": str(dataset.resolve()),
        "init": init,
    }
    if not path.is_file():
        write_atomically(path, json.dumps(wanted, indent=2) + "\n")
        return
    known = _read_settings(path)
    wanted = json.loads(json.dumps(wanted))
    differ = [_difference(k, known.get(k), wanted[k]) for k in wanted if known.get(k) != wanted[k]]
    if differ:
        raise UsageError(
            f"{out}: holds a study with another {' and '.join(differ)}; choose another folder, or "
            f"what its {SETTINGS_FILE} says (trials and minutes may differ)"
        )


def _difference(name: str, old: Any, new: Any) -> str:
    """Where two values differ, e.g. "base optimiser rate (0.1, now 0.2)"."""
    if isinstance(old, dict) and isinstance(new, dict):
        key = next(k for k in {**old, **new} if old.get(k) != new.get(k))
        return _difference(f"{name} {key}", old.get(key), new.get(key))
    return f"{name} ({old}, now {new})"


def _read_settings(path: Path) -> dict[str, Any]:
    """As `_settle` wrote them; keys that came later take their defaults."""
    try:
        known = parse_json(path.read_text(encoding="utf-8"))
        search = build(SearchConfig, known["search"], f"{path} search")
        base = train_recipe_from_dict(known["base"], path)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(f"{path}: cannot be read ({error}); choose another folder") from None
    fresh = {"search": _bound(search), "base": base.to_dict() | {"name": "base"}}
    return json.loads(json.dumps(known | fresh))


def _bound(search: SearchConfig) -> dict[str, Any]:
    """What may not change from one start of a study to the next."""
    return {k: v for k, v in to_table(search).items() if k not in ("trials", "minutes")}
