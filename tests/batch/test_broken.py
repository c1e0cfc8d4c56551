"""A broken sequence costs only itself, and says why."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from batch_helpers import FAST, rows_of


@pytest.fixture(scope="module")
def broken(fixture_script, tmp_path_factory) -> Path:
    """Good sequences between all kinds of broken ones."""
    root = tmp_path_factory.mktemp("data") / "broken"
    fixture_script.build(root, frames=8)
    at = {p.parent.name: p.parent for p in sorted(root.rglob("0*.jpg"))}
    xml = {p.stem: p for p in root.rglob("*.xml")}

    xml["P1E_S1_C1"].unlink()  # missing labels
    frames = sorted(at["P1E_S1_C2"].glob("*.jpg"))  # two frames cut off, one empty
    for path in frames[2:4]:
        path.write_bytes(path.read_bytes()[:3000])
    frames[5].write_bytes(b"")
    for path in at["P1E_S3_C2"].glob("*.jpg"):  # not one readable frame
        path.write_bytes(b"no picture")
    for path in at["P1L_S1_C1"].glob("*.jpg"):  # the labels are of larger frames
        small = cv2.resize(cv2.imread(str(path)), (64, 48))
        cv2.imwrite(str(path), small)
    odd = sorted(at["P2E_S1_C2.1"].glob("*.jpg"))[3]  # one frame of another size
    cv2.imwrite(str(odd), np.zeros((300, 400, 3), np.uint8))
    xml["P2E_S1_C2.2"].write_text("<dataset name='P2E'><frame number='1'>")  # labels cut off
    for path in at["P2E_S3_C1.1"].glob("*.jpg"):  # empty folder
        path.unlink()
    (root / "P1L_S4_C1.tar.xz").write_bytes(b"\xfd7zXZ\0 and no more")  # a damaged archive
    return root


@pytest.fixture(scope="module")
def rows(vsr, broken, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    done = vsr("batch", broken, "-o", out, *FAST)
    assert done.code == 9
    assert "5 of 9 failed; see" in done.stderr
    found = rows_of(out)
    for name, row in found.items():
        made = [p.name for p in out.iterdir() if p.name in (name, f"{name}.mp4")]
        assert bool(made) == (row["status"] == "ok")
    assert not list((out / ".vsr").glob("making/*"))
    return found


def test_missing_labels_leave_the_faces_to_the_detector(rows):
    row = rows["P1E_S1_C1"]
    assert (row["status"], row["faces_from"]) == ("ok", "detect")


def test_frames_cut_off_are_left_out(rows):
    row = rows["P1E_S1_C2"]
    assert row["status"] == "ok"
    assert row["skipped"] == 3
    assert len(row["notes"]) == 3
    assert ".vsr" not in "".join(row["notes"])


def test_a_frame_of_another_size_is_left_out(rows):
    row = rows["P2E_S1_C2.1"]
    assert (row["status"], row["skipped"]) == ("ok", 1)
    assert "400x300" in row["notes"][0]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("P1E_S3_C2", "not one of its"),
        ("P1L_S1_C1", "64x48"),
        ("P2E_S1_C2.2", "not valid XML"),
        ("P2E_S3_C1.1", "the folder is empty"),
        ("P1L_S4_C1", "cannot be read to its end"),
    ],
)
def test_what_cannot_be_done_says_why(rows, name, reason):
    assert rows[name]["status"] == "failed"
    assert reason in rows[name]["reason"]
    assert ".vsr" not in rows[name]["reason"]


def test_the_rest_is_done(rows):
    assert rows["P2L_S2_C1.1"]["status"] == "ok"
    assert rows["P2L_S2_C1.1"]["frames"] == 8


def test_failed_sequences_are_tried_again(near, fixture_script, tmp_path):
    data, out = tmp_path / "data", tmp_path / "out"
    fixture_script.build(data, names=("P1E_S1_C1", "P1L_S1_C1"), frames=6)
    folder = data / "P1E_S1_C1"
    kept = tmp_path / "kept"
    shutil.copytree(folder, kept)
    for path in folder.glob("*.jpg"):
        path.write_bytes(b"")
    assert near("batch", data, "-o", out, *FAST).code == 9
    shutil.copytree(kept, folder, dirs_exist_ok=True)
    done = near("batch", data, "-o", out, *FAST, "--json")
    assert done.code == 0, done.stderr
    assert done.json()["totals"] == {
        **done.json()["totals"], "sequences": 2, "ok": 2, "failed": 0, "kept": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("nowhere", "-o", "OUT"), 3, "no such folder"),
        (("EMPTY", "-o", "OUT"), 3, "nothing found"),
        (("EMPTY",), 2, "-o: missing"),
        (("EMPTY", "-o", "OUT", "--dataset", "imdb"), 2, "expected chokepoint or videos"),
        (("EMPTY", "-o", "OUT", "--faces", "guess"), 2, "guess"),
        (("DATA", "-o", "OUT", "--engine", "fast"), 2, "--engine: got 'fast'"),
        (("DATA", "-o", "OUT", "--workers", "0"), 2, "--workers: got 0"),
        (("DATA", "-o", "DATA"), 2, "the same folder"),
        (("DATA", "-o", "FILE"), 4, "is not a folder"),
        (("DATA", "-o", "OUT", "--only", "Q*"), 3, "named like Q*"),
        (("DATA", "-o", "OUT", "--model", "srgan"), 5, "srgan"),
        (("gopher://x", "-o", "OUT"), 2, "scheme"),
    ],
)
def test_bad_requests_get_one_line(here, short, tmp_path, arguments, code, words):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    places = {"EMPTY": tmp_path / "empty", "OUT": tmp_path / "out", "DATA": short,
              "FILE": tmp_path / "file"}  # fmt: skip
    done = here("batch", *(places.get(a, a) for a in arguments))
    assert done.code == code, done.stderr
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out/summary.csv").exists()
