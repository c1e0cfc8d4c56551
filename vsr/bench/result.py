"""The result of a benchmark: what stands in the JSON."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from vsr.bench.advise import Advice, PresetRow, StrideRow
from vsr.bench.generator import GeneratorResult
from vsr.bench.measure import Spread

FORMAT = 1
"""version of the JSON's layout"""


@dataclass(frozen=True, slots=True)
class Machine:
    """What was measured on."""

    processor: str
    cores: int
    """that this process may use"""
    memory_gib: float
    system: str
    backend: str
    """of Keras"""
    device: str
    """that the network ran on, by Keras' name"""
    versions: dict[str, str]
    busy_share: float | None
    """0..1: share of the cores at work for others before anything was measured"""


@dataclass(frozen=True, slots=True)
class ClipFacts:
    """What was run."""

    name: str
    built_in: bool
    width: int
    height: int
    frames: int
    fps: float
    faces: int
    """crops of all frames"""
    median_face_px: float | None
    """width of the face boxes; None without faces"""


@dataclass(frozen=True, slots=True)
class StartUp:
    """From nothing to the first frame, once for every process."""

    first_frame_s: Spread
    """a new process: from its start until its first frame was written"""
    imports_s: Spread
    """part of it: interpreter and vsr's modules"""
    backend_s: float
    """in this process: importing Keras and its backend"""
    detector_s: float
    model_s: float
    """reading and building the network"""
    first_call_s: float
    """the network's first call beyond a second one: tracing or compiling"""


@dataclass(frozen=True, slots=True)
class StageRow:
    """A stage alone, for all frames of the clip."""

    name: str
    seconds: Spread
    cpu_s: Spread
    first_s: float
    """until its first frame came out, median; part of ``seconds``"""
    frames_per_s: float
    """by the median"""


@dataclass(frozen=True, slots=True)
class WholeRow:
    """The main job with a warm network, against the stages of the same round."""

    seconds: Spread
    cpu_s: Spread
    first_s: float
    """until its first frame was written, median; part of ``seconds``"""
    frames_per_s: float
    """by the median"""
    realtime: float
    """frames a second over those of the clip"""
    bound_s: Spread
    """the larger of the slowest stage alone and of all stages' processor seconds over the cores"""
    limited_by: str
    """a stage's name, or "cores": what the bound was in the median round"""
    whole_over_bound: Spread
    """seconds over bound, round by round"""
    cpu_over_stages: Spread
    """processor seconds of the whole over those of the stages alone, round by round: above 1
    it does work that no stage alone does, or the stages disturb each other"""
    retraced: int
    """how often the network was traced again after it was warm (0 is right)"""


@dataclass(frozen=True, slots=True)
class BenchmarkResult:
    """Everything that was measured; parts that were not asked for are None or empty."""

    vsr: str
    machine: Machine
    clip: ClipFacts
    recipe: dict[str, Any]
    repeats: int
    generator: GeneratorResult | None
    start_up: StartUp | None
    stages: tuple[StageRow, ...]
    whole: WholeRow | None
    strides: tuple[StrideRow, ...]
    presets: tuple[PresetRow, ...]
    advice: tuple[Advice, ...]
    notices: tuple[str, ...]
    seconds: float
    """that the benchmark itself took"""
    format: int = FORMAT

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, figures to five digits."""
        return _plain(dataclasses.asdict(self))


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
