"""The page on an export of frames and faces, made by the real export."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from vsr.core.errors import DataError, InputError
from vsr.evaluate.report.build import build_report
from vsr.run.export import ExportConfig, export
from vsr.run.recipe import load_recipe


@pytest.fixture(scope="module")
def exported(finished, tmp_path_factory) -> Path:
    """Every fourth frame of the short sample."""
    out = tmp_path_factory.mktemp("export") / "look"
    recipe = load_recipe("restore", [("upscale", "model", "srresnet-x2")])
    export(finished.with_name("source.mp4"), out, recipe, ExportConfig(every=4, exact=False))
    return out


@pytest.fixture
def copied(exported, tmp_path) -> Path:
    """The export in a place of its own, to be tampered with."""
    return shutil.copytree(exported, tmp_path / "look")


def test_the_faces_of_the_folder_are_shown(exported, tmp_path, show):
    made = build_report(exported, tmp_path / "r.html")
    index = json.loads((exported / "index.json").read_text())
    (track,) = made.document.tracks
    exported_frames = {row["frame"] for row in index["faces"]}
    assert {p.frame for p in track.pairs} <= exported_frames
    assert len(track.pairs) >= 3
    averaged = {row["frame"] for row in index["faces"] if row["fused"]}
    assert {p.frame for p in track.pairs if p.fused} == averaged & {p.frame for p in track.pairs}
    assert averaged
    worst = [p.pair.deviation for p in made.document.poor]
    assert worst == sorted((r["deviation"] for r in index["faces"]), reverse=True)[: len(worst)]
    opened = show(made.path, width=390)
    assert (opened.complaints, opened.foreign, opened.unloaded()) == ([], [], [])
    assert opened.overhang() <= 0
    side = opened.page.locator(".before").first.evaluate("e => e.naturalWidth")
    lr = opened.page.locator(".pixels").first.evaluate("e => e.naturalWidth")
    assert side == 2 * lr
    fused = opened.page.locator(".fused").first
    assert fused.evaluate("e => e.naturalWidth") == lr
    assert not fused.is_visible()
    opened.page.get_by_label("Views averaged, as the network got them").first.check()
    assert fused.is_visible()
    assert opened.page.get_by_text("index.json", exact=True).count() == 0
    assert opened.page.get_by_text(index["source"]["sha256"]).is_visible()


def test_the_source_is_not_needed(copied, tmp_path):
    index = copied / "index.json"
    values = json.loads(index.read_text())
    values["source"]["path"] = "nowhere.mp4"
    index.write_text(json.dumps(values))
    assert build_report(copied, tmp_path / "r.html").document.tracks


def test_a_missing_picture_is_one_line(copied, tmp_path):
    for path in (copied / "faces").rglob("*_sr.png"):
        path.unlink()
    with pytest.raises(InputError, match=r"_sr\.png: is missing"):
        build_report(copied, tmp_path / "r.html")
    assert not (tmp_path / "r.html").exists()


def test_a_picture_outside_the_folder_is_refused(copied, tmp_path):
    index = copied / "index.json"
    values = json.loads(index.read_text())
    for row in values["faces"]:
        row["sr"] = "../../secret.png"
    index.write_text(json.dumps(values))
    with pytest.raises(DataError, match="outside the folder"):
        build_report(copied, tmp_path / "r.html")


def test_another_version_and_an_empty_export_are_one_line(copied, tmp_path):
    index = copied / "index.json"
    values = json.loads(index.read_text())
    index.write_text(json.dumps({**values, "format": 9}))
    with pytest.raises(DataError, match="format 9"):
        build_report(copied, tmp_path / "r.html")
    index.write_text(json.dumps({**values, "frames": []}))
    with pytest.raises(DataError, match="no frame"):
        build_report(copied, tmp_path / "r.html")


def test_an_export_without_faces_says_so(copied, tmp_path):
    index = copied / "index.json"
    values = json.loads(index.read_text())
    index.write_text(json.dumps({**values, "faces": [], "tracks": []}))
    made = build_report(copied, tmp_path / "r.html")
    assert "no face was found" in made.path.read_text()
