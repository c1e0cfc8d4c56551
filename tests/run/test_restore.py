"""The main job, end to end, on the committed samples; PyAV is the referee."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest

from vsr.core.errors import OutputError, UsageError
from vsr.core.hashing import file_sha256
from vsr.core.progress import Progress
from vsr.run.recipe import load_recipe
from vsr.run.restore import restore

SAMPLES = Path(__file__).resolve().parents[2] / "sample_videos"
FACE = SAMPLES / "surveillance_800x600_30fps.mp4"
QUICK = [("encode", "preset", "ultrafast"), ("encode", "crf", 0)]


def video_pts(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        times = sorted(p.pts for p in container.demux(stream) if p.pts is not None)
        return times, stream.time_base


def seconds(path):
    times, base = video_pts(path)
    return [t * base for t in times]


def audio_packets(path):
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return []
        return [bytes(p) for p in container.demux(container.streams.audio[0]) if p.size]


def luma(path, index):
    with av.open(str(path)) as container:
        for i, frame in enumerate(container.decode(video=0)):
            if i == index:
                return frame.to_ndarray(format="gray").astype(np.float64)
    raise AssertionError(f"{path} has no frame {index}")


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """The first 0.8 seconds of the sample with a face, stream-copied."""
    import subprocess

    from vsr.media.binary import ffmpeg_exe

    path = tmp_path_factory.mktemp("short") / "short.mp4"
    cut = ["-i", str(FACE), "-t", "0.8", "-c", "copy", str(path)]
    subprocess.run([ffmpeg_exe(), "-v", "error", "-y", *cut], check=True)
    return path


@pytest.fixture(scope="module")
def restored(short, tmp_path_factory):
    """The short sample through the default recipe and the shipped srresnet-x2."""
    out = tmp_path_factory.mktemp("restored") / "out.mp4"
    ticks: list[Progress] = []
    recipe = load_recipe("restore", [*QUICK, ("upscale", "model", "srresnet-x2")])
    manifest = restore(short, out, recipe, progress=ticks.append)
    return out, manifest, ticks


def test_every_frame_comes_back_at_its_own_time(short, restored):
    out, manifest, _ = restored
    assert seconds(out) == seconds(short)
    assert manifest.frames["written"] == manifest.frames["decoded"] == len(seconds(short))
    assert manifest.first_frame_s is not None
    assert 0 < manifest.first_frame_s <= manifest.seconds


def test_the_picture_is_twice_as_large_and_the_sound_is_the_same(short, restored):
    out, _, _ = restored
    with av.open(str(out)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (1600, 1200)
        assert stream.pix_fmt == "yuv420p"
    assert audio_packets(out) == audio_packets(short) != []


def test_the_face_is_found_and_super_resolved_and_nothing_else_is_touched(
    short, restored, tmp_path
):
    out, manifest, _ = restored
    assert len(manifest.tracks) == 1
    assert manifest.faces >= 0.9 * (manifest.frames["written"] or 0)
    assert manifest.model["name"] == "srresnet-x2"
    plain = tmp_path / "plain.mp4"
    none = [*QUICK, ("upscale", "model", "bicubic"), ("crop", "min_face_px", 10_000)]
    assert restore(short, plain, load_recipe("restore", none)).faces == 0
    changed = np.abs(luma(out, 10) - luma(plain, 10))
    rows, columns = np.nonzero(changed)
    assert changed.max() >= 8
    side = max(np.ptp(rows), np.ptp(columns))
    assert side < 2 * 3 * manifest.tracks[0]["median_width_px"]
    assert changed[: rows.min()].sum() == 0


def test_the_manifest_says_what_was_done(short, restored):
    out, manifest, _ = restored
    stored = json.loads(Path(f"{out}.json").read_text())
    assert stored == json.loads(manifest.to_json())
    assert stored["source"]["sha256"] == file_sha256(short)
    assert stored["outputs"][0]["sha256"] == file_sha256(out)
    assert stored["recipe"]["encode"]["preset"] == "ultrafast"
    assert len(stored["model"]["sha256"]) == 64
    assert {s["name"] for s in stored["stages"]} >= {"decode", "faces", "upscale"}


def test_progress_counts_every_frame_to_the_announced_total(restored):
    _, manifest, ticks = restored
    written = manifest.frames["written"]
    assert [t.done for t in ticks] == list(range(1, (written or 0) + 1))
    assert {t.total for t in ticks} == {written}
    assert ticks[-1].faces == manifest.faces


def test_the_same_run_gives_the_same_frames(short, restored, tmp_path):
    out, _, _ = restored
    again = tmp_path / "again.mp4"
    recipe = load_recipe("restore", [*QUICK, ("upscale", "model", "srresnet-x2")])
    restore(short, again, recipe)
    np.testing.assert_array_equal(luma(out, 20), luma(again, 20))


def test_uneven_frame_times_are_kept(tmp_path):
    name = "variable_rate.mp4"
    out = tmp_path / name
    recipe = load_recipe("restore", [*QUICK, ("upscale", "model", "bicubic")])
    manifest = restore(SAMPLES / name, out, recipe)
    assert seconds(out) == seconds(SAMPLES / name)
    expected = json.loads((SAMPLES / name).with_suffix(".expected.json").read_text())
    assert manifest.frames["written"] == expected["frames"]


def test_face_videos_have_the_generators_output_size_and_the_sources_times(short, tmp_path):
    out = tmp_path / "faces"
    recipe = load_recipe("crops", [("upscale", "model", "srresnet-x2")])
    manifest = restore(short, out, recipe)
    videos = sorted(out.glob("*.mp4"))
    assert len(videos) == len(manifest.tracks) == 1
    with av.open(str(videos[0])) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (128, 128)
    assert set(seconds(videos[0])) <= set(seconds(short))
    assert (out / "manifest.json").is_file()


def test_an_existing_output_is_kept_unless_asked(short, tmp_path):
    out = tmp_path / "out.mp4"
    out.write_bytes(b"precious")
    with pytest.raises(OutputError, match="--overwrite"):
        restore(short, out, load_recipe("restore"))
    assert out.read_bytes() == b"precious"


def test_a_model_of_another_scale_is_refused_before_work(short, tmp_path):
    recipe = load_recipe("restore", [("upscale", "model", "srresnet-x2"), ("upscale", "scale", 4)])
    with pytest.raises(UsageError, match="enlarges by"):
        restore(short, tmp_path / "out.mp4", recipe)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("fps", "share"), [("30", 2), ("source", 1)])
def test_a_faster_source_is_thinned_to_the_grid_unless_asked(fps, share, tmp_path):
    import subprocess

    from vsr.media.binary import ffmpeg_exe

    source, out = tmp_path / "sixty.mp4", tmp_path / "out.mp4"
    picture = ["-f", "lavfi", "-i", "testsrc2=s=96x64:r=60:d=1", "-c:v", "libx264"]
    subprocess.run([ffmpeg_exe(), "-v", "error", *picture, str(source)], check=True)
    changes = [*QUICK, ("decode", "fps", fps), ("upscale", "model", "lanczos")]
    restore(source, out, load_recipe("restore", changes))
    assert seconds(out) == seconds(source)[::share]
    with av.open(str(source)) as before, av.open(str(out)) as after:
        ends = [
            float(c.streams.video[0].duration * c.streams.video[0].time_base)
            for c in (before, after)
        ]
    assert ends[1] == pytest.approx(ends[0], abs=1 / 1000)
