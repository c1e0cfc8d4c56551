"""What is measured: the clip, a part of it, or what memory holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from vsr.bench import clip as module
from vsr.bench.clip import take_clip
from vsr.bench.scene import draw_clip
from vsr.core.errors import InputError, UsageError
from vsr.core.progress import silent
from vsr.run.recipe import load_recipe

RECIPE = load_recipe("restore", [("upscale", "model", "bicubic")])


def test_a_given_clip_is_taken_as_it_is(clip: Path, tmp_path: Path):
    taken = take_clip(clip, RECIPE, tmp_path, silent)
    assert (taken.path, taken.frames, taken.fps, taken.built_in) == (clip, 12, 30.0, False)
    assert list(tmp_path.iterdir()) == []


def test_its_first_seconds_are_copied_not_encoded_again(clip: Path, tmp_path: Path):
    taken = take_clip(clip, RECIPE, tmp_path, silent, seconds=0.2)
    assert taken.path.parent == tmp_path
    assert 5 <= taken.frames <= 8
    assert taken.info.codec == "h264"
    assert taken.path.stat().st_size < clip.stat().st_size


def test_of_a_longer_video_two_seconds_are_measured_and_told(tmp_path: Path):
    longer = draw_clip(tmp_path / "longer.mp4", 75, faces=0)
    taken = take_clip(longer, RECIPE, tmp_path, silent)
    assert 60 <= taken.frames <= 62
    assert taken.notices == (
        "the first 60 of 75 frames are measured; --seconds takes more of them",
    )
    whole = take_clip(longer, RECIPE, tmp_path, silent, seconds=60)
    assert (whole.path, whole.frames, whole.notices) == (longer, 75, ())


def test_what_memory_does_not_hold_is_left_out_and_told(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    frame = 800 * 600 * 3 + 1600 * 1200 * 3 // 2
    monkeypatch.setattr(module, "available_memory", lambda: 2 * 6 * frame)
    taken = take_clip(clip, RECIPE, tmp_path, silent)
    assert 5 <= taken.frames <= 8
    assert taken.notices[0].startswith("memory holds 6 of 12 frames")
    monkeypatch.setattr(module, "available_memory", lambda: frame)
    with pytest.raises(UsageError, match="not one frame of 800x600 fits into memory"):
        take_clip(clip, RECIPE, tmp_path, silent)


def test_without_a_clip_one_is_drawn(tmp_path: Path):
    taken = take_clip(None, RECIPE, tmp_path, silent, seconds=0.2, faces=3, face_px=40)
    assert taken.built_in
    assert (taken.frames, taken.info.width, taken.info.height) == (6, 800, 600)


def test_bad_requests_are_one_line(clip: Path, tmp_path: Path):
    with pytest.raises(UsageError, match="--seconds: got 0"):
        take_clip(clip, RECIPE, tmp_path, silent, seconds=0)
    with pytest.raises(InputError, match="no such file"):
        take_clip(tmp_path / "missing.mp4", RECIPE, tmp_path, silent)
