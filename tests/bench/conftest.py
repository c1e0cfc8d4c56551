"""A short drawn clip and everything its stages need, with a model that loads no network."""

from __future__ import annotations

from pathlib import Path

import pytest

from vsr.bench.scene import draw_clip
from vsr.bench.stages import Prepared, prepare
from vsr.faces.detect import make_detector
from vsr.models.upscale import load_upscaler
from vsr.run.recipe import load_recipe
from vsr.run.source import probe_source

FRAMES = 12


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_clip(tmp_path_factory.mktemp("bench") / "two.mp4", FRAMES, faces=2)


@pytest.fixture(scope="session")
def made(clip: Path) -> Prepared:
    recipe = load_recipe(
        "restore", [("upscale", "model", "bicubic"), ("encode", "preset", "ultrafast")]
    )
    info = probe_source(clip, recipe.decode)
    return prepare(info, recipe, make_detector(recipe.detect), load_upscaler(recipe.upscale))
