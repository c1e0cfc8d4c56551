"""Scenes with a real face (scikit-image's astronaut: NASA, public domain) at known places."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data
from skimage.transform import resize

from vsr.core.color import PIXEL_FORMATS, ColorSpec
from vsr.core.geometry import Box
from vsr.core.types import Face, Frame, FrameFaces, YuvPicture

# where the face stands in the 512x512 picture, brow to chin
_FACE = Box(179, 63, 89, 111)
_HEAD = (224, 122, 92, 124)  # centre x, centre y, radii of the cut-out head


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    return data.astronaut()


@pytest.fixture(scope="session")
def astronaut_box() -> Box:
    return _FACE


@pytest.fixture(scope="session")
def background() -> Callable[[int, int], np.ndarray]:
    """A picture of stones in slanting light without faces, uint8 (height, width, 3)."""
    gravel = data.gravel()

    def make(height: int, width: int) -> np.ndarray:
        wide = resize(gravel, (height, width), order=1, preserve_range=True)
        light = np.linspace(0, 150, width)[None, :] * np.linspace(1, 0.3, height)[:, None]
        return np.repeat(np.round(30 + light + wide / 4)[..., None], 3, axis=2).astype(np.uint8)

    return make


@pytest.fixture(scope="session")
def add_face(astronaut: np.ndarray) -> Callable[[np.ndarray, float, float, float], Box]:
    """Paint the head into a picture so that its face is ``width`` wide around (cx, cy)."""
    cx0, cy0, rx, ry = _HEAD
    rows, columns = np.mgrid[0:512, 0:512]
    radius = np.hypot((columns - cx0) / rx, (rows - cy0) / ry)
    alpha = np.clip((1.15 - radius) / 0.15, 0, 1).astype(np.float32)

    def add(picture: np.ndarray, cx: float, cy: float, width: float) -> Box:
        scale = width / _FACE.width
        fx, fy = _FACE.center
        small = cv2.GaussianBlur(astronaut, (0, 0), max(0.01, 0.4 / scale)) if scale < 1 else None
        source = (astronaut if small is None else small).astype(np.float32)
        move = np.array([[scale, 0, cx - fx * scale], [0, scale, cy - fy * scale]], np.float32)
        size = (picture.shape[1], picture.shape[0])
        head = cv2.warpAffine(source, move, size, flags=cv2.INTER_LINEAR)
        weight = cv2.warpAffine(alpha, move, size, flags=cv2.INTER_LINEAR)[..., None]
        picture[...] = np.round(head * weight + picture * (1 - weight)).astype(np.uint8)
        return Box.from_center(cx, cy, width, _FACE.height * scale)

    return add


@pytest.fixture(scope="session")
def as_frames() -> Callable[..., list[Frame]]:
    """Pictures as frames of a rate, 30 per second unless said otherwise."""

    def make(pictures: Sequence[np.ndarray], fps: int = 30) -> list[Frame]:
        return [Frame(i, i, Fraction(1, fps), p) for i, p in enumerate(pictures)]

    return make


@pytest.fixture(scope="session")
def with_faces() -> Callable[..., FrameFaces]:
    """A frame with detections at boxes; confidence 0.9 unless said otherwise."""

    def make(frame: Frame, *boxes: Box, confidence: float = 0.9) -> FrameFaces:
        return FrameFaces(frame, tuple(Face(b, confidence) for b in boxes))

    return make


@pytest.fixture(scope="session")
def upscaled() -> Callable[..., tuple[np.ndarray, YuvPicture]]:
    """(RGB, canvas) of a picture as swscale makes both from the same Y'CbCr source.

    The referee is another library than the one under test: ffmpeg's scaler through PyAV.
    """
    av = pytest.importorskip("av")

    def make(
        rgb: np.ndarray, scale: int, name: str = "yuv420p", full_range: bool = False
    ) -> tuple[np.ndarray, YuvPicture]:
        height, width = rgb.shape[:2]
        deep = PIXEL_FORMATS[name].bit_depth > 8
        color_range = "JPEG" if full_range else "MPEG"
        source = av.VideoFrame.from_ndarray(rgb, "rgb48le" if deep else "rgb24").reformat(
            format=name, dst_colorspace="ITU709", dst_color_range=color_range
        )
        back = source.reformat(
            format="rgb48le" if deep else "rgb24",
            src_colorspace="ITU709",
            src_color_range=color_range,
            interpolation="LANCZOS",
        ).to_ndarray()
        large = source.reformat(
            width * scale,
            height * scale,
            name,
            src_colorspace="ITU709",
            dst_colorspace="ITU709",
            src_color_range=color_range,
            dst_color_range=color_range,
            interpolation="LANCZOS",
        )
        dtype = np.uint16 if deep else np.uint8
        rows = []
        for plane in large.planes:
            lines = np.frombuffer(bytes(plane), dtype).reshape(plane.height, -1)
            rows.append(lines[:, : plane.width].ravel())
        picture = YuvPicture(
            np.concatenate(rows),
            width * scale,
            height * scale,
            PIXEL_FORMATS[name],
            ColorSpec(matrix="bt709", full_range=full_range),
        )
        return back, picture

    return make


@pytest.fixture(scope="session")
def clip(real_data: Path) -> Callable[..., list[np.ndarray]]:
    """RGB pictures of a real clip by the beginning of its name."""
    av = pytest.importorskip("av")

    def read(name: str, start: int, count: int) -> list[np.ndarray]:
        (path,) = (real_data / "clips").glob(f"{name}_*")
        pictures: list[np.ndarray] = []
        with av.open(str(path)) as container:
            for i, frame in enumerate(container.decode(video=0)):
                if i >= start + count:
                    break
                if i >= start:
                    pictures.append(frame.to_ndarray(format="rgb24"))
        return pictures

    return read
