"""A video encoded in parts and joined: the pictures, times and tags of each; PyAV decodes."""

from __future__ import annotations

import hashlib
from fractions import Fraction

import av
import numpy as np
import pytest

from vsr.core.color import PIXEL_FORMATS, ColorSpec
from vsr.core.errors import DataError
from vsr.core.types import YuvPicture
from vsr.media.encode import EncodeConfig, VideoWriter
from vsr.media.mux import part_arguments
from vsr.media.nut import NutMuxer
from vsr.media.probe import probe
from vsr.media.process import running_count
from vsr.media.segments import PartEncoder

CASES = [
    ("h264", "mp4"), ("h264", "mov"), ("h264", "mkv"), ("hevc", "mp4"), ("hevc", "mkv"),
    ("av1", "mp4"), ("av1", "mkv"), ("av1", "webm"), ("vp9", "mp4"), ("vp9", "mkv"),
    ("vp9", "webm"), ("ffv1", "mkv"),
]  # fmt: skip
COUNT = 23


def pictures(info, format, count=COUNT):
    """A bar that wanders over a ramp: no picture is like another."""
    width, height = 96, 64
    yuv = PIXEL_FORMATS[format]
    dtype = np.uint16 if yuv.bit_depth > 8 else np.uint8
    for index in range(count):
        buffer = np.full(yuv.samples(width, height), 1 << (yuv.bit_depth - 1), dtype)
        luma = buffer[: width * height].reshape(height, width)
        luma[:] = np.linspace(64, 160, width).astype(dtype) << (yuv.bit_depth - 8)
        luma[:, 4 * index % width : 4 * index % width + 4] = 220 << (yuv.bit_depth - 8)
        yield YuvPicture(buffer, width, height, yuv, info.color)


def times(gap_at=10):
    """Uneven steps, and ten seconds of nothing at a joint."""
    steps = [512 + 97 * (i % 3) + (153_600 if i == gap_at else 0) for i in range(COUNT)]
    return np.cumsum(steps).tolist()


def write(source, out, part_frames, pts, format="yuv420p", codec="h264", **more):
    info = probe(source)
    cfg = EncodeConfig(codec=codec, preset="superfast", part_frames=part_frames, pix_fmt=format)
    shape = {"width": 96, "height": 64, "format": PIXEL_FORMATS[format]}
    with VideoWriter(
        out, info=info, color=info.color, cfg=cfg, with_streams=False, **shape, **more
    ) as writer:
        skipped = sum(p.frames for p in more.get("done", ()))
        for at, picture in list(zip(pts, pictures(info, format), strict=False))[skipped:]:
            writer.write(picture, at)
        return info, writer.close()


def read(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        facts = stream.codec_context
        tags = (facts.color_range, facts.colorspace, facts.color_primaries, facts.color_trc)
        found = [(f.pts * Fraction(stream.time_base), f.to_ndarray()) for f in frames]
        return found, tags, stream.codec_context.codec_tag, facts.pix_fmt


def where_the_bar_is(picture, bits=8):
    luma = picture[:64] if picture.ndim == 2 else picture[0]
    return int(np.argmax(luma.astype(float).mean(axis=0)[:96])) // 4


@pytest.mark.parametrize(("codec", "suffix"), CASES)
@pytest.mark.parametrize("part_frames", [5, 1])
def test_joined_parts_keep_every_picture_at_its_time(clips, tmp_path, codec, suffix, part_frames):
    if part_frames == 1 and codec in ("av1", "hevc"):
        part_frames = 10  # an encoder each is slow there; the gap lies at a joint of this too
    out = tmp_path / f"out.{suffix}"
    pts = times()
    info, result = write(clips("vfr.mp4"), out, part_frames, pts, codec=codec)
    found, *_ = read(out)
    coarse = Fraction(1, 2000) if suffix in ("mkv", "webm") else 0
    assert len(found) == result.frames == COUNT
    assert all(abs(t - p * info.time_base) <= coarse for (t, _), p in zip(found, pts, strict=True))
    assert [where_the_bar_is(p) for _, p in found] == [i % 24 for i in range(COUNT)]
    assert running_count() == 0  # where the parts had to be joined twice, too


def test_ten_bits_tags_and_an_offset_survive(clips, tmp_path):
    out = tmp_path / "out.mp4"
    pts = [p + 5000 for p in times()]
    info, _ = write(clips("ten.mp4"), out, 4, pts, "yuv420p10le", "hevc")
    found, tags, tag, pix_fmt = read(out)
    assert [t for t, _ in found] == [p * info.time_base for p in pts]
    assert tags == (1, 9, 9, 16)  # limited range, BT.2020, PQ
    assert (tag, pix_fmt) == ("hvc1", "yuv420p10le")


def test_a_writer_that_goes_on_makes_the_same_file(clips, tmp_path):
    source, pts, parts = clips("vfr.mp4"), times(), []
    whole = write(source, tmp_path / "whole.mp4", 6, pts)[1]
    folder = tmp_path / "parts"
    folder.mkdir()
    info = probe(source)
    cfg = EncodeConfig(preset="superfast", part_frames=6)
    writer = VideoWriter(
        tmp_path / "out.mp4", info=info, color=info.color, cfg=cfg, with_streams=False, width=96,
        height=64, format=PIXEL_FORMATS["yuv420p"], parts=folder, on_part=parts.append,
    )  # fmt: skip
    for at, picture in list(zip(pts, pictures(info, "yuv420p"), strict=True))[:20]:
        writer.write(picture, at)
    writer.abort()  # as a lost run: what is finished stays
    assert sorted(p.name for p in folder.iterdir()) == [p.name for p in parts]
    assert len(parts) >= 2
    again = write(source, tmp_path / "out.mp4", 6, pts, parts=folder, done=parts)[1]
    assert again.pictures_sha256 == whole.pictures_sha256
    hashes = [hashlib.sha256(r.path.read_bytes()).hexdigest() for r in (whole, again)]
    assert hashes[0] == hashes[1]


def test_an_encoder_that_cannot_begin_leaves_nothing(tmp_path):
    class Broken(NutMuxer):
        def header(self) -> bytes:
            raise BrokenPipeError

    nut = Broken(
        width=96, height=64, format=PIXEL_FORMATS["yuv420p"], time_base=Fraction(1, 30),
        sample_aspect=Fraction(1), frame_rate=Fraction(30),
    )  # fmt: skip

    def words(path):
        path.touch()
        return part_arguments(path, cfg=EncodeConfig(), color=ColorSpec(), pixels=96 * 64)

    with pytest.raises(BrokenPipeError):
        PartEncoder(tmp_path / "0.nut", words, nut, shift=0, out=tmp_path / "out.mp4")
    assert running_count() == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["short", "a byte"])
def test_a_damaged_part_is_refused(clips, tmp_path, damage):
    folder, parts, pts = tmp_path / "parts", [], times()
    folder.mkdir()
    write(clips("vfr.mp4"), tmp_path / "a.mp4", 10, pts, parts=folder, on_part=parts.append)
    data = (folder / parts[0].name).read_bytes()
    other = data[:-1] + bytes([data[-1] ^ 1]) if damage == "a byte" else b"short"
    (folder / parts[0].name).write_bytes(other)
    with pytest.raises(DataError, match="--restart"):
        write(clips("vfr.mp4"), tmp_path / "b.mp4", 10, pts, parts=folder, done=parts)
    assert not (tmp_path / "b.mp4").exists()
