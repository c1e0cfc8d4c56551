"""The sample videos hold what their descriptions say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vsr.media.decode import DecodeConfig, VideoReader
from vsr.media.probe import packet_times, probe

_FOLDER = Path(__file__).resolve().parents[2] / "sample_videos"
_CLIPS = sorted(_FOLDER.glob("*.mp4"))


@pytest.mark.parametrize("path", _CLIPS, ids=lambda p: p.stem)
def test_a_sample_is_what_is_expected_of_it(path, referee):
    expected = json.loads(path.with_suffix(".expected.json").read_text())
    info = probe(path)
    pts, time_base = referee.pts(path)
    assert (info.width, info.height) == (expected["width"], expected["height"])
    assert packet_times(info).tolist() == pts
    assert (len(pts), str(time_base)) == (expected["frames"], expected["time_base"])
    assert (pts[0], pts[-1]) == (expected["first_pts"], expected["last_pts"])
    sound = referee.streams(path, "audio")
    packets = sum(len(referee.packets(path, s.index)) for s in sound)
    assert packets == expected["audio_packets"]
    assert VideoReader(info, cfg=DecodeConfig()).expected_frames == expected["frames"]


def test_samples_are_small_and_their_origin_is_told():
    assert len(_CLIPS) >= 3
    assert sum(p.stat().st_size for p in _CLIPS) < 3_000_000
    text = (_FOLDER / "README.md").read_text()
    for path in _CLIPS:
        assert path.name in text
