"""Sources that break off, damaged ones, full disks: what is kept, and what is said."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import av
import pytest

from vsr.core.errors import FfmpegError, InputError, OutputError
from vsr.media.damage import DamageLog
from vsr.media.decode import VideoReader
from vsr.media.probe import probe
from vsr.media.process import running_count


def cut_off(source: Path, out: Path, part: float = 0.6) -> Path:
    data = source.read_bytes()
    out.write_bytes(data[: int(len(data) * part)])
    return out


def blot_out(source: Path, out: Path, at: float = 0.5, count: int = 2500) -> Path:
    data = bytearray(source.read_bytes())
    start = int(len(data) * at)
    data[start : start + count] = bytes(count)
    out.write_bytes(data)
    return out


@pytest.mark.parametrize("name", ["long.mp4", "longc.mkv", "longc.ts", "longavi.avi"])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_source_that_breaks_off_gives_a_whole_file_up_to_there(
    clips, referee, tmp_path, name, suffix
):
    source = cut_off(clips(name), tmp_path / name)
    out = tmp_path / f"out{suffix}"
    job = referee.job(source, out)
    assert job.report.broken_at_s is not None
    start = float(job.info.start_pts * job.info.time_base)
    assert 2.5 < job.report.broken_at_s - start < 4.5
    got, time_base = referee.pts(out)
    assert 80 < len(got) == len(job.pts) < 140
    end = float(got[-1] * time_base)
    assert end < job.report.broken_at_s <= end + 0.07
    times = [float(t) for t, _ in referee.packets(out, referee.streams(out, "audio")[0].index)]
    assert max(times) < job.report.broken_at_s, "sound goes on after the picture"
    assert max(times) > end - 0.3, "sound is missing at the end"
    before = referee.packets(source, 1)
    after = referee.packets(out, 1)
    skip = 7 if name.endswith(".ts") else 0
    assert [d for _, d in after] == [d[skip:] for _, d in before][: len(after)]


def test_damage_in_the_middle_is_noted_and_the_rest_is_kept(clips, referee, tmp_path):
    source = blot_out(clips("long.mp4"), tmp_path / "damaged.mp4")
    job = referee.job(source, tmp_path / "out.mp4")
    assert job.report.broken_at_s is None
    assert any("the source is damaged from about" in n for n in job.report.notices)
    assert len(referee.pts(tmp_path / "out.mp4")[0]) == len(job.pts) >= 170
    assert job.report.last_seconds == pytest.approx(5.967, abs=0.01)


def test_a_whole_source_is_neither(clips, referee, tmp_path):
    job = referee.job(clips("long.mp4"), tmp_path / "out.mp4")
    assert job.report.broken_at_s is None
    assert job.report.notices == []
    assert job.report.frames_kept == 180


def test_a_source_without_one_picture_is_refused(clips, tmp_path):
    path = tmp_path / "hollow.mp4"
    data = clips("long.mp4").read_bytes()
    body = data.index(b"mdat") + 4
    path.write_bytes(data[:body] + bytes(len(data) - body))
    with pytest.raises(InputError, match=r"cannot be decoded|no picture could be read"):
        probe(path)


@pytest.mark.parametrize(
    ("line", "cut", "damaged"),
    [
        ("[in#0/mov @ 0x1] [error] stream 0, offset 0x85a9: partial file", True, 0),
        ("[in#0/matroska,webm @ 0x1] [error] File ended prematurely", True, 0),
        ("[vist#0:0/h264 @ 0x1] [dec:h264 @ 0x2] [warning] corrupt decoded frame", False, 1),
        ("[h264 @ 0x1] [error] error while decoding MB 12 10, bytestream -16", False, 1),
        ("[h264 @ 0x1] [error] mmco: unref short failure", False, 0),
        ("[in#0 @ 0x1] [warning] UDTA parsing failed retrying raw", False, 0),
    ],
)
def test_log_lines_are_told_apart(line, cut, damaged):
    log = DamageLog()
    log.now_s = 3.0
    log.line(line)
    assert (log.cut_short, log.damaged) == (cut, damaged)
    assert log.first_damage_s == (3.0 if damaged else None)


@pytest.fixture(scope="module")
def tiny_disk(tmp_path_factory):
    """A file system of one mebibyte."""
    folder = tmp_path_factory.mktemp("tiny")
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("a small file system can't be mounted here: that takes root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_full_disk_is_one_line_and_leaves_nothing(clips, referee, tiny_disk, suffix):
    with pytest.raises(OutputError, match="No space left on device"):
        referee.job(clips("long.mp4"), tiny_disk / f"out{suffix}", scale=4, crf=0)
    assert os.listdir(tiny_disk) == []
    assert running_count() == 0


_WRITE = """
import os, sys
from pathlib import Path
from vsr.core.color import PIXEL_FORMATS
from vsr.core.errors import OutputError
from vsr.media.binary import ffmpeg_exe
from vsr.media.encode import VideoWriter
from vsr.media.probe import probe
folder = Path(sys.argv[1])
info = probe(folder / "in.mp4")
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
if not os.access(ffmpeg_exe(), os.X_OK):
    sys.exit("out of reach")
try:
    VideoWriter(folder / "out.mp4", info=info, width=320, height=240,
                format=PIXEL_FORMATS["yuv420p"], color=info.color)
except OutputError as error:
    print(error)
"""


def test_a_folder_without_rights_is_one_line(clips):
    """Tried as somebody who isn't root, whom rights don't bind."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(clips("r30.mp4"), folder / "in.mp4")
        folder.chmod(0o555)
        command = [sys.executable, "-c", _WRITE, name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        folder.chmod(0o755)
        if "out of reach" in done.stderr:
            pytest.skip("an unprivileged user cannot run this installation's ffmpeg")
        assert "cannot be written (Permission denied)" in done.stdout, done.stderr
        assert done.stdout.count("\n") == 1
        assert os.listdir(folder) == ["in.mp4"]


def test_a_missing_folder_is_one_line(clips, referee, tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        referee.job(clips("r30.mp4"), tmp_path / "nowhere" / "out.mp4")


def test_nothing_stands_under_the_name_before_it_is_whole(clips, tmp_path):
    from vsr.core.color import PIXEL_FORMATS
    from vsr.media.encode import VideoWriter

    info = probe(clips("r30.mp4"))
    format = PIXEL_FORMATS["yuv420p"]
    out = tmp_path / "out.mp4"
    out.write_text("an older result")
    reader = VideoReader(info, canvas=format)
    shape = {"width": info.width * 2, "height": info.height * 2, "format": format}
    writer = VideoWriter(out, info=info, color=info.color, **shape)

    def job() -> None:
        with writer:
            for frame in reader:
                writer.write(frame.canvas, frame.pts)
                assert out.read_text() == "an older result"
                if frame.index == 10:
                    raise RuntimeError("a stage failed")

    with pytest.raises(RuntimeError, match="a stage failed"):
        job()
    assert os.listdir(tmp_path) == ["out.mp4"]
    assert out.read_text() == "an older result"
    with pytest.raises(FfmpegError, match="closed before"):
        writer.close()


def test_misuse_of_the_writer_is_told(clips, tmp_path):
    from vsr.core.color import PIXEL_FORMATS
    from vsr.media.encode import VideoWriter

    info = probe(clips("r30.mp4"))
    format = PIXEL_FORMATS["yuv420p"]
    frames = list(VideoReader(info, canvas=format))[:2]
    shape = {"width": 320, "height": 240, "format": format, "color": info.color}
    with VideoWriter(tmp_path / "a.mp4", info=info, **shape) as writer:
        writer.write(frames[1].canvas, frames[1].pts)
        with pytest.raises(ValueError, match="expected a larger one"):
            writer.write(frames[0].canvas, frames[0].pts)
    with (
        VideoWriter(tmp_path / "a.mp4", info=info, **{**shape, "width": 640}) as writer,
        pytest.raises(ValueError, match="expected yuv420p 640x240"),
    ):
        writer.write(frames[0].canvas, frames[0].pts)
    with (
        pytest.raises(FfmpegError, match="no picture was written"),
        VideoWriter(tmp_path / "a.mp4", info=info, **shape) as writer,
    ):
        writer.close()
    assert os.listdir(tmp_path) == []


def test_a_faces_video_needs_no_source_streams(clips, referee, tmp_path):
    import numpy as np

    from vsr.core.color import PIXEL_FORMATS, ColorSpec
    from vsr.media.convert import from_rgb
    from vsr.media.encode import VideoWriter

    info = probe(clips("offset.mp4"))
    format, color = PIXEL_FORMATS["yuv420p"], ColorSpec(matrix="bt709", tag_space="bt709")
    out = tmp_path / "face.mp4"
    with VideoWriter(
        out, info=info, width=64, height=64, format=format, color=color, with_streams=False
    ) as writer:
        for k in range(5):
            rgb = np.full((64, 64, 3), 40 + 30 * k, np.uint8)
            writer.write(from_rgb(rgb, format, color), info.start_pts + 512 * k)
        assert writer.close().frames == 5
    with av.open(str(out)) as container:
        assert [s.type for s in container.streams] == ["video"]
        levels = [f.to_ndarray(format="rgb24").mean() for f in container.decode(video=0)]
    assert levels == pytest.approx([40, 70, 100, 130, 160], abs=1.5)
    assert referee.pts(out)[0] == [info.start_pts + 512 * k for k in range(5)]
