"""Sound, subtitles, chapters, metadata and tags come along; what can't is named."""

from __future__ import annotations

import av
import pytest

from vsr.core.errors import UsageError
from vsr.media.containers import CONTAINERS, container_for, plan_streams
from vsr.media.encode import EncodeConfig
from vsr.media.probe import probe


def same_packets(referee, source, out, source_index, out_index, tick=1e-3):
    before = referee.packets(source, source_index)
    after = referee.packets(out, out_index)
    assert len(before) > 1
    assert [data for _, data in after] == [data for _, data in before]
    times = zip((t for t, _ in before), (t for t, _ in after), strict=True)
    assert max(abs(float(a - b)) for a, b in times) <= tick


@pytest.mark.parametrize("name", ["r30.mp4", "offset.mp4", "ms.mkv", "edited.mp4", "program.mpg"])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_sound_is_copied_bit_for_bit_and_stays_in_step(clips, referee, tmp_path, name, suffix):
    source, out = clips(name), tmp_path / f"out{suffix}"
    referee.job(source, out)
    sound_in, sound_out = referee.streams(source, "audio")[0], referee.streams(out, "audio")[0]
    same_packets(referee, source, out, sound_in.index, sound_out.index)


def test_sound_of_a_transport_stream_is_the_same_without_its_packet_headers(
    clips, referee, tmp_path
):
    """AAC stands with 7-byte ADTS headers in TS and without them in mp4."""
    source, out = clips("stream.ts"), tmp_path / "out.mp4"
    referee.job(source, out)
    before = [d[7:] for _, d in referee.packets(source, 1)]
    assert [d for _, d in referee.packets(out, 1)] == before


def test_all_streams_chapters_and_titles_reach_mkv(clips, referee, tmp_path):
    source, out = clips("many.mkv"), tmp_path / "out.mkv"
    job = referee.job(source, out)
    assert job.result.notices == []
    for kind in ("audio", "subtitle"):
        before, after = referee.streams(source, kind), referee.streams(out, kind)
        assert [(s.codec, s.language) for s in after] == [(s.codec, s.language) for s in before]
        for a, b in zip(before, after, strict=True):
            if a.codec != "ssa":
                same_packets(referee, source, out, a.index, b.index)
    with av.open(str(out)) as container:
        assert container.metadata["title"] == "A film"
        assert [c["metadata"]["title"] for c in container.chapters()] == ["one", "two"]
        assert container.streams[2].disposition & av.stream.Disposition.comment


def test_text_subtitles_become_mov_text_in_mp4_with_a_notice(clips, referee, tmp_path):
    out = tmp_path / "out.mp4"
    job = referee.job(clips("many.mkv"), out)
    assert [s.codec for s in referee.streams(out, "subtitle")] == ["mov_text", "mov_text"]
    assert referee.streams(out, "subtitle")[0].language == "fre"
    assert any("subtitle stream 3 (subrip, fre) was converted" in n for n in job.result.notices)
    with av.open(str(out)) as container:
        words = b"".join(bytes(p) for p in container.demux(container.streams[3]))
    assert b"hello" in words
    assert b"bye" in words
    with av.open(str(out)) as container:
        assert container.metadata["artist"] == "Somebody"
        assert len(container.chapters()) == 2


def test_mov_text_is_copied_into_mp4(clips, referee, tmp_path):
    source, out = clips("many.mp4"), tmp_path / "out.mp4"
    job = referee.job(source, out)
    assert job.result.notices == []
    same_packets(referee, source, out, 3, 3)


def test_what_webm_cannot_hold_is_left_out_by_name(clips, referee, tmp_path):
    out = tmp_path / "out.webm"
    job = referee.job(clips("many.mp4"), out, codec="vp9")
    assert referee.streams(out, "audio") == []
    assert any(
        "audio stream 1 (aac, eng) was left out: .webm cannot hold it" in n
        for n in job.result.notices
    )
    assert [s.codec for s in referee.streams(out, "subtitle")] == ["webvtt"]


def test_cover_art_stays_beside_the_picture(clips, referee, tmp_path):
    source, out = clips("cover.mp4"), tmp_path / "out.mp4"
    job = referee.job(source, out)
    assert job.info.stream_index == 0
    kinds = referee.streams(out, "video")
    assert [s.codec for s in kinds] == ["h264", "png"]
    assert len(referee.pts(out)[0]) == 36


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_a_phones_own_titles_survive(clips, referee, tmp_path, suffix):
    source, out = tmp_path / "phone.mov", tmp_path / f"out{suffix}"
    titles = {
        "com.apple.quicktime.make": "Maker",
        "com.apple.quicktime.location.ISO6709": "+48.1-002.2/",
        "title": "Beach",
    }
    given = [word for k, v in titles.items() for word in ("-metadata", f"{k}={v}")]
    keys = ("-movflags", "use_metadata_tags")
    referee.ffmpeg("-i", clips("r30.mp4"), "-c", "copy", *keys, *given, source)
    referee.job(source, out)
    with av.open(str(out)) as container:
        found = {k.lower(): v for k, v in container.metadata.items()}
    assert {k: found.get(k.lower()) for k in titles} == titles


def test_plain_titles_stay_where_every_player_reads_them(clips, referee, tmp_path):
    """Free keys replace the usual place for titles: only where they are needed."""
    referee.job(clips("many.mp4"), tmp_path / "out.mp4")
    assert b"mdta" not in (tmp_path / "out.mp4").read_bytes()


def test_an_mp4s_brand_is_not_carried_into_mkv(clips, referee, tmp_path):
    referee.job(clips("r30.mp4"), tmp_path / "out.mkv")
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert not {k.lower() for k in container.metadata} & {"major_brand", "minor_version"}


@pytest.mark.parametrize("name", ["tagged.mp4", "full.mp4", "r30.mp4"])
@pytest.mark.parametrize(("codec", "suffix"), [("h264", ".mp4"), ("hevc", ".mp4"), ("av1", ".mkv")])
def test_colour_tags_and_pixel_aspect_are_kept(clips, referee, tmp_path, name, codec, suffix):
    source, out = clips(name), tmp_path / f"out{suffix}"
    referee.job(source, out, codec=codec)
    before, after = referee.facts(source), referee.facts(out)
    assert (after.space, after.primaries, after.transfer) == (
        before.space,
        before.primaries,
        before.transfer,
    )
    assert after.aspect == before.aspect
    # unspecified limited range may be written as what it is, by formats that must say it
    assert after.range == before.range or (before.range == 0 and after.range == 1)


@pytest.mark.parametrize("codec", ["h264", "hevc", "ffv1"])
def test_hdr_tags_and_ten_bits_survive(clips, referee, tmp_path, codec):
    out = tmp_path / "out.mkv"
    referee.job(clips("ten.mp4"), out, codec=codec, pix_fmt="source")
    facts = referee.facts(out)
    assert facts.pix_fmt == "yuv420p10le"
    assert (facts.space, facts.primaries, facts.transfer, facts.range) == (9, 9, 16, 1)


def test_a_rotated_film_comes_out_upright_without_the_flag(clips, referee, tmp_path):
    source, out = clips("rotated.mp4"), tmp_path / "out.mp4"
    assert referee.facts(source).rotation != 0
    job = referee.job(source, out)
    facts = referee.facts(out)
    assert facts.rotation == 0
    assert (facts.width, facts.height) == (240, 320)
    assert job.info.rotation_deg == 270


def test_odd_sizes_double_to_even_ones(clips, referee, tmp_path):
    referee.job(clips("odd.mkv"), tmp_path / "out.mp4")
    facts = referee.facts(tmp_path / "out.mp4")
    assert (facts.width, facts.height, facts.pix_fmt) == (322, 242, "yuv420p")


def test_hevc_in_mp4_is_tagged_for_apple_players(clips, referee, tmp_path):
    referee.job(clips("full.mp4"), tmp_path / "out.mp4", codec="hevc")
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].codec_tag == "hvc1"


@pytest.mark.parametrize(
    ("name", "codec", "words"),
    [
        ("out.xyz", "h264", "expected one of .mp4"),
        ("out", "h264", "got the suffix ''"),
        ("out.mp4", "ffv1", "cannot hold ffv1"),
        ("out.webm", "h264", "only av1, vp9"),
    ],
)
def test_unfit_names_are_refused(tmp_path, name, codec, words):
    with pytest.raises(UsageError, match=words):
        container_for(tmp_path / name, codec)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"codec": "mpeg1"}, "codec: got 'mpeg1', expected one of h264"),
        ({"crf": 52}, "crf: got 52, expected 0 to 51"),
        ({"preset": "warp"}, "preset: got 'warp', expected one of ultrafast"),
        ({"pix_fmt": "rgb24"}, "pix_fmt: got 'rgb24', expected one of source"),
        ({"codec": "av1", "pix_fmt": "yuv444p"}, "for av1"),
    ],
)
def test_encoder_settings_are_checked_when_made(change, words):
    with pytest.raises(UsageError, match=words):
        EncodeConfig(**change)


def test_plans_name_every_stream(clips):
    info = probe(clips("many.mkv"))
    plans, notices = plan_streams(info, CONTAINERS[".mp4"])
    assert [p.action for p in plans] == ["copy", "copy", "convert", "convert"]
    assert len(notices) == 2
