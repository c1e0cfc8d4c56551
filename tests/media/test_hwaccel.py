"""The graphics card: asked for in the right words, and done without where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from vsr.core.errors import UsageError
from vsr.media import hwaccel
from vsr.media.codecs import EncodeConfig, card_notices, encoder_options
from vsr.media.decode import DecodeConfig, VideoReader
from vsr.media.graph import Outputs, decode_arguments
from vsr.media.probe import probe

SAMPLE = Path(__file__).resolve().parents[2] / "sample_videos" / "no_face.mp4"


def test_a_trial_says_yes_to_what_works_and_no_to_the_rest() -> None:
    film = ["-f", "lavfi", "-i", "color=size=64x48:rate=30", "-frames:v", "2"]
    assert hwaccel._works([*film, "-c:v", "libx264", "-f", "null", "-"])
    assert not hwaccel._works([*film, "-c:v", "no_such_encoder", "-f", "null", "-"])


def test_a_picture_of_the_processor_is_not_taken_for_the_cards() -> None:
    """ffmpeg falls back by itself and ends well; the trial must not."""
    if hwaccel.can_decode(probe(SAMPLE)):
        pytest.skip("this machine has a card that decodes")
    assert hwaccel._works(["-i", str(SAMPLE), "-frames:v", "1", "-f", "null", "-"])


def test_without_a_card_it_decodes_the_same_and_says_so() -> None:
    info = probe(SAMPLE)
    plain = VideoReader(info, canvas=None, end_s=0.2)
    asked = VideoReader(info, canvas=None, end_s=0.2, cfg=DecodeConfig(hwaccel="auto"))
    for a, b in zip(plain, asked, strict=True):
        assert a.pts == b.pts
        assert (a.rgb == b.rgb).all()
    if not hwaccel.can_decode(info):
        assert any("decoded on the CPU" in n for n in asked.report.notices)
    assert plain.report.notices == []


def test_the_card_decodes_before_anything_is_filtered() -> None:
    words = decode_arguments(
        probe(SAMPLE), Outputs(pts=5, rgb=6, canvas=None), scale=2, canvas=None, hwaccel="cuda"
    )
    assert words.index("-hwaccel") < words.index("-i")
    assert words[words.index("-hwaccel") + 1] == "cuda"
    graph = words[words.index("-filter_complex") + 1]
    # whatever format the card gives, it is the source's before colours are converted
    assert 0 < graph.index("format=yuv420p") < graph.index("colorspace=")


@pytest.mark.parametrize(
    ("codec", "crf", "preset", "want"),
    [
        ("h264", 17, "medium", {"c:v:0": "h264_nvenc", "preset": "p4", "rc": "vbr", "cq": 17}),
        ("hevc", 20, "veryslow", {"c:v:0": "hevc_nvenc", "preset": "p7"}),
        ("h264", 0, "ultrafast", {"preset": "p1", "tune": "lossless"}),
    ],
)
def test_what_the_cards_encoder_is_told(
    codec: str, crf: int, preset: str, want: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hwaccel, "_can_encode", lambda *_: True)
    cfg = EncodeConfig(codec=codec, crf=crf, preset=preset, hwaccel="auto")
    options = encoder_options(cfg)
    assert want.items() <= options.items()
    assert "crf" not in options
    assert ("cq" in options) == (crf > 0)  # to NVENC a cq of 0 means "choose yourself"
    assert card_notices(cfg) == []


def test_what_no_card_encodes_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hwaccel, "_can_encode", lambda *_: pytest.fail("tried"))
    cfg = EncodeConfig(codec="ffv1", hwaccel="auto")
    assert encoder_options(cfg)["c:v:0"] == "ffv1"
    assert "encoded on the CPU" in card_notices(cfg)[0]
    assert encoder_options(EncodeConfig())["c:v:0"] == "libx264"


@pytest.mark.parametrize("config", [DecodeConfig, EncodeConfig])
def test_other_words_are_refused(config: type) -> None:
    with pytest.raises(UsageError, match=r"hwaccel: got 'cuda', expected 'none' or 'auto'"):
        config(hwaccel="cuda")
