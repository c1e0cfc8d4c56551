"""`vsr tune` for real: trials train in processes of their own, are killed, and go on."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import psutil
import pytest
from typer.testing import CliRunner

from vsr.cli.app import app
from vsr.core.config import to_toml
from vsr.core.errors import (
    DataError,
    MissingDependencyError,
    OutputError,
    UsageError,
    VsrError,
)
from vsr.train.loop import CHECKPOINT, train
from vsr.train.recipe import TrainRecipe, load_train_recipe
from vsr.train.tune.recipe import TuneRecipe, load_tune_recipe, with_values
from vsr.train.tune.study import tune
from vsr.train.tune.trial import Place, Trainer, outcome_of, run_trial, short_recipe

# a study starts several processes, each with its TensorFlow
pytestmark = pytest.mark.timeout(600)

# factor 2, two lengths: two short trials, the better one again with twice the steps
SEARCH = {"steps": 60, "rungs": 2, "factor": 2, "trials": 3, "measure": "gain", "seed": 1}
# whatever is drawn, the second trial diverges
SPACE = {"generator": {"filters": [8, 12]}, "optimiser": {"rate": [1e18, 1e19]}}
BASE = {
    "loop": {"log_every": 5},
    "optimiser": {"rate": 3e-3, "warmup_steps": 5},
    "degrade": {"share": 0.0},
}


@dataclass(frozen=True)
class Story:
    """A study that was killed in its third trial, and taken up again."""

    study: Path
    file: Path
    in_use: str
    """what another search in the same folder was told meanwhile"""
    steps_before: int
    """of the killed trial"""
    answer: dict[str, Any]
    """of the second start, from --json"""
    notes: str
    """on stderr of the first start"""

    @property
    def recipe(self) -> TuneRecipe:
        return load_tune_recipe(str(self.file))


def command(story_file: Path, dataset: Path, study: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "vsr", "tune", str(dataset), "-o", str(study),
            "--pipeline", str(story_file), *options]  # fmt: skip


def wait_for(what: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 240
    while not what():
        assert process.poll() is None, "the search ended early"
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture(scope="module")
def story(tiny, dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("tune")
    file, study = folder / "mine.toml", folder / "study"
    (folder / "base.toml").write_text(to_toml(tiny(**BASE).to_dict()))
    tables = {"kind": "tune", "base": "base.toml", "search": SEARCH, "space": SPACE}
    file.write_text(to_toml(tables))

    third = study / "trials" / "003"
    with (folder / "stderr").open("wb") as stderr:
        process = subprocess.Popen(command(file, dataset, study), stderr=stderr)
    wait_for((third / CHECKPOINT).is_file, process)
    trial = psutil.Process(process.pid).children()[0]
    trial.suspend()  # so that it outlives its search for sure
    process.kill()
    process.wait()
    with (third / "log.csv").open() as log:
        steps = max(int(row["step"]) for row in csv.DictReader(log))
    with pytest.raises(UsageError) as caught:
        tune(load_tune_recipe(str(file)), dataset, study)
    trial.kill()
    psutil.wait_procs([trial], timeout=30)

    again = CliRunner().invoke(app, command(file, dataset, study, "--json")[3:])
    assert again.exit_code == 0
    notes = (folder / "stderr").read_text()
    return Story(study, file, str(caught.value), steps, json.loads(again.stdout), notes)


def test_each_trial_is_a_row_even_one_that_diverges(story: Story) -> None:
    rows = story.answer["trials"]
    assert [row["status"] for row in rows] == ["done", "diverged", "done"]
    assert [row["steps"] for row in rows] == [30, 30, 60]
    assert [row["promoted_from"] for row in rows] == [None, None, 1]
    assert "NaN" in rows[1]["reason"]
    assert rows[1]["score"] is None
    assert rows[2]["values"] == {"generator.filters": 8, "optimiser.rate": 3e-3}
    assert rows[2]["score"] == rows[2]["figures"]["gain"] > rows[0]["score"]
    assert rows[2]["figures"]["mean_gain"] == pytest.approx(
        (rows[2]["figures"]["gain"] + rows[2]["figures"]["gain_degraded"]) / 2
    )
    assert story.answer["ended"] == "trials"
    assert "trial 2, 30 steps: diverged: " in story.notes


def test_the_table_holds_what_the_record_holds(story: Story) -> None:
    with (story.study / "trials.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert len(table) == 3
    for line, row in zip(table, story.answer["trials"], strict=True):
        assert int(line["trial"]) == row["number"]
        assert float(line["optimiser.rate"]) == row["values"]["optimiser.rate"]
        assert line["status"] == row["status"]
        assert line["reason"] == row["reason"]
        if row["score"] is not None:
            assert float(line["score"]) == pytest.approx(row["score"], abs=1e-4)
            assert float(line["psnr"]) == pytest.approx(row["figures"]["psnr"], abs=1e-3)


def test_the_best_recipe_is_one_to_train(story: Story) -> None:
    best = Path(story.answer["recipe"])
    assert best.read_text().startswith("# Found by vsr tune in 3 trials: gain +")
    checked = CliRunner().invoke(app, ["pipelines", "check", str(best)])
    assert (checked.exit_code, checked.output) == (0, "best.toml: ok\n")
    base = story.recipe.base
    # at full length again, with the base's own loop
    assert load_train_recipe(str(best)) == dataclasses.replace(base, name="best")


def test_a_trial_is_what_vsr_train_gives_with_its_recipe(story: Story, dataset, tmp_path) -> None:
    """The third was killed and went on; an uninterrupted run comes to the same figures."""
    row = story.answer["trials"][2]
    recipe = load_train_recipe(str(story.study / "trials" / "003.toml"))
    assert 4 <= story.steps_before < 60
    result = train(recipe, dataset, tmp_path / "again")
    assert result.steps == row["steps"]
    for name, value in result.figures.items():
        assert value == row["figures"][name], name


def test_two_searches_keep_out_of_each_others_way(story: Story) -> None:
    assert "in use by another vsr tune, or by a trial of one that was killed" in story.in_use


def test_a_finished_study_is_not_run_again(story: Story, dataset: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in story.study.glob("trials/*")}
    lines: list[str] = []
    result = tune(story.recipe, dataset, story.study, report=lines.append)
    assert lines == [f"{story.study}: resumes after 3 trials"]
    assert [dataclasses.asdict(row) for row in result.rows] == story.answer["trials"]
    assert {p: p.stat().st_mtime_ns for p in story.study.glob("trials/*")} == before
    assert not list(story.study.glob("trials/*/checkpoint.npz"))


def changed(recipe: TuneRecipe, **search: Any) -> TuneRecipe:
    return dataclasses.replace(recipe, search=dataclasses.replace(recipe.search, **search))


def test_another_search_in_the_same_folder_is_refused(story: Story, dataset: Path) -> None:
    with pytest.raises(UsageError, match=r"another search seed \(1, now 2\); choose another"):
        tune(changed(story.recipe, seed=2), dataset, story.study)
    other = dataclasses.replace(story.recipe, space=story.recipe.space[:1])
    with pytest.raises(UsageError, match="another space optimiser"):
        tune(other, dataset, story.study)
    base = with_values(story.recipe.base, {"optimiser.beta_1": 0.5})
    with pytest.raises(UsageError, match=r"another base optimiser beta_1 \(0.9, now 0.5\)"):
        tune(dataclasses.replace(story.recipe, base=base), dataset, story.study)
    with pytest.raises(UsageError, match=r"another init \(None, now srresnet-x2\)"):
        tune(story.recipe, dataset, story.study, init="srresnet-x2")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("trials.json", "[", "trials.json: cannot be read"),
        ("trials.json", '[{"number": 1}]', "trials.json: cannot be read"),
        ("study.json", "{}", "study.json: cannot be read"),
    ],
)
def test_a_damaged_record_is_one_line(story, dataset, tmp_path, name, text, message) -> None:
    study = copy_of(story, tmp_path)
    (study / name).write_text(text)
    with pytest.raises(DataError, match=message):
        tune(story.recipe, dataset, study)


def test_a_record_that_does_not_follow_from_the_seed_is_refused(story, dataset, tmp_path) -> None:
    study = copy_of(story, tmp_path)
    rows = json.loads((study / "trials.json").read_text())
    rows[1]["values"]["generator.filters"] = 99
    (study / "trials.json").write_text(json.dumps(rows))
    with pytest.raises(DataError, match="trial 2 on record is not the one that this version"):
        tune(story.recipe, dataset, study)
    (study / "trials.json").write_text(json.dumps(rows[1:]))
    with pytest.raises(DataError, match="trials are missing"):
        tune(story.recipe, dataset, study)


def copy_of(story: Story, folder: Path) -> Path:
    study = folder / "copy"
    study.mkdir()
    for name in ("study.json", "trials.json"):
        (study / name).write_text((story.study / name).read_text())
    return study


def test_time_that_is_up_leaves_the_rest_for_later(story, dataset: Path, tmp_path: Path) -> None:
    result = tune(changed(story.recipe, minutes=1e-6), dataset, tmp_path / "study")
    assert (result.ended, result.rows, result.best, result.recipe) == ("minutes", (), None, None)
    assert (tmp_path / "study" / "trials.csv").is_file()


def test_folders_that_do_not_fit_are_refused(story: Story, dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        tune(story.recipe, tmp_path / "none", tmp_path / "study")
    (tmp_path / "train").symlink_to(dataset / "train")
    with pytest.raises(DataError, match="has no validation split"):
        tune(story.recipe, tmp_path, tmp_path / "study")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be used as study folder"):
        tune(story.recipe, dataset, tmp_path / "file")


def test_without_the_engine_nothing_is_written(story, dataset, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "keras_tuner", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'face-vsr\[tune\]'"):
        tune(story.recipe, dataset, tmp_path / "study")
    assert not (tmp_path / "study").exists()


# === single trials ===


@pytest.fixture
def short(tiny) -> TrainRecipe:
    return short_recipe(tiny(**BASE), 20_000, 1)  # long enough to be ended


def trials_of_this_process() -> list[psutil.Process]:
    return [p for p in psutil.Process().children() if p.status() != psutil.STATUS_ZOMBIE]


def test_a_trial_that_dies_is_an_outcome(short: TrainRecipe, dataset: Path, tmp_path: Path) -> None:
    def kill(_: int) -> None:
        for process in trials_of_this_process():
            process.kill()  # as the kernel does when memory runs out

    outcome = run_trial(Trainer(dataset, None), short, Place(tmp_path, 1), watch=kill)
    assert outcome is not None
    assert (outcome.status, outcome.figures) == ("killed", {})
    assert outcome.reason == "ended by SIGKILL (out of memory?)"


def test_the_deadline_and_an_interrupt_leave_no_process(short, dataset, tmp_path: Path) -> None:
    trainer, place = Trainer(dataset, None), Place(tmp_path, 1)
    assert run_trial(trainer, short, place, deadline=time.monotonic() + 0.3) is None
    assert trials_of_this_process() == []

    def interrupt(_: int) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run_trial(trainer, short, place, watch=interrupt)
    assert trials_of_this_process() == []


def test_a_base_recipe_that_cannot_be_trained_ends_the_search(story, dataset, tmp_path) -> None:
    with pytest.raises(VsrError, match=r"base recipe itself cannot be trained: .*no-such-model"):
        tune(story.recipe, dataset, tmp_path / "study", init="no-such-model")
    assert not (tmp_path / "study" / "trials.json").exists()


@pytest.mark.parametrize(
    ("code", "text", "status", "reason"),
    [
        (2, "note: x\nerror: [data]: patch_px: got 0", "refused", "[data]: patch_px: got 0"),
        (9, "error: run: the loss became NaN after step 4", "diverged", "NaN after step 4"),
        (9, "error: set: is damaged", "failed", "set: is damaged"),
        (
            1,
            "Traceback\nResourceExhaustedError: OOM when allocating tensor",
            "killed",
            "out of mem",
        ),
        (1, "Traceback\nKeyError: 'x'", "failed", "KeyError: 'x'"),
        (-11, "", "killed", "ended by SIGSEGV"),
        (5, "", "failed", "no message"),
    ],
)
def test_every_end_of_a_trial_has_its_row(tmp_path, code, text, status, reason) -> None:
    (tmp_path / "log").write_text(text)
    outcome = outcome_of(code, b"", tmp_path / "log")
    assert (outcome.status, outcome.figures) == (status, {})
    assert reason in outcome.reason


def test_figures_that_are_not_finite_are_none(tmp_path: Path) -> None:
    outcome = outcome_of(0, b'{"figures": {"gain": NaN}, "seconds": 3}', tmp_path / "log")
    assert (outcome.status, outcome.figures) == ("diverged", {})


@pytest.mark.parametrize(
    ("code", "error"),
    [(4, OutputError), (6, MissingDependencyError), (130, KeyboardInterrupt)],
)
def test_what_would_hit_every_trial_ends_the_search(tmp_path, code: int, error) -> None:
    (tmp_path / "log").write_text("error: no room left")
    with pytest.raises(error):
        outcome_of(code, b"", tmp_path / "log")


def test_a_short_recipe_changes_the_loop_only(tiny) -> None:
    recipe = tiny(loop={"checkpoint_every": 500, "steps": 9000, "tensorboard": True})
    made = short_recipe(recipe, 200, 7)
    assert dataclasses.replace(made, loop=recipe.loop) == recipe
    loop = made.loop
    assert (loop.steps, loop.seed, loop.checkpoint_every, loop.grid_steps) == (200, 7, 50, ())
    assert loop.precision == recipe.loop.precision
    assert keras.config.dtype_policy().name == "float32"  # nothing was built here
