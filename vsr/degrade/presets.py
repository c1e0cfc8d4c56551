"""The world's degradations by name: one fixed for tables, a wide range for training.

The fixed ones are what `vsr evaluate --degrade NAME` and the tables use; `draw` makes others of
the same kind, around and beyond them, so that a network does not learn one constant.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from vsr.degrade.kernels import Resizing
from vsr.degrade.recipe import PRESETS_X264, Codec, Coding, Degradation

Preset = Literal[
    "clean", "jpeg", "codec", "surveillance", "mjpeg", "soft", "motion", "heavy", "tiny"
]

PRESETS: dict[str, Degradation] = {
    "clean": Degradation(),
    "jpeg": Degradation(blur_sigma=0.8, noise_sigma=6.0, jpeg_quality=50),
    "codec": Degradation(coding=Coding(quality=30)),
    "surveillance": Degradation(blur_sigma=0.8, noise_sigma=6.0, coding=Coding(quality=30)),
    "mjpeg": Degradation(
        blur_sigma=0.8, noise_sigma=6.0, coding=Coding(codec="mjpeg", quality=9, gop=1)
    ),
    "soft": Degradation(blur_sigma=3.0, noise_sigma=3.0, coding=Coding(quality=28)),
    "motion": Degradation(
        motion_px=9.0, motion_angle=0.47, noise_sigma=4.0, coding=Coding(quality=28)
    ),
    "heavy": Degradation(
        shrink=4.0, reduction="area", noise_sigma=4.0, jpeg_quality=60, coding=Coding(quality=30)
    ),
    "tiny": Degradation(reduction="area", noise_sigma=4.0, coding=Coding(quality=28)),
}
"""clean: only reduced. jpeg: blur, noise and JPEG 50, the still images of the model cards (called
"surveillance" before release 0.2). codec: nothing but an encoder. surveillance: blur, noise,
H.264. mjpeg: the same, each frame a JPEG. soft: out of focus. motion: a moving camera or head.
heavy: a small face that somebody enlarged (at x2, reduced by 8 in all). tiny: for x4."""

JPEG = PRESETS["jpeg"]

MIXES: dict[int, dict[str, float]] = {
    2: {"clean": 20, "jpeg": 4, "codec": 16, "surveillance": 22, "mjpeg": 10,
        "soft": 12, "motion": 10, "heavy": 6},
    4: {"clean": 16, "jpeg": 4, "codec": 14, "surveillance": 10, "mjpeg": 16,
        "soft": 6, "motion": 6, "tiny": 28},
    8: {"clean": 20, "jpeg": 16, "codec": 8, "surveillance": 6, "mjpeg": 10,
        "heavy": 20, "tiny": 20},
}  # fmt: skip
"""shares of the presets in training data of a scale"""


def draw(name: str, rng: np.random.Generator) -> Degradation:
    """One random degradation of a kind, without its encoder; see `draw_codings`.

    HR pixels are those of faces about 70 to 150 px wide. Raises KeyError for an unknown name.
    """
    return _DRAWS[name](rng)


def draw_codings(name: str, rng: np.random.Generator) -> tuple[Coding | None, Coding | None]:
    """The encoder of a kind, and that of a second generation, or None."""
    if name == "jpeg":
        return None, None
    if name == "clean":
        soft = Coding(quality=rng.uniform(0, 12), preset=_preset(rng))
        return (soft if rng.random() < 0.4 else None), None
    if name == "mjpeg":
        return Coding(codec="mjpeg", quality=round(rng.uniform(2, 15)), gop=1), None
    low, high = {"codec": (16, 37), "surveillance": (3, 36)}.get(name, (14, 35))
    first = _coding(rng, low, high)
    again = rng.random() < 0.12
    return first, (_coding(rng, 20, 33) if again else None)


def _coding(rng: np.random.Generator, low: float, high: float) -> Coding:
    codec: Codec = rng.choice(["x264", "x265", "mpeg4"], p=[0.8, 0.12, 0.08])
    gop = int(rng.choice([12, 25, 50, 250]))
    if codec == "mpeg4":  # its quantisers that look about as bad
        share = (rng.uniform(low, high) - 10) / 27
        return Coding(codec=codec, quality=float(np.clip(round(2 + 10 * share), 2, 14)), gop=gop)
    return Coding(codec=codec, quality=rng.uniform(low, high), preset=_preset(rng), gop=gop)


def _preset(rng: np.random.Generator) -> str:
    return str(rng.choice(PRESETS_X264[:6], p=[0.1, 0.1, 0.3, 0.1, 0.1, 0.3]))


def _reduction(rng: np.random.Generator) -> Resizing:
    kinds: list[Resizing] = ["bicubic", "area", "bilinear", "lanczos"]
    return kinds[int(rng.choice(4, p=[0.5, 0.3, 0.1, 0.1]))]


def _size(rng: np.random.Generator) -> dict[str, Any]:
    """How the image got its size."""
    twice = rng.random() < 0.2
    return {"reduction": _reduction(rng), "via": rng.uniform(0.8, 1.9) if twice else 1.0}


def _sensor(rng: np.random.Generator, most: float) -> dict[str, Any]:
    """Noise up to ``most`` levels, sometimes of the photons, and a camera that sharpens."""
    shot = rng.random() < 0.3
    return {
        "noise_sigma": rng.uniform(0.3, most) * (0.5 if shot else 1.0),
        "shot_noise": rng.uniform(0.02, 0.1) * most / 4 if shot else 0.0,
        "sharpen": rng.uniform(0.2, 1.2) if rng.random() < 0.15 else 0.0,
    }


def _clean(rng: np.random.Generator) -> Degradation:
    kinds: list[Resizing] = ["bicubic", "area", "lanczos"]
    return Degradation(reduction=kinds[int(rng.choice(3, p=[0.75, 0.2, 0.05]))])


def _jpeg(rng: np.random.Generator) -> Degradation:
    return Degradation(
        blur_sigma=rng.uniform(0.2, 1.3), jpeg_quality=round(rng.uniform(30, 95)),
        noise_sigma=rng.uniform(0, 9), reduction=_reduction(rng),
    )  # fmt: skip


def _codec(rng: np.random.Generator) -> Degradation:
    return Degradation(**_size(rng))


def _surveillance(rng: np.random.Generator) -> Degradation:
    return Degradation(blur_sigma=rng.uniform(0.2, 1.7), **_sensor(rng, 11), **_size(rng))


def _mjpeg(rng: np.random.Generator) -> Degradation:
    return Degradation(
        blur_sigma=rng.uniform(0, 1.4), reduction=_reduction(rng), **_sensor(rng, 10)
    )


def _soft(rng: np.random.Generator) -> Degradation:
    disc = rng.random() < 0.35
    return Degradation(
        blur_sigma=rng.uniform(0.3, 1.0) if disc else rng.uniform(1.0, 4.2),
        defocus_px=rng.uniform(2.0, 7.0) if disc else 0.0,
        **_sensor(rng, 6), **_size(rng),
    )  # fmt: skip


def _motion(rng: np.random.Generator) -> Degradation:
    return Degradation(
        blur_sigma=rng.uniform(0, 1.0), motion_px=rng.uniform(3, 15),
        motion_angle=rng.uniform(0, np.pi), **_sensor(rng, 7), **_size(rng),
    )  # fmt: skip


def _heavy(rng: np.random.Generator) -> Degradation:
    kinds: list[Resizing] = ["bicubic", "bilinear", "lanczos"]
    return Degradation(
        blur_sigma=rng.uniform(0, 1.5), reduction=_reduction(rng), shrink=rng.uniform(1.5, 4.5),
        jpeg_quality=round(rng.uniform(40, 95)) if rng.random() < 0.7 else None,
        enlarge=kinds[int(rng.choice(3, p=[0.5, 0.3, 0.2]))], **_sensor(rng, 7),
    )  # fmt: skip


def _tiny(rng: np.random.Generator) -> Degradation:
    return Degradation(blur_sigma=rng.uniform(0, 1.5), reduction=_reduction(rng), **_sensor(rng, 8))


_DRAWS = {
    "clean": _clean, "jpeg": _jpeg, "codec": _codec, "surveillance": _surveillance,
    "mjpeg": _mjpeg, "soft": _soft, "motion": _motion, "heavy": _heavy, "tiny": _tiny,
}  # fmt: skip
