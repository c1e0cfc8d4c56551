"""Clips through real encoders, refereed by PyAV where a file can be looked at."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from vsr.core.errors import FfmpegError
from vsr.degrade.motion import moving
from vsr.degrade.presets import PRESETS
from vsr.degrade.recipe import Coding, Degradation
from vsr.media.transcode import decode_raw, encode_raw
from vsr.run.recode import degrade_clip, recode


@pytest.fixture(scope="module")
def clip() -> np.ndarray:
    """Eight frames of 96x96 that drift: waves and some texture."""
    y, x = np.mgrid[:160, :160] / 160.0
    waves = [np.sin(19 * x + 14 * y), np.cos(27 * y * x), np.sin(40 * x * y)]
    texture = np.random.default_rng(0).normal(0, 6, (160, 160, 3))
    still = np.clip(np.stack([127 + 80 * w for w in waves], -1) + texture, 0, 255)
    return moving(still.astype(np.uint8), 96, 8, np.random.default_rng(3))


def error(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(float) - b).mean())


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (Coding(quality=10), Coding(quality=38)),
        (Coding(codec="x265", quality=10), Coding(codec="x265", quality=38)),
        (Coding(codec="mpeg4", quality=2), Coding(codec="mpeg4", quality=20)),
        (Coding(codec="mjpeg", quality=2, gop=1), Coding(codec="mjpeg", quality=25, gop=1)),
    ],
    ids=lambda c: f"{c.codec}-{c.quality}",
)
def test_a_stronger_coding_loses_more_and_keeps_the_frames_order(
    clip: np.ndarray, good: Coding, bad: Coding
) -> None:
    little, much = recode(clip, good), recode(clip, bad)
    assert little.shape == much.shape == clip.shape
    assert error(little, clip) < error(much, clip)
    for index, frame in enumerate(little):
        assert min(range(len(clip)), key=lambda k: error(frame, clip[k])) == index


def test_brightness_and_colours_stay(clip: np.ndarray) -> None:
    flat = np.full((3, 32, 32, 3), (200, 60, 20), np.uint8)
    for coding in (Coding(quality=4), Coding(codec="mjpeg", quality=2, gop=1)):
        assert np.abs(recode(flat, coding).astype(int) - flat).max() <= 4


def test_odd_sides_come_back_as_they_were(clip: np.ndarray) -> None:
    odd = np.ascontiguousarray(clip[:, :33, :51])
    coded = recode(odd, Coding(quality=6))
    assert coded.shape == odd.shape
    assert error(coded, odd) < 4


def test_a_second_generation_loses_more(clip: np.ndarray) -> None:
    coding = Coding(quality=26)
    once, twice = recode(clip, coding), recode(clip, coding, Coding(codec="mpeg4", quality=8))
    assert error(twice, clip) > error(once, clip)
    assert recode(clip, None) is clip


def test_the_file_has_the_frames_and_the_keyframes_that_were_asked_for(
    clip: np.ndarray, tmp_path: Path
) -> None:
    path = tmp_path / "clip.nut"
    count = encode_raw(clip, path, ["-c:v", "libx264", "-g", "4", "-sc_threshold", "0"])
    assert count == 8
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        frames = list(file.decode(stream))
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
    assert [f.key_frame for f in frames] == [True, False, False, False] * 2
    ours = list(decode_raw(path, 96, 96))
    assert len(ours) == 8
    assert error(np.stack(ours)[0], frames[0].to_ndarray(format="rgb24")) < 3


def test_what_an_encoder_cannot_take_is_told(clip: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(FfmpegError, match=r"nosuch.*is it in this ffmpeg\?"):
        encode_raw(clip, tmp_path / "x.nut", ["-c:v", "nosuch"])
    with pytest.raises(ValueError, match=r"got uint8 \(33, 32, 3\).*even sides"):
        encode_raw(np.zeros((1, 33, 32, 3), np.uint8), tmp_path / "x.nut", ["-c:v", "libx264"])
    assert encode_raw([], tmp_path / "none.nut", ["-c:v", "libx264"]) == 0


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_makes_a_clip_worse_in_its_own_way(clip: np.ndarray, name: str) -> None:
    rng = np.random.default_rng(0)
    how = PRESETS[name]
    made = degrade_clip(clip, 2, how, rng)
    clean = degrade_clip(clip, 2, Degradation(reduction=how.reduction), rng)
    assert made.shape == (8, 48, 48, 3)
    assert (error(made, clean) > 0.5) == (name != "clean")


def test_motion_is_smooth_seeded_and_inside_the_still() -> None:
    still = np.random.default_rng(0).integers(0, 256, (160, 178, 3)).astype(np.uint8)
    still = np.asarray([[still[i // 4 * 4, j // 4 * 4] for j in range(178)] for i in range(160)])
    one, same = (moving(still, 128, 6, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(one, same)
    assert one.shape == (6, 128, 128, 3)
    assert (moving(still, 128, 6, np.random.default_rng(8)) != one).any()
    steps = [error(one[i], one[i + 1]) for i in range(5)]
    assert max(steps) < 6 * (min(steps) + 0.5)
