"""What a training run shows of itself: the grid of faces and the curves of its losses."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

_COLOURS = ((31, 119, 180), (214, 39, 40), (44, 160, 44), (148, 103, 189), (255, 127, 14))
_HEAD = 18
"""pixels above the grid for the columns' names"""


def save_grid(path: Path, columns: dict[str, np.ndarray]) -> None:
    """Writes faces side by side: one row per face, one named column per kind.

    Args:
        path: a .png; complete or absent.
        columns: name to uint8 RGB ``(N, h, w, 3)``; smaller ones are enlarged by whole pixels.
    """
    height, width = max(c.shape[1:3] for c in columns.values())
    rows = len(next(iter(columns.values())))
    sheet = Image.new("RGB", (len(columns) * (width + 4), _HEAD + rows * (height + 4)), "white")
    draw = ImageDraw.Draw(sheet)
    for x, (name, faces) in enumerate(columns.items()):
        left = x * (width + 4)
        draw.text((left + 4, 3), f"{name} {faces.shape[2]}x{faces.shape[1]}", fill="black")
        for y, face in enumerate(faces):
            picture = Image.fromarray(face).resize((width, height), Image.Resampling.NEAREST)
            sheet.paste(picture, (left, _HEAD + y * (height + 4)))
    _save(sheet, path)


def save_curves(log: Path, path: Path) -> None:
    """Draws every column of a log.csv over its steps, each in a panel of its own.

    Nothing is written where the log has fewer than two rows.
    """
    with log.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if len(rows) < 2:
        return
    names = [n for n in rows[0] if n not in ("step", "seconds") and any(r[n] for r in rows)]
    panels = [(name, [(float(r["step"]), float(r[name])) for r in rows if r[name]])
              for name in names]  # fmt: skip
    panels = [(name, points) for name, points in panels if len(points) > 1]
    columns, wide, high = 2, 420, 220
    sheet = Image.new("RGB", (columns * wide, -(-len(panels) // columns) * high or high), "white")
    draw = ImageDraw.Draw(sheet)
    for index, (name, points) in enumerate(panels):
        corner = index % columns * wide, index // columns * high
        _panel(draw, corner, (wide, high), name, points, _COLOURS[index % len(_COLOURS)])
    _save(sheet, path)


def _panel(
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    size: tuple[int, int],
    name: str,
    points: list[tuple[float, float]],
    colour: tuple[int, int, int],
) -> None:
    left, top = corner[0] + 70, corner[1] + 24
    right, bottom = corner[0] + size[0] - 14, corner[1] + size[1] - 26
    steps, values = (np.array(v) for v in zip(*points, strict=True))
    low, high = float(values.min()), float(values.max())
    high = high if high > low else low + 1.0
    x = left + (steps - steps[0]) / max(steps[-1] - steps[0], 1) * (right - left)
    y = bottom - (values - low) / (high - low) * (bottom - top)
    draw.rectangle((left, top, right, bottom), outline=(200, 200, 200))
    draw.line(list(zip(x.tolist(), y.tolist(), strict=True)), fill=colour, width=2)
    draw.text((left, corner[1] + 6), name, fill="black")
    draw.text((corner[0] + 6, top - 4), f"{high:.4g}", fill="black")
    draw.text((corner[0] + 6, bottom - 8), f"{low:.4g}", fill="black")
    draw.text((left, bottom + 6), f"{steps[0]:.0f}", fill="black")
    draw.text((right - 44, bottom + 6), f"{steps[-1]:.0f}", fill="black")


def _save(sheet: Image.Image, path: Path) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        sheet.save(part, format="PNG")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
