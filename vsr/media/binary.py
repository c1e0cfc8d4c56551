"""Where ffmpeg is, and whether it can do what vsr asks of it."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess

from vsr.core.errors import FfmpegError, MissingDependencyError

MINIMUM_VERSION = (9, 0)
"""oldest release that keeps every promise. 7.0.2 was tried: it crashes on the packet times of
transport streams, moves Matroska files by the sound's priming and lacks SVT-AV1."""


def ffmpeg_exe() -> str:
    """Path of the ffmpeg program.

    ``IMAGEIO_FFMPEG_EXE`` wins; else the build that ships with ``imageio-ffmpeg``; else
    ``ffmpeg`` on the PATH. Raises MissingDependencyError where none of them is there.
    """
    override = os.environ.get("IMAGEIO_FFMPEG_EXE")
    if override:
        found = shutil.which(override)
        if found is None:
            raise MissingDependencyError(
                f"IMAGEIO_FFMPEG_EXE is set to {override!r}, which is not a program that can be "
                "run; correct or unset it"
            )
        return found
    return _bundled_exe()


@functools.cache
def _bundled_exe() -> str:
    try:
        import imageio_ffmpeg

        return imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError) as error:
        found = shutil.which("ffmpeg")
        if found is None:
            raise MissingDependencyError(
                f"no ffmpeg found ({error}); pip install imageio-ffmpeg, or set "
                "IMAGEIO_FFMPEG_EXE to an ffmpeg program"
            ) from None
        return found


def ffmpeg_version() -> str:
    """ffmpeg's own version string, e.g. "n7.1". Raises as `ffmpeg_exe`, or FfmpegError."""
    return _version_of(ffmpeg_exe())


@functools.cache
def _version_of(exe: str) -> str:
    try:
        done = subprocess.run(
            [exe, "-version"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FfmpegError(f"{exe} cannot be run ({error}); unset IMAGEIO_FFMPEG_EXE") from None
    match = re.match(r"ffmpeg version (\S+)", done.stdout)
    if done.returncode != 0 or match is None:
        raise FfmpegError(
            f"{exe} -version answered {done.stdout[:60]!r} and exit code {done.returncode}, "
            "expected 'ffmpeg version …'; point IMAGEIO_FFMPEG_EXE at an ffmpeg program"
        )
    return match.group(1)


def version_tuple(version: str) -> tuple[int, int] | None:
    """(major, minor) of a release's version string; None for a nightly build ("N-1234-g…")."""
    match = re.match(r"n?(\d+)\.(\d+)", version)
    return (int(match.group(1)), int(match.group(2))) if match else None


@functools.cache
def require_ffmpeg(exe: str) -> None:
    """Raise MissingDependencyError where the program is too old for exact timestamps."""
    version = _version_of(exe)
    numbers = version_tuple(version)
    if numbers is not None and numbers < MINIMUM_VERSION:
        wanted = ".".join(map(str, MINIMUM_VERSION))
        raise MissingDependencyError(
            f"{exe} is ffmpeg {version}, expected {wanted} or newer; pip install -U imageio-ffmpeg "
            "and unset IMAGEIO_FFMPEG_EXE"
        )
