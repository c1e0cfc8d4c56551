"""A clip of several parts, what an undisturbed run makes of it, and one that was lost half-way."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.faults.command import finished, start
from vsr.media.binary import ffmpeg_exe

SAMPLE = Path(__file__).resolve().parents[2] / "sample_videos" / "surveillance_800x600_30fps.mp4"
OPTIONS = (
    *("--model", "bicubic", "--set", "encode.part_frames=16"),
    *("--set", "encode.preset=superfast"),
)
"""parts are long enough for faces to rest from the detector, see `vsr.faces.adaptive`; the preset
is the quickest with B-frames"""


def make_clip(path: Path, seconds: int) -> Path:
    """One face at 320x240, 25 fps and uneven times, with sound."""
    sound = ("-f", "lavfi", "-i", f"sine=d={seconds}")
    command = [
        *("-v", "error", "-stream_loop", "-1", "-i", SAMPLE, *sound),
        *("-map", "0:v", "-map", "1:a", "-t", seconds, "-fps_mode", "passthrough"),
        *("-vf", "fps=25,scale=320:240,settb=1/15360,setpts='PTS+97*mod(N,3)'"),
        *("-video_track_timescale", "15360", "-c:v", "libx264", "-crf", "14", "-c:a", "aac", path),
    ]
    subprocess.run([ffmpeg_exe(), *map(str, command)], check=True, stdin=subprocess.DEVNULL)
    return path


@pytest.fixture(scope="session")
def clip(tmp_path_factory) -> Path:
    """Three seconds: five parts."""
    return make_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", 3)


@pytest.fixture(scope="session")
def whole(clip, tmp_path_factory) -> Path:
    """The undisturbed output."""
    out = tmp_path_factory.mktemp("whole") / "whole.mp4"
    finished(start("run", clip, "-o", out, *OPTIONS))
    return out


def wait_for_parts(process: subprocess.Popen[str], out: Path, count: int) -> None:
    """Until so many parts are written down."""
    book = out.with_name(f".{out.name}.vsr-journal") / "parts.jsonl"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if book.exists() and book.read_bytes().count(b"\n") >= count:
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    raise AssertionError(f"{count} parts were not written")


@pytest.fixture(scope="session")
def _lost(clip, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("lost")
    out = folder / "out.mp4"
    process = start("run", clip, "-o", out, *OPTIONS)
    wait_for_parts(process, out, 2)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return folder


@pytest.fixture
def lost(_lost, tmp_path) -> Path:
    """The output's name of a run that was killed after two or more parts, beside its journal."""
    folder = tmp_path / "results"
    shutil.copytree(_lost, folder)
    return folder / "out.mp4"
