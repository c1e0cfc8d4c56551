"""The same promises on real films, where they are at hand (VSR_TEST_DATA)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_FOLDER = Path(os.environ.get("VSR_TEST_DATA", "nowhere")) / "clips"
_CLIPS = sorted(_FOLDER.glob("*.mp4")) if _FOLDER.is_dir() else []

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not _CLIPS, reason="VSR_TEST_DATA names no folder with clips/"),
]


@pytest.mark.parametrize("path", _CLIPS, ids=lambda p: p.stem)
def test_a_real_film_keeps_its_times_and_sound(path, referee, tmp_path):
    short = tmp_path / "short.mp4"
    seconds = "0.3" if "1080p25_7" in path.stem else "0.7"  # the largest comes out at 4K
    referee.ffmpeg("-t", seconds, "-i", path, "-map", "0", "-c", "copy", short)
    out = tmp_path / "out.mp4"
    job = referee.job(short, out)
    wanted, time_base = referee.pts(short)
    assert referee.pts(out) == (wanted, time_base)
    assert job.report.broken_at_s is None
    before, after = referee.streams(short, "audio"), referee.streams(out, "audio")
    assert len(after) == len(before)
    for a, b in zip(before, after, strict=True):
        assert [d for _, d in referee.packets(out, b.index)] == [
            d for _, d in referee.packets(short, a.index)
        ]
