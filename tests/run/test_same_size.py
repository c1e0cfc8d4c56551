"""``--scale 1``: the source's size and pixels, but where a face was cleared."""

from __future__ import annotations

import numpy as np
import pytest

from vsr.core.color import PIXEL_FORMATS
from vsr.core.errors import UsageError
from vsr.run.assemble import assemble
from vsr.run.export import export
from vsr.run.recipe import load_recipe
from vsr.run.restore import restore
from vsr.run.samesize import crop_config, frame_format
from vsr.run.source import probe_source

SAME = [("upscale", "scale", 1), ("decode", "fps", "source"), ("encode", "codec", "ffv1")]


@pytest.fixture(scope="module")
def enlarged(face_clip, ffmpeg, tmp_path_factory):
    """The clip's faces with a sixteenth of the pixels, which somebody enlarged again; sound."""
    path = tmp_path_factory.mktemp("enlarged") / "clip.mp4"
    ffmpeg(
        *("-i", face_clip, "-vf", "scale=80:60:flags=area,scale=320:240:flags=bicubic"),
        *("-fps_mode", "passthrough", "-enc_time_base:v", "1/15360", "-copyts"),
        *("-video_track_timescale", "15360", "-c:v", "libx264", "-crf", "16", "-c:a", "copy", path),
    )
    return path


def _same_times_and_sound(source, out, watch, sound):
    (times, before), (again, after) = watch(source), watch(out)
    assert before.shape == after.shape
    tolerance = 1 / 2000 if out.suffix == ".mkv" else 0
    assert all(abs(a - b) <= tolerance for a, b in zip(times, again, strict=True))
    assert [p for _, p in sound(source)] == [p for _, p in sound(out)]
    return before.astype(int), after.astype(int)


def test_without_a_network_it_is_the_source(face_clip, tmp_path, watch, sound):
    out = tmp_path / "out.mkv"
    recipe = load_recipe("restore", [*SAME, ("upscale", "model", "bicubic")])
    manifest = restore(face_clip, out, recipe)
    assert manifest.faces
    assert manifest.model == {"name": "bicubic", "scale": 1, "sha256": ""}
    before, after = _same_times_and_sound(face_clip, out, watch, sound)
    assert np.array_equal(before, after)


def test_a_sharp_face_stays_and_that_is_told(face_clip, tmp_path, watch, sound):
    out = tmp_path / "out.mkv"
    manifest = restore(face_clip, out, load_recipe("restore", SAME))
    before, after = _same_times_and_sound(face_clip, out, watch, sound)
    assert np.array_equal(before, after)
    (track,) = manifest.tracks
    assert (track["kept"], track["plain"]) == (track["frames"], 0)
    assert f"{manifest.faces} of {manifest.faces} faces stay as they are" in manifest.notices[-1]
    assert track["best"][0]["outcome"] == "kept"


def test_an_enlarged_face_is_cleared_and_nothing_else_changes(enlarged, tmp_path, watch, sound):
    out = tmp_path / "out.mkv"
    manifest = restore(enlarged, out, load_recipe("restore", SAME))
    before, after = _same_times_and_sound(enlarged, out, watch, sound)
    (track,) = manifest.tracks
    assert (track["kept"], track["working_px"], track["working_scale"]) == (0, 20, 4)
    assert [*manifest.networks] == ["srgan-x4"]
    assert manifest.model["scale"] == 1
    x, y, width, height = track["best"][0]["window"]
    assert not {x % 2, y % 2, width % 2, height % 2} & {1}
    luma = np.abs(after - before)[:, :240]
    for picture, row in zip(luma, track["timeline"]["rows"], strict=True):
        at = dict(zip(track["timeline"]["columns"], row, strict=True))
        cx, cy = at["x"] + at["width"] / 2, at["y"] + at["height"] / 2
        reach = width / 2 + 2
        rows, columns = (slice(max(0, int(c - reach)), int(c + reach) + 1) for c in (cy, cx))
        assert picture[rows, columns].mean() > 0.3
        picture[rows, columns] = 0
    assert not luma.any()


def test_an_export_put_together_is_the_run(enlarged, tmp_path, watch):
    recipe = load_recipe("restore", [*SAME, ("upscale", "model", "srresnet-x2")])
    restore(enlarged, tmp_path / "out.mkv", recipe)
    index = export(enlarged, tmp_path / "look", recipe)
    assert index.model["scale"] == 1
    assert {row["working_scale"] for row in index.faces} == {4}
    assemble(tmp_path / "look", tmp_path / "again.mkv")
    assert np.array_equal(watch(tmp_path / "out.mkv")[1], watch(tmp_path / "again.mkv")[1])


def test_the_protocol_s_crop_is_halved_whatever_it_holds(face_clip, tmp_path):
    changes = [*SAME, ("working", "scale", "crop"), ("upscale", "model", "srresnet-x2-fast")]
    manifest = restore(face_clip, tmp_path / "out.mkv", load_recipe("restore", changes))
    (track,) = manifest.tracks
    assert (track["working_px"], track["working_scale"]) == (track["window_px"] / 2, 2)
    assert track["kept"] == 0


@pytest.mark.parametrize(("size", "chosen"), [("318x240", "yuv420p"), ("319x239", "yuv444p")])
def test_odd_sizes_keep_their_size(face_clip, ffmpeg, tmp_path, watch, size, chosen):
    source, out = tmp_path / "odd.mkv", tmp_path / "out.mp4"
    ffmpeg(
        "-i", face_clip, "-vf", f"crop={size.replace('x', ':')}:0:0:exact=1", "-c:v", "ffv1", source
    )
    changes = [SAME[0], ("upscale", "model", "bicubic"), ("encode", "preset", "ultrafast")]
    manifest = restore(source, out, load_recipe("restore", changes))
    width, height = map(int, size.split("x"))
    pictures = watch(out)[1]
    assert pictures.shape[-1] == width
    told = [n for n in manifest.notices if "odd size" in n]
    assert bool(told) == (chosen == "yuv444p")
    info = probe_source(source, load_recipe("restore", changes).decode)
    assert frame_format(info, load_recipe("restore", changes)) == PIXEL_FORMATS[chosen]
    assert (info.width, info.height) == (width, height)
    assert frame_format(info, load_recipe("restore")) == PIXEL_FORMATS["yuv420p"]
    av1 = load_recipe("restore", [*changes, ("encode", "codec", "av1")])
    if chosen == "yuv444p":
        with pytest.raises(UsageError, match="takes even sizes only"):
            frame_format(info, av1)


def test_faces_are_cut_out_wider_since_they_are_reduced():
    twice = crop_config(load_recipe("restore", SAME))
    assert (twice.max_side, twice.sides[-1]) == (320, 320)
    assert crop_config(load_recipe("restore")) == load_recipe("restore").crop
