"""A way to call the command as a user does, and small videos to call it with."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Outcome:
    code: int
    stdout: str
    stderr: str


@pytest.fixture(scope="session")
def vsr() -> Callable[..., Outcome]:
    """Run the command in a process of its own."""

    def call(*arguments: object, timeout: float = 240) -> Outcome:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
        done = subprocess.run(
            [sys.executable, "-m", "vsr", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=timeout,
            env=environment,
            stdin=subprocess.DEVNULL,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture(scope="session")
def samples() -> Path:
    """The committed sample videos."""
    return ROOT / "sample_videos"


@pytest.fixture(scope="session")
def ffmpeg() -> Callable[..., None]:
    """Run the same ffmpeg the product uses, to make small inputs."""
    from vsr.media.binary import ffmpeg_exe

    def call(*arguments: object) -> None:
        subprocess.run(
            [ffmpeg_exe(), "-v", "error", "-y", *map(str, arguments)],
            check=True,
            stdin=subprocess.DEVNULL,
        )

    return call


@pytest.fixture(scope="session")
def long_video(tmp_path_factory, ffmpeg, samples) -> Path:
    """A minute of what is around the sample's face, 400x300."""
    folder = tmp_path_factory.mktemp("long")
    sample = samples / "surveillance_800x600_30fps.mp4"
    ffmpeg("-i", sample, "-vf", "crop=400:300:120:200", "-c:v", "libx264", folder / "one.mp4")
    loop = ("-stream_loop", "-1", "-i", folder / "one.mp4", "-t", "60", "-c", "copy")
    ffmpeg(*loop, folder / "long.mp4")
    return folder / "long.mp4"


@pytest.fixture(scope="session")
def tiny(tmp_path_factory, ffmpeg) -> Path:
    """Half a second of a test picture with sound, no face."""
    path = tmp_path_factory.mktemp("tiny") / "tiny.mp4"
    ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=s=96x64:r=30:d=0.5"),
        *("-f", "lavfi", "-i", "sine=d=0.5", "-c:v", "libx264", "-pix_fmt", "yuv420p"),
        *("-c:a", "aac", "-shortest", path),
    )
    return path
