"""Makes the two clips that speed is told for: 20 s, 800x600, 30 fps, one face and seven.

    python tests/bench/clips.py CLIPS

Drawn as the sample videos are, from what scikit-image ships: Eileen Collins, photographed by
NASA (public domain), before a wall of CC0 photographs; sensor noise and sound on all of it.
``one_face.mp4``: a face of 64 pixels that walks to and fro. ``seven_faces.mp4``: seven of 44 to
80 pixels, mirrored and toned differently, each on a path of its own. Seeded.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np

SECONDS = 20


def _samples() -> ModuleType:
    """The script of the sample videos, which has the room, the person and the encoder."""
    path = Path(__file__).parents[2] / "sample_videos" / "make.py"
    spec = importlib.util.spec_from_file_location("sample_videos_make", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make = _samples()
_FACE_CENTRE = (222.0, 130.0)
"""in astronaut.png"""


@dataclass(frozen=True)
class Walker:
    """Someone who goes to and fro."""

    face_px: float
    x: float
    """middle of the way, pixels"""
    y: float
    reach: float
    """half of the way, pixels"""
    period_s: float
    phase: float = 0.0
    mirrored: bool = False
    tone: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """factor of each colour"""

    def place(self, t: float) -> tuple[float, float]:
        """Middle of the face at a time in seconds, pixels: it slows down where it turns."""
        angle = 2 * np.pi * t / self.period_s + self.phase
        bob = 2.5 * np.abs(np.sin(5.5 * t + self.phase)) * np.abs(np.cos(angle))
        return self.x + self.reach * np.sin(angle), self.y + bob


ONE = (Walker(64, 400, 260, 260, 16.0),)
SEVEN = (
    Walker(44, 130, 130, 60, 11.0, 0.4, tone=(0.92, 0.94, 1.0)),
    Walker(48, 350, 120, 55, 13.0, 1.9, mirrored=True, tone=(1.0, 0.9, 0.82)),
    Walker(46, 640, 140, 70, 9.0, 3.0, tone=(0.85, 0.86, 0.86)),
    Walker(60, 100, 315, 50, 12.0, 4.4, mirrored=True, tone=(0.8, 0.76, 0.72)),
    Walker(64, 300, 330, 45, 15.0, 0.9),
    Walker(72, 500, 325, 45, 10.0, 2.5, mirrored=True, tone=(1.04, 1.0, 0.94)),
    Walker(80, 700, 320, 40, 14.0, 5.2, tone=(0.94, 0.9, 0.88)),
)
"""the far ones first: the near ones stand before them"""
BEHIND_RAIL = 3
"""of the seven, who stand behind a rail"""


def scene(walkers: Sequence[Walker], frames: int, seed: int) -> Iterator[np.ndarray]:
    """The pictures, uint8 (600, 800, 3) RGB."""
    background, (picture, alpha) = make.room(), make.person()
    drawn = [_drawn(walker, picture, alpha) for walker in walkers]
    noise = np.random.default_rng(seed)
    for index in range(frames):
        canvas = background.astype(np.float32)
        for number, (walker, (body, mask)) in enumerate(zip(walkers, drawn, strict=True), 1):
            _put(canvas, walker, body, mask, index / make.FPS)
            if number == BEHIND_RAIL < len(walkers):
                _rail(canvas)
        make.counter(canvas)
        canvas += noise.normal(0, 1.6, canvas.shape[:2]).astype(np.float32)[..., None]
        yield np.clip(np.rint(canvas), 0, 255).astype(np.uint8)


def _drawn(walker: Walker, picture: np.ndarray, alpha: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A walker's own picture, blurred against the reduction to come, and its mask."""
    sigma = max(0.3, 0.45 * make.FACE_PX / walker.face_px)
    body = np.clip(picture.astype(np.float32) * np.array(walker.tone, np.float32), 0, 255)
    body = cv2.GaussianBlur(body, (0, 0), sigma) * 0.94
    if walker.mirrored:
        return np.ascontiguousarray(body[:, ::-1]), np.ascontiguousarray(alpha[:, ::-1])
    return body, alpha


def _put(canvas: np.ndarray, walker: Walker, body: np.ndarray, mask: np.ndarray, t: float) -> None:
    """Blend a walker into a frame, in place."""
    scale = walker.face_px / make.FACE_PX
    x, y = walker.place(t)
    centre = body.shape[1] - 1 - _FACE_CENTRE[0] if walker.mirrored else _FACE_CENTRE[0]
    offset = (x - scale * centre, y - scale * _FACE_CENTRE[1])
    move = np.array([[scale, 0, offset[0]], [0, scale, offset[1]]], np.float32)
    size = (make.WIDTH, make.HEIGHT)
    warped = cv2.warpAffine(body, move, size, flags=cv2.INTER_CUBIC)
    cover = cv2.warpAffine(mask, move, size, flags=cv2.INTER_LINEAR)[..., None]
    canvas += (np.clip(warped, 0, 255) - canvas) * cover


def _rail(canvas: np.ndarray) -> None:
    """A wooden rail across the room, in place."""
    canvas[300:345] = (96, 70, 48)
    canvas[300:308] = (150, 118, 84)


def make_clips(folder: Path, seconds: float = SECONDS) -> dict[str, Path]:
    """Write both; returns their paths by name."""
    folder.mkdir(parents=True, exist_ok=True)
    made = {}
    for name, walkers, seed in (("one_face", ONE, 11), ("seven_faces", SEVEN, 12)):
        made[name] = folder / f"{name}.mp4"
        make.encode(scene(walkers, round(seconds * make.FPS), seed), made[name], "-crf", "23")
    return made


def main() -> None:
    """Make both and say where they are."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    options = parser.parse_args()
    for path in make_clips(options.folder, options.seconds).values():
        print(path)


if __name__ == "__main__":
    main()
