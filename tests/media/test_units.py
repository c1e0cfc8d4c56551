"""The pure parts: grid arithmetic, the NUT stream, picture folders."""

from __future__ import annotations

import subprocess
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsr.core.color import PIXEL_FORMATS
from vsr.core.errors import InputError, UsageError
from vsr.media.binary import ffmpeg_exe
from vsr.media.decode import DecodeConfig
from vsr.media.images import list_images, read_image, write_image
from vsr.media.nut import NutMuxer
from vsr.media.timeline import first_tick, keep_on_grid, parse_fps, raster, rate_of


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("30", Fraction(30)),
        ("source", None),
        (" Source ", None),
        ("12.5", Fraction(25, 2)),
        ("29.97", Fraction(30000, 1001)),
        ("23.976", Fraction(24000, 1001)),
        ("59.94", Fraction(60000, 1001)),
        ("30000/1001", Fraction(30000, 1001)),
    ],
)
def test_rates_are_read_exactly(text, rate):
    assert parse_fps(text) == rate


@pytest.mark.parametrize(
    "text", ["0", "-1", "nan", "inf", "", "1/0", "30fps", "1e9", "2000", "0/5"]
)
def test_bad_rates_are_refused_with_the_remedy(text):
    with pytest.raises(UsageError, match=r"fps: got '.*', expected .*source"):
        parse_fps(text)
    with pytest.raises(UsageError):
        DecodeConfig(fps=text)


MS = Fraction(1, 1000)


@pytest.mark.parametrize("rate", [Fraction(24000, 1001), 25, Fraction(30000, 1001), 30, 120])
def test_milliseconds_lose_no_frame_of_a_slow_source(rate):
    pts = np.array([round(k / rate * 1000) for k in range(3000)])
    assert keep_on_grid(pts, MS, Fraction(max(rate, 30))).all()


@pytest.mark.parametrize(("rate", "kept"), [(60, 300), (50, 300), (120, 300), (240, 300)])
def test_fast_sources_come_out_at_the_grid(rate, kept):
    pts = np.arange(10 * rate) * (90_000 // rate)
    keep = keep_on_grid(pts, Fraction(1, 90_000), Fraction(30))
    assert abs(int(keep.sum()) - kept) <= 1


def test_a_slow_source_with_pauses_keeps_every_frame():
    pts = np.concatenate([np.arange(30), np.arange(500, 530)]) * 3003
    assert keep_on_grid(pts, Fraction(1, 90_000), Fraction(30)).all()


def test_the_rate_is_that_between_the_gaps():
    pts = np.concatenate([np.arange(60), np.arange(6000, 6060), [2**60]])
    assert rate_of(pts, Fraction(1, 60)) == 60
    assert rate_of(pts[:1], MS) is None
    assert rate_of(np.zeros(3, np.int64), MS) is None


def test_a_gap_keeps_its_edges_once():
    pts = np.concatenate([np.arange(60), np.arange(600, 660)])  # 60 fps, nine seconds missing
    keep = keep_on_grid(np.sort(np.concatenate([pts, pts[:1] + 1])), Fraction(1, 60), Fraction(5))
    assert keep[0]
    wanted = [k % 2 == 0 or k == 59 for k in pts]
    keep = keep_on_grid(pts, Fraction(1, 60), Fraction(30))
    assert keep.tolist() == wanted, "pauses do not make 60 fps slow"
    far = keep_on_grid(np.append(pts, 2**61), Fraction(1, 60), Fraction(30))
    assert far.tolist() == [*wanted[:-1], True, True], "however far, in no memory"


@pytest.mark.parametrize("twice", [33, 34])
def test_of_frames_at_one_time_the_first_is_kept(twice):
    pts = np.array([0, 17, twice, twice, 50, 67])
    assert keep_on_grid(pts, MS, Fraction(30)).tolist() == [True, False, True, False, False, True]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=300),
    st.integers(-10_000, 10_000),
    st.integers(1, 120),
)
def test_each_grid_point_gets_its_nearest_frame(steps, start, fps):
    pts = np.cumsum([start, *steps])
    keep = keep_on_grid(pts, MS, Fraction(fps))
    span = int(pts[-1] - pts[0])
    median = float(np.median(np.diff(pts)))
    near = [k for k in steps if abs(k - median) <= 1] or [median]
    if Fraction(sum(near)) / len(near) * (fps + Fraction(1, 2)) >= 1000:
        assert keep.all()
        return
    assert keep[0]
    distance = np.abs(pts[:, None] - pts[0] - np.arange(int(span * fps / 1000) + 1) * 1000 / fps)
    assert np.all(distance[keep].min(axis=0) - distance.min(axis=0) < 1e-6), "a nearer frame fell"
    wanted = {int(np.argmin(distance[:, k])) for k in range(distance.shape[1])}
    assert len(wanted) == int(keep.sum())


def test_an_even_thinning_has_a_raster_and_an_uneven_one_has_not():
    pts = np.arange(120) * 256 + 26_000
    keep = keep_on_grid(pts, Fraction(1, 15360), Fraction(30))
    assert raster(pts, keep) == (26_000, 512)
    assert raster(pts, np.ones(120, bool)) is None
    keep[7] = True
    assert raster(pts, keep) is None


def test_a_float_time_means_the_decimal_it_shows():
    assert first_tick(3.333, MS) == 3333
    assert first_tick(3.3331, MS) == 3334
    assert first_tick(-0.5, Fraction(1, 30)) == -15


@pytest.mark.parametrize("name", list(PIXEL_FORMATS))
def test_ffmpeg_reads_our_nut_stream_tick_for_tick(name):
    format = PIXEL_FORMATS[name]
    pts = [0, 1, 127, 128, 16_384, 10**6, 10**9, 10**11]
    muxer = NutMuxer(
        width=33,
        height=17,
        format=format,
        time_base=Fraction(1001, 30_000),
        sample_aspect=Fraction(4, 3),
        frame_rate=Fraction(24_000, 1001),
    )
    pictures = [
        np.random.default_rng(k).integers(0, 256, format.samples(33, 17)).astype(
            np.uint16 if format.bit_depth > 8 else np.uint8
        )
        for k in range(len(pts))
    ]  # fmt: skip
    stream = muxer.header() + b"".join(
        muxer.frame(p, d.nbytes) + d.tobytes() for p, d in zip(pts, pictures, strict=True)
    )
    command = [ffmpeg_exe(), "-loglevel", "level+info", "-copyts", "-f", "nut", "-i", "pipe:0"]
    passed = ["-fps_mode", "passthrough", "-enc_time_base", "demux"]
    lines = subprocess.run(
        [*command, *passed, "-f", "framecrc", "-"], input=stream, capture_output=True
    )
    rows = [r.split(b",") for r in lines.stdout.splitlines() if not r.startswith(b"#")]
    assert [int(r[2]) for r in rows] == pts
    assert b"#tb 0: 1001/30000" in lines.stdout
    log = lines.stderr.decode()
    assert "23.98 tbr" in log
    assert "SAR 4:3" in log
    assert "[error]" not in log
    raw = subprocess.run(
        [*command, *passed, "-f", "rawvideo", "-"], input=stream, capture_output=True
    )
    assert raw.stdout == b"".join(d.tobytes() for d in pictures)


def test_negative_times_do_not_fit_nut():
    muxer = NutMuxer(width=2, height=2, format=PIXEL_FORMATS["yuv420p"], time_base=MS)
    with pytest.raises(ValueError, match="got pts -1, expected 0 or more"):
        muxer.frame(-1, 6)


@pytest.mark.parametrize(
    ("suffix", "dtype", "worst"),
    [(".png", np.uint8, 0), (".png", np.uint16, 0), (".jpg", np.uint8, 6), (".webp", np.uint8, 8)],
)
def test_pictures_come_back_as_they_were_written(tmp_path, suffix, dtype, worst):
    rows, columns = np.mgrid[0:48, 0:64]
    top = np.iinfo(dtype).max
    ramp = np.stack([rows / 48, columns / 64, (rows + columns) / 112], axis=-1) * top
    rgb = ramp.astype(dtype)
    write_image(tmp_path / f"a{suffix}", rgb)
    back = read_image(tmp_path / f"a{suffix}")
    assert back.dtype == dtype
    assert np.abs(back.astype(int) - rgb).max() <= worst
    assert [p.name for p in tmp_path.iterdir()] == [f"a{suffix}"]


def test_bad_folders_and_suffixes_are_one_line(tmp_path):
    with pytest.raises(InputError, match="holds no picture"):
        list_images(tmp_path)
    with pytest.raises(InputError, match="is not a folder"):
        list_images(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=r"got the suffix '\.gif'"):
        write_image(tmp_path / "a.gif", np.zeros((2, 2, 3), np.uint8))
