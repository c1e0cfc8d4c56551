"""The training loop: steps, checkpoints, logs, validation, pictures, export."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from vsr.core.errors import DataError, OutputError, UsageError
from vsr.core.jsontext import parse_json
from vsr.core.progress import Progress, ProgressHook, silent
from vsr.degrade.image import enlarge_image
from vsr.train.backend import prepare_backend
from vsr.train.checkpoint import load_checkpoint, save_checkpoint
from vsr.train.data import open_source
from vsr.train.export import export_run
from vsr.train.log import RunLog
from vsr.train.origin import Origins, going_on
from vsr.train.phases import PixelPhase, build_phase
from vsr.train.pictures import save_curves, save_grid
from vsr.train.recipe import OptimiserConfig, TrainRecipe, train_recipe_from_dict
from vsr.train.stopping import asked_to_stop
from vsr.train.validate import ValidationSet, open_validation
from vsr.train.warm import Start, blend_with, check_blend, start_from

ops: Any = keras.ops  # its stubs know tensors of no backend

CHECKPOINT = "checkpoint.npz"
_MEASURES = ["psnr", "ssim", "gain", "gain_degraded"]
_GRID_FACES = 6
_SAVE_S = 300.0
"""time of training that a killed run may lose, if its steps are slow"""

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What a run came to."""

    run: Path
    steps: int
    seconds: float
    """training time over all starts, without start-up"""
    figures: dict[str, float]
    """the last validation: psnr and gains in dB, ssim; empty where there was none"""
    export: Path
    """folder with the export, for ``vsr models add``"""


def train(
    recipe: TrainRecipe,
    dataset: Path,
    run: Path,
    *,
    init: str | Path | None = None,
    name: str | None = None,
    command: str = "",
    progress: ProgressHook = silent,
    report: Report = lambda _: None,
) -> TrainResult:
    """Trains a recipe on a data set, or goes on with the run that the folder holds.

    Args:
        dataset: as `vsr.train.faces` describes it.
        run: made where missing; holds recipe.json, checkpoint.npz, log.csv, pictures, export/.
        init: a model (name or spec) whose weights are taken where names and shapes agree.
        name: of the exported model; "srresnet-x2" and so on by default.
        command: the command line, for the model card.
        report: gets one line per validation.

    Raises:
        DataError: the data set does not fit, or the weights became NaN (the last good ones are
            kept in the checkpoint and exported).
        UsageError: the folder holds a run of another recipe, other data or another start, or
            the model of ``init`` cannot be blended.
        OutputError: the run folder cannot be written.
        KeyboardInterrupt: Ctrl-C or SIGTERM came; the step at work was ended and saved.
    """
    if recipe.loop.blend < 1 and init is None:
        raise UsageError(
            "loop.blend below 1 mixes in the model of --init; give one, or set it to 1"
        )
    prepare_backend(recipe.loop.seed, recipe.loop.precision, recipe.loop.devices)
    source = open_source(recipe, dataset)
    _tell_left_out(source.shown.unreadable, report)
    validation = open_validation(recipe, dataset)
    start = None if init is None else Start(init)
    origins = Origins(source.shown.origins, None if start is None else start.origin)
    origins = _open_run(run, recipe, origins)
    phase = build_phase(recipe)
    if start is not None and recipe.loop.blend < 1:
        check_blend(phase, start)
    session = _Session(recipe, phase, run, validation, report)
    if not session.resume() and start is not None:
        report(start_from(phase, start))
    session.open_log()
    try:
        with asked_to_stop() as stopping:
            broken = session.train(source.batches(session.step), progress, stopping)
    except OSError as error:
        raise OutputError(
            f"{run}: cannot be written ({error.strerror or error}); make room, then start again"
        ) from None
    if start is not None and recipe.loop.blend < 1:
        blend_with(phase, start, recipe.loop.blend)
    figures = session.measure()
    export = export_run(
        recipe, phase, run, name=name, command=command, shown=source.shown,
        origins=origins, seconds=session.seconds, figures=figures,
    )  # fmt: skip
    if broken:
        raise DataError(
            f"{run}: the loss became NaN after step {session.step}; weights of that checkpoint "
            "are kept and exported: go on in another folder, with a lower optimiser.rate and, "
            "after 'vsr models add', --init"
        )
    return TrainResult(run, session.step, session.seconds, figures, export)


class _Session:
    """One run from its start (or its checkpoint) to its end."""

    def __init__(
        self,
        recipe: TrainRecipe,
        phase: PixelPhase,
        run: Path,
        validation: ValidationSet | None,
        report: Report,
    ) -> None:
        self.recipe, self.phase, self.run = recipe, phase, run
        self.validation, self.report = validation, report
        self.step, self.seconds = 0, 0.0
        self._log: RunLog | None = None
        self._checkpoint = run / CHECKPOINT
        self._saved_at = time.monotonic()

    def resume(self) -> bool:
        """Takes up the folder's checkpoint; False where there is none."""
        if not self._checkpoint.is_file():
            return False
        meta = load_checkpoint(self._checkpoint, self.phase.state)
        self.step, self.seconds = int(meta["step"]), float(meta["seconds"])
        self.report(f"resumes at step {self.step}")
        return True

    def open_log(self) -> None:
        names = [n for n in _LOSSES if n in _losses_of(self.recipe)]
        columns = [*names, "rate", *_MEASURES]
        self._log = RunLog(self.run, columns, self.step, self.recipe.loop.tensorboard)

    def train(
        self,
        batches: Iterator[tuple[Any, Any]],
        progress: ProgressHook,
        stopping: Callable[[], bool],
    ) -> bool:
        """Runs to the end; True where the loss became NaN (the last checkpoint is back then)."""
        loop, begun = self.recipe.loop, time.monotonic() - self.seconds
        losses: list[dict[str, Any]] = []
        while (done := self._done()) < 1.0:
            lr, hr = next(batches)
            rate = rate_at(self.recipe.optimiser, self.step, done)
            losses.append(self.phase.step(lr, hr, rate, self.step))
            self.step += 1
            due = self.step % loop.log_every == 0 or self._is_due()
            if due or self._done() >= 1.0:
                means = _means(losses)
                if not math.isfinite(means["loss"]):
                    return self._back()
                losses = []
                self.seconds = time.monotonic() - begun
                self._write(means | {"rate": rate * self.recipe.optimiser.rate})
                told = ", ".join(f"{n} {means[n]:.4g}" for n in _SHOWN if n in means)
                if not self._milestones(told):
                    return self._back()
                self.seconds = time.monotonic() - begun
                progress(Progress(told, self.step, loop.steps, unit="steps"))
            elif loop.minutes is not None:
                self.seconds = time.monotonic() - begun
            if stopping() or time.monotonic() - self._saved_at > _SAVE_S:
                self.seconds = time.monotonic() - begun
                if not self._save():
                    return self._back()
                if stopping():
                    self.report(f"stopped after step {self.step}, which is saved")
                    raise KeyboardInterrupt
        return not self._save() and self._back()

    def measure(self) -> dict[str, float]:
        """Validation figures of the averaged weights; empty without a validation split."""
        if self.validation is None:
            return {}
        with averaged(self.phase):
            return self.validation.measure(self._upscale)

    def _done(self) -> float:
        """Share of the run that lies behind, by steps or by the clock."""
        loop = self.recipe.loop
        share = self.step / loop.steps
        return share if loop.minutes is None else max(share, self.seconds / (60 * loop.minutes))

    def _is_due(self) -> bool:
        loop = self.recipe.loop
        regular = (loop.validate_every, loop.checkpoint_every, loop.grid_every)
        return self.step in loop.grid_steps or any(n and self.step % n == 0 for n in regular)

    def _milestones(self, told: str) -> bool:
        """Validation, pictures and checkpoint where they are due; False where weights broke."""
        loop = self.recipe.loop
        if self.step % loop.validate_every == 0 and self.validation is not None:
            figures = self.measure()
            self._write(figures)
            self.report(
                f"step {self.step}, {self.seconds:.0f} s: {told}; PSNR {figures['psnr']:.2f} dB "
                f"({figures['gain']:+.2f} over bicubic, {figures['gain_degraded']:+.2f} degraded), "
                f"SSIM {figures['ssim']:.4f}"
            )
            save_curves(self.run / "log.csv", self.run / "curves.png")
        regular = loop.grid_every and self.step % loop.grid_every == 0
        if (self.step in loop.grid_steps or regular) and self.validation is not None:
            self._save_grid(self.validation)
        return self._save() if self.step % loop.checkpoint_every == 0 else True

    def _save(self) -> bool:
        self._saved_at = time.monotonic()
        meta = {"step": self.step, "seconds": round(self.seconds, 1)}
        return save_checkpoint(self._checkpoint, self.phase.state, meta)

    def _back(self) -> bool:
        """To the last good weights, after NaN."""
        if not self.resume():
            raise DataError(
                f"{self.run}: the loss is NaN before the first checkpoint; lower optimiser.rate"
            )
        return True

    def _write(self, values: dict[str, float]) -> None:
        if self._log is not None:
            self._log.write(self.step, self.seconds, values)

    def _save_grid(self, faces: ValidationSet) -> None:
        few = slice(0, _GRID_FACES)
        with averaged(self.phase):
            made = self._upscale(faces.clean[few])
        scale = self.recipe.generator.scale
        bicubic = np.stack([enlarge_image(lr, scale) for lr in faces.clean[few]])
        columns = {"LR": faces.clean[few], "bicubic": bicubic, "SR": made, "HR": faces.hr[few]}
        folder = self.run / "grids"
        folder.mkdir(exist_ok=True)
        save_grid(folder / f"step-{self.step:07d}.png", columns)

    def _upscale(self, lr: np.ndarray) -> np.ndarray:
        unit = ops.convert_to_tensor(lr.astype(np.float32) / 127.5 - 1.0)
        sr = ops.convert_to_numpy(self.phase.predict(unit))
        return np.clip(np.rint((sr + 1.0) * 127.5), 0, 255).astype(np.uint8)


_SHOWN = ("loss", "discriminator")
_LOSSES = ("loss", "pixel", "content", "identity", "adversarial", "discriminator", "real", "fake")


def _losses_of(recipe: TrainRecipe) -> set[str]:
    names = {"loss", "pixel"}
    if recipe.loss.content > 0:
        names.add("content")
    if recipe.loss.identity > 0:
        names.add("identity")
    if recipe.loss.adversarial > 0:
        names |= {"adversarial", "discriminator", "real", "fake"}
    return names


def rate_at(config: OptimiserConfig, step: int, done: float) -> float:
    """Share of the learning rate at a step: linear warm-up, then half a cosine over the run.

    done: share of the run that lies behind, 0..1.
    """
    warm = min(1.0, (step + 1) / config.warmup_steps) if config.warmup_steps else 1.0
    if config.schedule == "constant":
        return warm
    cosine = 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
    return warm * (config.final_share + (1 - config.final_share) * cosine)


@contextmanager
def averaged(phase: PixelPhase) -> Iterator[None]:
    """The generator with its averaged weights for as long as the block runs."""
    if phase.recipe.optimiser.ema == 0:
        yield
        return
    kept = [ops.convert_to_numpy(v.value) for v in phase.variables]
    for variable, average in zip(phase.variables, phase.average, strict=True):
        variable.assign(average.value)
    try:
        yield
    finally:
        for variable, value in zip(phase.variables, kept, strict=True):
            variable.assign(value)


def _means(losses: list[dict[str, Any]]) -> dict[str, float]:
    names = losses[0]
    values = {n: [float(ops.convert_to_numpy(row[n])) for row in losses] for n in names}
    return {name: float(np.mean(numbers)) for name, numbers in values.items()}


def _tell_left_out(unreadable: Sequence[Path], report: Report) -> None:
    if unreadable:
        first = unreadable[0]
        report(f"left out: {len(unreadable)} pictures that cannot be read, the first is {first}")


def _open_run(run: Path, recipe: TrainRecipe, origins: Origins) -> Origins:
    """Makes the folder, or checks that the run in it is of this recipe (`loop` may differ) and
    data; gives what the run comes from."""
    path, wanted = run / "recipe.json", recipe.to_dict()
    try:
        run.mkdir(parents=True, exist_ok=True)
        if path.is_file() and (run / CHECKPOINT).is_file():
            # through the recipe: keys that the run's version did not have yet take their defaults
            known = train_recipe_from_dict(parse_json(path.read_text(encoding="utf-8")), path)
            for table, values in known.to_dict().items():
                if table not in ("loop", "name") and values != wanted[table]:
                    raise UsageError(
                        f"{run}: holds a run whose [{table}] differs from the recipe's; "
                        "choose another folder, or the recipe in its recipe.json"
                    )
            origins = going_on(run, origins)
        path.write_text(json.dumps(wanted, indent=2) + "\n", encoding="utf-8")
        origins.save(run)
        return origins
    except (OSError, ValueError) as error:
        raise OutputError(f"{run}: cannot be used as run folder ({error})") from None
