"""The whole run: warm, as a measure of throughput, and from a cold start to the first frame."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from vsr.bench.measure import Pass, cpu_seconds
from vsr.bench.stages import suffix_of
from vsr.core.errors import VsrError
from vsr.core.progress import Progress
from vsr.models.upscale import Upscaler
from vsr.run.recipe import Recipe, recipe_from_dict
from vsr.run.restore import restore

_CHILD = "from vsr.bench.whole import main; main()"


class _FirstFrame(Exception):
    """Ends a run as soon as its first frame is written."""


def run_whole(source: Path, recipe: Recipe, upscaler: Upscaler, folder: Path) -> Pass:
    """One run of the main job with a network that is loaded and warm.

    Counts everything from opening the source to the manifest beside the finished output.
    """
    first_s = 0.0
    frames = 0

    def hook(progress: Progress) -> None:
        nonlocal first_s, frames
        frames = progress.done
        if frames == 1:
            first_s = time.perf_counter() - start

    out = folder / (f"whole{suffix_of(recipe)}" if recipe.output == "frame" else "whole")
    cpu, start = cpu_seconds(), time.perf_counter()
    restore(source, out, recipe, upscaler=upscaler, overwrite=True, progress=hook)
    seconds = time.perf_counter() - start
    return Pass(frames, seconds, cpu_seconds() - cpu, first_s)


def first_frame_seconds(source: Path, recipe: Recipe, folder: Path) -> tuple[float, float]:
    """A new process as a user starts it: seconds until its first frame, and until it could begin.

    Returns (first frame written, interpreter and vsr's own modules imported), both from the
    start of the process. Raises VsrError with the child's last line where it fails.
    """
    order = json.dumps(
        [str(source), str(folder / f"first{suffix_of(recipe)}"), recipe.to_dict(), time.time()]
    )
    done = subprocess.run(
        [sys.executable, "-c", _CHILD], input=order, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise VsrError(f"time to the first frame: the run failed ({last})")
    first_s, ready_s = json.loads(done.stdout.splitlines()[-1])
    return first_s, ready_s


def main() -> None:
    """What the child process of `first_frame_seconds` does: order on stdin, seconds on stdout."""
    source, out, settings, started = json.loads(sys.stdin.read())
    recipe = recipe_from_dict(settings, "benchmark", "benchmark")
    ready_s = time.time() - started

    def stop(_: Progress) -> None:
        raise _FirstFrame

    target = Path(out) if recipe.output == "frame" else Path(out).with_suffix("")
    try:
        restore(Path(source), target, recipe, overwrite=True, progress=stop)
    except _FirstFrame:
        print(json.dumps([time.time() - started, ready_s]))
