"""Frames through an encoder and back, at the size and in the order they have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from vsr.core.errors import FfmpegError
from vsr.media.process import FfmpegProcess


def encode_raw(
    frames: Iterable[np.ndarray],
    path: Path,
    encoder: Sequence[str],
    *,
    full_range: bool = False,
) -> int:
    """Writes frames into a video file, 4:2:0, 8 bit, at a constant rate.

    Args:
        frames: uint8 RGB ``(H, W, 3)`` of one size, H and W even.
        path: with an ending that ffmpeg knows, ".nut".
        encoder: ffmpeg's output options, ``["-c:v", "libx264", "-crf", "28"]``.
        full_range: full-range BT.601 as in JPEG; else limited-range BT.709.

    Returns:
        How many frames were written.

    Raises:
        FfmpegError: the encoder refused them.
        ValueError: not such frames.
    """
    matrix, pixel, span = ("bt601", "yuvj420p", "pc") if full_range else ("bt709", "yuv420p", "tv")
    there = f"scale=out_color_matrix={matrix}:out_range={span},format={pixel}"
    tags = ["-colorspace", "smpte170m" if full_range else "bt709", "-color_range", span]
    process: FfmpegProcess | None = None
    count, shape = 0, (0, 0, 0)
    try:
        for frame in frames:
            if process is None:
                shape = frame.shape
                raw = ["-pix_fmt", "rgb24", "-s", f"{shape[1]}x{shape[0]}", "-r", "25"]
                arguments = ["-v", "error", "-y", "-f", "rawvideo", *raw, "-i", "pipe:0"]
                arguments += ["-vf", there, *encoder, *tags, "-threads", "1", str(path)]
                process = FfmpegProcess(lambda _, given=arguments: given, stdin=True)
            if frame.shape != shape or frame.dtype != np.uint8 or shape[0] % 2 or shape[1] % 2:
                raise ValueError(
                    f"frames: got {frame.dtype} {frame.shape}, expected uint8 RGB of one size "
                    "with even sides"
                )
            process.write(np.ascontiguousarray(frame).data.cast("B"))
            count += 1
        if process is None:
            return 0
        process.close_stdin()
        code = process.wait()
    except BrokenPipeError:
        assert process is not None
        code = process.wait() or 1
    finally:
        if process is not None:
            process.close()
    if code and process is not None:
        raise FfmpegError(
            f"{' '.join(encoder)}: the encoder failed ({process.last_words()}); is it in this "
            "ffmpeg?"
        )
    return count


def decode_raw(path: Path, height: int, width: int) -> Iterator[np.ndarray]:
    """The frames of a file that `encode_raw` wrote: uint8 RGB ``(height, width, 3)``.

    Raises:
        FfmpegError: it broke off.
    """
    flags = "accurate_rnd+full_chroma_int+full_chroma_inp"
    reading = ["-v", "error", "-threads", "1", "-i", str(path), "-vf"]
    reading += [f"scale=flags={flags},format=rgb24", "-f", "rawvideo", "-fps_mode", "passthrough"]
    process = FfmpegProcess(lambda pipes: [*reading, f"pipe:{pipes[0]}"], outputs=1)
    size = height * width * 3
    try:
        while True:
            frame = np.empty((height, width, 3), np.uint8)
            got = process.read_into(0, frame.data.cast("B"))
            if got == 0:
                break
            if got < size:
                raise FfmpegError(f"{path}: broke off within a frame ({process.last_words()})")
            yield frame
        code = process.wait()
        if code:
            raise FfmpegError(f"{path}: cannot be decoded ({process.last_words()})")
    finally:
        process.close()
