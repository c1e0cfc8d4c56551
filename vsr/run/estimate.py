"""What a run will take, told before it: parts of the source are restored on trial.

The parts lie evenly over the source, and what they give goes to the system's temporary folder
and is removed. A short part before them tells what does not grow with the number of frames.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from vsr.core.errors import InputError, VsrError
from vsr.core.progress import Progress, ProgressHook, silent
from vsr.core.video import VideoInfo
from vsr.faces.tracklog import TrackLog
from vsr.media.containers import container_for, plan_streams
from vsr.media.span import check_span
from vsr.models.registry import resolve_model
from vsr.models.upscale import Upscaler, load_upscaler
from vsr.run.flow import Flow
from vsr.run.footprint import resident_mb
from vsr.run.recipe import Recipe
from vsr.run.restore import FaceFinder, face_finder, followed_faces, super_resolved
from vsr.run.sinks import canvas_format, claim_output, open_sink
from vsr.run.source import open_source, probe_source

_PARTS = 3
_PART_FRAMES = 30
_SHORT_FRAMES = 6


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a run of a source will take, as far as a trial can tell."""

    frames: int
    """frames that will be written if the source is whole"""
    width: int
    """pixels, of the output"""
    height: int
    faces_per_frame: float
    """in the trial"""
    seconds: float
    """wall time of the whole run, start included"""
    fps: float
    """frames per second once it runs"""
    start_s: float
    """wall time for loading and for filling the queues"""
    memory_mb: float | None
    """MiB: largest memory of the trial, ffmpeg included; None where it can't be told"""
    disk_mb: float
    """MiB: size of the output's pictures; sound and subtitles come on top, copied"""
    trial_frames: int
    """frames that this was measured on"""
    model: str

    def to_dict(self) -> dict[str, Any]:
        """The estimate as JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Trial:
    """What a part took."""

    frames: int
    faces: int
    seconds: float
    disk_bytes: int


def estimate(
    source: Path,
    out: Path,
    recipe: Recipe,
    *,
    overwrite: bool = False,
    progress: ProgressHook = silent,
) -> Estimate:
    """What `restore` will take with the same arguments; leaves nothing behind.

    Raises VsrError for what would stop the run at its start, and InputError where no part of
    the source can be decoded.
    """
    claim_output(source, out, recipe, overwrite=overwrite)
    info = probe_source(source, recipe.decode)
    scale = recipe.upscale.scale
    model = resolve_model(recipe.upscale.model, scale).name
    if recipe.output == "frame":
        container = container_for(out, recipe.encode.codec)
        plans, _ = plan_streams(info, container) if info.streams else ([], [])
        check_span(out, info, container, plans, (None, None))
    reader = open_source(info, scale=scale, canvas=None, cfg=recipe.decode)
    times = reader.expected_times()
    frames = len(times)
    reader.close()
    began = time.perf_counter()
    upscaler, finder = load_upscaler(recipe.upscale), face_finder(recipe)
    peak = _Peak()
    with tempfile.TemporaryDirectory(prefix="vsr-trial-") as name:

        def run(first: int | None, count: int) -> _Trial | None:
            window = (None, None) if first is None else _window(info, times, first, count)
            target = Path(name) / f"trial{out.suffix}"
            try:
                return _restore_part(info, target, recipe, window, finder, upscaler, peak.look)
            except InputError:
                return None  # the source is broken here, or shows no face for a video of faces
            except VsrError as error:  # in the words of the run, of its own output
                raise type(error)(str(error).replace(str(target), str(out))) from None

        starts = _starts(frames)
        short = run(starts[0], _SHORT_FRAMES) if starts[0] is not None else None
        loaded_s = time.perf_counter() - began
        trials: list[_Trial] = []
        for number, first in enumerate(starts):
            trial = run(first, _PART_FRAMES)
            trials += [trial] if trial is not None else []
            progress(Progress("trying", number + 1, len(starts), unit="parts"))
    if not trials:
        raise InputError(
            f"{source}: no part that was tried could be restored; check that it plays, or run it"
        )
    fixed_s, frame_s = _fixed_and_frame_s(short, trials)
    tried = sum(t.frames for t in trials)
    start_s = loaded_s - (short.seconds if short else 0) + fixed_s
    return Estimate(
        frames=frames,
        width=info.width * scale,
        height=info.height * scale,
        faces_per_frame=round(sum(t.faces for t in trials) / tried, 2),
        seconds=round(start_s + frames * frame_s, 1),
        fps=round(1 / frame_s, 2),
        start_s=round(start_s, 1),
        memory_mb=None if peak.mb is None else round(peak.mb),
        disk_mb=round(sum(t.disk_bytes for t in trials) / tried * frames / 2**20, 3),
        trial_frames=tried,
        model=model,
    )


class _Peak:
    """The largest memory seen."""

    def __init__(self) -> None:
        self.mb: float | None = None

    def look(self) -> None:
        now = resident_mb()
        if now is not None:
            self.mb = max(now, self.mb or 0.0)


def _starts(frames: int) -> list[int | None]:
    """Indices of the frames with which the parts begin; [None]: the source is tried as a whole."""
    if frames <= _PARTS * _PART_FRAMES:
        return [None]
    return [int(frames * (n + 0.5) / _PARTS - _PART_FRAMES / 2) for n in range(_PARTS)]


def _window(info: VideoInfo, times: np.ndarray, first: int, count: int) -> tuple[float, float]:
    """Seconds between which a part's frames lie, whatever gaps are between them."""
    # half a tick before the first, and before the one that comes after the last
    ticks = [int(times[i]) - Fraction(1, 2) for i in (first, first + count)]
    return float(ticks[0] * info.time_base), float(ticks[1] * info.time_base)


def _restore_part(
    info: VideoInfo,
    target: Path,
    recipe: Recipe,
    window: tuple[float | None, float | None],
    finder: FaceFinder,
    upscaler: Upscaler,
    look: Callable[[], None],
) -> _Trial:
    """Restore what lies between two seconds as `restore` does, but the sound; remove the result."""
    started = time.perf_counter()
    silent_info = replace(info, streams=())
    reader = open_source(
        info,
        scale=recipe.upscale.scale,
        canvas=canvas_format(info, recipe),
        cfg=recipe.decode,
        start_s=window[0],
        end_s=window[1],
    )
    log = TrackLog()
    frames = faces = 0
    with Flow() as flow, open_sink(target, silent_info, recipe, reader.frame_rate) as sink:
        followed = followed_faces(flow, reader, finder, log, recipe)
        for count in sink.run(super_resolved(flow, followed, upscaler, recipe, info, log)):
            frames += 1
            faces += count
            look()
        if not frames:
            raise InputError(f"{info.path}: no picture of a part could be decoded; try the run")
        outputs = sink.finish(None)
    size = sum(result.path.stat().st_size for result in outputs)
    for result in outputs:
        result.path.unlink()
    return _Trial(frames, faces, time.perf_counter() - started, size)


def _fixed_and_frame_s(short: _Trial | None, trials: list[_Trial]) -> tuple[float, float]:
    """(seconds that every part takes, seconds of each frame) from parts of two lengths."""
    tried = sum(t.frames for t in trials)
    spent = sum(t.seconds for t in trials)
    first = trials[0]
    fixed = 0.0
    if short is not None and first.frames > short.frames:
        slope = (first.seconds - short.seconds) / (first.frames - short.frames)
        fixed = min(max(0.0, short.seconds - slope * short.frames), short.seconds)
    return fixed, max(1e-6, (spent - fixed * len(trials)) / tried)
