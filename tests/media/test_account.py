"""Pictures are counted as pictures, and what is lost is counted where it is lost."""

from __future__ import annotations

import random
import re
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from vsr.media.decode import DecodeConfig, VideoReader
from vsr.media.packets import scan_packets
from vsr.media.pictures import find_pictures
from vsr.media.probe import probe
from vsr.media.timeline import cut_before_last

sys.path.insert(0, str(Path(__file__).parent))
from h264fields import stream

AUD = b"\0\0\0\1\x09\xf0"
RFF = 0x02


def read(path, fps="source"):
    """(info, frames' pts, report)."""
    info = probe(path)
    reader = VideoReader(info, cfg=DecodeConfig(fps=fps))
    return info, [frame.pts for frame in reader], reader.report


@pytest.mark.parametrize("suffix", [".264", ".ts", ".mkv", ".mp4"])
@pytest.mark.parametrize("whole", [False, True])
def test_two_fields_are_one_frame(referee, tmp_path, suffix, whole):
    raw = tmp_path / "raw.264"
    raw.write_bytes(stream(24, whole=whole))
    source = raw
    if suffix != ".264":
        source = tmp_path / f"in{suffix}"
        referee.ffmpeg("-framerate", 36 if whole else 50, "-f", "h264", "-i", raw, "-c", "copy",
                       source)  # fmt: skip
    info, pts, report = read(source, fps="30")
    assert info.frame_count == len(pts) == report.frames_decoded == 24
    assert (report.lost, report.broken_at_s) == (0, None)
    assert not any("could not" in n or "damaged" in n for n in report.notices)
    if not whole:
        assert info.frame_rate == 25
        assert info.duration_s == pytest.approx(24 / 25, abs=0.002)
    if suffix != ".264":
        assert pts == referee.pts(source)[0]


def test_second_fields_are_found_by_their_headers(tmp_path):
    raw = tmp_path / "raw.264"
    raw.write_bytes(stream(6, whole=True))
    found = find_pictures(raw, 0, "h264", only_fields=True)
    assert found is not None
    assert found.second.tolist() == [0, 1, 0, 0, 1, 0, 0, 1, 0]


@pytest.mark.parametrize(("codec", "format", "end"), [
    ("libx264", "h264", AUD), ("libx265", "hevc", b"\0\0\0\1\x46\x01\x50"),
])  # fmt: skip
def test_a_delimiter_at_the_end_is_no_picture(referee, tmp_path, codec, format, end):
    raw = tmp_path / f"raw.{format}"
    tune = ("-x265-params", "log-level=error:aud=1:bframes=0") if format == "hevc" else ("-bf", 0)
    referee.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x64:r=25:d=1", "-c:v", codec, *tune, "-aud",
                   1, "-f", format, raw) if format == "h264" else referee.ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=s=64x64:r=25:d=1", "-c:v", codec, *tune, "-f", format, raw
    )  # fmt: skip
    raw.write_bytes(raw.read_bytes() + end)
    info, pts, report = read(raw)
    assert (info.frame_count, len(pts)) == (25, 25)
    assert (report.broken_at_s, report.lost) == (None, 0)


def test_a_progressive_stream_is_not_read_a_second_time(clips):
    assert find_pictures(clips("r30.mp4"), 0, "h264", only_fields=True) is None
    found = find_pictures(clips("r30.mp4"), 0, "h264", only_fields=False)
    assert found is not None
    assert len(found.second) == 36


def pulled_down(source, out):
    """Mark every other MPEG-2 frame as lasting three fields (2:3 pulldown, by ISO 13818-2)."""
    data, number = bytearray(source.read_bytes()), 0
    at = data.find(b"\0\0\1")
    while at >= 0:
        if data[at + 3] == 0xB3:
            data[at + 7] = data[at + 7] & 0xF0 | 4  # 30000/1001 fps are shown
        elif data[at + 3] == 0xB5 and data[at + 4] >> 4 == 1:
            data[at + 5] &= ~8  # not a progressive sequence: the flag means fields
        elif data[at + 3] == 0xB5 and data[at + 4] >> 4 == 8:
            data[at + 7] = data[at + 7] & ~RFF | (RFF if number % 2 == 0 else 0)
            data[at + 8] |= 0x80
            number += 1
        at = data.find(b"\0\0\1", at + 4)
    out.write_bytes(data)


def test_pulldown_lasts_as_many_fields_as_it_says(referee, tmp_path):
    plain, raw = tmp_path / "plain.m2v", tmp_path / "raw.m2v"
    referee.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x64:r=24000/1001", "-frames:v", 34, "-c:v",
                   "mpeg2video", "-bf", 2, plain)  # fmt: skip
    pulled_down(plain, raw)
    info, pts, report = read(raw)
    assert len(pts) == 34
    assert info.frame_rate == Fraction(24000, 1001)
    assert info.duration_s == pytest.approx(34 * 1001 / 24000, abs=1e-4)
    steps = np.diff(pts) * float(info.time_base) * 60_000 / 1001
    assert set(np.round(steps).tolist()) == {2, 3}
    assert any("fields" in n for n in report.notices)


@pytest.fixture(scope="module")
def groups(clips, referee, tmp_path_factory):
    """Four seconds at 25 fps, a keyframe every two."""
    out = tmp_path_factory.mktemp("account") / "groups.ts"
    referee.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=160x120:r=25:d=4", "-c:v", "libx264", "-preset",
                   "superfast", "-g", 50, "-sc_threshold", 0, out)  # fmt: skip
    return out


def cut(source, out, front, end):
    """Whole transport packets, without a share of them at both ends."""
    data = source.read_bytes()
    count = len(data) // 188
    out.write_bytes(data[188 * int(front * count) : 188 * int((1 - end) * count)])
    return out


@pytest.mark.parametrize("fps", ["source", "10"])
def test_losses_at_the_start_are_counted_and_told(groups, referee, tmp_path, fps):
    source = cut(groups, tmp_path / "late.ts", 0.25, 0)
    info, _, report = read(source, fps)
    decoded = len(referee.pts(source)[0])
    assert report.frames_decoded == decoded == 50
    assert info.frame_count is not None
    assert 60 < info.frame_count < 90
    assert (report.lost_start, report.lost_middle, report.lost_end) == (
        info.frame_count - 50, 0, 0,
    )  # fmt: skip
    told = f"the source starts between keyframes: the first {report.lost_start} of its"
    assert any(n.startswith(told) for n in report.notices)
    assert report.broken_at_s is None


def test_losses_at_both_ends_are_told_apart(groups, tmp_path):
    source = cut(groups, tmp_path / "both.ts", 0.25, 0.2)
    _, pts, report = read(source)
    assert report.lost_start > 10
    assert report.broken_at_s is not None
    assert len(pts) == report.frames_kept


@pytest.fixture(scope="module")
def even(referee, tmp_path_factory):
    """Two seconds at 25 fps, decoded as 0, 4, 1, 2, 3, 8, 5, 6, 7, 12 …; each fills packets."""
    out = tmp_path_factory.mktemp("account") / "even.ts"
    film = "testsrc2=s=160x120:r=25:d=2,noise=alls=40:allf=t"
    groups = "bframes=3:b-adapt=0:b-pyramid=none:scenecut=0:keyint=50:weightp=0"
    referee.ffmpeg("-f", "lavfi", "-i", film, "-c:v", "libx264", "-preset", "superfast",
                   "-x264-params", groups, out)  # fmt: skip
    return out


def begun(data):
    """Where the pictures of a transport stream with one stream begin."""
    packets = [data[at : at + 3] for at in range(0, len(data), 188)]
    return [188 * n for n, (_, a, b) in enumerate(packets) if (a & 0x5F, b) == (0x41, 0)]


@pytest.mark.parametrize(("whole", "part", "missing"), [
    (30, False, 3), (31, False, 2), (33, False, 0), (29, True, 3), (30, True, 2), (32, True, 0),
])  # fmt: skip
def test_frames_cut_off_ahead_of_the_last_one_are_told(
    even, referee, tmp_path, whole, part, missing
):
    """A cut between a frame and those that are decoded after it, but shown before it.

    whole: frames that are left; part: with a part of the next.
    """
    data, source, out = even.read_bytes(), tmp_path / "in.ts", tmp_path / "out.mp4"
    places = begun(data)
    assert len(places) == 50
    source.write_bytes(data[: places[whole] + (188 if part else 0)])
    job = referee.job(source, out)
    pts, base = referee.pts(source)
    steps = np.rint(np.diff(pts) * float(base) * 25).astype(int)
    assert steps.sum() - len(steps) == missing
    broken = [n for n in job.report.notices if "of the frames that belong ahead of its last" in n]
    room = [n for n in job.report.notices if "there is room for" in n]
    assert (len(broken), len(room)) == (missing > 0 and part, missing > 0 and not part)
    if broken:
        assert f"breaks off before {missing} of the frames" in broken[0]
        assert job.report.broken_at_s == pytest.approx(float(pts[-1] * base) + 0.04, abs=1e-4)
        assert job.report.cut_off == missing
    if room:
        assert f"room for {missing} frames" in room[0]
        assert job.report.broken_at_s is None
    written, tick = referee.pts(out)
    assert [t * tick for t in written] == [t * base for t in pts]
    film = referee.streams(out, "video")[0]
    assert float(film.duration) == pytest.approx(float((pts[-1] - pts[0]) * base) + 0.04, abs=0.02)


@pytest.mark.parametrize("command", ["run", "frames"])
def test_a_source_without_both_ends_is_summed_up(groups, tmp_path, here, command):
    source = cut(groups, tmp_path / "in.ts", 0.25, 0.48)
    out = tmp_path / ("out.mp4" if command == "run" else "out")
    done = here(command, source, "-o", out, "--model", "bicubic")
    assert done.code == 8
    said = done.stderr.splitlines()[-1]
    assert re.search(r"breaks off at 3\.\d+ s; \S+ holds all but \d\d frames up to there", said)


def test_damage_ahead_of_the_first_frame_lies_at_it(groups, tmp_path):
    """The decoder is ahead of what is shown: two frames after the cut's keyframe, then damage."""
    _, pts, report = read(cut(groups, tmp_path / "short.ts", 0.25, 0.5))
    assert len(pts) < 10
    assert report.broken_at_s is not None
    assert not any("damaged" in n for n in report.notices)


@pytest.mark.parametrize(("pts", "found"), [
    ([0, 4, 2, 1, 3, 8, 6, 5, 7], None),  # whole
    ([0, 4, 2, 1, 3, 8, 6, 5, 7, 12], (8, 3)),
    ([0, 4, 2, 1, 3, 8, 6, 5, 7, 12, 10], (8, 2)),
    ([0, 4, 2, 1, 3, 8, 6, 5, 7, 12, 10, 9], (10, 1)),
    ([0, 4, 2, 1, 3, 8, 6, 5, 7, 13], None),  # more than ever came behind a frame: a gap
    ([0, 1, 2, 3, 4, 8], None),  # nothing is reordered
    ([3, 10, 8, 7, 9, 14, 12, 11, 13, 18, 16], (14, 2)),  # cut off at the front, too
    ([0, 6, 2, 1, 4, 11, 9, 7, 10, 15, 17], None),  # an uneven rate
    ([], None),
    ([5], None),
])  # fmt: skip
def test_what_was_cut_off_ahead_of_the_last_frame(pts, found):
    assert cut_before_last(np.array(pts, np.int64) * 3600) == (
        found and (found[0] * 3600, found[1])
    )


def test_a_whole_source_has_lost_nothing(groups):
    _, pts, report = read(groups)
    assert (len(pts), report.lost, report.notices) == (100, 0, [])
    assert scan_packets(groups, 0, "mpegts").starts_with_key


@pytest.mark.parametrize("seed", [None, 0, 1, 12, 26])  # of 26 ffmpeg says nothing
def test_damaged_pictures_of_a_gif_are_told(referee, tmp_path, seed):
    source = tmp_path / "in.gif"
    referee.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=96x64:r=10:d=1", source)
    if seed is not None:
        rng, data = random.Random(seed), bytearray(source.read_bytes())
        for _ in range(8):
            data[rng.randrange(1000, len(data) - 10)] ^= 1 << rng.randrange(8)
        source.write_bytes(data)
    _, pts, report = read(source)
    assert (len(pts), report.lost, report.broken_at_s) == (10, 0, None)
    told = [n for n in report.notices if n.startswith("the source is damaged from about")]
    assert len(told) == (seed is not None), report.notices
