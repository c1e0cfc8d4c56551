"""Recommendations follow from figures: made-up figures, known answers."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from vsr.bench.advise import (
    PresetRow,
    StrideRow,
    advise_generator,
    advise_preset,
    advise_stride,
    recall,
    try_presets,
    try_strides,
)
from vsr.bench.bound import StageTime
from vsr.bench.generator import GeneratorResult, GeneratorRow
from vsr.bench.measure import Spread
from vsr.bench.stages import Prepared
from vsr.core.geometry import Box
from vsr.core.types import Face, FrameFaces


def _generator(rates: dict[tuple[str, int], float], error: float | None) -> GeneratorResult:
    rows = tuple(
        GeneratorRow(p, n, Spread.of([n / r]), r, r, 0.5)  # type: ignore[arg-type]
        for (p, n), r in rates.items()
    )
    return GeneratorResult("net", 64, 5.0, error, (), rows)


def _choices(found: GeneratorResult, made: Prepared) -> dict[str, object]:
    return {a.key: a.value for a in advise_generator(found, made)}


def test_the_smallest_batch_that_is_nearly_the_best_in_the_better_precision(made: Prepared):
    rates = {("float32", 1): 19.0, ("float32", 8): 20.0, ("bfloat16", 1): 30.0}
    rates |= {("bfloat16", 4): 39.0, ("bfloat16", 8): 40.0, ("bfloat16", 128): 60.0}
    wanted = {"upscale.precision": "bfloat16", "upscale.batch_size": 4}
    assert _choices(_generator(rates, 1.0), made) == wanted
    wanted = {"upscale.precision": "float32", "upscale.batch_size": 1}
    assert _choices(_generator(rates, 1.5), made) == wanted, "too far from float32"


def test_bfloat16_must_be_worth_it(made: Prepared):
    rates = {("float32", 8): 20.0, ("bfloat16", 8): 20.5}
    assert _choices(_generator(rates, 0.5), made)["upscale.precision"] == "float32"


def test_a_stride_that_loses_faces_is_not_recommended(made: Prepared):
    rows = [StrideRow(1, 20, 1.0), StrideRow(2, 40, 0.995), StrideRow(3, 60, 0.98)]
    (advice,) = advise_stride(rows, made)
    assert advice.value == 2
    rows = [StrideRow(1, 20, 1.0), StrideRow(5, 60, 1.0), StrideRow(8, 61, 1.0)]
    (advice,) = advise_stride(rows, made)
    assert advice.value == 5, "the longer one is no quicker"
    rows.append(StrideRow("auto", 58, 0.992))
    (advice,) = advise_stride(rows, made)
    assert advice.value == "auto", "nearly as quick, and it follows what moves"
    rows[-1] = StrideRow("auto", 58, 0.98)
    (advice,) = advise_stride(rows, made)
    assert advice.value == 5


def test_recall_counts_faces_that_overlap_by_half(made: Prepared):
    frame = made.frames[0]

    def faces(*lefts: float) -> FrameFaces:
        return FrameFaces(frame, tuple(Face(Box(x, 0, 40, 40), 1.0) for x in lefts))

    truth = [faces(0, 100), faces(0)]
    assert recall(truth, truth) == 1.0
    assert recall(truth, [faces(4, 130), faces(300)]) == pytest.approx(1 / 3)
    assert recall([faces()], [faces(1)]) == 1.0


def _preset(name: str, fps: float, size: float) -> PresetRow:
    return PresetRow(name, fps, 2 / fps, size, 45.0)


def test_the_smallest_file_that_keeps_up_with_the_clock(made: Prepared):
    rows = [
        _preset("superfast", 200, 9000),
        _preset("fast", 100, 4000),
        _preset("medium", 20, 3000),
    ]
    stages = {"decode": StageTime(0.1, 0.1), "encode": StageTime(99, 99)}

    def choice(over_bound: float, fps: float) -> str:
        (advice,) = advise_preset(
            rows, stages, made, cores=2, over_bound=over_bound, wanted_fps=fps
        )
        return str(advice.value)

    assert choice(1.0, 30) == "fast"
    assert choice(1.0, 15) == "medium"
    assert choice(3.0, 30) == "superfast"
    assert choice(1.0, 5000) == "superfast", "none keeps up: the quickest"
    assert advise_preset([], stages, made, cores=2, over_bound=1, wanted_fps=30) == []


def test_strides_and_presets_are_measured_on_the_clip(made: Prepared, tmp_path: Path):
    steps: list[str] = []
    made = dataclasses.replace(made, frames=made.frames[:6], judged=made.judged[:6])
    strides = try_strides(made, steps.append)
    assert (strides[0].stride, strides[0].recall) == (1, 1.0)
    assert strides[-1].stride == "auto"
    assert all(row.recall > 0.9 and row.frames_per_s > 0 for row in strides)
    presets = try_presets(made, tmp_path, steps.append)
    assert [row.preset for row in presets][0::5] == ["ultrafast", "medium"]
    assert all(35 < row.psnr_y_db < 70 and row.bytes_per_frame > 100 for row in presets)
    assert len(steps) == len(strides) + len(presets)
    lossless = dataclasses.replace(made.recipe.encode, codec="ffv1")
    recipe = dataclasses.replace(made.recipe, encode=lossless)
    assert try_presets(dataclasses.replace(made, recipe=recipe), tmp_path, steps.append) == ()
