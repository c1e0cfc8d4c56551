from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import pytest

from vsr.train.prepare.clipconfig import ClipConfig
from vsr.train.prepare.clips import prepare_clips
from vsr.train.recipe import TrainRecipe, load_train_recipe

TINY: dict[str, dict[str, Any]] = {
    "data": {"patch_px": 16, "batch": 2, "fixed_px": 48, "smallest_px": 40, "validation": 3},
    "generator": {"filters": 8, "blocks": 1},
    "discriminator": {"side": 32, "filters": 4, "dense": 16, "blocks": 4},
    "optimiser": {"kind": "adam", "rate": 7e-4},
    "loop": {
        "steps": 8, "validate_every": 4, "checkpoint_every": 4, "log_every": 2,
        "grid_steps": [1, 4], "precision": "float32", "tensorboard": False,
    },
}  # fmt: skip


@pytest.fixture(autouse=True)
def _keep_global_state() -> Iterator[None]:
    policy = keras.config.dtype_policy()
    yield
    keras.config.set_dtype_policy(policy)


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve smooth pictures to learn from, four to judge by, 64x64, with LR beside them."""
    root = tmp_path_factory.mktemp("faces")
    rng = np.random.default_rng(0)
    for split, count in (("train", 12), ("val", 4)):
        for kind in ("hr", "lr_x2"):
            (root / split / kind).mkdir(parents=True)
        for index in range(count):
            noise = rng.integers(0, 256, (64, 64, 3)).astype(np.uint8)
            picture = cv2.GaussianBlur(noise, (0, 0), 1.2)
            small = cv2.resize(picture, (32, 32), interpolation=cv2.INTER_AREA)
            cv2.imwrite(str(root / split / "hr" / f"{index:03}.png"), picture)
            cv2.imwrite(str(root / split / "lr_x2" / f"{index:03}.png"), small)
    return root


@pytest.fixture(scope="session")
def clips(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same pictures as clips of three frames of 48x48, through real encoders."""
    out = tmp_path_factory.mktemp("clips") / "clips"
    kinds = {"hr": 48, "frames": 3, "group": 4, "scales": (2,), "val": 0.0, "test": 0.0}
    prepare_clips(dataset / "train" / "hr", out, ClipConfig(**kinds))
    return out


@pytest.fixture(scope="session")
def tiny() -> Callable[..., TrainRecipe]:
    """The shipped pixel recipe made small; keyword arguments are tables laid over it."""

    def make(**tables: dict[str, Any]) -> TrainRecipe:
        merged = {name: {**table, **tables.pop(name, {})} for name, table in TINY.items()}
        merged |= tables
        overrides = [(t, key, value) for t, keys in merged.items() for key, value in keys.items()]
        return load_train_recipe("train-pixel", overrides)

    return make
