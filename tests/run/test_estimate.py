"""What --dry-run tells, against what the run then does."""

from __future__ import annotations

import json

import pytest

from vsr.core.errors import OutputError
from vsr.run.estimate import _fixed_and_frame_s, _Trial, estimate
from vsr.run.footprint import resident_mb
from vsr.run.recipe import load_recipe
from vsr.run.restore import restore

QUICK = [("upscale", "model", "lanczos"), ("encode", "preset", "ultrafast")]


@pytest.fixture(scope="module")
def film(tmp_path_factory, ffmpeg):
    """130 frames at 25 fps from 3 s on, with sound: long enough to be tried in parts."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=s=160x120:r=25:d=5.2"),
        *("-f", "lavfi", "-i", "sine=d=5.2", "-output_ts_offset", "3", path),
    )
    return path


def test_frames_and_disk_are_those_of_the_run_and_nothing_is_left(film, tmp_path):
    recipe = load_recipe("restore", QUICK)
    out = tmp_path / "out.mp4"
    told = estimate(film, out, recipe)
    assert list(tmp_path.iterdir()) == []
    assert told.trial_frames == 90
    manifest = restore(film, out, recipe)
    assert told.frames == manifest.frames["written"] == 130
    assert (told.width, told.height, told.model) == (320, 240, "lanczos")
    assert told.disk_mb == pytest.approx(out.stat().st_size / 2**20, rel=0.5)
    assert told.seconds > told.frames / told.fps > 0
    assert told.memory_mb is None or told.memory_mb > 100


def test_a_short_film_is_tried_as_a_whole_and_its_faces_counted(face_clip, tmp_path):
    told = estimate(face_clip, tmp_path / "o.mp4", load_recipe("restore", QUICK))
    assert (told.frames, told.trial_frames) == (12, 12)
    assert told.faces_per_frame == 1.0
    json.dumps(told.to_dict())


def test_a_long_gap_in_the_film_is_no_hindrance(tmp_path, ffmpeg):
    source = tmp_path / "gap.mp4"
    film = ["-f", "lavfi", "-i", "testsrc2=s=64x64:r=30", "-frames:v", 200]
    gap = "setpts='PTS+gte(N,20)*3600/TB'"
    ffmpeg(*film, "-vf", gap, "-fps_mode", "passthrough", source)
    told = estimate(source, tmp_path / "o.mp4", load_recipe("restore", QUICK))
    assert (told.frames, told.trial_frames) == (200, 90)


def test_a_part_that_cannot_be_decoded_is_passed_over(tmp_path, ffmpeg):
    source = tmp_path / "hurt.mov"
    film = ["-f", "lavfi", "-i", "testsrc2=s=64x64:r=30", "-frames:v", 200]
    ffmpeg(*film, "-c:v", "mjpeg", "-q:v", 3, source)
    data = bytearray(source.read_bytes())
    low, high = len(data) // 3, len(data) * 2 // 3
    data[low:high] = bytes(high - low)
    source.write_bytes(data)
    told = estimate(source, tmp_path / "o.mp4", load_recipe("restore", QUICK))
    assert (told.frames, told.trial_frames) == (200, 60)


def test_what_would_stop_the_run_stops_it_too(film, tmp_path):
    out = tmp_path / "out.mp4"
    out.write_bytes(b"old")
    with pytest.raises(OutputError, match="already exists"):
        estimate(film, out, load_recipe("restore", QUICK))
    assert out.read_bytes() == b"old"


def test_what_does_not_grow_is_told_from_what_does():
    def trial(frames):
        return _Trial(frames, 0, 2.0 + 0.1 * frames, 0)

    fixed, frame = _fixed_and_frame_s(trial(6), [trial(30), trial(30)])
    assert (fixed, frame) == (pytest.approx(2.0), pytest.approx(0.1))
    noisy = _Trial(6, 0, 9.0, 0)  # the short part took longer than a long one
    assert _fixed_and_frame_s(noisy, [trial(30)])[1] > 0


def test_memory_is_that_of_the_process():
    now = resident_mb()
    assert now is None or 20 < now < 100_000
