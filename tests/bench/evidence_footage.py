"""Faces filmed by known cameras: truth, and what a lens, a sensor and a real encoder leave of it.

Conditions and their order are those of the product's tables; `drawn` gives other constants of
the same kind, so that limits are not fitted to one set of them.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from vsr.media.binary import ffmpeg_exe


@dataclass(frozen=True, slots=True)
class Camera:
    """What happens to a face before it is a file. Blur and motion in pixels of the truth."""

    scale: int = 2
    blur: float = 0.0
    motion: float = 0.0
    angle: float = 27.0
    """degrees"""
    area: bool = False
    """reduced by area averaging, not bicubic"""
    noise: float = 0.0
    """standard deviation, 8-bit levels"""
    enlarged: int = 0
    """reduced by so much first, kept as a JPEG, and enlarged to the size it has"""
    jpeg: int = 60
    crf: int | None = None
    """of x264; None: every frame is a JPEG (MJPEG, -q:v 9)"""

    @property
    def spread(self) -> float:
        """Standard deviation of the blur in LR pixels, motion and enlargement included."""
        enlarged = 1.5 * self.enlarged**2 / 12
        return float(np.sqrt(self.blur**2 + self.motion**2 / 12 + enlarged)) / self.scale

    def optics(self, hr: np.ndarray) -> np.ndarray:
        """The picture without noise and coding: float32 (h, w, 3)."""
        seen = hr.astype(np.float32)
        if self.blur:
            seen = cv2.GaussianBlur(seen, (0, 0), self.blur)
        if self.motion:
            seen = cv2.filter2D(seen, -1, _streak(self.motion, self.angle))
        if self.enlarged:
            small = _reduced(seen, self.enlarged, True)
            return _resized(small, hr.shape[0] // self.scale)
        return _reduced(seen, self.scale, self.area)

    def film(self, hr: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A frame as it goes to the encoder: uint8 (h, w, 3)."""
        if not self.enlarged:
            return _noisy(self.optics(hr), self.noise, rng)
        small = _noisy(_reduced(hr.astype(np.float32), self.enlarged, True), self.noise, rng)
        ok, coded = cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, self.jpeg])
        assert ok
        small = cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1].astype(np.float32)
        return _bytes(_resized(small, hr.shape[0] // self.scale))


CAMERAS = {
    "clean2": Camera(crf=4),
    "codec2": Camera(crf=30),
    "surv2": Camera(blur=0.8, noise=6, crf=30),
    "noise2": Camera(blur=0.8, noise=6, crf=4),
    "mjpeg2": Camera(blur=0.8, noise=6),
    "soft2": Camera(blur=3.0, noise=3, crf=28),
    "motion2": Camera(motion=9.0, noise=4, crf=28),
    "heavy2": Camera(enlarged=8, noise=4, jpeg=60, crf=30),
    "tiny4": Camera(scale=4, area=True, noise=4, crf=28),
    "mjpeg4": Camera(scale=4, area=True, noise=4),
}


def drawn(name: str, rng: np.random.Generator) -> Camera:
    """Another camera of the same kind: each constant within reach of the table's."""
    camera = CAMERAS[name]
    more = {
        "blur": float(camera.blur * rng.uniform(0.3, 1.35)),
        "motion": float(camera.motion * rng.uniform(0.4, 1.45)),
        "angle": float(rng.uniform(0, 180)),
        "area": bool(rng.integers(2)),
        "noise": float(camera.noise * rng.uniform(0.3, 1.5)),
        "jpeg": int(rng.integers(45, 80)),
        "enlarged": int(rng.choice((4, 6, 8))) if camera.enlarged else 0,
    }
    if camera.crf and camera.crf > 10:
        more["crf"] = int(rng.integers(22, 37))
    return replace(camera, **more)


def coded(frames: np.ndarray, crf: int | None) -> np.ndarray:
    """Frames (n, h, w, 3) uint8 through a real encoder and back."""
    count, height, width = frames.shape[:3]
    to = (
        "bt601:out_range=pc,format=yuvj420p" if crf is None else "bt709:out_range=tv,format=yuv420p"
    )
    back = "bt601:in_range=pc" if crf is None else "bt709:in_range=tv"
    flags = "flags=accurate_rnd+full_chroma_int+full_chroma_inp"
    codec = (
        ["mjpeg", "-q:v", "9"]
        if crf is None
        else ["libx264", "-preset", "medium", "-crf", str(crf)]
    )
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24"]
    size = ["-s", f"{width}x{height}", "-r", "25"]
    made = _ffmpeg(
        [
            *raw,
            *size,
            "-i",
            "-",
            "-vf",
            f"scale=out_color_matrix={to}",
            "-c:v",
            *codec,
            "-f",
            "nut",
            "-",
        ],
        frames.tobytes(),
    )
    text = _ffmpeg(
        ["-f", "nut", "-i", "-", "-vf", f"scale=in_color_matrix={back}:{flags}", *raw, "-"], made
    )
    return np.frombuffer(text, np.uint8).reshape(count, height, width, 3)


def filmed(clips: list[np.ndarray], camera: Callable[[int], Camera], seed: int) -> list[np.ndarray]:
    """LR of clips (n, H, W, 3), each by its camera; neighbours of one crf share an encoder run."""
    rng = np.random.default_rng(seed)
    cameras = [camera(i) for i in range(len(clips))]
    found: list[np.ndarray] = [np.empty(0)] * len(clips)
    for crf in {c.crf for c in cameras}:
        mine = [i for i, c in enumerate(cameras) if c.crf == crf]
        shots = [np.stack([cameras[i].film(f, rng) for f in clips[i]]) for i in mine]
        lengths = np.cumsum([len(s) for s in shots])[:-1]
        for i, shot in zip(mine, np.split(coded(np.concatenate(shots), crf), lengths), strict=True):
            found[i] = shot
    return found


def still_clip(path: Path, rng: np.random.Generator, frames: int = 6) -> np.ndarray:
    """A portrait that moves a little: (n, 176, 176, 3), from a CelebA still of 178x218."""
    picture = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)[21:197, 1:177]
    step = rng.normal(0, 0.7, 2)
    moves = [
        np.array([[1, 0, step[0] * i], [0, 1, step[1] * i]], np.float32) for i in range(frames)
    ]
    size, border = (176, 176), cv2.BORDER_REFLECT
    return np.stack(
        [cv2.warpAffine(picture, m, size, None, cv2.INTER_CUBIC, border) for m in moves]
    )


def video_clip(path: Path, start: int, frames: int = 24, side: int = 256) -> np.ndarray:
    """The middle square of a face clip: (n, 256, 256, 3)."""
    capture = cv2.VideoCapture(str(path))
    found: list[np.ndarray] = []
    for index in range(start + frames):
        ok, bgr = capture.read()
        if ok and index >= start:
            found.append(_square(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), side))
    capture.release()
    return np.stack(found)


def _square(rgb: np.ndarray, side: int) -> np.ndarray:
    height, width = rgb.shape[:2]
    least = min(height, width)
    y, x = (height - least) // 2, (width - least) // 2
    way = cv2.INTER_AREA if least >= side else cv2.INTER_CUBIC
    return cv2.resize(rgb[y : y + least, x : x + least], (side, side), interpolation=way)


def _streak(length: float, angle: float) -> np.ndarray:
    """A line of a length through the middle, anti-aliased, sum 1."""
    half = int(np.ceil(length / 2)) + 1
    fine = np.linspace(-length / 2, length / 2, 64)
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    for x, y in zip(
        fine * np.cos(np.radians(angle)), -fine * np.sin(np.radians(angle)), strict=True
    ):
        column, row = int(np.floor(x)), int(np.floor(y))
        right, below = x - column, y - row
        kernel[row + half : row + half + 2, column + half : column + half + 2] += np.outer(
            [1 - below, below], [1 - right, right]
        )
    return kernel / kernel.sum()


def _reduced(rgb: np.ndarray, scale: int, area: bool) -> np.ndarray:
    side = rgb.shape[0] // scale
    if area:
        return cv2.resize(rgb, (side, side), interpolation=cv2.INTER_AREA)
    return _resized(rgb, side)


def _resized(rgb: np.ndarray, side: int) -> np.ndarray:
    """Bicubic with a support that grows with the reduction (PIL's)."""
    from PIL import Image

    planes = [Image.fromarray(np.ascontiguousarray(rgb[..., c])) for c in range(3)]
    return np.stack(
        [np.asarray(p.resize((side, side), Image.Resampling.BICUBIC)) for p in planes], -1
    )


def _noisy(rgb: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    return _bytes(rgb + rng.normal(0, sigma, rgb.shape) if sigma else rgb)


def _bytes(rgb: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(rgb), 0, 255).astype(np.uint8)


def _ffmpeg(arguments: list[str], data: bytes) -> bytes:
    command = [ffmpeg_exe(), "-v", "error", "-y", *arguments]
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout
