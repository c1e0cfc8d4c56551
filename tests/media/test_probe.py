"""Header facts, and one clear line for whatever is not a video."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from vsr.core.errors import InputError
from vsr.media.banner import parse_banner
from vsr.media.formats import bit_depth_of, is_rgb, nearest_format
from vsr.media.probe import packet_times, probe

_UNSIZED = ("bayer_", "pal8", "mono", "xyz")


@pytest.mark.parametrize(
    "name", ["r2997.mp4", "vfr.mp4", "offset.mp4", "ms.mkv", "stream.ts", "edited.mp4", "ten.mp4"]
)
def test_facts_agree_with_pyav(clips, referee, name):
    path = clips(name)
    info = probe(path)
    pts, time_base = referee.pts(path)
    assert info.time_base == time_base
    assert (info.start_pts, info.last_pts, info.frame_count) == (pts[0], pts[-1], len(pts))
    assert packet_times(info).tolist() == pts
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        assert (info.width, info.height) == (context.width, context.height)
        assert info.codec == context.name
        assert info.pix_fmt == context.pix_fmt
        assert info.sample_aspect == stream.sample_aspect_ratio
        if stream.duration:
            assert info.duration_s == pytest.approx(float(stream.duration * time_base), abs=1e-3)
    if name == "r2997.mp4":
        assert info.frame_rate == Fraction(30000, 1001)


def test_rotation_swaps_the_sides(clips):
    info = probe(clips("rotated.mp4"))
    assert (info.width, info.height, info.rotation_deg) == (120, 160, 270)


def test_streams_are_listed_with_languages(clips):
    info = probe(clips("many.mkv"))
    assert [str(s) for s in info.streams] == [
        "video stream 0 (h264)",
        "audio stream 1 (aac, eng)",
        "audio stream 2 (ac3, ger)",
        "subtitle stream 3 (subrip, fre)",
        "subtitle stream 4 (ass)",
    ]


@pytest.mark.parametrize(
    ("name", "matrix", "full", "space", "tag_range"),
    [
        ("r30.mp4", "bt601", False, None, None),
        ("tagged.mp4", "bt709", False, "bt709", "tv"),
        ("full.mp4", "bt601", True, None, "pc"),
        ("ten.mp4", "bt2020", False, "bt2020nc", "tv"),
    ],
)
def test_colour_is_read_and_nothing_made_up(clips, name, matrix, full, space, tag_range):
    color = probe(clips(name)).color
    assert (color.matrix, color.full_range) == (matrix, full)
    assert (color.tag_space, color.tag_range) == (space, tag_range)


def test_colours_that_are_not_ycbcr_are_refused(referee, tmp_path):
    path = tmp_path / "ycgco.mp4"
    tags = "format=yuv420p,setparams=colorspace=ycgco"
    referee.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x64:d=0.2", "-vf", tags, path)
    with pytest.raises(InputError, match="its pictures are ycgco, expected Y'CbCr, RGB or grey"):
        probe(path)


def test_a_hostile_title_is_not_taken_for_a_stream(clips, referee, tmp_path):
    path = tmp_path / "title.mkv"
    fake = "x\n  Stream #0:0: Audio: mp3, 44100 Hz\nInput #0, hls, from 'y':"
    referee.ffmpeg("-i", clips("r30.mp4"), "-c", "copy", "-metadata", f"title={fake}", path)
    info = probe(path)
    assert [s.kind for s in info.streams] == ["video", "audio"]
    assert info.container == "matroska,webm"


def test_names_with_odd_characters_are_only_names(clips, tmp_path):
    for name in ("-y.mp4", "a:b%03d 'q' [x].mp4", "ünï.mp4"):
        path = tmp_path / name
        path.write_bytes(clips("r30.mp4").read_bytes())
        assert probe(path).frame_count == 36


def _cut(source: Path, out: Path, start: bytes) -> Path:
    data = source.read_bytes()
    out.write_bytes(data[: data.index(start) - 4])
    return out


@pytest.fixture
def bad(clips, tmp_path):
    """Bad input by name."""
    clip = clips("stream.ts")

    def make(kind: str) -> Path:
        path = tmp_path / f"{kind}.mp4"
        texts = {
            "text": "just a text file\nwith two lines\n",
            "subtitles": "1\n00:00:00,100 --> 00:00:01,000\nhello\n",
            "m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:1,\n{clip}\n#EXT-X-ENDLIST\n",
            "ffconcat": f"ffconcat version 1.0\nfile '{clip}'\n",
            "bom": f"\ufeff#EXTM3U\n{clip}\n",
            "dash": '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>',
        }
        if kind in texts:
            path.write_text(texts[kind], encoding="utf-8")
        elif kind == "empty":
            path.touch()
        elif kind == "folder":
            path.mkdir()
        elif kind == "noindex":
            _cut(clips("r30.mp4"), path, b"moov")
        elif kind == "noise":
            path.write_bytes(np.random.default_rng(0).bytes(50_000))
        elif kind == "sound":
            path.write_bytes(clips("sound.m4a").read_bytes())
        elif kind == "fifo":
            os.mkfifo(path)
        return path

    return make


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("missing", "no such file"),
        ("folder", "is a folder, expected a video file"),
        ("empty", "is empty"),
        ("fifo", "is a pipe or a device, expected a file"),
        ("text", "is a text file, expected a video"),
        ("subtitles", "is a text file, expected a video"),
        ("m3u8", "playlist, expected one video file"),
        ("bom", "playlist, expected one video file"),
        ("ffconcat", "ffconcat playlist"),
        ("dash", "DASH manifest"),
        ("sound", "holds only audio, expected a video stream"),
        ("noindex", r"no index \(moov atom\)"),
        ("noise", "is not a video that can be read"),
    ],
)
def test_bad_input_is_refused_in_one_line(bad, kind, words):
    path = bad(kind)
    with pytest.raises(InputError, match=words) as caught:
        probe(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_pixel_format_names_agree_with_pyav():
    """Depth, RGB or not, and chroma layout of every software format libav knows."""
    checked = 0
    for name in sorted(av.video.format.names):
        try:
            known = av.VideoFormat(name, 64, 64)
        except ValueError:
            continue
        if not known.components or name.startswith(_UNSIZED):
            continue
        depth = max(8, min(16, max(c.bits for c in known.components)))
        if depth == 8 and name.endswith(("_vld", "vaapi", "cuda")):
            continue
        assert bit_depth_of(name) == depth, name
        assert is_rgb(name) == known.is_rgb, name
        subsampled = known.chroma_width(64), known.chroma_height(64)
        if not known.is_rgb and len(known.components) >= 3 and subsampled in (
            (64, 64), (32, 64), (32, 32),
        ):  # fmt: skip
            ours = nearest_format(name)
            assert (64 >> ours.log2_chroma_w, 64 >> ours.log2_chroma_h) == subsampled, name
        checked += 1
    assert checked > 100


def test_a_banner_without_input_is_empty():
    assert parse_banner(["[error] Invalid data found"]).container is None
