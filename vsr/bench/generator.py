"""The generator alone: faces a second and share of the machine's peak, by batch and precision."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vsr.bench.measure import Spread, seconds_of
from vsr.bench.peak import MatrixPeak, PeakMeter
from vsr.core.errors import ModelError
from vsr.core.progress import Progress
from vsr.models.registry import Dtype, resolve_model
from vsr.models.upscale import UpscaleConfig, load_upscaler

BATCHES = (1, 2, 4, 8, 16)
GPU_BATCHES = (1, 4, 16, 64, 128, 256)
SIDE = 64
"""LR pixels: the usual size of a face"""
_LONG_S = 4.0
"""a batch whose call takes longer than this is not tried"""


@dataclass(frozen=True, slots=True)
class GeneratorRow:
    """One batch size in one precision."""

    precision: Dtype
    batch: int
    """faces of 64x64 in a call"""
    seconds: Spread
    """of a call"""
    faces_per_s: float
    """by the median"""
    gflop_s: float
    """by the median, 10^9 operations of the graph a second"""
    share: float
    """of the best matrix product in the same precision, in the same run"""


@dataclass(frozen=True, slots=True)
class GeneratorResult:
    """What the generator and the machine below it do."""

    model: str
    side: int
    """of the faces, LR pixels"""
    gflop_per_face: float
    """10^9 operations of convolutions and products, counted from the graph"""
    error_levels: float | None
    """99.9th percentile of |bfloat16 - float32| on the faces, 8-bit grey levels"""
    peaks: tuple[MatrixPeak, ...]
    rows: tuple[GeneratorRow, ...]

    def fastest(self, precision: Dtype) -> GeneratorRow:
        """The row with the most faces a second."""
        rows = [row for row in self.rows if row.precision == precision]
        return max(rows, key=lambda row: row.faces_per_s)


def measure_generator(
    cfg: UpscaleConfig, faces: np.ndarray, repeats: int, hook: Callable[[Progress], None]
) -> GeneratorResult | None:
    """Time the recipe's network on batches of faces, in turns with matrix products.

    faces: ``(B, 64, 64, 3)`` uint8, B >= 1; repeated to fill the batches. Each round measures
    everything once, so that a change of the machine's speed meets all figures alike.
    Returns None where the model has no network.
    """
    if resolve_model(cfg.model, cfg.scale).family == "interpolation":
        return None
    networks: dict[Dtype, Any] = {dtype: _network(cfg, dtype) for dtype in _precisions(cfg)}
    device = next(iter(networks.values())).device
    on_gpu = device.startswith("gpu")
    flops = next(iter(networks.values())).flops(1, SIDE, SIDE)
    batches = {n: _filled(faces, n) for n in (GPU_BATCHES if on_gpu else BATCHES)}
    meter = PeakMeter(tuple(networks), device)
    took: dict[tuple[Dtype, int], list[float]] = _warm(networks, batches)
    for number in range(repeats):
        meter.round()
        for (dtype, count), seconds in took.items():
            seconds.append(seconds_of(lambda d=dtype, n=count: networks[d](batches[n])))
        hook(Progress("generator", number + 1, repeats, unit="rounds"))
    peaks = meter.peaks()
    best = {peak.dtype: peak.gflop_s for peak in peaks}
    rows = tuple(_row(d, n, s, flops, best[d]) for (d, n), s in took.items())
    name = next(iter(networks.values())).name
    return GeneratorResult(name, SIDE, flops / 1e9, _error(networks, faces), peaks, rows)


def _precisions(cfg: UpscaleConfig) -> tuple[Dtype, ...]:
    return ("float32", "bfloat16") if cfg.precision == "auto" else (cfg.precision,)


def _network(cfg: UpscaleConfig, dtype: Dtype) -> Any:
    return load_upscaler(dataclasses.replace(cfg, precision=dtype))


def _filled(faces: np.ndarray, count: int) -> np.ndarray:
    return faces[np.arange(count) % len(faces)]


def _warm(
    networks: dict[Dtype, Any], batches: dict[int, np.ndarray]
) -> dict[tuple[Dtype, int], list[float]]:
    """Run every batch size once, untimed; drops those that take too long or do not fit."""
    took: dict[tuple[Dtype, int], list[float]] = {}
    for dtype, network in networks.items():
        for count, batch in batches.items():
            try:
                seconds = seconds_of(lambda n=network, b=batch: n(b))
            except ModelError:
                break
            if network.max_batch is not None and network.max_batch < count:
                break
            took[dtype, count] = []
            if seconds > _LONG_S:
                break
    return took


def _row(
    dtype: Dtype, count: int, seconds: Sequence[float], flops: float, peak: float
) -> GeneratorRow:
    spread = Spread.of(seconds)
    rate = count * flops / spread.median / 1e9
    return GeneratorRow(dtype, count, spread, count / spread.median, rate, rate / peak)


def _error(networks: dict[Dtype, Any], faces: np.ndarray) -> float | None:
    """How far bfloat16 is from float32 on these faces."""
    if len(networks) < 2:
        return None
    exact, short = (networks[d](faces).astype(np.int16) for d in ("float32", "bfloat16"))
    return float(np.percentile(np.abs(exact - short), 99.9))
