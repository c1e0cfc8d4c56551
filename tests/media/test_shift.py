"""Sound that begins before 0, which not every container holds: it stays beside its pictures."""

from __future__ import annotations

import struct
from fractions import Fraction

import av
import numpy as np
import pytest

from vsr.media.shift import _least_move


def _crc(data: bytes) -> int:
    """Ogg's checksum: polynomial 04C11DB7, nothing inverted (RFC 3533, section 6)."""
    value = 0
    for byte in data:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ 0x04C11DB7 if value & 0x80000000 else value << 1) & 0xFFFFFFFF
    return value


def _earlier(data: bytes, samples: int) -> bytes:
    """An Ogg file whose sound's pages all end so many samples sooner."""
    out, at, sound = bytearray(), 0, b""
    while at < len(data):
        segments = data[at + 26]
        size = 27 + segments + sum(data[at + 27 : at + 27 + segments])
        page = bytearray(data[at : at + size])
        (granule,) = struct.unpack("<q", page[6:14])
        if page[27 + segments :].startswith((b"\x01vorbis", b"OpusHead")):
            sound = bytes(page[14:18])
        if page[14:18] == sound and granule > 0:
            page[6:14] = struct.pack("<q", granule - samples)
        page[22:26] = bytes(4)
        page[22:26] = struct.pack("<I", _crc(bytes(page)))
        out += page
        at += size
    return bytes(out)


@pytest.fixture(scope="module")
def ogg(tmp_path_factory, referee):
    """Theora with sound of a codec, the sound a number of samples too soon."""
    folder = tmp_path_factory.mktemp("ogg")

    def make(codec: str, samples: int):
        path = folder / f"{codec}{samples}.ogv"
        rate = 44100 if codec == "libvorbis" else 48000
        if not path.exists():
            referee.ffmpeg(
                *("-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=1.2"),
                *("-f", "lavfi", "-i", f"anoisesrc=d=1.2:r={rate}:seed=1"),
                *("-c:v", "libtheora", "-c:a", codec, path),
            )
            path.write_bytes(_earlier(path.read_bytes(), samples))
        return path

    return make


def _distances(referee, source, out):
    """How far each sound packet lies from the first picture, before and after; seconds."""
    found = []
    for path in (source, out):
        pts, base = referee.pts(path)
        with av.open(str(path)) as container:
            stream = container.streams.audio[0]
            sound = [p for p in container.demux(stream) if p.size]
            tick = stream.time_base
        times = [None if p.pts is None else Fraction(p.pts) * tick - pts[0] * base for p in sound]
        found.append((times, [bytes(p) for p in sound]))
    (before, data), (after, same) = found
    assert same == data
    pairs = [(a, b) for a, b in zip(before, after, strict=True) if a is not None]
    assert len(pairs) >= len(before) - 1  # Ogg does not time its last packet
    return zip(*pairs, strict=True)


@pytest.mark.parametrize(("suffix", "video"), [(".mkv", "h264"), (".webm", "vp9")])
def test_the_first_packet_of_vorbis_gives_no_sound_and_moves_nothing(
    ogg, referee, tmp_path, suffix, video
):
    source, out = ogg("libvorbis", 0), tmp_path / f"out{suffix}"
    job = referee.job(source, out, codec=video, preset="ultrafast")
    before, after = _distances(referee, source, out)
    assert before[0] < 0 <= before[1]
    assert after[0] == 0
    for a, b in zip(before[1:], after[1:], strict=True):
        assert abs(a - b) <= Fraction(1, 1000)
    assert not [n for n in job.result.notices if "moved" in n]
    pts, base = referee.pts(out)
    assert [p * base for p in pts] == [Fraction(k, 25) for k in range(30)]


@pytest.mark.parametrize("codec", ["libvorbis", "libopus"])
@pytest.mark.parametrize("samples", [1000, 9000])
@pytest.mark.parametrize("suffix", [".mkv", ".webm"])
def test_sound_from_before_0_moves_everything_alike(ogg, referee, tmp_path, codec, samples, suffix):
    source, out = ogg(codec, samples), tmp_path / f"out{suffix}"
    video = "vp9" if suffix == ".webm" else "h264"
    job = referee.job(source, out, codec=video, preset="ultrafast")
    before, after = _distances(referee, source, out)
    assert before[1] < -Fraction(1, 1000)
    for a, b in zip(before, after, strict=True):
        assert abs(a - b) <= Fraction(1, 1000)
    (told,) = [n for n in job.result.notices if "sound starts" in n and "moved by" in n]
    assert (".mp4 keeps it" in told) == (codec == "libopus")
    pts, base = referee.pts(out)
    assert [(p - pts[0]) * base for p in pts] == [Fraction(k, 25) for k in range(30)]


def _heard(path):
    """What PyAV plays of the sound: samples from 0.3 to 1 s after the first picture."""
    with av.open(str(path)) as container:
        picture = next(container.decode(video=0))
        begin = Fraction(picture.pts) * picture.time_base
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        played = np.zeros(2 * stream.rate, np.float32)
        for frame in container.decode(stream):
            at = round((frame.pts * frame.time_base - begin) * stream.rate)
            if at >= 0:
                samples = frame.to_ndarray()[0]
                played[at : at + len(samples)] = samples
        return played[3 * stream.rate // 10 : stream.rate]


@pytest.mark.parametrize(
    ("samples", "suffix"), [(28, ".mp4"), (128, ".mp4"), (1000, ".mp4"), (1000, ".mov")]
)
def test_vorbis_that_begins_in_the_middle_of_a_packet_is_not_played_early(
    ogg, referee, tmp_path, samples, suffix
):
    """Readers of mp4 cut Vorbis at whole packets and take what is left for the beginning."""
    source, out = ogg("libvorbis", samples), tmp_path / f"out{suffix}"
    job = referee.job(source, out, preset="ultrafast")
    played = _heard(source)
    assert np.any(played)
    assert np.array_equal(_heard(out), played)
    told = [n for n in job.result.notices if "cannot start within a packet of Vorbis" in n]
    assert len(told) == (samples % 128 > 0), job.result.notices


def test_opus_begins_in_mp4_where_it_began(ogg, referee, tmp_path):
    source, out = ogg("libopus", 1000), tmp_path / "out.mp4"
    job = referee.job(source, out, preset="ultrafast")
    assert np.allclose(_heard(out), _heard(source), atol=1e-4)
    assert job.result.notices == []


@pytest.mark.parametrize(
    "codec", ["aac", "mp2", "ac3", "flac", "libmp3lame", "libopus", "pcm_s16le"]
)
def test_sound_that_an_edit_list_begins_earlier_stays_in_step(referee, tmp_path, codec):
    """Whatever its codec: QuickTime tells the delay, which Matroska takes over."""
    suffix = ".mov" if codec.startswith("pcm") else ".mp4"
    plain, source, out = tmp_path / f"plain{suffix}", tmp_path / f"in{suffix}", tmp_path / "out.mkv"
    pictures = ("-f", "lavfi", "-i", "testsrc2=s=96x64:r=30:d=0.5")
    sound = ("-f", "lavfi", "-i", "anoisesrc=d=0.5:r=48000")
    referee.ffmpeg(*pictures, *sound, "-c:v", "mpeg4", "-c:a", codec, plain)
    referee.ffmpeg(
        *("-i", plain, "-itsoffset", "-0.06", "-i", plain, "-map", "0:v", "-map", "1:a"),
        *("-c", "copy", source),
    )
    job = referee.job(source, out)
    before, after = _distances(referee, source, out)
    assert before[0] < 0
    for a, b in zip(before, after, strict=True):
        assert abs(a - b) <= Fraction(1, 1000)
    assert not [n for n in job.result.notices if "moved" in n]


@pytest.mark.parametrize("base", ["1/25", "1/15360", "1/90000", "1001/30000", "1/1000", "2/3"])
@pytest.mark.parametrize("least", ["1/1000", "128/44100", "7/10", "3"])
def test_a_move_is_enough_whole_ticks_and_no_more_than_it_must(base, least):
    tick, wanted = Fraction(base), Fraction(least)
    move = _least_move(wanted, tick)
    assert (move / tick).denominator == 1
    assert wanted <= move < wanted + max(tick, Fraction(1, 4))
