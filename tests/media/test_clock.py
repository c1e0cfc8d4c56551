"""A clock that jumps back, wraps or has gaps becomes one timeline, pictures and sound alike."""

from __future__ import annotations

from fractions import Fraction
from itertools import chain, pairwise

import numpy as np
import pytest

from vsr.media.clock import Track, near, one_clock, runs_through, steps_back, tamed, unwrapped
from vsr.media.probe import probe

WRAP = 1 << 33
VIDEO = {
    "mpeg2": ("-c:v", "mpeg2video", "-q:v", "3", "-bf", "2", "-c:a", "mp2"),
    "h264": ("-c:v", "libx264", "-preset", "superfast", "-bf", "2", "-c:a", "aac"),
    "flv": ("-c:v", "flv1", "-c:a", "mp3", "-ar", "44100"),
}


def piece(referee, out, codec, *, start=0.0, tone=440, seconds=1):
    """A second of 25 pictures and sound whose clock begins at ``start``."""
    referee.ffmpeg(
        "-f", "lavfi", "-i", f"testsrc2=s=64x48:r=25:d={seconds}",
        "-f", "lavfi", "-i", f"sine=f={tone}:d={seconds}:r=44100", *VIDEO[codec],
        "-output_ts_offset", start, "-muxdelay", 0, out,
    )  # fmt: skip
    return out


def joined(out, *pieces):
    out.write_bytes(b"".join(p.read_bytes() for p in pieces))
    return out


def shifts(before, after):
    """What was added to each packet's time: the packets are the same bytes, but headers."""
    assert len(before) == len(after)
    return [b - a for (a, _), (b, _) in zip(before, after, strict=True)]


@pytest.mark.parametrize(
    ("codec", "start", "suffix"), [("mpeg2", 0, ".mp4"), ("h264", 0.5, ".mkv"), ("h264", 9, ".mp4")]
)
def test_a_clock_that_jumps_back_begins_a_new_stretch(referee, tmp_path, codec, start, suffix):
    first = piece(referee, tmp_path / "1.ts", codec, start=max(start, 1) if start else 0)
    second = piece(referee, tmp_path / "2.ts", codec, start=0.5 if start else 0, tone=880)
    source, out = joined(tmp_path / "both.ts", first, second), tmp_path / f"out{suffix}"
    job = referee.job(source, out)
    pts, base = referee.pts(out)
    assert len(pts) == 50
    steps = np.diff(pts) * float(base)
    assert np.allclose(np.delete(steps, 24), 0.04, atol=0.0011)
    assert 0.039 < steps[24] < 0.04 + 0.05, "no more than the sound's overlap"
    told = [n for n in job.report.notices if "clock" in n]
    assert len(told) == 1, job.report.notices
    assert "jumps back" in told[0]
    assert not any("damaged" in n for n in job.report.notices)
    assert job.report.broken_at_s is None
    halves = [referee.packets(p, 1) for p in (first, second)]
    sound = referee.packets(out, 1)
    own = [t for half in halves for t, _ in half]
    assert len(sound) == len(own)
    times = [t for t, _ in sound]
    assert min(b - a for a, b in pairwise(times)) > 0
    pictures = [[t * b for t in p] for p, b in map(referee.pts, (first, second))]
    moved = [float(b * base - a) for a, b in zip(chain(*pictures), pts, strict=True)]
    heard = [float(b - a) for a, b in zip(own, times, strict=True)]
    cut = len(halves[0])
    for part, sounds in ((moved[:25], heard[:cut]), (moved[25:], heard[cut:])):
        assert max(part + sounds) - min(part + sounds) < 0.002, "one offset for all"


def test_flv_pieces_joined_byte_by_byte_are_one_timeline(referee, tmp_path):
    first = piece(referee, tmp_path / "1.flv", "flv")
    second = piece(referee, tmp_path / "2.flv", "flv", tone=880)
    source = tmp_path / "both.flv"
    source.write_bytes(first.read_bytes() + second.read_bytes()[13:])  # one file header
    job = referee.job(source, tmp_path / "out.mkv")
    assert len(referee.pts(tmp_path / "out.mkv")[0]) == 50
    assert sum("jumps back" in n for n in job.report.notices) == 1
    files = first, second, tmp_path / "out.mkv"
    counts = [len(referee.packets(p, referee.streams(p, "audio")[0].index)) for p in files]
    assert counts[2] == counts[0] + counts[1]


@pytest.mark.parametrize(("suffix", "codec", "wrap_s", "target"), [
    (".ts", "h264", WRAP / 90_000, ".mkv"), (".flv", "flv", (1 << 31) / 1000, ".mkv"),
    (".ts", "h264", WRAP / 90_000, ".mp4"), (".flv", "flv", (1 << 31) / 1000, ".mp4"),
])  # fmt: skip
def test_a_wrapped_counter_is_unwrapped(referee, tmp_path, suffix, codec, wrap_s, target):
    source, out = tmp_path / f"in{suffix}", tmp_path / f"out{target}"
    piece(referee, source, codec, start=wrap_s - 2.5, seconds=4)
    job = referee.job(source, out)
    steps = np.diff(np.array(job.pts)) * float(job.info.time_base)
    assert len(job.pts) == 100
    assert np.all(np.abs(steps - 0.04) < 0.0011)
    assert not any("clock jumps" in n for n in job.report.notices)
    sound = [float(t) for t, _ in referee.packets(out, 1)]
    assert np.diff(sound).max() < 0.03
    pts, base = referee.pts(out)
    assert len(pts) == 100
    assert np.allclose(np.diff(pts) * float(base), steps, atol=0.0011)
    assert abs(sound[0] - float(pts[0] * base)) < 0.1


def test_a_step_forward_stays(referee, tmp_path):
    first = piece(referee, tmp_path / "1.ts", "h264")
    second = piece(referee, tmp_path / "2.ts", "h264", start=100)
    job = referee.job(joined(tmp_path / "both.ts", first, second), tmp_path / "out.mkv")
    assert job.info.clock is None
    assert len(job.pts) == 50
    step = float((job.pts[25] - job.pts[24]) * job.info.time_base)
    assert step == pytest.approx(100 - 24 / 25, abs=0.1)


def test_a_gap_that_mp4_cannot_hold_is_told_before_the_work(referee, tmp_path, here):
    """Seven hours at 90 kHz are more than 2^31 ticks; Matroska holds them."""
    pieces = [piece(referee, tmp_path / f"{n}.ts", "mpeg2", start=start)
              for n, start in enumerate((1, 7 * 3600))]  # fmt: skip
    source = joined(tmp_path / "both.ts", *pieces)
    said = []
    for options in ((), ("--dry-run",)):
        done = here("run", source, "-o", tmp_path / "out.mp4", "--model", "bicubic", *options)
        assert done.code == 4
        assert not list(tmp_path.glob("*.mp4*"))
        said.append(done.stderr)
    assert said[0] == said[1]
    told = "out.mp4: the source has a gap of 7.0 h between two frames, .mp4 holds at most 6.6 h"
    assert told in said[0]
    job = referee.job(source, tmp_path / "out.mkv")
    assert len(job.pts) == len(referee.pts(tmp_path / "out.mkv")[0]) == 50


def test_of_several_programs_that_of_the_picture_is_taken(referee, tmp_path):
    """Each on a clock of its own; the second one's jumps back are no business of the first's."""
    pieces = [piece(referee, tmp_path / f"{n}.ts", "mpeg2", start=start)
              for n, start in enumerate((62000, 93700, 26000))]  # fmt: skip
    source = tmp_path / "three.ts"
    maps = [w for n in range(3) for w in ("-map", n)]
    programs = [w for n in range(3) for w in ("-program", f"st={2 * n}:st={2 * n + 1}")]
    inputs = [w for p in pieces for w in ("-i", p)]
    referee.ffmpeg("-copyts", *inputs, *maps, "-c", "copy", *programs, "-max_interleave_delta", 1,
                   source)  # fmt: skip
    job = referee.job(source, tmp_path / "out.mkv")
    assert (len(job.pts), job.info.clock) == (25, None)
    left = [n for n in job.result.notices if "another program" in n]
    assert len(left) == 4
    own = referee.packets(pieces[0], 1)
    kept = referee.packets(tmp_path / "out.mkv", 1)
    assert [d for _, d in kept] == [d for _, d in own]
    assert len(referee.streams(tmp_path / "out.mkv", "audio")) == 1
    moved = [float(b - a) for (a, _), (b, _) in zip(own, kept, strict=True)]
    pts, base = referee.pts(tmp_path / "out.mkv")
    first, tick = referee.pts(pieces[0])
    assert np.allclose(moved, float(pts[0] * base - first[0] * tick), atol=0.0011)


# === the arithmetic ===


def track(times, *, index=0, base=Fraction(1, 1000), duration=40):
    times = np.array(times, np.int64)
    return Track(index, times, times, np.full(len(times), duration), base)


def after(clock, times, index=0, wrap=1 << 40):
    """The times as the clock moves them."""
    times = [t % wrap for t in times]
    moves = dict(clock.moves).get(index, ())
    return [t + sum(([0] + [m for n, m in moves if n <= k])[-1:]) for k, t in enumerate(times)]


def test_wraps_are_told_from_jumps():
    assert unwrapped(np.array([WRAP - 5, WRAP - 1, 3, 7]), WRAP).tolist()[-1] == WRAP + 7
    assert unwrapped(np.array([900, 1000, 5, 10]), WRAP).tolist() == [900, 1000, 5, 10]
    # ffmpeg takes a jump back over more than a minute for a wrap
    assert unwrapped(np.array([9 << 30, WRAP + 5]), WRAP).tolist() == [9 << 30, WRAP + 5]
    assert unwrapped(np.array([7 << 30, WRAP + 5]), WRAP).tolist() == [7 << 30, 5]
    jump = np.array([7 << 30, WRAP + 5])
    assert not runs_through(jump, jump, WRAP)
    assert runs_through(jump, jump, None)
    assert not runs_through(jump[:1], jump[:1] - WRAP + 7200, WRAP), "on another turn"
    assert near(jump[:1] - WRAP + 7200, jump[:1], WRAP) == jump[:1] + 7200


def test_jitter_and_damaged_times_are_no_jumps():
    assert steps_back(np.array([0, 40, 80, 79, 120, 160])) == []
    assert steps_back(np.array([0, 40, 80, 40, 80, 120])) == [3]
    wild = np.array([0, 40, 80, 9_000_000, 160, 200])
    assert tamed(wild).tolist() == [0, 40, 80, 120, 160, 200]
    assert tamed(np.array([0, 40, 80, 40, 80, 120])).tolist() == [0, 40, 80, 40, 80, 120]


def test_every_stream_takes_the_jump_with_its_own_packets():
    """Sound of the old clock may still come after the first picture of the new one."""
    picture, sound = [0, 40, 80, 120, 0, 40, 80, 120], [0, 30, 60, 90, 120, 150, 0, 30, 60, 90]
    order = [0, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 1, 1, 0, 1, 0, 1, 1]
    clock = one_clock([track(picture), track(sound, index=4)], order, WRAP)
    assert clock is not None
    assert len(clock.jumps) == 1
    assert after(clock, picture) == [0, 40, 80, 120, 160, 200, 240, 280]
    assert after(clock, sound, 4)[:6] == sound[:6]
    assert after(clock, sound, 4)[6:] == [160, 190, 220, 250]


def test_a_sparse_stream_follows_although_its_own_clock_never_falls():
    picture = [*range(0, 4000, 40), *range(0, 4000, 40)]
    order = [1, *[0] * 150, 1, *[0] * 50]
    clock = one_clock([track(picture), track([100, 2000], index=2)], order, None)
    assert clock is not None
    assert after(clock, [100, 2000], 2) == [100, 6000]


def test_three_jumps_and_a_gap():
    picture = [1000, 1040, 1080, 500, 540, 9000, 9040, 0, 40, 80, 20, 60, 100]
    clock = one_clock([track(picture)], [0] * len(picture), None)
    assert clock is not None
    assert len(clock.jumps) == 3
    moved = after(clock, picture)
    assert moved[:4] == [1000, 1040, 1080, 1120]
    assert moved[5] - moved[4] == 9000 - 540, "a step forward stays"
    assert min(np.diff(moved)) == 40


def test_a_source_whose_clock_runs_through_is_left_alone(clips):
    for name in ("r30.mp4", "vfr.mp4", "stream.ts", "program.mpg", "ms.mkv", "untimed.avi"):
        assert probe(clips(name)).clock is None
