"""Degraded clips: `degrade`'s image operators, then `media`'s real encoders over the whole clip."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from vsr.core.errors import FfmpegError
from vsr.degrade.image import degrade_image
from vsr.degrade.recipe import Coding, Degradation
from vsr.media.transcode import decode_raw, encode_raw

_ENCODERS = {"x264": "libx264", "x265": "libx265", "mpeg4": "mpeg4", "mjpeg": "mjpeg"}


def recode(frames: np.ndarray, *codings: Coding | None) -> np.ndarray:
    """Frames through video encoders and back, one generation after the other.

    Args:
        frames: uint8 RGB ``(T, H, W, 3)``; odd sides are padded for the encoder.
        codings: encoder and strength of each generation; None is passed over.

    Returns:
        uint8 RGB of the same shape.

    Raises:
        FfmpegError: this ffmpeg lacks the encoder, or gave another number of frames.
    """
    chosen = tuple(coding for coding in codings if coding is not None)
    if not chosen:
        return frames
    with recoded(frames, chosen) as coded:
        made = np.stack(list(coded))
    if len(made) != len(frames):
        raise FfmpegError(f"{chosen}: gave {len(made)} frames, expected {len(frames)}")
    return made


@contextmanager
def recoded(
    frames: Iterable[np.ndarray], codings: tuple[Coding, ...]
) -> Iterator[Iterator[np.ndarray]]:
    """The same for a stream of frames, uint8 RGB ``(H, W, 3)``, which need not fit into memory.

    The coded frames may be read inside the ``with`` block: they come out of a temporary file.
    """
    with tempfile.TemporaryDirectory(prefix="vsr-") as folder:
        size = [0, 0]
        stream = _even(frames, size)
        for generation, coding in enumerate(codings):
            path = Path(folder, f"{generation}.nut")
            encode_raw(stream, path, _options(coding), full_range=coding.codec == "mjpeg")
            height, width = size
            stream = decode_raw(path, height + height % 2, width + width % 2)
        yield (frame[: size[0], : size[1]] for frame in stream)


def _even(frames: Iterable[np.ndarray], size: list[int]) -> Iterator[np.ndarray]:
    """Frames with even sides; ``size`` gets the height and width before."""
    for frame in frames:
        size[:] = height, width = frame.shape[:2]
        if height % 2 or width % 2:
            frame = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        yield frame


def _options(coding: Coding) -> list[str]:
    """ffmpeg's output options."""
    options = ["-c:v", _ENCODERS[coding.codec]]
    if coding.codec in ("x264", "x265"):
        options += ["-preset", coding.preset, "-crf", f"{coding.quality:.2f}"]
        if coding.codec == "x265":
            options += ["-x265-params", "log-level=error:pools=1:frame-threads=1"]
    else:
        options += ["-q:v", f"{coding.quality:g}", "-qmax", "31"]
    if coding.codec != "mjpeg":
        options += ["-g", str(coding.gop)]
    if coding.codec == "mpeg4":
        options += ["-bf", "2"]
    return options


def degrade_clip(
    frames: np.ndarray, scale: int, how: Degradation, rng: np.random.Generator
) -> np.ndarray:
    """HR frames to LR frames: every degradation, encoders included.

    Args:
        frames: uint8 RGB ``(T, H, W, 3)``, H and W multiples of ``scale``.
        scale: 1 or more.
        how: the numbers, the same for all frames; the noise is new in each.
        rng: source of the noise.

    Returns:
        uint8 RGB ``(T, H / scale, W / scale, 3)``.
    """
    lr = np.stack([degrade_image(frame, scale, how, rng) for frame in frames])
    return recode(lr, how.coding, how.second)
