"""The working scale in a whole run: networks, manifest, index, segments."""

from __future__ import annotations

import json

import pytest

from vsr.models.networks import Networks
from vsr.models.registry import get_spec, networks_beside, weights_beside
from vsr.models.upscale import UpscaleConfig, load_upscaler
from vsr.run.export import export
from vsr.run.journal import header_of
from vsr.run.recipe import load_recipe
from vsr.run.restore import restore
from vsr.run.source import probe_source

QUICK = [("encode", "preset", "ultrafast"), ("working", "enter", 3.3), ("working", "leave", 2.7)]


@pytest.fixture(scope="module")
def enlarged(face_clip, ffmpeg, tmp_path_factory):
    """The clip's faces with a quarter of the pixels, which somebody enlarged again."""
    path = tmp_path_factory.mktemp("enlarged") / "clip.mp4"
    ffmpeg(
        *("-i", face_clip, "-vf", "scale=80:60:flags=area,scale=320:240:flags=bicubic"),
        *("-fps_mode", "passthrough", "-enc_time_base:v", "1/15360", "-copyts"),
        *("-c:v", "libx264", "-crf", "16", "-frames:v", "6", "-an", path),
    )
    return path


@pytest.fixture(scope="module")
def made(enlarged, tmp_path_factory):
    out = tmp_path_factory.mktemp("made") / "out.mp4"
    return restore(enlarged, out, load_recipe("restore", QUICK)), out


def test_the_manifest_says_detail_and_working_scale(made):
    manifest, out = made
    (track,) = manifest.tracks
    assert track["detail_px"] < track["window_px"] / 2.3
    assert (track["working_px"], track["working_scale"]) == (track["window_px"] / 4, 8)
    written = json.loads(out.with_name(f"{out.name}.json").read_text())
    assert written["networks"] == {"srresnet-x8": get_spec("srresnet-x8").weights_sha256}
    assert written["model"]["name"] == "srgan-x2"


def test_a_sharp_clip_needs_no_other_network(face_clip, tmp_path):
    changes = [*QUICK, ("upscale", "model", "srresnet-x2-fast")]
    manifest = restore(face_clip, tmp_path / "out.mp4", load_recipe("restore", changes))
    assert manifest.networks == {}
    assert {t["working_scale"] for t in manifest.tracks} == {None}


def test_the_index_of_an_export_says_it_too(enlarged, tmp_path):
    recipe = load_recipe("restore", [*QUICK, ("upscale", "model", "srresnet-x2")])
    index = export(enlarged, tmp_path / "look", recipe)
    assert index.faces
    for row in index.faces:
        assert (row["working_px"], row["working_scale"]) == (row["working_px"], 8)
        assert row["detail_px"] < 4 * row["working_px"] / 2
    header = (tmp_path / "look" / "index.csv").read_text().splitlines()[0].split(",")
    assert {"detail_px", "working_px", "working_scale"} <= {*header}


def test_networks_beside_a_model():
    assert {k: s.name for k, s in networks_beside(get_spec("srgan-x2")).items()} == {
        2: "srgan-x2", 4: "srgan-x4", 8: "srresnet-x8",
    }  # fmt: skip
    assert [s.name for s in networks_beside(get_spec("srresnet-x4")).values()] == [
        "srresnet-x4", "srresnet-x8",
    ]  # fmt: skip
    assert [*networks_beside(get_spec("srgan-x2-fast"))] == [2]
    assert networks_beside(get_spec("bicubic")) == {}
    assert [*weights_beside(get_spec("srresnet-x2"))] == ["srresnet-x4", "srresnet-x8"]


def test_an_upscaler_that_is_not_the_shipped_one_stands_alone():
    class Other:
        name, scale, sha256 = "srgan-x2", 2, "0" * 64

        def __call__(self, batch):
            raise AssertionError

    assert Networks(Other(), UpscaleConfig()).scales == ()
    assert Networks(load_upscaler(UpscaleConfig(model="lanczos")), UpscaleConfig()).scales == ()


def test_a_resumed_run_asks_for_the_same_networks(enlarged):
    recipe = load_recipe("restore")
    info = probe_source(enlarged, recipe.decode)
    header = header_of(recipe, info, "0" * 64)
    assert [*header["networks"]] == ["srgan-x4", "srresnet-x8"]
    crop = load_recipe("restore", [("working", "scale", "crop")])
    assert header_of(crop, info, "0" * 64)["networks"] == {}


def test_protocols_and_the_quick_recipe_keep_the_crop():
    for name in ("seed", "chokepoint", "restore-fast"):
        assert load_recipe(name).working.scale == "crop"
    assert load_recipe("restore").working.scale == "auto"
