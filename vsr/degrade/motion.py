"""Synthetic motion: a short clip of one still face, as a hand-held camera might film it."""

from __future__ import annotations

import cv2
import numpy as np


def moving(still: np.ndarray, side: int, frames: int, rng: np.random.Generator) -> np.ndarray:
    """A clip out of a still image.

    The view drifts, rolls and zooms along smooth paths, tilts a little (perspective), bends by a
    slow low-frequency warp (a turning head, an expression), and now and then something passes in
    front of it. Cameras at rest are drawn, too: three clips of ten hardly move.

    Args:
        still: uint8 RGB ``(H, W, 3)``, at least ``side`` wide and high.
        side: width and height of the clip, pixels.
        frames: 1 or more.
        rng: source of the path.

    Returns:
        uint8 RGB ``(frames, side, side, 3)``.
    """
    height, width = still.shape[:2]
    left, top = rng.uniform(0, width - side), rng.uniform(0, height - side)
    centre = np.array([left + side / 2, top + side / 2])
    rest = 0.1 if rng.random() < 0.3 else 1.0
    time = np.linspace(-0.5, 0.5, frames) if frames > 1 else np.zeros(1)
    # pixels (drift), radians (roll), shares (zoom, tilt) over the whole clip
    drift = rest * rng.normal(0, 0.5, (2, 2)) * frames * [[1.0], [0.35]]
    roll = rng.normal(0, 0.05) + rest * rng.normal(0, 0.01) * frames * time
    zoom = np.exp(rng.normal(0, 0.02) + rest * rng.normal(0, 0.004) * frames * time)
    tilt = rng.normal(0, 2e-4, 2)
    bend = rest * rng.normal(0, 0.25, (2, 4, 4)).astype(np.float32)
    cover = _cover(side, rng) if rng.random() < 0.06 else None
    y, x = np.mgrid[:side, :side].astype(np.float32) - np.float32((side - 1) / 2)
    clip = np.empty((frames, side, side, 3), np.uint8)
    wave = [cv2.resize(field, (side, side), interpolation=cv2.INTER_CUBIC) for field in bend]
    for i, t in enumerate(time):
        place = centre - 0.5 + drift[0] * t + drift[1] * np.sin(6 * t)
        c, s = np.cos(roll[i]) / zoom[i], np.sin(roll[i]) / zoom[i]
        depth = 1 + tilt[0] * x + tilt[1] * y
        mx = (c * x - s * y) / depth + place[0] + wave[0] * np.float32(frames * t)
        my = (s * x + c * y) / depth + place[1] + wave[1] * np.float32(frames * t)
        clip[i] = cv2.remap(still, mx.astype(np.float32), my.astype(np.float32),
                            cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)  # fmt: skip
        if cover is not None:
            _pass(clip[i], cover, t, side)
    return clip


def _cover(side: int, rng: np.random.Generator) -> tuple[np.ndarray, float, float, float]:
    """Colour, radius, height and speed of what passes in front."""
    colour = rng.uniform(20, 220, 3)
    return colour, rng.uniform(0.08, 0.25) * side, rng.uniform(0.2, 0.8) * side, rng.normal(0, 1)


def _pass(
    frame: np.ndarray, cover: tuple[np.ndarray, float, float, float], t: float, side: int
) -> None:
    colour, radius, height, speed = cover
    x = side / 2 + speed * t * side
    centre = round(x * 16), round(height * 16)
    cv2.ellipse(frame, centre, (round(radius * 16), round(radius * 24)), 20.0, 0.0, 360.0,
                [float(v) for v in colour], -1, cv2.LINE_AA, 4)  # fmt: skip
