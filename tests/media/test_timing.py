"""Every frame keeps the source's own timestamp. The referee is PyAV."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest

SOURCES = [
    "r23976.mp4",
    "r25.mp4",
    "r2997.mp4",
    "r30.mp4",
    "r60.mp4",
    "r5994.mp4",
    "vfr.mp4",
    "offset.mp4",
    "offset.mkv",
    "ms.mkv",
    "ms2997.mkv",
    "stream.ts",
    "rotated.mp4",
    "edited.mp4",
]


@pytest.mark.parametrize("name", SOURCES)
def test_every_frame_comes_out_at_its_own_tick(clips, referee, tmp_path, name):
    source = clips(name)
    out = tmp_path / "out.mp4"
    job = referee.job(source, out)
    wanted, time_base = referee.pts(source)
    got, out_base = referee.pts(out)
    assert job.pts == wanted
    assert len(got) == len(wanted) > 20
    assert out_base == time_base
    assert max(abs(a - b) for a, b in zip(got, wanted, strict=True)) == 0


@pytest.mark.parametrize("name", ["r23976.mp4", "r2997.mp4", "vfr.mp4", "offset.mp4", "stream.ts"])
def test_a_coarser_container_is_off_by_half_a_tick_at_most(clips, referee, tmp_path, name):
    source = clips(name)
    out = tmp_path / "out.mkv"
    referee.job(source, out)
    wanted, time_base = referee.pts(source)
    got, out_base = referee.pts(out)
    assert len(got) == len(wanted)
    worst = max(abs(a * out_base - b * time_base) for a, b in zip(got, wanted, strict=True))
    assert worst <= max(out_base, time_base) / 2


@pytest.mark.parametrize("name", [n for n in SOURCES if n not in ("r60.mp4", "r5994.mp4")])
def test_the_default_grid_loses_no_frame_of_a_slow_source(clips, referee, tmp_path, name):
    source = clips(name)
    job = referee.job(source, tmp_path / "out.mp4", fps="30")
    assert job.pts == referee.pts(source)[0]
    assert job.reader.expected_frames == len(job.pts)


@pytest.mark.parametrize(("name", "step"), [("r60.mp4", Fraction(1, 30)), ("r5994.mp4", None)])
def test_a_fast_source_is_thinned_to_the_grid(clips, referee, tmp_path, name, step):
    source = clips(name)
    job = referee.job(source, tmp_path / "out.mp4", fps="30")
    every, time_base = referee.pts(source)
    assert set(job.pts) <= set(every)
    assert len(job.pts) == len(referee.pts(tmp_path / "out.mp4")[0]) == job.reader.expected_frames
    seconds = [(p - every[0]) * time_base for p in job.pts]
    for k, t in enumerate(seconds):  # each stands within half a source frame of its grid point
        assert abs(t - Fraction(k, 30)) <= Fraction(1, 119)
    if step:
        assert {b - a for a, b in pairwise(seconds)} == {step}


@pytest.mark.parametrize("rounding", ["round", "ceil"])
def test_of_two_frames_at_one_time_a_grid_takes_one(referee, tmp_path, rounding):
    """One lies right before its grid point, one right behind it."""
    source = tmp_path / "twice.mkv"
    film = ["-f", "lavfi", "-i", "testsrc2=s=64x64:r=60:d=0.2", "-c:v", "mjpeg"]
    referee.ffmpeg(*film, tmp_path / "once.mkv")  # milliseconds
    times = f"setts=ts={rounding}((N-gte(N\\,3))*50/3)"
    referee.ffmpeg("-i", tmp_path / "once.mkv", "-c", "copy", "-bsf:v", times, source)
    every, _ = referee.pts(source)
    assert every[2] == every[3]
    job = referee.job(source, tmp_path / "out.mkv", fps="30")
    assert job.pts == [every[0], every[2], *every[5::2]]
    assert job.reader.expected_frames == len(job.pts)
    assert not job.report.notices


@pytest.mark.parametrize("name", ["r30.mp4", "r2997.mp4", "vfr.mp4", "offset.mp4", "edited.mp4"])
def test_picture_and_sound_end_together(clips, referee, tmp_path, name):
    source, out = clips(name), tmp_path / "out.mp4"
    referee.job(source, out)
    for kind in ("video", "audio"):
        for before, after in zip(
            referee.streams(source, kind), referee.streams(out, kind), strict=True
        ):
            assert after.start == before.start
            end_before = (before.start or 0) + before.duration
            end_after = (after.start or 0) + after.duration
            assert abs(end_after - end_before) < Fraction(1, 1000), kind


def test_thinning_keeps_the_end(clips, referee, tmp_path):
    source, out = clips("r60.mp4"), tmp_path / "out.mp4"
    referee.job(source, out, fps="30")
    before, after = referee.streams(source, "video")[0], referee.streams(out, "video")[0]
    assert abs(after.duration - before.duration) < Fraction(1, 1000)


@pytest.mark.parametrize("name", ["untimed.avi", "raw.h264"])
def test_a_container_without_times_counts_at_a_constant_rate(clips, referee, tmp_path, name):
    source = clips(name)
    job = referee.job(source, tmp_path / "out.mp4")
    got, time_base = referee.pts(tmp_path / "out.mp4")
    assert len(got) == 36
    assert [p * time_base for p in got] == [Fraction(k, 30) for k in range(36)]
    assert any("no presentation times" in n for n in job.report.notices)


def test_program_streams_time_only_some_packets_but_all_frames_are_timed(clips, referee, tmp_path):
    source = clips("program.mpg")
    job = referee.job(source, tmp_path / "out.mp4", fps="30")
    assert job.pts == referee.pts(source)[0] == referee.pts(tmp_path / "out.mp4")[0]


def test_the_encoder_is_told_the_real_frame_rate(clips, referee, tmp_path):
    """Without a rate the encoder takes one tick for a frame: level 6.2, 15360 fps."""
    import av

    referee.job(clips("r30.mp4"), tmp_path / "out.mp4", scale=4)
    with av.open(str(tmp_path / "out.mp4")) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == 30
        assert stream.codec_context.profile is not None
        extra = bytes(stream.codec_context.extradata or b"")
        assert extra[3] <= 31, "H.264 level in the avcC header"
    referee.job(clips("r30.mp4"), tmp_path / "out.mkv", scale=4)
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert container.streams.video[0].average_rate == 30


@pytest.mark.parametrize(
    ("name", "start_s", "end_s"),
    [
        ("long.mp4", 2.0, 4.0),
        ("longc.mkv", 2.01, 3.333),
        ("longc.ts", 3.0, 5.0),
        ("offset.mp4", 2.0, None),
        ("untimed.avi", 0.5, 1.0),
    ],
)
def test_a_window_holds_exactly_its_frames_and_starts_at_zero(
    clips, referee, tmp_path, name, start_s, end_s
):
    from vsr.core.color import PIXEL_FORMATS
    from vsr.media.decode import DecodeConfig, VideoReader
    from vsr.media.encode import EncodeConfig, VideoWriter
    from vsr.media.probe import packet_times, probe

    info = probe(clips(name))
    times = [int(p) * info.time_base for p in packet_times(info)]
    low, high = Fraction(str(start_s)), Fraction(str(end_s or 1000))
    wanted = [t for t in times if low <= t < high]
    reader = VideoReader(
        info, canvas=PIXEL_FORMATS["yuv420p"], cfg=DecodeConfig(), start_s=start_s, end_s=end_s
    )
    out = tmp_path / "out.mp4"
    with VideoWriter(
        out,
        info=info,
        width=info.width * 2,
        height=info.height * 2,
        format=PIXEL_FORMATS["yuv420p"],
        color=info.color,
        cfg=EncodeConfig(preset="ultrafast"),
        start_s=start_s,
        end_s=end_s,
    ) as writer:
        for frame in reader:
            writer.write(frame.canvas, frame.pts)
        writer.close()
    assert reader.expected_frames == len(wanted)
    got, out_base = referee.pts(out)
    assert [p * out_base for p in got] == pytest.approx([t - low for t in wanted], abs=1e-3)
    sound = referee.streams(out, "audio")[0]
    length = (high if end_s else times[-1]) - low
    assert abs(float((sound.start or 0) + sound.duration) - float(length)) < 0.06


def test_a_far_start_is_moved_only_where_players_would_show_nothing(clips, referee, tmp_path):
    far = tmp_path / "far.mkv"
    referee.ffmpeg("-itsoffset", "5000", "-i", clips("ms.mkv"), "-c", "copy", "-copyts", far)
    moved = referee.job(far, tmp_path / "out.mp4")
    kept = referee.job(far, tmp_path / "out.mkv")
    wanted, _ = referee.pts(far)
    assert any("5000" in n for n in moved.result.notices)
    assert referee.pts(tmp_path / "out.mp4")[0] == [p - 5_000_000 for p in wanted]
    assert referee.pts(tmp_path / "out.mkv")[0] == wanted
    assert not kept.result.notices


def boxes(data, names, at=0, end=None):
    """(name, body) of an mp4's boxes of these names, by ISO/IEC 14496-12."""
    end = len(data) if end is None else end
    while at < end:
        size, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8].decode()
        if name in ("moov", "trak", "mdia", "edts"):
            yield from boxes(data, names, at + 8, at + size)
        elif name in names:
            yield name, data[at + 8 : at + size]
        at += size


@pytest.mark.parametrize(("delays", "suffix"), [
    ((4, 10, 25, 4, 4, 70, 4, 50), ".mp4"), ((4, 10, 25, 4, 4, 70, 4, 50), ".mov"),
    ((3,) * 33 + (91, 175, 47, 3), ".mp4"), ((4,) * 12, ".mp4"),
])  # fmt: skip
def test_the_last_picture_lasts_to_the_end(referee, tmp_path, delays, suffix):
    """Hundredths of a second that each picture of a GIF is shown."""
    shown = [sum(delays[:n]) for n in range(len(delays))]
    kept = "+".join(f"eq(n,{n})" for n in shown)
    source, out = tmp_path / "in.gif", tmp_path / f"out{suffix}"
    referee.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=100:d=5", "-vf", f"select='{kept}'",
                   "-fps_mode", "vfr", "-final_delay", delays[-1], source)  # fmt: skip
    referee.job(source, out)
    pts, base = referee.pts(out)
    assert [round(t * base * 100) for t in pts] == shown
    found = dict(boxes(out.read_bytes(), ("mvhd", "tkhd", "mdhd", "elst")))
    number = {k: [int.from_bytes(b[n : n + 4], "big") for n in range(0, len(b), 4)]
              for k, b in found.items()}  # fmt: skip
    scale = number["mvhd"][3]
    whole = sum(delays) / 100
    assert number["tkhd"][5] / scale == pytest.approx(whole, abs=0.001)
    assert number["elst"][2] / scale == pytest.approx(whole, abs=0.001)
    assert number["mdhd"][4] / number["mdhd"][3] == pytest.approx(whole, abs=0.001)
