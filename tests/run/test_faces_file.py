"""``vsr faces`` and ``--faces-file``: faces written down, edited, and used."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vsr.core.errors import DataError, InputError, OutputError
from vsr.faces.facesfile import read_faces_file
from vsr.run.complete import complete
from vsr.run.findfaces import find_faces
from vsr.run.recipe import load_recipe
from vsr.run.rerun import rerun
from vsr.run.restore import restore

PLAIN = [("upscale", "model", "bicubic"), ("encode", "codec", "ffv1")]


@pytest.fixture(scope="module")
def found(two_faces, tmp_path_factory):
    folder = tmp_path_factory.mktemp("found")
    out, sheet = folder / "faces.jsonl", folder / "sheet.png"
    return find_faces(two_faces, out, load_recipe(), sheet=sheet), out, sheet


@pytest.fixture
def edited(found, tmp_path) -> Callable[..., Path]:
    """The faces file with keys of its tracks' lines changed: ``edited({0: {"drop": True}})``."""

    def edit(changes: dict[int, dict[str, Any]], **lines: str) -> Path:
        path = tmp_path / "edited.jsonl"
        rows = [json.loads(line) for line in found[1].read_text().splitlines()]
        for row in rows:
            if "frame" not in row and "track" in row:
                row |= changes.get(row["track"], {})
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    return edit


def recipe_with(path: Path, *changes: tuple[str, str, Any]):
    return load_recipe("restore", [*PLAIN, ("choose", "file", str(path)), *changes])


def luma(planes: np.ndarray) -> np.ndarray:
    return planes[:, : planes.shape[1] * 2 // 3].astype(int)


def test_it_tells_frames_faces_and_tracks(found, two_faces) -> None:
    told, out, sheet = found
    assert (told.frames, told.faces, len(told.tracks)) == (12, 24, 2)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert rows[0]["vsr_faces"] == 1
    assert (rows[0]["frames"], rows[0]["source"]) == (12, two_faces.name)
    assert [r["frame"] for r in rows[1:13]] == list(range(12))
    assert [r["track"] for r in rows[13:]] == [0, 1]
    assert all(r["frames"] == 12 and r["width_px"] > 20 for r in rows[13:])
    assert not any(r["drop"] or r["merge_into"] is not None for r in rows[13:])
    with Image.open(sheet) as picture:
        pixels = np.asarray(picture)
    # two cells whose pictures are no plain colour
    for left in (20, 200):
        assert pixels[70:190, left : left + 150].std() > 10
    assert sorted(p.name for p in out.parent.iterdir()) == ["faces.jsonl", "sheet.png"]


def test_an_unedited_file_changes_nothing(found, two_faces, tmp_path, watch) -> None:
    usual = restore(two_faces, tmp_path / "a.mkv", load_recipe("restore", PLAIN))
    given = restore(two_faces, tmp_path / "b.mkv", recipe_with(found[1]))
    assert given.outputs[0]["pictures_sha256"] == usual.outputs[0]["pictures_sha256"]
    assert given.faces == usual.faces == 24
    assert [t["track_id"] for t in given.tracks] == [0, 1]


def test_tracks_are_dropped_merged_and_dosed(edited, two_faces, tmp_path, watch) -> None:
    def made(name: str, path: Path, *changes: tuple[str, str, Any]):
        manifest = restore(two_faces, tmp_path / name, recipe_with(path, *changes))
        return manifest, luma(watch(tmp_path / name)[1])

    whole = made("whole.mkv", edited({}))[1]
    nothing = made("none.mkv", edited({0: {"drop": True}, 1: {"drop": True}}))[1]
    manifest, one = made("one.mkv", edited({0: {"drop": True}}))
    skipped = made("skipped.mkv", edited({}), ("choose", "skip", ("0",)))[1]
    assert [t["track_id"] for t in manifest.tracks] == [1]
    assert np.array_equal(one, skipped)
    half = made("half.mkv", edited({0: {"strength": 0.5}}))[1]
    own = (one != whole).any(axis=0)  # where track 0 stands
    assert np.abs(half - (nothing + whole) / 2)[:, own].max() <= 1
    assert np.array_equal(half[:, ~own], whole[:, ~own])
    assert np.abs(half - nothing)[:, own].max() > 3


def test_two_tracks_of_one_person_become_one(found, tmp_path) -> None:
    rows = [json.loads(line) for line in found[1].read_text().splitlines()]
    for row in rows[1:13]:  # 0 in the first half, 1 in the second
        row["faces"] = [f for f in row["faces"] if f["track"] == (row["frame"] >= 6)]
    rows[14] |= {"merge_into": 0}
    path = tmp_path / "merged.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    read = read_faces_file(path)
    assert [[f.track_id for f in read.faces_of(k)] for k in range(12)] == [[0]] * 12
    rows[13] |= {"drop": True}  # drops who is merged into it, too
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [read_faces_file(path).faces_of(k) for k in (0, 11)] == [(), ()]


def test_an_edit_is_another_setting(edited, two_faces, tmp_path) -> None:
    out = tmp_path / "out.mkv"
    path = edited({})
    restore(two_faces, out, recipe_with(path))
    assert complete(two_faces, out, recipe_with(path)) is not None
    assert rerun(out.with_name("out.mkv.json")).same
    edited({1: {"drop": True}})
    assert complete(two_faces, out, recipe_with(path)) is None
    with pytest.raises(DataError, match="was changed since"):
        rerun(out.with_name("out.mkv.json"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({0: {"dropp": True}}, "line 14: unknown key 'dropp' of a track; did you mean 'drop'"),
        ({0: {"drop": "yes"}}, 'line 14: drop: got "yes", expected true or false'),
        ({1: {"strength": 1.5}}, "line 15: strength: got 1.5, expected 0 to 1"),
        ({1: {"strength": True}}, "strength: got true, expected 0 to 1"),
        ({0: {"merge_into": 7}}, "track 0: merge_into: there is no track 7; there are 0-1"),
        ({0: {"merge_into": 1}, 1: {"merge_into": 0}}, "0 into 1 into 0 has no end"),
        ({0: {"merge_into": 1}}, "tracks 0 and 1 become one, but both stand in frame 0"),
    ],
)
def test_senseless_edits_are_told(edited, changes, message) -> None:
    with pytest.raises(DataError) as caught:
        read_faces_file(edited(changes))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[:5] + rows[6:], "line 6: got frame 5, expected 4"),
        (lambda rows: rows[:9], "holds 8 frames, expected the 12 of its header"),
        (lambda rows: rows[1:], "line 1: expected the header of a faces file"),
        (lambda rows: [*rows, rows[-1]], "line 16: track 1 has a line already"),
        (lambda rows: [*rows, '{"tracks": 3}'], "line 16: expected a 'frame' or a 'track'"),
        (lambda rows: [*rows, "drop 3"], "line 16: not JSON"),
        (lambda rows: [], "is empty"),
    ],
)
def test_damaged_files_are_told(found, tmp_path, change, message) -> None:
    path = tmp_path / "damaged.jsonl"
    path.write_text("".join(f"{row}\n" for row in change(found[1].read_text().splitlines())))
    with pytest.raises(DataError) as caught:
        read_faces_file(path)
    assert message in str(caught.value)


def test_another_video_is_refused_and_leaves_nothing(found, face_clip, two_faces, tmp_path) -> None:
    out = tmp_path / "out.mkv"
    with pytest.raises(DataError, match=r"is of a \d+x\d+ video, expected"):
        restore(face_clip, out, recipe_with(found[1]))
    with pytest.raises(DataError, match=r"frame 1 is at .* in it, expected at"):
        restore(two_faces, out, recipe_with(found[1], ("decode", "fps", 10)))
    with pytest.raises(InputError, match="no such faces file; make it with: vsr faces"):
        recipe_with(tmp_path / "none.jsonl")
    with pytest.raises(OutputError, match="already exists"):
        find_faces(two_faces, found[1], load_recipe())
    with pytest.raises(OutputError, match=r"expected a name that ends in \.png"):
        find_faces(two_faces, tmp_path / "f.jsonl", load_recipe(), sheet=tmp_path / "s.gif")
    assert not list(tmp_path.iterdir())
