"""Does one job after another in this process; what every engine's workers run.

The upscaler and the detector are loaded by the first job that needs them and kept.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from vsr.batch.job import EngineHook, Job, JobProgress, Row
from vsr.batch.journal import claim_outputs, write_marker
from vsr.batch.storage import Storage, open_storage
from vsr.core.errors import VsrError
from vsr.core.progress import Progress, ProgressHook

if TYPE_CHECKING:
    from vsr.faces.detect import DetectConfig
    from vsr.faces.detector import FaceDetector
    from vsr.models.upscale import UpscaleConfig, Upscaler

_REPORT_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class Made:
    """What a job has made, still in its scratch folder."""

    row: Row
    outputs: dict[str, Path]
    """final path to local file; a final path that ends in "/" is a folder"""


@dataclass(slots=True)
class Loaded:
    """What is loaded once and used by every job of a worker."""

    _upscalers: dict[UpscaleConfig, Upscaler] = field(default_factory=dict)
    _detectors: dict[DetectConfig, FaceDetector] = field(default_factory=dict)

    def upscaler(self, cfg: UpscaleConfig) -> Upscaler:
        """The upscaler of a configuration."""
        from vsr.models.upscale import load_upscaler

        if cfg not in self._upscalers:
            self._upscalers[cfg] = load_upscaler(cfg)
        return self._upscalers[cfg]

    def detector(self, cfg: DetectConfig) -> FaceDetector:
        """The detector of a configuration."""
        from vsr.faces.detect import make_detector

        if cfg not in self._detectors:
            self._detectors[cfg] = make_detector(cfg)
        return self._detectors[cfg]


Maker = Callable[[Job, Storage, Path, Loaded, ProgressHook], Made]
"""makes a job's outputs: (job, its data, scratch folder, loaded models, progress)"""


class Runner:
    """Runs jobs; one per worker, in one thread."""

    def __init__(self) -> None:
        self.loaded = Loaded()

    def run(self, job: Job, hook: EngineHook) -> Row:
        """Make a job's outputs, put them in place and mark it done.

        Never raises on what is the job's own fault: that is a failed row, and nothing of it
        stands under a final name.
        """
        started = time.perf_counter()
        try:
            return self._run(job, hook, started)
        except VsrError as error:
            reason = str(error)
        except Exception as error:  # one job's bug must not end the others
            reason = f"{type(error).__name__}: {error}"
        return Row.failure(job, reason, seconds=_since(started))

    def _run(self, job: Job, hook: EngineHook, started: float) -> Row:
        if job.problem:
            return Row.failure(job, job.problem)
        storage = open_storage(job.out)
        with storage.scratch(job.name) as folder:
            make = _maker(job)
            made = make(job, open_storage(job.root), folder, self.loaded, _throttled(job, hook))
            row = replace(made.row, seconds=round(_since(started) + job.earlier_s, 3))
            extents = {path: _extent(local) for path, local in made.outputs.items()}
            os.sync()  # all pictures at once: cheaper than one by one
            claim_outputs(storage, job, made.outputs)
            for path, local in made.outputs.items():
                storage.place(local, path.rstrip("/"))
            write_marker(storage, job, row, extents)
        return row


def _maker(job: Job) -> Maker:
    """The code of a kind of job, loaded when it is wanted."""
    if job.kind == "videos":
        from vsr.batch.making import make_video

        return make_video
    if job.step != "whole":
        from vsr.batch import partmaking as steps

        return {
            "detect": steps.detect_part,
            "make": steps.make_part,
            "join": steps.join_parts,
        }[job.step]
    from vsr.batch.making import make_sequence

    return make_sequence


def _throttled(job: Job, hook: EngineHook) -> ProgressHook:
    last = 0.0

    def report(p: Progress) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _REPORT_EVERY_S:
            last = now
            hook(JobProgress(name=job.name, frames=p.done, faces=p.faces))

    return report


def _extent(path: Path) -> int:
    if path.is_dir():
        return sum(len(names) for _, _, names in os.walk(path))
    return path.stat().st_size


def _since(started: float) -> float:
    return round(time.perf_counter() - started, 3)
