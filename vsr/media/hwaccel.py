"""Decoding and encoding by the graphics card (NVDEC, NVENC), where ffmpeg and the card can.

Whether they can is found out by trying: lists of what ffmpeg was built with don't tell
whether a card and its driver are there, nor which films they take.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Literal

from vsr.core.errors import FfmpegError, UsageError
from vsr.core.video import VideoInfo
from vsr.media.limits import safe_input_words
from vsr.media.process import run_ffmpeg

HwAccel = Literal["none", "auto"]
DEVICE = "cuda"
_TRY_S = 30.0
_ENCODERS = {"h264": "h264_nvenc", "hevc": "hevc_nvenc", "av1": "av1_nvenc"}
_FORMATS = {
    "h264": ("yuv420p", "yuv444p"),
    "hevc": ("yuv420p", "yuv444p", "yuv420p10le"),
    "av1": ("yuv420p", "yuv420p10le"),
}
_DOWNLOADED = "nv12|p010le|p012le|yuv444p|yuv444p16le"
"""what a card hands its pictures over as"""


def check_hwaccel(name: str, value: str) -> None:
    """Raise UsageError where ``value`` is no choice; ``name``: of the key."""
    if value not in ("none", "auto"):
        raise UsageError(f"{name}: got {value!r}, expected 'none' or 'auto'")


def can_decode(info: VideoInfo) -> bool:
    """Whether the card decodes this film: its first picture is tried."""
    return _works(
        [
            *("-hwaccel", DEVICE, "-hwaccel_output_format", DEVICE, *safe_input_words()),
            *("-i", f"file:{info.path.absolute()}", "-map", f"0:{info.stream_index}"),
            # a picture that came from the processor after all cannot be downloaded
            *("-vf", f"hwdownload,format={_DOWNLOADED}", "-frames:v", "1", "-f", "null", "-"),
        ]
    )


def hardware_encoder(codec: str, pix_fmt: str) -> str | None:
    """ffmpeg's name of the card's encoder for a codec and pixel format; None: there is none."""
    if pix_fmt not in _FORMATS.get(codec, ()):
        return None
    return _ENCODERS[codec] if _can_encode(_ENCODERS[codec], pix_fmt) else None


@functools.cache
def _can_encode(encoder: str, pix_fmt: str) -> bool:
    return _works(
        [
            *("-f", "lavfi", "-i", f"color=size=640x480:rate=30,format={pix_fmt}"),
            *("-frames:v", "2", "-c:v", encoder, "-f", "null", "-"),
        ]
    )


def hardware_options(encoder: str, crf: int, speed: int) -> dict[str, str | int]:
    """Output options for the card's encoder. speed: 0 (fastest) to 8, as the presets count."""
    preset = (1, 1, 2, 3, 4, 4, 5, 6, 7)[speed]
    options: dict[str, str | int] = {"c:v:0": encoder, "preset": f"p{preset}", "b:v:0": 0}
    if crf == 0:
        return options | {"tune": "lossless"}
    return options | {"rc": "vbr", "cq": crf}


def _works(arguments: Sequence[str]) -> bool:
    build: Callable[[Sequence[int]], list[str]] = lambda _: [*arguments]  # noqa: E731
    try:
        return run_ffmpeg(build, timeout_s=_TRY_S)[0] == 0
    except FfmpegError:
        return False
