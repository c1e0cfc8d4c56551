"""A small data set in CelebA's official layout, made of one real face."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut


@pytest.fixture(scope="session")
def face() -> np.ndarray:
    """A face of CelebA's size, uint8 RGB (218, 178, 3)."""
    return np.ascontiguousarray(astronaut()[0:218, 135:313])


@pytest.fixture
def celeba(tmp_path: Path, face: np.ndarray) -> Path:
    """Ten pictures: six of validation, four of training, shifted against each other."""
    root = tmp_path / "celeba"
    folder = root / "img_align_celeba"
    folder.mkdir(parents=True)
    rows = []
    for i in range(10):
        picture = np.roll(face, (i, -2 * i), axis=(0, 1))
        Image.fromarray(picture).save(folder / f"{i:06d}.jpg", quality=97)
        rows.append(f"{i:06d}.jpg {1 if i < 6 else 0}")
    (root / "list_eval_partition.txt").write_text("\n".join(rows) + "\n")
    return root
