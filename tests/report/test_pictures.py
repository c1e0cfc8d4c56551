"""The pictures of the page come from the very frames and places that are named."""

from __future__ import annotations

import base64
import io
import subprocess
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from vsr.core.geometry import Box
from vsr.core.types import Face, FrameFaces
from vsr.evaluate.report import plots, trust, words
from vsr.evaluate.report.build import build_report
from vsr.evaluate.report.document import Chart, Line, Moment
from vsr.evaluate.report.pictures import LOSSLESS, Budget, bicubic, encode, frames_at, region_of
from vsr.media.binary import ffmpeg_exe
from vsr.run.recipe import load_recipe
from vsr.run.restore import restore


def grey(second: float) -> int:
    """What a frame of the test video shows at a time: far from its neighbours' grey."""
    return 20 + 37 * round(second * 25) % 199


@pytest.fixture(scope="module", params=["clip.mkv", "clip.mp4"])
def numbered(request, tmp_path_factory):
    """Thirty seconds at 25 fps from second 3 on whose grey tells the frame; lossless."""
    path = tmp_path_factory.mktemp("numbered") / request.param
    with av.open(str(path), "w") as container:
        kind = "ffv1" if path.suffix == ".mkv" else "libx264"
        stream = container.add_stream(kind, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.time_base = Fraction(1, 25)
        stream.options = {"qp": "0", "g": "50", "bf": "3"} if kind == "libx264" else {}
        for i in range(75, 75 + 750):
            frame = av.VideoFrame(64, 48, "gray")
            pixels = np.full((48, frame.planes[0].line_size), grey(i / 25), np.uint8)
            frame.planes[0].update(pixels)
            frame = frame.reformat(format="yuv420p", src_color_range=1, dst_color_range=1)
            frame.pts, frame.time_base = i, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_each_time_gives_its_own_frame_also_after_a_jump(numbered):
    with av.open(str(numbered)) as container:
        luma = {
            float(f.pts * f.time_base): f.to_ndarray(format="yuv420p")[0, 0]
            for f in container.decode(video=0)
        }
    times = sorted(luma)
    wanted = [times[i] for i in (0, 1, 7, 300, 301, 700, 749)]
    found = dict(frames_at(numbered, [*wanted, 99.0]))
    assert sorted(found) == wanted
    full = {t: round((int(luma[t]) - 16) * 255 / 219) for t in wanted}
    for t in wanted:
        assert abs(int(found[t][0, 0, 1]) - full[t]) <= 2
    assert len(set(full.values())) == 7


def test_a_folder_of_frames_with_gaps_is_a_source_too(tmp_path):
    for number in (100, 101, 105, 130):
        cv2.imwrite(str(tmp_path / f"{number:08d}.png"), np.full((48, 64, 3), number, np.uint8))
    found = dict(frames_at(tmp_path, [0.0, 0.2, 1.2], folder_fps="25"))
    assert {t: int(p[0, 0, 0]) for t, p in found.items()} == {0.0: 100, 0.2: 105, 1.2: 130}


def test_the_result_lies_over_the_source(made):
    """Reduced again, the right picture gives the left one's content at the same place."""
    for pair in made.document.tracks[0].pairs:
        source, after = decode(pair.source.uri), decode(pair.after.uri)
        assert after.shape[0] == 2 * source.shape[0]
        back = cv2.resize(after, source.shape[1::-1], interpolation=cv2.INTER_AREA)
        shifts = {
            (dx, dy): np.abs(
                np.roll(back, (dy, dx), (0, 1))[4:-4, 4:-4] - source[4:-4, 4:-4]
            ).mean()
            for dx in (-1, 0, 1)
            for dy in (-1, 0, 1)
        }
        assert min(shifts, key=lambda s: shifts[s]) == (0, 0)
        assert shifts[0, 0] < 4


def test_a_run_on_a_folder_of_frames_is_reported(finished, tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    command = [ffmpeg_exe(), "-v", "error", "-i", str(finished.with_name("source.mp4"))]
    subprocess.run([*command, str(folder / "%08d.png")], check=True, stdin=subprocess.DEVNULL)
    (folder / "00000004.png").unlink()
    out = tmp_path / "out.mp4"
    quick = [("upscale", "model", "bicubic"), ("encode", "preset", "ultrafast")]
    restore(folder, out, load_recipe("restore", quick))
    made = build_report(out, tmp_path / "r.html")
    assert made.document.tracks[0].pairs
    assert made.document.overview is not None


def test_the_videos_of_a_person_who_returns_are_one_face(numbered, tmp_path):
    def find(frames):
        for n, frame in enumerate(frames):
            here = n < 4 or 140 <= n < 144
            yield FrameFaces(frame, (Face(Box(20, 10, 24, 24), 1.0, track_id=0),) if here else ())

    out = tmp_path / "face_7.mp4"
    quick = [("upscale", "model", "lanczos"), ("encode", "preset", "ultrafast")]
    restore(numbered, out, load_recipe("crops", quick), find=find)
    (track,) = build_report(out, tmp_path / "r.html").document.tracks  # as the run was told
    frames = sorted(pair.frame for pair in track.pairs)
    assert frames[0] < 4
    assert frames[-1] >= 140
    for pair in track.pairs:
        assert abs(decode(pair.after.uri) - decode(pair.before.uri)).mean() < 3


def decode(uri: str) -> np.ndarray:
    """The pixels of a data URI, float32."""
    data = base64.b64decode(uri.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), np.float32)


def test_small_pictures_are_stored_without_loss_and_large_ones_reduced():
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (LOSSLESS, 90, 3), dtype=np.uint8)
    np.testing.assert_array_equal(decode(encode(small).uri), small)
    large = encode(rng.integers(0, 256, (1000, 500, 3), dtype=np.uint8))
    assert (large.width, large.height) == (360, 720)


def test_bicubic_is_the_model_bicubic():
    from vsr.models.interpolate import InterpolationUpscaler

    rgb = np.random.default_rng(1).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    wanted = InterpolationUpscaler("bicubic", 2)(rgb[None])[0]
    np.testing.assert_array_equal(bicubic(rgb, 60, 40), wanted)


@pytest.mark.parametrize(
    "box", [(-20, -5, 40, 50), (90, 60, 30, 30), (0, 0, 500, 300), (5, 5, 1, 1)]
)
def test_the_region_is_square_holds_the_face_and_stays_inside(box):
    region = region_of(Box(*box), 100, 80)
    assert region.width == region.height >= 8
    assert region.x + region.width <= 100
    assert region.y + region.height <= 80
    left, right = max(0, box[0]), min(100, box[0] + box[2])
    if right - left <= 80:
        assert region.x <= left
        assert right <= region.x + region.width


def test_the_budget_ends():
    picture = encode(np.zeros((8, 8, 3), np.uint8))
    budget = Budget(left=len(picture.uri) + 5)
    assert [budget.take(picture), budget.take(picture)] == [True, False]
    assert budget.refused == 1


def test_numbers_and_times_read_well():
    assert [words.clock(s) for s in (0, 62.5, 3661.255, -0.5)] == [
        "0:00.00",
        "1:02.50",
        "1:01:01.26",
        "−0:00.50",
    ]
    assert [words.number(v) for v in (0, 0.01234, 33.456, 1234.5, -2.0)] == [
        "0",
        "0.0123",
        "33.5",
        "1,234",
        "−2.00",
    ]
    assert words.ticks(0, 57) == [0, 20, 40, 60]
    assert words.ticks(3, 3)[0] <= 3 <= words.ticks(3, 3)[-1]


def test_runs_are_counted_to_the_end():
    runs = trust.runs_of([3, 4, 5, 9, 12, 13])
    assert runs == [(3, 5), (9, 9), (12, 13)]
    assert trust.runs_in_words(runs, 6) == "3–5, 9, 12–13"
    assert trust.runs_in_words(runs[:2], 6) == "3–5, 9 and 2 more frames"


def test_holes_in_a_curve_stay_holes_and_odd_values_draw():
    points = tuple((float(i), None if i == 5 else float(i)) for i in range(10))
    plot = plots.draw(Chart(title="T", unit="u", lines=(Line(name="a", points=points),)), (0, 9))
    assert plot is not None
    assert str(plot.svg).count('class="line-0"') == 2
    flat = Chart(title="T", unit="u", lines=(Line(name="a", points=((0.0, 2.0),)),))
    assert plots.draw(flat, (0.0, 0.0)) is not None
    assert plots.draw(Chart(title="T", unit="u", lines=()), (0, 1)) is None


def test_the_timeline_shows_gaps_and_kinds():
    moments = [
        Moment(frame=i, seconds=i / 10, width_px=30, outcome="super-resolved") for i in range(9)
    ]
    moments[4] = Moment(frame=4, seconds=0.4, width_px=30, filled=True)
    moments += [Moment(frame=50, seconds=5.0, width_px=30, outcome="plain")]
    svg = str(plots.bar(tuple(moments), (0.0, 6.0)))
    assert svg.count("run-sr") == 2
    assert svg.count("run-filled") == 1
    assert svg.count("run-plain") == 1
