"""A run repeated from its manifest, and what the manifest and the file say of it."""

from __future__ import annotations

import itertools
import json
import shutil

import av
import numpy as np
import pytest

from vsr.core.errors import DataError, InputError, VsrError
from vsr.core.hashing import file_sha256
from vsr.core.types import FrameFaces
from vsr.media.hashes import decoded_pictures
from vsr.run.manifest import recipe_hash
from vsr.run.recipe import load_recipe
from vsr.run.rerun import rerun
from vsr.run.restore import restore

QUICK = [("upscale", "model", "lanczos"), ("encode", "preset", "ultrafast")]
MODEL = ("upscale", "model", "srgan-x2-fast")
"""a network, the smallest there is"""
LOSSLESS = [("encode", "codec", "ffv1")]


@pytest.fixture(scope="module")
def ran(tmp_path_factory, face_clip):
    """A run of a network into a lossless file; not to be changed."""
    folder = tmp_path_factory.mktemp("ran")
    source = folder / "in" / "clip.mp4"
    source.parent.mkdir()
    source.write_bytes(face_clip.read_bytes())
    out = folder / "out" / "o.mkv"
    out.parent.mkdir()
    manifest = restore(source, out, load_recipe("restore", [MODEL, *LOSSLESS]))
    return source, out, manifest


def change(path, **changes):
    values = json.loads(path.read_text())
    path.write_text(json.dumps(values | changes))


@pytest.fixture(scope="module")
def quickly(tmp_path_factory, face_clip):
    """The folder of a quick run; not to be changed."""
    folder = tmp_path_factory.mktemp("quick")
    source = folder / "clip.mp4"
    source.write_bytes(face_clip.read_bytes())
    restore(source, folder / "o.mp4", load_recipe("restore", QUICK))
    return folder


@pytest.fixture
def quick(quickly, tmp_path):
    """A copy of the quick run, its manifest free to be changed."""
    shutil.copytree(quickly, tmp_path, dirs_exist_ok=True)
    return tmp_path / "o.mp4.json"


def test_the_manifest_names_source_output_weights_and_recipe(ran):
    source, out, manifest = ran
    values = json.loads(out.with_name("o.mkv.json").read_text())
    assert (out.parent / values["source"]["path"]).resolve() == source.resolve()
    assert values["source"]["path"] == "../in/clip.mp4"
    assert values["source"]["sha256"] == file_sha256(source)
    assert values["outputs"][0]["sha256"] == file_sha256(out)
    assert values["recipe_sha256"] == recipe_hash(values["recipe"])
    assert len(values["model"]["sha256"]) == 64
    assert manifest.faces > 0


def test_a_run_can_be_repeated_to_the_bit(ran, watch):
    _, out, _ = ran
    before = sorted(p.name for p in out.parent.iterdir())
    report = rerun(out.with_name("o.mkv.json"))
    (output,) = report.outputs
    assert report.same
    assert (output.encoded_same, output.pts_same, output.pictures_same) == (True, True, True)
    assert output.frames == (12, 12)
    assert sorted(p.name for p in out.parent.iterdir()) == before


def test_the_repetition_can_be_kept_and_pyav_agrees(ran, tmp_path, watch):
    _, out, _ = ran
    again = tmp_path / "again.mkv"
    report = rerun(out.with_name("o.mkv.json"), again)
    assert report.kept == str(again)
    times, pictures = watch(out)
    repeated, same = watch(again)
    assert repeated == times
    assert (same == pictures).all()


def test_an_mp4_is_the_same_file(quick):
    report = rerun(quick)
    assert report.same
    assert report.outputs[0].file_same
    assert rerun(quick.with_name("o.mp4")).manifest == str(quick)


def test_another_result_is_noticed(quick):
    values = json.loads(quick.read_text())
    out = quick.with_name("o.mp4")
    # as if the first run had been made with another quality
    changed = values["recipe"]
    changed["encode"]["crf"] = 40
    change(quick, recipe=changed, recipe_sha256=recipe_hash(changed))
    report = rerun(quick)
    (output,) = report.outputs
    assert not report.same
    assert (output.file_same, output.pts_same, output.pictures_same) == (False, True, False)
    assert output.different_frames == 12
    assert output.encoded_same  # the encoder alone made the difference
    out.unlink()
    assert rerun(quick).same  # nothing but the encoder's input is left to compare


def test_other_pictures_are_noticed_without_the_first_file(quick):
    values = json.loads(quick.read_text())
    changed = values["recipe"]
    changed["crop"]["margin"] = 0.9
    change(quick, recipe=changed, recipe_sha256=recipe_hash(changed))
    quick.with_name("o.mp4").unlink()
    report = rerun(quick)
    assert not report.same
    assert report.outputs[0].pictures_same is None


def test_face_videos_are_repeated_too(face_clip, tmp_path):
    restore(face_clip, tmp_path / "faces", load_recipe("crops", QUICK))
    report = rerun(tmp_path / "faces")
    assert report.same
    assert [o.name for o in report.outputs] == ["face_0000.mp4"]
    assert [p.name for p in tmp_path.iterdir()] == ["faces"]


def test_a_moved_source_is_asked_for(quick, tmp_path):
    moved = tmp_path / "else.mp4"
    (tmp_path / "clip.mp4").rename(moved)
    with pytest.raises(InputError, match="the source is not there; say where it is with --source"):
        rerun(quick)
    assert rerun(quick, source=moved).same


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda p: p.unlink(), "cannot be read"),
        (lambda p: p.write_text("no json"), "is no manifest of 'vsr run'"),
        (lambda p: p.write_text("[]"), "is no manifest of 'vsr run'"),
        (lambda p: change(p, format=7), "of format 7 .*, expected 1; use the vsr version"),
        (lambda p: change(p, outputs=None), "'outputs' is missing or damaged"),
        (lambda p: change(p, outputs=[]), "names no output"),
        (lambda p: change(p, command="assemble"), "describes 'assemble', expected 'run'"),
        (lambda p: change(p, faces_from="given"), "were given from outside"),
        (lambda p: change(p, recipe={"kind": "restore"}), "its recipe was changed"),
        (lambda p: p.with_name("clip.mp4").write_bytes(b"x"), "is not the recorded source"),
    ],
)
def test_what_cannot_be_repeated_is_one_line(quick, damage, words):
    damage(quick)
    before = sorted(p.name for p in quick.parent.iterdir())
    with pytest.raises(VsrError, match=words) as caught:
        rerun(quick)
    assert isinstance(caught.value, DataError | InputError)
    assert "\n" not in str(caught.value)
    assert sorted(p.name for p in quick.parent.iterdir()) == before


def test_other_weights_are_refused(ran, tmp_path):
    source, out, _ = ran
    path = tmp_path / "o.mkv.json"
    path.write_text(out.with_name("o.mkv.json").read_text())
    values = json.loads(path.read_text())
    change(path, model=values["model"] | {"sha256": "0" * 64})
    with pytest.raises(DataError, match="was made with other weights of srgan-x2-fast"):
        rerun(path, source=source)


def test_decoded_pictures_are_those_of_another_decoder(ran, watch):
    _, out, _ = ran
    found = decoded_pictures(out)
    times, pictures = watch(out)
    assert [p.time for p in found] == times
    alike = [(a == b).all() for a, b in itertools.pairwise(pictures)]
    assert [a.sha256 == b.sha256 for a, b in itertools.pairwise(found)] == alike


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_the_file_says_that_it_is_super_resolved(face_clip, tmp_path, suffix, ffmpeg):
    source = tmp_path / "in.mp4"
    words = ("-frames:v", 4, "-metadata", "comment=shot = at;noon\\")
    ffmpeg("-i", face_clip, "-c", "copy", *words, source)
    out = tmp_path / f"o{suffix}"
    recipe = load_recipe("restore", [*QUICK, ("upscale", "model", "srresnet-x2-fast")])
    restore(source, out, recipe)
    with av.open(str(out)) as container:
        titles = {k.lower(): v for k, v in container.metadata.items()}
    assert titles["comment"].startswith("shot = at;noon\\; super-resolved by vsr ")
    assert titles["comment"].endswith("model srresnet-x2-fast, scale 2")


def test_given_faces_are_recorded(face_clip, tmp_path):
    def nothing(frames):
        for frame in frames:
            yield FrameFaces(frame)

    manifest = restore(face_clip, tmp_path / "o.mp4", load_recipe("restore", QUICK), find=nothing)
    assert (manifest.faces_from, manifest.faces) == ("given", 0)


def test_a_watermark_changes_a_corner_and_nothing_else(face_clip, tmp_path, watch):
    plain, marked = tmp_path / "plain.mkv", tmp_path / "marked.mkv"
    quick = [("upscale", "model", "lanczos"), *LOSSLESS]
    restore(face_clip, plain, load_recipe("restore", quick))
    restore(face_clip, marked, load_recipe("restore", [*quick, ("encode", "watermark", True)]))
    times, before = watch(plain)
    again, after = watch(marked)
    assert again == times
    changed = (before != after).any(axis=0)[:480]  # luma
    rows, columns = np.nonzero(changed)
    assert rows.min() > 440
    assert columns.min() > 320
    assert after[:, :480][:, changed].max() > 200  # white letters
    assert after[:, :480][:, changed].min() < 50  # in a dark rim
