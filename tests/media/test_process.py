"""ffmpeg killed from outside, and us killed from outside: nothing stays behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest

from vsr.core.color import PIXEL_FORMATS
from vsr.core.errors import FfmpegError, MissingDependencyError
from vsr.media import process
from vsr.media.binary import ffmpeg_exe, ffmpeg_version, require_ffmpeg, version_tuple
from vsr.media.decode import VideoReader
from vsr.media.encode import VideoWriter
from vsr.media.limits import SAFE_INPUT
from vsr.media.probe import probe
from vsr.media.process import FfmpegProcess, condense

YUV = PIXEL_FORMATS["yuv420p"]


def children() -> list[psutil.Process]:
    """ffmpeg processes of this one, which may have others: another test's browser."""
    found = []
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if "ffmpeg" in child.name():
                found.append(child)
    return found


def make_writer(info, folder) -> VideoWriter:
    shape = {"width": info.width * 2, "height": info.height * 2}
    return VideoWriter(folder / "out.mp4", info=info, format=YUV, color=info.color, **shape)


def pump(reader, writer, at) -> None:
    """decode -> encode; ``at(index)`` is called after every frame."""
    with writer:
        for frame in reader:
            writer.write(frame.canvas, frame.pts)
            at(frame.index)
        writer.close()


@pytest.mark.parametrize("who", ["decoder", "encoder"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_ffmpeg_ends_the_job_within_two_seconds(clips, tmp_path, who, number):
    info = probe(clips("long.mp4"))
    reader = VideoReader(info, canvas=YUV)
    writer = make_writer(info, tmp_path)
    killed_at: list[float] = []
    before = threading.active_count()

    def at(index: int) -> None:
        if index == 20:
            running = reader._process if who == "decoder" else writer._encoders[-1]._process
            assert running is not None
            os.kill(running.pid, number)
            killed_at.append(time.monotonic())

    with pytest.raises(FfmpegError, match=r"was stopped before its end|encoder was killed"):
        pump(reader, writer, at)
    assert 0 < time.monotonic() - killed_at[0] < 2
    assert children() == []
    assert process.running_count() == 0
    assert threading.active_count() == before
    assert os.listdir(tmp_path) == []


def test_close_from_another_thread_stops_a_waiting_reader(clips):
    reader = VideoReader(probe(clips("long.mp4")), canvas=YUV)
    frames = iter(reader)
    next(frames)
    threading.Timer(0.2, reader.close).start()
    with pytest.raises(FfmpegError, match="was stopped before its end"):
        list(map(lambda _: time.sleep(0.05), frames))
    assert children() == []


def test_kill_all_ends_everything(clips, tmp_path):
    info = probe(clips("long.mp4"))
    counts: list[int] = []

    def at(index: int) -> None:
        if index == 10:
            counts.append(process.running_count())
            process.kill_all()

    with pytest.raises(FfmpegError):
        pump(VideoReader(info, canvas=YUV), make_writer(info, tmp_path), at)
    assert counts == [2]
    assert children() == []


def test_leaving_the_loop_early_ends_ffmpeg(clips):
    reader = VideoReader(probe(clips("long.mp4")), canvas=YUV)
    for frame in reader:
        if frame.index == 3:
            break
    reader.close()
    del frame
    assert process.running_count() == 0 or children() == []
    with pytest.raises(FfmpegError, match="used or closed before"):
        next(iter(reader))


_JOB = """
import sys
from pathlib import Path
from vsr.core.color import PIXEL_FORMATS
from vsr.media.decode import VideoReader
from vsr.media.encode import EncodeConfig, VideoWriter
from vsr.media.probe import probe
info = probe(Path(sys.argv[1]))
yuv = PIXEL_FORMATS["yuv420p"]
reader = VideoReader(info, canvas=yuv)
writer = VideoWriter(Path(sys.argv[2]), info=info, width=640, height=480, format=yuv,
                     color=info.color, cfg=EncodeConfig(preset="ultrafast"))
for frame in reader:
    writer.write(frame.canvas, frame.pts)
    if frame.index == 20:
        print(reader._process.pid, writer._encoders[-1]._process.pid, flush=True)
        sys.stdin.read()
"""


def test_no_child_outlives_us_even_when_we_are_killed(clips, tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", _JOB, str(clips("long.mp4")), str(tmp_path / "out.mp4")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as job:
        assert job.stdout is not None
        pids = [int(p) for p in job.stdout.readline().split()]
        assert len(pids) == 2
        job.kill()
    deadline = time.monotonic() + 5
    while any(_alive(p) for p in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(_alive(p) for p in pids)
    assert not (tmp_path / "out.mp4").exists()


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_stderr_is_bounded_and_never_blocks():
    """A source that makes ffmpeg complain for megabytes must not fill its pipe."""
    lines: list[str] = []

    def build(_):
        return [
            *("-loglevel", "debug", "-f", "lavfi", "-i", "testsrc2=s=64x64:d=60:r=60"),
            *("-vf", "showinfo", "-f", "null", "-"),
        ]

    code, done = process.run_ffmpeg(build, on_line=lines.append)
    assert code == 0
    assert sum(map(len, lines)) > 500_000
    assert len(done.tail) <= 40


def test_hostile_protocols_are_not_opened():
    def build(_):
        allowed = ("-protocol_whitelist", SAFE_INPUT["protocol_whitelist"])
        return ["-loglevel", "error", *allowed, "-i", "tcp://127.0.0.1:9"]

    code, done = process.run_ffmpeg(build)
    assert code != 0
    assert "Protocol 'tcp' not on whitelist" in " ".join(done.tail)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], "it said nothing"),
        (["[mp4 @ 0x1] [error] Bad thing", "Conversion failed!"], "Bad thing"),
        (["a", "b", "c"], "b; c"),
        (["frame=  40 fps=0.0 q=-1.0"], "it said nothing"),
    ],
)
def test_the_tail_becomes_one_line(lines, words):
    assert condense(lines) == words


def test_the_program_can_be_chosen_and_is_checked(monkeypatch, tmp_path):
    assert version_tuple("7.1.1-static") == (7, 1)
    assert version_tuple("n9.0.2-17-g2a571b6068") == (9, 0)
    assert version_tuple("N-12345-gabc") is None
    assert ffmpeg_version()
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(tmp_path / "nothing"))
    with pytest.raises(MissingDependencyError, match="IMAGEIO_FFMPEG_EXE is set to"):
        ffmpeg_exe()
    old = tmp_path / "ffmpeg"
    old.write_text("#!/bin/sh\necho 'ffmpeg version 7.0.2-static Copyright'\n")
    old.chmod(0o755)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(old))
    assert ffmpeg_exe() == str(old)
    with pytest.raises(MissingDependencyError, match=r"is ffmpeg 7\.0\.2-static, expected 9\.0"):
        require_ffmpeg(ffmpeg_exe())
    with pytest.raises(MissingDependencyError):
        FfmpegProcess(lambda _: ["-version"])
