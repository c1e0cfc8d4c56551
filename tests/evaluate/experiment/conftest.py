"""A real face (scikit-image's astronaut: NASA, public domain) before a camera that pans."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from vsr.core.geometry import Box, Window
from vsr.core.types import Face, FaceCrop, Frame
from vsr.degrade.image import reduce_image
from vsr.evaluate.experiment.judge import Judge
from vsr.evaluate.experiment.render import Rendering, Trial
from vsr.evaluate.experiment.truth import Truth

SIDE, STEP, FRAMES = 224, 2, 8
FACE = Box(179, 63, 89, 111)
"""brow to chin in the whole picture"""


@pytest.fixture(scope="session")
def film() -> list[np.ndarray]:
    """Pictures of 224x224 that move two pixels to the right each."""
    whole = astronaut()
    return [
        np.ascontiguousarray(whole[:SIDE, 100 + STEP * i : 100 + STEP * i + SIDE])
        for i in range(FRAMES)
    ]


@pytest.fixture
def folder(tmp_path: Path, film: list[np.ndarray]) -> Path:
    """The film as numbered pictures."""
    path = tmp_path / "film"
    path.mkdir()
    for i, picture in enumerate(film):
        cv2.imwrite(str(path / f"{i:04d}.png"), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    return path


@pytest.fixture
def trials(film: list[np.ndarray]) -> list[Trial]:
    """The film reduced by two, its face known."""

    def one(i: int, picture: np.ndarray) -> Trial:
        lr = reduce_image(picture, 2, "bicubic")
        frame = Frame(i, i, Fraction(1, 25), lr)
        left = (FACE.x - 100 - STEP * i) / 2
        box = Box(left, FACE.y / 2, FACE.width / 2, FACE.height / 2)
        window = Window(round(box.center[0]) - 40, round(box.center[1]) - 40, 80, 80)
        crop = FaceCrop(Face(box, 0.9, track_id=0), window, lr[window.slices])
        return Trial(Truth(frame, picture, picture), (crop,))

    return [one(i, picture) for i, picture in enumerate(film)]


@pytest.fixture
def judged() -> Callable[..., Judge]:
    """Measure pictures as if models had made them of the trials."""

    def measure(trials: list[Trial], **models: list[np.ndarray]) -> Judge:
        judge = Judge(
            scale=2,
            feather=0.35,
            fidelity=True,
            stability=True,
            perceptual=None,
            identity=None,
        )
        return run(judge, trials, **models)

    return measure


def run(judge: Judge, trials: list[Trial], **models: list[np.ndarray]) -> Judge:
    """Pass pictures through a judge."""
    for i, trial in enumerate(trials):
        made = {name: Rendering(pictures[i], trial.crops) for name, pictures in models.items()}
        judge.add(trial, made)
    judge.finish()
    return judge


@pytest.fixture
def through() -> Callable[..., Judge]:
    """`run`, for judges of one's own."""
    return run


def values(judge: Judge, model: str, measure: str, level: str = "face") -> list[float]:
    """What was measured, frames without a value left out."""
    rows = judge.faces if level == "face" else judge.frames
    found = [row.values.get(measure) for row in rows if row.model == model]
    return [v for v in found if v is not None]


@pytest.fixture(scope="session")
def of() -> Callable[..., list[float]]:
    """`values`, for tests."""
    return values
