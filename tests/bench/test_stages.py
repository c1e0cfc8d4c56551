"""Each stage alone is really alone, and does the whole clip."""

from __future__ import annotations

import dataclasses
import resource
from pathlib import Path

import numpy as np
import pytest

from vsr.bench.bound import StageTime, lower_bound
from vsr.bench.clip import Clip
from vsr.bench.measure import core_count
from vsr.bench.outlook import Costs, Outlook
from vsr.bench.rounds import Rounds
from vsr.bench.stages import STAGES, Prepared, measure_stage
from vsr.media.process import running_count
from vsr.run.recipe import Recipe, override
from vsr.run.source import probe_source

FRAMES = 12
"""of the fixture's clip"""


class _Watched:
    """A detector or upscaler that counts its calls."""

    def __init__(self, inner: object) -> None:
        self.inner, self.calls = inner, 0

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        self.calls += 1
        return self.inner(batch)  # type: ignore[operator]

    def detect(self, rgb: np.ndarray) -> object:
        self.calls += 1
        return self.inner.detect(rgb)  # type: ignore[attr-defined]


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_preparing_keeps_every_frame_and_face(made: Prepared):
    for items in (made.frames, made.detected, made.tracked, made.cut, made.sharp, made.judged):
        assert len(items) == FRAMES
    assert made.faces == 2 * FRAMES
    assert all(frame.canvas is not None for frame in made.frames)


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_alone_does_all_frames_and_nothing_else(name: str, made: Prepared, tmp_path: Path):
    detector, upscaler = _Watched(made.detector), _Watched(made.upscaler)
    watched = dataclasses.replace(made, detector=detector, upscaler=upscaler)
    before = _children_s()
    found = measure_stage(name, watched, tmp_path)
    assert found.items == FRAMES
    assert 0 < found.first_s <= found.seconds
    assert running_count() == 0
    assert bool(detector.calls) == (name == "detect")
    assert bool(upscaler.calls) == (name == "upscale")
    assert (_children_s() > before) == (name in ("decode", "encode"))
    assert found.cpu_s >= _children_s() - before


def test_encoding_alone_makes_the_video_of_a_run(made: Prepared, tmp_path: Path):
    measure_stage("encode", made, tmp_path)
    info = probe_source(tmp_path / "stage.mp4")
    assert (info.width, info.height, info.frame_count) == (1600, 1200, FRAMES)


def test_faces_as_output_are_measured_too(made: Prepared, tmp_path: Path):
    recipe: Recipe = override(made.recipe, [("crop", "mode", "canonical")])
    recipe = dataclasses.replace(recipe, output="faces")
    found = measure_stage("encode", dataclasses.replace(made, recipe=recipe), tmp_path)
    assert found.items == FRAMES
    assert len(list((tmp_path / "stage").glob("face_*.mp4"))) == 2


def test_a_stage_that_loses_frames_is_no_measurement(made: Prepared, tmp_path: Path):
    short = dataclasses.replace(made, detected=made.detected[:-1])
    with pytest.raises(RuntimeError, match="11 of 12 frames"):
        measure_stage("track", short, tmp_path)


def test_rounds_hold_the_whole_against_the_stages_of_the_same_round(
    made: Prepared, clip: Path, tmp_path: Path
):
    rounds = Rounds(Clip(clip, made.info, FRAMES, 30.0, False), made, tmp_path)
    assert rounds.whole_row() is None
    outlook = Outlook(("stages",), 1, Costs(FRAMES, 1.0, 1.0, 1.0), lambda _: None)
    rounds.run(1, lambda _: None, outlook)
    assert outlook.costs.whole_s is not None
    rows, whole = rounds.stage_rows(), rounds.whole_row()
    assert whole is not None
    assert [row.name for row in rows] == list(STAGES)
    alone = {row.name: StageTime(row.seconds.median, row.cpu_s.median) for row in rows}
    bound = lower_bound(alone, core_count())
    assert (whole.bound_s.median, whole.limited_by) == (bound.seconds, bound.limited_by)
    ratio = whole.seconds.median / bound.seconds
    assert whole.whole_over_bound.median == pytest.approx(ratio)
    assert whole.retraced == 0
