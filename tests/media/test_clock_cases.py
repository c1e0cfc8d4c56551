"""Random clocks in every container that has one: offsets, gaps, jumps back, wraps, programs.

20 cases; VSR_CLOCK_CASES=500 for more, VSR_CLOCK_SEED for others. Each is reproduced by its
number alone. PyAV's counts and times of the pieces, each read by itself, are the referee.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from itertools import pairwise

import pytest

from vsr.core.errors import OutputError

CASES = int(os.environ.get("VSR_CLOCK_CASES", "20"))
SEED = int(os.environ.get("VSR_CLOCK_SEED", "2026"))
TS_WRAP_S, FLV_WRAP_S = (1 << 33) / 90_000, (1 << 31) / 1000
MP4_GAP_S = (1 << 31) / 90_000
_CODECS = {
    "h264": ("-c:v", "libx264", "-preset", "ultrafast", "-bf", 2),
    "mpeg2": ("-c:v", "mpeg2video", "-bf", 2),
    "flv1": ("-c:v", "flv1"),
    "mpeg4": ("-c:v", "mpeg4", "-bf", 1),
}
_FITTING = {
    ".ts": ("h264", "mpeg2", "mpeg4"), ".flv": ("flv1", "h264"), ".mkv": ("h264", "mpeg4"),
    ".mp4": ("h264", "mpeg4"), ".mov": ("h264",), ".nut": ("h264", "mpeg2"),
}  # fmt: skip
_FLV_HEAD = 13
LEAST_STEP_S = 5.0
"""between the starts of two pieces: a step back of a frame or two is not told from reordering"""


@dataclass
class Case:
    """What a number stands for."""

    suffix: str
    codec: str
    rate: int
    sound: str
    starts: list[float]
    frames: list[int]
    dropped: list[tuple[int, int]]
    programs: bool
    out: str

    @classmethod
    def of(cls, number: int) -> Case:
        """The case of a number."""
        rng = random.Random(f"{SEED}/{number}")
        suffix = rng.choice([".ts", ".ts", ".ts", ".flv", ".flv", ".mkv", ".mp4", ".mov", ".nut"])
        count = rng.randint(1, 3) if suffix in (".ts", ".flv") else 1
        wrap = {".ts": TS_WRAP_S, ".flv": FLV_WRAP_S}.get(suffix)
        starts = []
        for _ in range(count):
            choice = [0.0, 0.48, rng.uniform(0, 20), rng.uniform(100, 20_000)]
            if wrap is not None:
                choice.append(wrap - rng.uniform(0.2, 2))
            start = round(rng.choice(choice), 2)
            if starts and _apart(start, starts[-1], wrap) < LEAST_STEP_S:
                start = round(starts[-1] + LEAST_STEP_S, 2)
            starts.append(start)
        frames = [rng.randint(12, 40) for _ in starts]
        return cls(
            suffix=suffix,
            codec=rng.choice(_FITTING[suffix]),
            rate=rng.choice([10, 24, 25, 30]),
            sound="mp3" if suffix == ".flv" else rng.choice(["mp3", "aac"]),
            starts=starts,
            frames=frames,
            dropped=[(a := rng.randint(3, n - 3), min(n - 2, a + rng.randint(0, 8)))
                     for n in frames],
            programs=suffix == ".ts" and count == 1 and rng.random() < 0.5,
            out=rng.choice([".mkv", ".mkv", ".mp4"]),
        )  # fmt: skip

    def gaps(self) -> bool:
        """Whether a step between pieces is further than MP4 can tell. One that goes nearly once
        around the counter is a small step back."""
        wrap = {".ts": TS_WRAP_S, ".flv": FLV_WRAP_S}.get(self.suffix, float("inf"))
        steps = [b - a for a, b in pairwise(self.starts)]
        return any(step > MP4_GAP_S and wrap - step > step / 10 for step in steps)


def _apart(a, b, wrap):
    """Seconds between two times of a counter, the shorter way round."""
    return abs(a - b) if wrap is None else min((a - b) % wrap, (b - a) % wrap)


def make(case, referee, folder):
    """(the source, its pieces)."""
    pieces = []
    for number, (start, frames) in enumerate(zip(case.starts, case.frames, strict=True)):
        path = folder / f"piece{number}{case.suffix}"
        a, b = case.dropped[number]
        seconds = frames / case.rate
        referee.ffmpeg(
            "-f", "lavfi", "-i", f"testsrc2=s=64x48:r={case.rate}:d={seconds}",
            "-f", "lavfi", "-i", f"sine=f={440 + 110 * number}:d={seconds}:r=44100",
            "-vf", f"select='not(between(n,{a},{b}))'", "-fps_mode", "passthrough",
            *_CODECS[case.codec], "-g", 12, "-c:a", case.sound, "-output_ts_offset", start, path,
        )  # fmt: skip
        pieces.append(path)
    source = folder / f"source{case.suffix}"
    if case.programs:
        other = folder / "other.ts"
        referee.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=1", "-f", "lavfi", "-i",
                       "sine=d=1", "-c:v", "mpeg2video", "-c:a", "mp2", "-output_ts_offset",
                       case.starts[0] / 2 + 40, other)  # fmt: skip
        referee.ffmpeg("-copyts", "-i", pieces[0], "-i", other, "-map", 0, "-map", 1, "-c", "copy",
                       "-program", "st=0:st=1", "-program", "st=2:st=3", "-max_interleave_delta", 1,
                       source)  # fmt: skip
    else:
        skip = _FLV_HEAD if case.suffix == ".flv" else 0
        data = [p.read_bytes() for p in pieces]
        source.write_bytes(data[0] + b"".join(d[skip:] for d in data[1:]))
    return source, pieces


def sound_of(referee, path):
    """Seconds of each packet of the first sound."""
    return [t for t, _ in referee.packets(path, referee.streams(path, "audio")[0].index)]


def pictures_of(referee, path):
    pts, base = referee.pts(path)
    return [t * base for t in pts]


def spread(case, *moves):
    """Seconds by which what belongs together was moved apart; PyAV undoes no wrap of a piece."""
    wrap = {".ts": TS_WRAP_S, ".flv": FLV_WRAP_S}.get(case.suffix, 1e9)
    every = [float(m) for part in moves for m in part]
    apart = [(m - every[0] + wrap / 2) % wrap - wrap / 2 for m in every]
    return max(apart) - min(apart)


@pytest.mark.parametrize("number", range(CASES))
def test_pictures_and_sound_come_out_as_they_went_in(referee, tmp_path, number):
    case = Case.of(number)
    source, pieces = make(case, referee, tmp_path)
    out = tmp_path / f"out{case.out}"
    if case.out == ".mp4" and case.gaps():
        with pytest.raises(OutputError, match="has a gap of"):
            referee.job(source, out)
        out = out.with_suffix(".mkv")
    job = referee.job(source, out)
    assert (job.report.lost, job.report.broken_at_s) == (0, None), case
    assert not any("damaged" in n for n in job.report.notices), (case, job.report.notices)
    shown, heard = pictures_of(referee, out), sound_of(referee, out)
    own = [(pictures_of(referee, p), sound_of(referee, p)) for p in pieces]
    assert len(shown) == sum(len(p) for p, _ in own), case
    assert len(heard) == sum(len(s) for _, s in own), case
    assert all(a < b for a, b in pairwise(shown)), case
    assert all(a < b for a, b in pairwise(heard)), case
    at = sounds = 0
    for pictures, sound in own:
        moved = [b - a for a, b in zip(pictures, shown[at:], strict=False)]
        along = [b - a for a, b in zip(sound, heard[sounds:], strict=False)]
        assert spread(case, moved, along) < 0.0035, case
        at, sounds = at + len(pictures), sounds + len(sound)
    left = [n for n in job.result.notices if "another program" in n]
    assert len(left) == (2 if case.programs else 0), case
