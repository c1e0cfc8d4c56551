"""Small sources in the layouts of the published data sets, made of drawn faces."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

Draw = Callable[..., Image.Image]


def draw_face(seed: int, width: int = 178, height: int = 218) -> Image.Image:
    """A face-like picture, different for every seed, with fine texture over it."""
    rng = np.random.default_rng(seed)
    tint = [int(v) for v in rng.integers(60, 200, 9)]
    picture = Image.new("RGB", (width, height), (tint[0], tint[1], tint[2]))
    pen = ImageDraw.Draw(picture)
    w, h = width, height
    pen.ellipse((w * 0.18, h * 0.15, w * 0.82, h * 0.92), fill=(tint[3] + 40, tint[4], tint[5]))
    for x in (0.36, 0.64):
        pen.ellipse((w * x - w / 16, h * 0.48, w * x + w / 16, h * 0.54), fill=(20, 20, tint[6]))
    pen.ellipse((w * 0.38, h * 0.7, w * 0.62, h * 0.77), fill=(150, tint[7] // 2, 60))
    noise = rng.integers(0, 40, (height, width, 3), dtype=np.uint8)
    soft = np.asarray(picture.filter(ImageFilter.GaussianBlur(1)))
    return Image.fromarray(np.clip(soft.astype(np.int16) + noise - 20, 0, 255).astype(np.uint8))


@pytest.fixture
def face() -> Draw:
    return draw_face


@pytest.fixture
def celeba(tmp_path: Path) -> Path:
    """CelebA's official layout: 24 images of 12 people, 8 + 2 + 2 people by split."""
    root = tmp_path / "celeba"
    (root / "img_align_celeba").mkdir(parents=True)
    partition, identity = [], []
    for n in range(1, 25):
        name, person = f"{n:06d}.jpg", (n - 1) // 2
        draw_face(n).save(root / "img_align_celeba" / name, quality=92)
        partition.append(f"{name} {0 if person < 8 else 1 if person < 10 else 2}\n")
        identity.append(f"{name} {person + 100}\n")
    (root / "list_eval_partition.txt").write_text("".join(partition))
    (root / "identity_CelebA.txt").write_text("".join(identity))
    return root


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """A plain folder: 5 people in sub-folders, 4 images each of 96x112."""
    root = tmp_path / "faces"
    for person in range(5):
        folder = root / f"person {person}"
        folder.mkdir(parents=True)
        for n in range(4):
            draw_face(10 * person + n, 96, 112).save(folder / f"{n}.png")
    return root


@pytest.fixture
def broken_jpeg() -> bytes:
    """A JPEG that breaks off in the middle."""
    buffer = io.BytesIO()
    draw_face(1).save(buffer, "JPEG")
    return buffer.getvalue()[:2000]
