from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import vsr.train.loop as loop_module
from vsr.core.config import to_toml
from vsr.core.errors import DataError, OutputError, UsageError
from vsr.core.progress import Progress
from vsr.models.architectures.srresnet import SRResNetConfig, build_srresnet
from vsr.train.loop import CHECKPOINT, rate_at, train
from vsr.train.recipe import OptimiserConfig
from vsr.train.validate import make_validation

CHILD = """
import json, sys
from pathlib import Path
from vsr.train.loop import train
from vsr.train.recipe import train_recipe_from_dict
recipe = train_recipe_from_dict(json.loads(Path(sys.argv[1]).read_text()), Path("child.toml"))
train(recipe, Path(sys.argv[2]), Path(sys.argv[3]))
"""


def arrays(run: Path) -> dict[str, np.ndarray]:
    with np.load(run / CHECKPOINT) as file:
        return {name: file[name] for name in file.files if name != "meta.json"}


def same_arrays(one: Path, other: Path) -> None:
    """The checkpoints of two runs hold the same, to the bit."""
    whole, again = arrays(one), arrays(other)
    assert whole.keys() == again.keys()
    for name in whole:
        np.testing.assert_array_equal(whole[name], again[name], err_msg=name)


def child(recipe: Path, dataset: Path, run: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", CHILD, str(recipe), str(dataset), str(run)]
    return subprocess.Popen(command, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})


def test_a_run_writes_all_it_promises(tiny, dataset: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    seen: list[int] = []
    result = train(
        tiny(loop={"tensorboard": True}), dataset, tmp_path / "run",
        report=lines.append, progress=lambda p: seen.append(p.done),
    )  # fmt: skip
    run = result.run
    assert result.steps == 8
    assert seen[-1] == 8
    assert len(lines) == 2
    with (run / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(r["step"]) for r in rows if r["loss"]] == [1, 2, 4, 6, 8]
    assert sum(bool(r["psnr"]) for r in rows) == 2
    grid = Image.open(run / "grids" / "step-0000001.png")
    assert grid.size == (4 * 52, 18 + 3 * 52)
    assert (run / "grids" / "step-0000004.png").is_file()
    assert (run / "curves.png").is_file()
    assert list((run / "tensorboard").iterdir())
    spec = json.loads((run / "export" / "srresnet-x2.json").read_text())
    assert spec["training"]["data"].startswith("12 training pictures of faces")
    assert spec["training"]["hardware"].endswith("float32, tensorflow")
    model = build_srresnet(SRResNetConfig.from_dict(spec["generator"]))
    model.load_weights(run / "export" / "srresnet-x2.weights.h5")
    averages = {k: v for k, v in arrays(run).items() if k.startswith("average/")}
    for variable in model.trainable_variables:
        np.testing.assert_allclose(
            np.asarray(variable), averages[f"average/{variable.path}"], atol=1e-3
        )


LONG = {"loop": {"steps": 40}}
BOTH = {**LONG, "loss": {"adversarial": 0.05}}
"""the adversarial phase: its state is the pixel phase's and more, and takes seconds to trace"""


def test_a_killed_run_goes_on_to_bit_equal_weights(tiny, dataset, tmp_path) -> None:
    long = tiny(**BOTH)
    recipe = tmp_path / "recipe.json"
    recipe.write_text(json.dumps(long.to_dict()))
    process = child(recipe, dataset, tmp_path / "killed")
    deadline = time.monotonic() + 120
    checkpoint = tmp_path / "killed" / CHECKPOINT
    while not checkpoint.is_file() and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    with np.load(checkpoint) as file:
        done = json.loads(file["meta.json"].tobytes())["step"]
    assert 0 < done < 40
    train(long, dataset, tmp_path / "killed")
    same_arrays(train(long, dataset, tmp_path / "undisturbed").run, tmp_path / "killed")
    with (tmp_path / "killed" / "log.csv").open() as file:
        steps = [int(r["step"]) for r in csv.DictReader(file) if r["loss"]]
    assert steps == sorted(set(steps))


def test_a_broken_run_on_clips_goes_on_to_bit_equal_weights(tiny, clips, tmp_path) -> None:
    """From the checkpoint of step 20, as after a kill, without a process of its own."""

    def break_off(progress: Progress) -> None:
        if progress.done == 22:
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        train(tiny(**LONG), clips, tmp_path / "run", progress=break_off)
    told: list[str] = []
    train(tiny(**LONG), clips, tmp_path / "run", report=told.append)
    assert "resumes at step 20" in told
    same_arrays(train(tiny(**LONG), clips, tmp_path / "undisturbed").run, tmp_path / "run")


def test_a_stopped_run_saves_the_step_it_was_at(tiny, dataset, tmp_path) -> None:
    long = tiny(loop={**LONG["loop"], "checkpoint_every": 1000})
    told: list[str] = []
    before = signal.getsignal(signal.SIGTERM)
    for number, step in ((signal.SIGTERM, 12), (signal.SIGINT, 26)):

        def stop(progress: Progress, number=number, step=step) -> None:
            if progress.done == step:
                os.kill(os.getpid(), number)

        with pytest.raises(KeyboardInterrupt):
            train(long, dataset, tmp_path / "run", progress=stop, report=told.append)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        assert signal.getsignal(signal.SIGTERM) is before
        assert told[-1] == f"stopped after step {step}, which is saved"
    train(long, dataset, tmp_path / "run", report=told.append)
    assert {"resumes at step 12", "resumes at step 26"} <= set(told)
    same_arrays(train(tiny(**LONG), dataset, tmp_path / "undisturbed").run, tmp_path / "run")


def test_slow_steps_are_saved_by_the_clock(tiny, dataset, tmp_path, monkeypatch) -> None:
    saved: list[int] = []
    keep = loop_module.save_checkpoint
    monkeypatch.setattr(loop_module, "_SAVE_S", 0.0)
    monkeypatch.setattr(
        loop_module, "save_checkpoint",
        lambda path, state, meta: saved.append(meta["step"]) or keep(path, state, meta),
    )  # fmt: skip
    train(tiny(loop={"checkpoint_every": 1000}), dataset, tmp_path / "run")
    assert set(saved) == set(range(1, 9))


def test_the_command_says_that_a_stopped_run_goes_on(tiny, dataset, tmp_path) -> None:
    recipe = tmp_path / "long.toml"
    values = tiny(loop={"steps": 100_000, "checkpoint_every": 100_000}).to_dict()
    recipe.write_text(to_toml(values))
    line = [sys.executable, "-m", "vsr", "train", str(dataset), "-o", str(tmp_path / "run")]
    process = subprocess.Popen(
        [*line, "--pipeline", str(recipe)], stderr=subprocess.PIPE, text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )  # fmt: skip
    deadline = time.monotonic() + 200
    while not (tmp_path / "run/grids").is_dir() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    told = process.communicate(timeout=100)[1]
    assert process.returncode == 130
    assert told.splitlines()[-1].endswith(
        "run: interrupted; finished work is kept; the same command resumes"
    )
    assert "which is saved" in told
    assert (tmp_path / "run" / CHECKPOINT).is_file()


def test_training_makes_the_loss_small(tiny, dataset: Path, tmp_path: Path) -> None:
    recipe = tiny(
        loop={"steps": 60, "validate_every": 60, "log_every": 10},
        optimiser={"rate": 3e-3, "warmup_steps": 5},
        degrade={"share": 0.0},
    )
    result = train(recipe, dataset, tmp_path / "run")
    with (result.run / "log.csv").open() as file:
        losses = [float(r["loss"]) for r in csv.DictReader(file) if r["loss"]]
    assert losses[-1] < 0.9 * losses[0]
    assert result.figures["gain"] > 0.3


def test_nan_stops_and_keeps_the_last_good_weights(tiny, dataset, tmp_path, monkeypatch) -> None:
    from vsr.train.phases import PixelPhase

    step = PixelPhase.step

    def poisoned(self, lr, hr, rate, index):
        return step(self, lr * (np.nan if index >= 5 else 1.0), hr, rate, index)

    monkeypatch.setattr(PixelPhase, "step", poisoned)
    with pytest.raises(DataError, match="became NaN after step 4"):
        train(tiny(), dataset, tmp_path / "run")
    kept = arrays(tmp_path / "run")
    assert all(np.isfinite(a).all() for a in kept.values())
    assert (tmp_path / "run" / "export" / "srresnet-x2.weights.h5").is_file()


def test_nan_in_the_last_update_goes_back_too(tiny, dataset, tmp_path, monkeypatch) -> None:
    from vsr.train.phases import PixelPhase

    step = PixelPhase.step

    def poisoned(self, lr, hr, rate, index):
        logs = step(self, lr, hr, rate, index)
        if index == 7:  # the loss was still good
            self.variables[0].assign(self.variables[0].value * np.nan)
        return logs

    monkeypatch.setattr(PixelPhase, "step", poisoned)
    recipe = tiny(loop={"checkpoint_every": 3, "validate_every": 100})
    with pytest.raises(DataError, match=r"became NaN after step 6; .* --init"):
        train(recipe, dataset, tmp_path / "run")
    assert all(np.isfinite(a).all() for a in arrays(tmp_path / "run").values())
    assert (tmp_path / "run" / "export" / "srresnet-x2.weights.h5").is_file()


@pytest.fixture(scope="module")
def spec(tiny, dataset: Path, tmp_path_factory) -> Path:
    """A model to start from, in the folder of the run that made it."""
    return _complete(train(tiny(), dataset, tmp_path_factory.mktemp("first") / "run").export)


def test_warm_start_takes_over_a_model(tiny, dataset: Path, spec: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    recipe = tiny(loop={"steps": 1, "checkpoint_every": 1}, optimiser={"rate": 1e-12, "ema": 0.0})
    train(recipe, dataset, tmp_path / "second", init=spec, report=lines.append)
    assert lines[0].endswith("10 of 10 arrays")
    before, after = arrays(spec.parents[1]), arrays(tmp_path / "second")
    for name in (n for n in before if n.startswith("average/")):
        np.testing.assert_allclose(after[name], before[name], atol=1e-3)


def test_blending_exports_a_mixture_with_the_model_of_the_start(
    tiny, dataset, spec, tmp_path
) -> None:
    start = _exported(spec)
    with pytest.raises(UsageError, match="mixes in the model of --init"):
        train(tiny(loop={"blend": 0.25}), dataset, tmp_path / "none")
    rate = {"rate": 1e-2, "warmup_steps": 0}
    result = train(tiny(loop={"blend": 0.25}, optimiser=rate), dataset, tmp_path / "run", init=spec)
    mixed, trained = _exported(result.export / "srresnet-x2.json"), arrays(tmp_path / "run")
    for path, value in mixed.items():
        wanted = 0.25 * trained[f"average/{path}"] + 0.75 * start[path]
        np.testing.assert_allclose(value, wanted, atol=1e-3)
    assert max(np.abs(mixed[p] - start[p]).max() for p in mixed) > 5e-3


def test_a_polish_can_be_added_to_a_model_and_blended(tiny, dataset, spec, tmp_path) -> None:
    start = _exported(spec)
    recipe = tiny(
        generator={"polish": 4}, loop={"blend": 0.5}, optimiser={"rate": 1e-2, "warmup_steps": 0}
    )
    lines: list[str] = []
    result = train(recipe, dataset, tmp_path / "run", init=spec, report=lines.append)
    assert lines[0].endswith("10 of 14 arrays")
    mixed, trained = _exported(result.export / "srresnet-x2.json"), arrays(tmp_path / "run")
    end = "polish_out_conv/kernel"
    np.testing.assert_allclose(mixed[end], 0.5 * trained[f"average/{end}"], atol=1e-3)
    assert np.abs(mixed[end]).max() > 1e-3
    inner = "polish_conv/kernel"
    np.testing.assert_allclose(mixed[inner], trained[f"average/{inner}"], atol=1e-3)
    assert set(mixed) - set(start) == {f"polish_{n}/{k}" for n in ("conv", "out_conv")
                                       for k in ("kernel", "bias")}  # fmt: skip


def test_what_cannot_be_blended_is_told_before_the_training(tiny, dataset, spec, tmp_path) -> None:
    steps: list[Progress] = []
    for changes, words in (
        ({"filters": 12}, "has another shape"),
        ({"normalisation": "batch"}, "cannot mix batch normalisation"),
    ):
        recipe = tiny(generator=changes, loop={"blend": 0.5})
        with pytest.raises(UsageError, match=words):
            train(recipe, dataset, tmp_path / "run", init=spec, progress=steps.append)
    assert steps == []
    recipe = tiny(generator={"blocks": 2}, loop={"blend": 0.5}, optimiser={"rate": 1e-2})
    result = train(recipe, dataset, tmp_path / "more", init=spec)
    mixed, trained = _exported(result.export / "srresnet-x2.json"), arrays(tmp_path / "more")
    for layer, share in (("block1_conv1", 1.0), ("block1_conv2", 0.5)):
        wanted = share * trained[f"average/{layer}/kernel"]
        np.testing.assert_allclose(mixed[f"{layer}/kernel"], wanted, atol=1e-3)


def _exported(spec: Path) -> dict[str, np.ndarray]:
    values = json.loads(spec.read_text())
    model = build_srresnet(SRResNetConfig.from_dict(values["generator"]))
    model.load_weights(spec.with_name(f"{spec.stem}.weights.h5"))
    return {v.path: np.asarray(v) for v in model.trainable_variables}


def _complete(export: Path) -> Path:
    from vsr.models.export import add_model

    folder = export.parent / "models"
    add_model(export, changes={"name": "warm"}, folder=folder)
    return folder / "warm.json"


def test_another_recipe_in_the_same_folder_is_refused(tiny, dataset, spec: Path) -> None:
    with pytest.raises(UsageError, match=r"\[generator\] differs"):
        train(tiny(generator={"filters": 12}), dataset, spec.parents[1])


def test_extra_pictures_that_cannot_be_read_are_told(tiny, dataset, tmp_path) -> None:
    extra = tmp_path / "extra"
    shutil.copytree(dataset / "train" / "hr", extra)
    (extra / "broken.png").write_bytes(b"x")
    lines: list[str] = []
    recipe = tiny(data={"extra": [str(extra)]}, loop={"steps": 1})
    result = train(recipe, dataset, tmp_path / "run", report=lines.append)
    assert lines[0].startswith("left out: 1 pictures that cannot be read")
    assert lines[0].endswith("broken.png")
    spec = json.loads((result.export / "srresnet-x2.json").read_text())
    assert spec["training"]["data"].startswith("24 training pictures of faces")
    assert spec["terms"].endswith(", extra, whose terms are not stated")


def test_faces_without_detail_have_a_finite_gain() -> None:
    flat = np.full((2, 48, 48, 3), 90, np.uint8)
    faces = make_validation(flat, 2, "bicubic")
    figures = faces.measure(lambda lr: lr.repeat(2, 1).repeat(2, 2))
    assert (faces.bicubic, figures["psnr"], figures["gain"]) == (100, 100, 0)


def test_an_unwritable_run_folder_is_one_line(tiny, dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    with pytest.raises(OutputError, match="cannot be used as run folder"):
        train(tiny(), dataset, tmp_path / "run")


def test_the_rate_warms_up_and_falls_along_a_cosine() -> None:
    config = OptimiserConfig(warmup_steps=10, final_share=0.1)
    assert rate_at(config, 0, 0.0) == pytest.approx(0.1)
    assert rate_at(config, 9, 0.0) == pytest.approx(1.0)
    assert rate_at(config, 99, 0.5) == pytest.approx(0.55)
    assert rate_at(config, 99, 1.0) == pytest.approx(0.1)
