"""The benchmark on one page: a clip, the network, each stage alone, the whole, what to choose."""

from __future__ import annotations

import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import vsr
from vsr.bench.advise import (
    advise_generator,
    advise_preset,
    advise_stride,
    try_presets,
    try_strides,
)
from vsr.bench.bound import StageTime
from vsr.bench.clip import Clip, take_clip
from vsr.bench.generator import SIDE, GeneratorResult, measure_generator
from vsr.bench.measure import (
    Spread,
    available_memory,
    busy_share,
    core_count,
    seconds_of,
    timed,
)
from vsr.bench.outlook import STARTS, Costs, Outlook, plan_of
from vsr.bench.result import BenchmarkResult, ClipFacts, Machine, StartUp
from vsr.bench.rounds import Rounds
from vsr.bench.stages import Prepared, prepare
from vsr.bench.whole import first_frame_seconds
from vsr.core.errors import UsageError
from vsr.core.progress import Progress, ProgressHook, silent
from vsr.faces.cuts import to_uint8
from vsr.faces.detect import detect, make_detector
from vsr.models.backend import start_backend
from vsr.models.registry import resolve_model
from vsr.models.upscale import Upscaler, load_upscaler
from vsr.run.manifest import versions
from vsr.run.recipe import Recipe

PARTS = ("generator", "stages", "start-up", "settings")
_BUSY = 0.1
"""share of the cores at work for others from which figures are called noisy"""


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """What is measured, and how often."""

    repeats: int = 3
    """rounds; each measures everything once"""
    seconds: float | None = None
    """length of the clip; None: 2 s of a drawn or given video, all of a folder of pictures"""
    faces: int = 1
    """in the drawn clip, 0 to 9"""
    face_px: float = 64.0
    """width of these, 16 to 200"""
    parts: tuple[str, ...] = PARTS
    """some of `PARTS`"""

    def __post_init__(self) -> None:
        if self.repeats < 1:
            raise UsageError(f"--repeats: got {self.repeats}, expected 1 or more")
        if not 0 <= self.faces <= 9:
            raise UsageError(f"--faces: got {self.faces}, expected 0 to 9")
        if not 16 <= self.face_px <= 200:
            raise UsageError(f"--face-px: got {self.face_px:g}, expected 16 to 200")
        for part in self.parts:
            if part not in PARTS:
                raise UsageError(f"--part: got '{part}', expected some of {', '.join(PARTS)}")


def benchmark(
    source: Path | None,
    recipe: Recipe,
    cfg: BenchmarkConfig | None = None,
    progress: ProgressHook = silent,
    say: Callable[[str], None] = lambda _: None,
) -> BenchmarkResult:
    """Measure this machine with a recipe.

    source: a video or a folder of numbered pictures; None: a scene is drawn.
    say: told what is to come, and how long that takes once it can be estimated.
    Nothing is left on the disk. Raises VsrError where the clip, the recipe or its model does
    not work.
    """
    cfg = cfg or BenchmarkConfig()
    started = time.perf_counter()
    resolve_model(recipe.upscale.model, recipe.upscale.scale)  # before anything costs time
    busy = busy_share()
    with tempfile.TemporaryDirectory(prefix="vsr-benchmark-") as name:
        folder = Path(name)
        clip = take_clip(
            source, recipe, folder, progress,
            seconds=cfg.seconds, faces=cfg.faces, face_px=cfg.face_px,
        )  # fmt: skip
        loads = _Loads(recipe)
        say(plan_of(cfg.parts, clip.frames, cfg.repeats))
        begun = time.perf_counter()
        made = prepare(clip.info, recipe, loads.detector, loads.upscaler, _steps(clip, progress))
        prepared_s = time.perf_counter() - begun
        found = _generator(made, cfg, progress)
        costs = Costs(len(made.frames), prepared_s, _search_s(made), 1 + loads.seconds)
        outlook = Outlook(cfg.parts, cfg.repeats, costs, say)
        outlook.tell()
        rounds = Rounds(clip, made, folder)
        if "stages" in cfg.parts:
            rounds.run(cfg.repeats, progress, outlook)
        strides, presets, advice = _settings(
            clip, made, found, rounds, cfg, folder, progress, outlook
        )
        start_up = _start_up(clip, recipe, loads, folder, cfg, progress, outlook)
    return BenchmarkResult(
        vsr=vsr.__version__,
        machine=_machine(loads.upscaler, busy),
        clip=_facts(clip, made),
        recipe=recipe.to_dict(),
        repeats=cfg.repeats,
        generator=found,
        start_up=start_up,
        stages=rounds.stage_rows(),
        whole=rounds.whole_row(),
        strides=strides,
        presets=presets,
        advice=advice,
        notices=tuple(_notices(clip, made, busy)),
        seconds=time.perf_counter() - started,
    )


class _Loads:
    """Backend, detector and network, loaded once, and what each took."""

    def __init__(self, recipe: Recipe) -> None:
        self.backend_s = seconds_of(start_backend)
        start = time.perf_counter()
        self.detector = make_detector(recipe.detect)
        self.detector_s = time.perf_counter() - start
        start = time.perf_counter()
        self.upscaler: Upscaler = load_upscaler(recipe.upscale)
        self.model_s = time.perf_counter() - start
        faces = np.zeros((1, SIDE, SIDE, 3), np.uint8)
        first, second = (seconds_of(lambda: self.upscaler(faces)) for _ in range(2))
        self.first_call_s = max(0.0, first - second)

    @property
    def seconds(self) -> float:
        """All of it together."""
        return self.backend_s + self.detector_s + self.model_s + self.first_call_s


def _steps(clip: Clip, progress: ProgressHook) -> Callable[[str, int], None]:
    def step(name: str, frames: int) -> None:
        progress(Progress(f"preparing: {name}", frames, clip.frames))

    return step


def _search_s(made: Prepared) -> float:
    """What a search of the whole picture takes in every frame, by that of the first."""
    if not hasattr(made.recipe.detect, "stride"):
        return 0.0
    every = replace(made.recipe.detect, stride=1)
    return timed(lambda: detect(made.frames[:1], made.detector, every)).seconds * len(made.frames)


def _generator(
    made: Prepared, cfg: BenchmarkConfig, progress: ProgressHook
) -> GeneratorResult | None:
    if "generator" not in cfg.parts:
        return None
    return measure_generator(made.recipe.upscale, _face_samples(made), cfg.repeats, progress)


def _face_samples(made: Prepared, most: int = 16) -> np.ndarray:
    """Faces of the clip at the usual size, uint8 (B, 64, 64, 3); its corner where it has none."""
    crops = [to_uint8(c.lr) for item in made.cut for c in item.crops]
    if not crops:
        crops = [to_uint8(made.frames[0].rgb[:SIDE, :SIDE])]
    chosen = crops[:: max(1, len(crops) // most)][:most]
    return np.stack([cv2.resize(p, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for p in chosen])


def _settings(
    clip: Clip,
    made: Prepared,
    found: GeneratorResult | None,
    rounds: Rounds,
    cfg: BenchmarkConfig,
    folder: Path,
    progress: ProgressHook,
    outlook: Outlook,
) -> tuple[Any, Any, Any]:
    """Strides and presets tried, and what all measurements together recommend."""
    if "settings" not in cfg.parts:
        return (), (), ()
    done = 0

    def step(_: str) -> None:
        nonlocal done
        done += 1
        progress(Progress("trying settings", done, None, unit="settings"))

    strides = try_strides(made, step) if hasattr(made.recipe.detect, "stride") else ()
    outlook.done("strides")
    presets = try_presets(made, folder, step)
    outlook.done("presets")
    advice = advise_generator(found, made) if found else []
    advice += advise_stride(strides, made) if made.faces else []
    whole = rounds.whole_row()
    if whole is not None:
        alone = {
            row.name: StageTime(row.seconds.median, row.cpu_s.median) for row in rounds.stage_rows()
        }
        advice += advise_preset(
            presets, alone, made, cores=core_count(),
            over_bound=whole.whole_over_bound.median, wanted_fps=clip.fps,
        )  # fmt: skip
    return strides, presets, tuple(advice)


def _start_up(
    clip: Clip,
    recipe: Recipe,
    loads: _Loads,
    folder: Path,
    cfg: BenchmarkConfig,
    progress: ProgressHook,
    outlook: Outlook,
) -> StartUp | None:
    if "start-up" not in cfg.parts:
        return None
    times = []
    starts = min(STARTS, cfg.repeats)
    for number in range(starts):
        begun = time.perf_counter()
        times.append(first_frame_seconds(clip.path, recipe, folder))
        outlook.costs.start_s = time.perf_counter() - begun
        outlook.done("start")
        progress(Progress("restarting", number + 1, starts, unit="starts"))
    return StartUp(
        first_frame_s=Spread.of(first for first, _ in times),
        imports_s=Spread.of(ready for _, ready in times),
        backend_s=loads.backend_s,
        detector_s=loads.detector_s,
        model_s=loads.model_s,
        first_call_s=loads.first_call_s,
    )


def _machine(upscaler: Upscaler, busy: float | None) -> Machine:
    import keras

    return Machine(
        processor=processor(),
        cores=core_count(),
        memory_gib=available_memory() / 2**30,
        system=f"{platform.system()} {platform.machine()}",
        backend=keras.backend.backend(),
        device=str(getattr(upscaler, "device", "cpu:0")),
        versions=versions(),
        busy_share=busy,
    )


def processor() -> str:
    """The processor's name, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        return next(ln.split(":", 1)[1].strip() for ln in lines if ln.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _facts(clip: Clip, made: Prepared) -> ClipFacts:
    widths = [c.face.box.width for item in made.cut for c in item.crops]
    return ClipFacts(
        name="built-in" if clip.built_in else clip.path.name,
        built_in=clip.built_in,
        width=clip.info.width,
        height=clip.info.height,
        frames=len(made.frames),
        fps=clip.fps,
        faces=made.faces,
        median_face_px=float(np.median(widths)) if widths else None,
    )


def _notices(clip: Clip, made: Prepared, busy: float | None) -> list[str]:
    texts = list(clip.notices)
    if busy is not None and busy > _BUSY:
        texts.append(
            f"others kept {busy:.0%} of this machine's cores busy when the benchmark began: "
            "figures are noisy, repeat it at a quiet time"
        )
    if not made.faces:
        texts.append("no face was found: crop, upscale and paste had nothing to do")
    return texts
