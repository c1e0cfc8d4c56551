"""What a video shows, as numbers to compare: every decoded picture's timestamp and hash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import ffmpeg

from vsr.core.errors import InputError
from vsr.media.limits import SAFE_INPUT
from vsr.media.process import run_ffmpeg


@dataclass(frozen=True, slots=True)
class DecodedPicture:
    """One picture as a player would get it."""

    time: Fraction
    """presentation time, seconds, exact"""
    sha256: str
    """of its decoded samples, hexadecimal"""


def decoded_pictures(path: Path) -> list[DecodedPicture]:
    """Decode the first video stream of a file completely.

    Raises InputError where nothing can be decoded.
    """
    taken: list[bytes] = []

    def build(fds: Sequence[int]) -> list[str]:
        source = ffmpeg.input(f"file:{path.absolute()}", copyts=None, **SAFE_INPUT)
        out = ffmpeg.output(
            source["v:0"],
            f"pipe:{fds[0]}",
            format="framehash",
            hash="sha256",
            fps_mode="passthrough",
            enc_time_base="demux",
        )
        return out.global_args("-loglevel", "level+error").get_args()

    code, process = run_ffmpeg(build, take=taken.append)
    pictures: list[DecodedPicture] = []
    time_base = Fraction(1)
    for line in b"".join(taken).decode("ascii", "replace").splitlines():
        if line.startswith("#tb 0:"):
            time_base = Fraction(line[6:].strip())
        if line.startswith("#") or not line.strip():
            continue
        _, _, pts, _, _, digest = (field.strip() for field in line.split(","))
        pictures.append(DecodedPicture(int(pts) * time_base, digest))
    if code != 0 or not pictures:
        raise InputError(f"{path}: cannot be decoded (ffmpeg: {process.last_words()})")
    return pictures
