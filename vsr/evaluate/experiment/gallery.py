"""A few faces to look at: what each model made of the largest face of each track."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vsr.evaluate.experiment.render import Rendering, Trial
from vsr.media.images import write_image

FOLDER, SHEET = "pictures", "faces.png"
MOST = 24
"""faces that are kept"""
_LARGER = 1.15
"""a face takes the place of its track's former one when it is so much wider"""
_SIDE, _HEAD = 256, 24
"""pixels: a face on the sheet, and the line above the columns"""


@dataclass(frozen=True, slots=True)
class Sample:
    """One face, cut out alike everywhere; uint8 RGB."""

    track: int | None
    frame: int
    seconds: float
    width_px: float
    """of the face box, LR pixels"""
    picture: str | None
    lr: np.ndarray
    results: dict[str, np.ndarray]
    """by model, as pasted"""
    truth: np.ndarray

    @property
    def name(self) -> str:
        """What its files begin with."""
        return f"{'face' if self.track is None else f'track{self.track:03d}'}_{self.frame:06d}"


@dataclass(slots=True)
class Gallery:
    """Collects samples while trials pass."""

    _samples: dict[int, Sample] = field(default_factory=dict)

    def add(self, trial: Trial, renderings: Mapping[str, Rendering]) -> None:
        """Look at a trial; keeps the faces that are wider than those of their tracks so far."""
        scale = trial.truth.rgb.shape[0] // trial.frame.rgb.shape[0]
        for crop in trial.crops:
            track = crop.face.track_id
            key = trial.frame.index if track is None else track
            known = self._samples.get(key)
            if known is None and len(self._samples) == MOST:
                continue
            if crop.face.filled or (known and crop.face.box.width < _LARGER * known.width_px):
                continue
            wide = crop.window.scaled(scale).slices
            self._samples[key] = Sample(
                track=track,
                frame=trial.frame.index,
                seconds=trial.frame.seconds,
                width_px=crop.face.box.width,
                picture=trial.truth.picture,
                lr=trial.frame.rgb[crop.window.slices].copy(),
                results={name: r.rgb[wide].copy() for name, r in renderings.items()},
                truth=trial.truth.rgb[wide].copy(),
            )

    @property
    def samples(self) -> list[Sample]:
        """By track."""
        return [sample for _, sample in sorted(self._samples.items())]

    def describe(self) -> list[dict[str, Any]]:
        """``pictures`` of ``metrics.json``."""
        return [
            {
                "track": s.track,
                "frame": s.frame,
                "seconds": round(s.seconds, 6),
                "width_px": round(s.width_px, 2),
                "lr": f"{FOLDER}/{s.name}_lr.png",
                "truth": f"{FOLDER}/{s.name}_truth.png",
                "models": {m: f"{FOLDER}/{s.name}_{m}.png" for m in s.results},
            }
            for s in self.samples
        ]

    def write(self, folder: Path) -> None:
        """The pictures one by one and the sheet; raises OutputError."""
        for s in self.samples:
            all_of_it = {"lr": s.lr, **s.results, "truth": s.truth}
            for kind, picture in all_of_it.items():
                write_image(folder / FOLDER / f"{s.name}_{kind}.png", picture, sync=False)
        if self._samples:
            write_image(folder / SHEET, self.sheet())

    def sheet(self) -> np.ndarray:
        """All samples, one row each: LR, the models, the truth; uint8 RGB."""
        heads = ["LR", *self.samples[0].results, "truth"]
        size = (_SIDE * len(heads), _HEAD + _SIDE * len(self._samples))
        sheet = Image.new("RGB", size, "white")
        draw = ImageDraw.Draw(sheet)
        font = ImageFont.load_default(14)
        for column, head in enumerate(heads):
            draw.text((column * _SIDE + 6, 4), head, "black", font)
        for row, s in enumerate(self.samples):
            for column, picture in enumerate([s.lr, *s.results.values(), s.truth]):
                place = (column * _SIDE, _HEAD + row * _SIDE)
                sheet.paste(_fitted(picture, exact=column == 0), place)
            said = f"{s.picture or f'track {s.track}'}, {s.width_px:.0f} px wide"
            at = (6, _HEAD + row * _SIDE + 4)
            draw.text(at, said, "white", font, stroke_width=1, stroke_fill="black")
        return np.asarray(sheet)


def _fitted(picture: np.ndarray, *, exact: bool) -> Image.Image:
    """A picture in its field; LR pixels stay squares."""
    height, width = picture.shape[:2]
    factor = _SIDE / max(height, width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    way = Image.Resampling.NEAREST if exact else Image.Resampling.LANCZOS
    return Image.fromarray(picture).resize(size, way)
