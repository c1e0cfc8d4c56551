"""Frames and faces as pictures, and back to a video; PyAV is the referee."""

from __future__ import annotations

import csv
import dataclasses
import json
import shutil

import cv2
import numpy as np
import pytest
from PIL import Image

from vsr.core.errors import DataError, InputError, OutputError, UsageError, VsrError
from vsr.core.geometry import Box
from vsr.core.types import Face, FrameFaces
from vsr.media.images import read_image, write_image
from vsr.run.assemble import assemble
from vsr.run.export import ExportConfig, export
from vsr.run.recipe import load_recipe
from vsr.run.restore import restore

QUICK = [("upscale", "model", "lanczos")]
MODEL = ("upscale", "model", "srgan-x2-fast")
"""a network, the smallest there is"""
LOSSLESS = [MODEL, ("encode", "codec", "ffv1")]


def listing(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


@pytest.fixture(scope="module")
def exported(tmp_path_factory, face_clip):
    """An export of the clip by a network; not to be changed."""
    out = tmp_path_factory.mktemp("export") / "look"
    cfg = ExportConfig(with_source=True)
    index = export(face_clip, out, load_recipe("restore", LOSSLESS), cfg)
    return out, index


@pytest.fixture(scope="module")
def ran(tmp_path_factory, face_clip):
    """What a run with the settings of `exported` makes."""
    out = tmp_path_factory.mktemp("ran") / "run.mkv"
    restore(face_clip, out, load_recipe("restore", LOSSLESS))
    return out


@pytest.fixture
def copy(exported, tmp_path):
    """A copy of the export that a test may change; its source lies elsewhere."""
    folder = tmp_path / "else" / "where" / "copy"
    shutil.copytree(exported[0], folder)
    return folder


def test_an_export_holds_exactly_what_it_promises(exported):
    out, index = exported
    faces = [f"faces/0000/{n:08d}_{k}.png" for n in range(12) for k in ("bicubic", "lr", "sr")]
    frames = [f"frames/{n:08d}{k}.png" for n in range(12) for k in ("", "_source")]
    extra = ["contact_sheet.png", "index.csv", "index.json", "pictures.mkv"]
    averaged = [row["fused"] for row in index.faces if row["views"] > 1]
    assert averaged
    assert all((row["fused"] is None) == (row["views"] == 1) for row in index.faces)
    assert listing(out) == sorted(faces + frames + averaged + extra)
    assert json.loads((out / "index.json").read_text()) == json.loads(json.dumps(index.to_dict()))
    assert [p.name for p in out.parent.iterdir()] == ["look"]


def test_the_index_tells_where_each_face_is(exported, face_clip, watch):
    out, _ = exported
    times, _ = watch(face_clip)
    rows = list(csv.DictReader((out / "index.csv").open()))
    assert [float(r["seconds"]) for r in rows] == pytest.approx([float(t) for t in times], abs=1e-6)
    assert [int(r["pts"]) for r in rows] == [t * 15360 for t in times]
    for row in rows:
        assert (row["track"], row["model"], row["scale"]) == ("0", "srgan-x2-fast", "2")
        assert row["outcome"] == "super-resolved"
        assert 30 < float(row["face_width_px"]) < 60
        box = [float(row[k]) for k in ("x", "y", "width", "height")]
        assert 0 < box[0] < box[0] + box[2] < 320
        assert 0 < box[1] < box[1] + box[3] < 240
        small, plain, sharp = (read_image(out / row[k]) for k in ("lr", "bicubic", "sr"))
        if row["fused"]:
            fused = read_image(out / row["fused"])
            assert fused.shape == small.shape
            assert 0 < np.abs(fused.astype(int) - small).mean() < 12
        assert plain.shape == sharp.shape == (small.shape[0] * 2, small.shape[1] * 2, 3)
        assert np.abs(plain.astype(int) - sharp).mean() < 12  # the same face
        assert (plain != sharp).any()


def test_the_key_frame_of_a_track_is_its_clearest(exported, face_clip, tmp_path):
    """Of all frames, also those that are not written."""
    out, _ = exported
    more = tmp_path / "more"
    cfg = ExportConfig(every=5, fused=True)
    index = export(face_clip, more, load_recipe("restore", QUICK), cfg)
    (key,) = index.keys
    pictures = {kind: read_image(more / key[kind]) for kind in ("lr", "fused", "sr")}
    assert listing(more / "keys") == [f"0000_{kind}.png" for kind in ("fused", "lr", "sr")]

    def clearness(name, row):
        luma = cv2.cvtColor(read_image(name), cv2.COLOR_RGB2GRAY).astype(float)
        across, down = cv2.Sobel(luma, -1, 1, 0), cv2.Sobel(luma, -1, 0, 1)
        return row["width"] * np.sqrt((across**2 + down**2).mean())

    every = [(clearness(out / (r["fused"] or r["lr"]), r), r) for r in exported[1].faces]
    best, row = max(every, key=lambda e: e[0])
    mine = clearness(more / key["fused"], key)
    assert mine == pytest.approx(best, rel=0.01)
    assert key["frame"] == row["frame"]
    np.testing.assert_array_equal(pictures["lr"], read_image(out / row["lr"]))
    np.testing.assert_array_equal(pictures["fused"], read_image(out / row["fused"]))
    assert json.loads((more / "index.json").read_text())["keys"] == index.keys
    one = load_recipe("restore", [("fuse", "views", 1)])
    with pytest.raises(UsageError, match=r"--fused: got fuse.views = 1, .*--set fuse.views=5"):
        export(face_clip, tmp_path / "none", one, ExportConfig(fused=True))
    assert not (tmp_path / "none").exists()


def test_the_low_resolution_face_is_cut_out_of_the_source(exported):
    out, index = exported
    row = index.faces[4]
    source = read_image(out / index.frames[4]["source"])
    small = read_image(out / row["lr"])
    found = cv2.matchTemplate(source, small, cv2.TM_SQDIFF)
    _, _, (x, y), _ = cv2.minMaxLoc(found)
    assert (source[y : y + small.shape[0], x : x + small.shape[1]] == small).all()
    middle = row["x"] + row["width"] / 2, row["y"] + row["height"] / 2
    assert x < middle[0] < x + small.shape[1]
    assert y < middle[1] < y + small.shape[0]


def test_the_pictures_show_what_the_video_shows(exported, ran, tmp_path, ffmpeg):
    out, index = exported
    # zimg converts it, by linear interpolation of chroma from the left siting
    graph = "zscale=matrixin=170m:rangein=limited:matrix=gbr:range=full:filter=bilinear"
    pattern = tmp_path / "%02d.png"
    ffmpeg("-i", ran, "-vf", f"{graph},format=gbrp", "-fps_mode", "passthrough", pattern)
    for place, row in enumerate(index.frames, start=1):
        shown = read_image(tmp_path / f"{place:02d}.png").astype(int)
        difference = np.abs(shown - read_image(out / row["picture"]))
        assert difference.max() <= 1
        assert difference.mean() < 0.01


def test_the_contact_sheet_shows_every_track(exported):
    with Image.open(exported[0] / "contact_sheet.png") as sheet:
        picture = np.asarray(sheet.convert("RGB"))
    assert picture.shape[1] > 1000
    cells = picture[80:220]
    assert cells.std() > 30  # faces, not paper


def test_frames_then_assemble_is_run(exported, ran, tmp_path, watch, sound):
    out, _ = exported
    put = tmp_path / "put.mkv"
    manifest = assemble(out, put)
    times, pictures = watch(ran)
    again, same = watch(put)
    assert again == times
    assert len(times) == 12
    assert (same == pictures).all()
    assert sound(put) == sound(ran)
    assert manifest.outputs[0]["frames"] == 12
    assert manifest.command == "assemble"


def test_a_lossy_video_is_the_same_file(exported, face_clip, tmp_path):
    out, _ = exported
    options = {"codec": "h264", "preset": "ultrafast", "crf": 20}
    changes = [MODEL, *(("encode", key, value) for key, value in options.items())]
    restore(face_clip, tmp_path / "run.mp4", load_recipe("restore", changes))
    assemble(out, tmp_path / "put.mp4", encode=options)
    assert (tmp_path / "put.mp4").read_bytes() == (tmp_path / "run.mp4").read_bytes()


def test_only_edited_frames_change(copy, exported, face_clip, tmp_path, watch):
    picture = copy / "frames" / "00000005.png"
    rgb = read_image(picture)
    rgb[100:140, 200:300] = (255, 0, 0)
    write_image(picture, rgb)
    before, after = tmp_path / "before.mkv", tmp_path / "after.mkv"
    assemble(exported[0], before)
    manifest = assemble(copy, after, source=face_clip)
    assert "1 of 12 pictures were edited" in manifest.notices
    times, pictures = watch(before)
    again, changed = watch(after)
    assert again == times
    different = [n for n in range(12) if (pictures[n] != changed[n]).any()]
    assert different == [5]
    luma = changed[5][:480]
    assert np.median(luma[104:136, 204:296]) == pytest.approx(81, abs=1)  # red in BT.601
    outside = luma.astype(int) - pictures[5][:480]
    outside[90:150, 190:310] = 0
    # one conversion to RGB and back; colours that RGB does not have are clipped
    assert np.percentile(np.abs(outside), 99.5) <= 2


def test_without_the_lossless_file_pictures_are_converted(copy, face_clip, tmp_path, watch):
    (copy / "pictures.mkv").unlink()
    manifest = assemble(copy, tmp_path / "a.mkv", source=face_clip)
    assert any("pictures.mkv" in n for n in manifest.notices)
    times, pictures = watch(tmp_path / "a.mkv")
    assert len(times) == 12
    assert pictures.std() > 10


def rename(copy):
    (copy / "frames" / "00000003.png").rename(copy / "frames" / "00000003 (edited).png")


def shrink(copy):
    picture = copy / "frames" / "00000003.png"
    write_image(picture, read_image(picture)[::2, ::2].copy())


def rewrite_index(copy, **changes):
    values = json.loads((copy / "index.json").read_text())
    (copy / "index.json").write_text(json.dumps(values | changes))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda c: (c / "frames" / "00000003.png").unlink(), "00000003.png: is missing; put"),
        (lambda c: shutil.rmtree(c / "frames"), "as are 11 more of 12 frames"),
        (rename, r"renamed to frames/00000003 \(edited\)"),
        (shrink, "00000003.png: is 320x240, expected 640x480"),
        (lambda c: (c / "frames" / "00000003.png").write_text("x"), "is no picture any more"),
        (lambda c: (c / "index.json").unlink(), "index.json: cannot be read"),
        (lambda c: (c / "index.json").write_text("{"), "is no export of 'vsr frames'"),
        (lambda c: rewrite_index(c, format=99), "of format 99 .*, expected 1"),
        (lambda c: rewrite_index(c, frames=[]), "holds faces only, no frames"),
        (lambda c: rewrite_index(c, frames=None), "'frames' is missing or damaged"),
    ],
)
def test_a_damaged_export_is_one_line_and_nothing_is_written(
    copy, face_clip, tmp_path, damage, words
):
    damage(copy)
    out = tmp_path / "out" / "a.mkv"
    out.parent.mkdir()
    with pytest.raises(VsrError, match=words) as caught:
        assemble(copy, out, source=face_clip)
    assert isinstance(caught.value, DataError | InputError)
    assert "\n" not in str(caught.value)
    assert list(out.parent.iterdir()) == []


def test_an_export_is_no_folder_of_frames(exported, tmp_path):
    with pytest.raises(InputError, match="is an export of 'vsr frames'"):
        restore(exported[0], tmp_path / "o.mp4", load_recipe("restore", QUICK))


def test_the_source_is_checked(copy, tmp_path, face_clip):
    with pytest.raises(InputError, match="the source is not there; say where it is with --source"):
        assemble(copy, tmp_path / "a.mkv")
    other = tmp_path / "other.mp4"
    other.write_bytes(face_clip.read_bytes() + b"x")
    with pytest.raises(DataError, match="is not the recorded source"):
        assemble(copy, tmp_path / "a.mkv", source=other)
    assert not (tmp_path / "a.mkv").exists()


def test_a_stretch_keeps_the_source_s_numbers(face_clip, tmp_path, watch):
    times, _ = watch(face_clip)
    start, end = float(times[3]), float(times[9])
    cfg = ExportConfig(start_s=start, end_s=end, every=2, max_frames=2, format="jpg", exact=False)
    out = tmp_path / "part"
    index = export(face_clip, out, load_recipe("restore", QUICK), cfg)
    assert [f["frame"] for f in index.frames] == [3, 5]
    assert [f["pts"] for f in index.frames] == [times[3] * 15360, times[5] * 15360]
    assert {p.suffix for p in (out / "frames").iterdir()} == {".jpg"}
    assert not (out / "pictures.mkv").exists()
    video = tmp_path / "part.mkv"
    assemble(out, video, encode={"codec": "ffv1"})
    again, _ = watch(video)
    assert [float(t) for t in again] == pytest.approx([0, float(times[5] - times[3])], abs=1e-3)


def test_tracks_are_chosen_and_unknown_ones_named(face_clip, tmp_path):
    recipe = load_recipe("restore", QUICK)
    index = export(face_clip, tmp_path / "one", recipe, ExportConfig(tracks=(0,), every=4))
    assert {row["track"] for row in index.faces} == {0}
    with pytest.raises(InputError, match="no frame shows track 7; tracks seen: 0"):
        export(face_clip, tmp_path / "none", recipe, ExportConfig(tracks=(7,)))
    with pytest.raises(InputError, match="no frame lies between --start and --end"):
        export(face_clip, tmp_path / "none", recipe, ExportConfig(start_s=50))
    assert [p.name for p in tmp_path.iterdir()] == ["one"]


def test_faces_only(face_clip, tmp_path):
    recipe = load_recipe("crops", QUICK)
    index = export(face_clip, tmp_path / "crops", recipe, ExportConfig(every=3))
    assert not (tmp_path / "crops" / "frames").exists()
    assert len(index.faces) == 4
    with pytest.raises(DataError, match="holds faces only, no frames"):
        assemble(tmp_path / "crops", tmp_path / "a.mkv")


def test_a_folder_of_frames_with_given_faces(tmp_path, face_clip):
    cap = cv2.VideoCapture(str(face_clip))
    seq = tmp_path / "P1E_S1_C1"
    seq.mkdir()
    for number in (7, 8, 10):
        cv2.imwrite(str(seq / f"{number:08d}.jpg"), cap.read()[1])
    box = Box(90.0, 105.0, 46.0, 46.0)

    def given(frames):
        for frame in frames:
            yield FrameFaces(frame, (Face(box, 1.0, track_id=4, label="0003"),))

    recipe = load_recipe("restore", QUICK)
    out = tmp_path / "look"
    index = export(seq, out, recipe, find=given, face_per_eye_distance=2.3)
    assert [f["picture"] for f in index.frames] == [f"frames/{n:08d}.png" for n in (7, 8, 10)]
    assert [f["pts"] for f in index.frames] == [0, 1, 3]
    assert {(r["track"], r["label"], r["eye_distance_px"]) for r in index.faces} == {
        (4, "0003", 20.0)
    }
    assert (out / "faces" / "0004" / "00000010_sr.png").exists()
    assert index.faces_from == "given"
    assemble(out, tmp_path / "a.mkv", encode={"codec": "ffv1"})


def test_a_failed_export_leaves_nothing_and_an_old_one_stands(face_clip, tmp_path):
    recipe = load_recipe("restore", QUICK)
    out = tmp_path / "look"
    export(face_clip, out, recipe, ExportConfig(max_frames=1))
    before = listing(out)

    def fails(frames):
        for n, frame in enumerate(frames):
            if n == 2:
                raise DataError("stop")
            yield FrameFaces(frame)

    with pytest.raises(OutputError, match="already exists"):
        export(face_clip, out, recipe)
    with pytest.raises(DataError, match="stop"):
        export(face_clip, out, recipe, find=fails, overwrite=True)
    assert listing(out) == before
    export(face_clip, out, recipe, ExportConfig(max_frames=2), overwrite=True)
    assert "frames/00000001.png" in listing(out)
    assert [p.name for p in tmp_path.iterdir()] == ["look"]


def test_other_people_s_folders_are_not_replaced(face_clip, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "holiday.jpg").write_bytes(b"precious")
    with pytest.raises(OutputError, match="holds other files than an export"):
        export(face_clip, photos, load_recipe("restore", QUICK), overwrite=True)
    assert listing(photos) == ["holiday.jpg"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"every": 0}, "--every: got 0, expected 1 or more"),
        ({"max_frames": 0}, "--max-frames: got 0"),
        ({"format": "gif"}, "--format: got 'gif', expected png, jpg or webp"),
        ({"start_s": 2.0, "end_s": 2.0}, "--end: got 2.0, expected more than --start 2.0"),
    ],
)
def test_selections_that_cannot_be_meant(options, words):
    with pytest.raises(UsageError, match=words):
        dataclasses.replace(ExportConfig(), **options)
