"""`vsr batch --protocol seed`: 128/64 pairs at the labelled eyes, measured."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import cv2
import numpy as np
import pytest
import skimage.data
from batch_helpers import contents, rows_of
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from vsr.evaluate.metrics import luma
from vsr.evaluate.seed import cut_pair
from vsr.faces.annotations import Person, Point

SEED = ("--protocol", "seed", "--model", "lanczos", "--scale", "2", "--workers", "1")
NAMES = ("P2E_S1_C2.1", "P1L_S1_C1", "P2L_S2_C1.1", "P1E_S1_C2")


@pytest.fixture(scope="module")
def data(fixture_script, tmp_path_factory) -> Path:
    """Three labelled sequences of two portals, and one without labels."""
    root = tmp_path_factory.mktemp("data") / "ChokePoint"
    return fixture_script.build(root, names=NAMES, frames=10)


@pytest.fixture(scope="module")
def made(vsr, data, tmp_path_factory) -> tuple[Path, dict]:
    """A finished batch, and what it printed."""
    out = tmp_path_factory.mktemp("out") / "seed"
    done = vsr("batch", data, "-o", out, *SEED, "--json")
    assert done.code == 9, done.stderr  # one sequence has no labels
    return out, done.json()


def faces_of(out: Path, name: str) -> list[dict[str, str]]:
    with (out / name / "faces.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def labelled(data: Path, name: str) -> dict[tuple[int, str], list[float]]:
    """(frame, id) to the eye distances labelled there, above 0, in frames that are there."""
    there = {int(p.stem) for p in data.rglob(f"{name}/*.jpg")}
    found: dict[tuple[int, str], list[float]] = {}
    for frame in ET.parse(next(data.rglob(f"{name}.xml"))).getroot():
        number = int(frame.get("number", "0"))
        for person in frame if number in there else ():
            eyes = [person.find(tag) for tag in ("leftEye", "rightEye")]
            points = [(float(e.get("x", 0)), float(e.get("y", 0))) for e in eyes if e is not None]
            if len(points) == 2 and points[0] != points[1]:
                distance = float(np.hypot(*np.subtract(*points)))
                found.setdefault((number, person.get("id", "")), []).append(distance)
    return found


def test_every_labelled_face_gives_a_pair(made, data):
    out, _ = made
    total = 0
    for name in NAMES:
        row = rows_of(out)[name]
        if name == "P2L_S2_C1.1":
            continue
        labels = labelled(data, name)
        lines = faces_of(out, name) if row["faces"] else []
        left_out = sum(int(n.split()[0]) for n in row["notes"] if "lie off" in n)
        assert row["faces"] + left_out == sum(map(len, labels.values()))
        assert len(lines) == row["faces"]
        for line in lines:
            distances = labels[int(line["frame"]), line["person"]]
            assert min(abs(d - float(line["eye_distance_px"])) for d in distances) < 0.01
            assert int(line["side"]) == pytest.approx(3 * float(line["eye_distance_px"]), abs=0.51)
            sides = [read(out / name / kind / line["file"]).shape for kind in ("hr", "lr", "sr")]
            assert sides == [(128, 128, 3), (64, 64, 3), (128, 128, 3)]
        total += row["faces"]
        assert not (out / f"{name}.mp4").exists()
    assert total > 20


def test_figures_are_those_of_the_written_pictures(made):
    out, _ = made
    for line in faces_of(out, "P2E_S1_C2.1")[:6]:
        hr, lr, sr = (read(out / "P2E_S1_C2.1" / k / line["file"]) for k in ("hr", "lr", "sr"))
        assert np.array_equal(lr, Image.fromarray(hr).resize((64, 64), Image.Resampling.BICUBIC))
        plain = np.asarray(Image.fromarray(lr).resize((128, 128), Image.Resampling.BICUBIC))
        for picture, kind in ((sr, ""), (plain, "bicubic_")):
            psnr = peak_signal_noise_ratio(luma(hr), luma(picture), data_range=255)
            assert float(line[f"{kind}psnr_db"]) == pytest.approx(psnr, abs=1e-4)
            _, full = structural_similarity(
                luma(hr), luma(picture), data_range=255, gaussian_weights=True, sigma=1.5,
                use_sample_covariance=False, full=True,
            )  # fmt: skip
            assert float(line[f"{kind}ssim"]) == pytest.approx(full[5:-5, 5:-5].mean(), abs=1e-4)


def test_tables_are_the_means_of_the_faces(made):
    out, result = made
    faces = [
        {**line, "sequence": name, "portal": name[:2], "camera": name[7:9]}
        for name in NAMES
        if (out / name / "faces.csv").exists()
        for line in faces_of(out, name)
    ]
    table = json.loads((out / "protocol.json").read_text())["rows"]
    assert table == result["protocol"]
    assert {r["by"] for r in table} == {"all", "portal", "camera", "eyes", "sequence", "person"}
    for by in ("all", "portal", "camera", "sequence", "person"):
        rows = [r for r in table if r["by"] == by]
        assert sum(r["faces"] for r in rows) == len(faces)
        for row in rows:
            chosen = [f for f in faces if by == "all" or f[by] == row["name"]]
            assert row["faces"] == len(chosen)
            assert row["persons"] == len({f["person"] for f in chosen})
            for key in ("psnr_db", "ssim", "bicubic_psnr_db", "bicubic_ssim"):
                assert row[key] == pytest.approx(np.mean([float(f[key]) for f in chosen]))
            assert row["gain_db"] == pytest.approx(row["psnr_db"] - row["bicubic_psnr_db"])
            assert (row["gain_low_db"] is None) == (row["persons"] == 1)
    with (out / "protocol.csv").open(newline="") as file:
        assert [r["name"] for r in csv.DictReader(file)] == [r["name"] for r in table]
    markdown = (out / "protocol.md").read_text().splitlines()
    assert len([x for x in markdown if x.startswith("| ")]) == len(table) + 1


def test_a_sequence_without_labels_costs_only_itself(made):
    rows = rows_of(made[0])
    assert rows["P2L_S2_C1.1"]["status"] == "failed"
    assert "has no label file" in rows["P2L_S2_C1.1"]["reason"]
    assert {rows[n]["status"] for n in NAMES if n != "P2L_S2_C1.1"} == {"ok"}


def test_a_rerun_keeps_what_is_finished_and_redoes_what_is_gone(near, data, made, tmp_path):
    out = tmp_path / "again"
    shutil.copytree(made[0], out)
    next((out / "P2E_S1_C2.1/sr").rglob("*.png")).unlink()
    done = near("batch", data, "-o", out, *SEED, "--json")
    kept = {r["sequence"]: r["kept"] for r in done.json()["rows"] if r["status"] == "ok"}
    assert kept.pop("P2E_S1_C2.1") is False
    assert all(kept.values())
    before, after = contents(made[0]), contents(out)
    assert after == before
    other = near("batch", data, "-o", out, "--protocol", "frames", *SEED[2:])
    assert other.code == 4
    assert "other settings" in other.stderr


def test_frames_that_the_rate_leaves_out_are_not_missed(near, data, tmp_path):
    done = near("batch", data, "-o", tmp_path, "--only", "P2E*", *SEED, "--set", 'decode.fps="10"')
    assert done.code == 0, done.stderr
    row = rows_of(tmp_path)["P2E_S1_C2.1"]
    numbers = sorted(int(p.stem) for p in data.rglob("P2E_S1_C2.1/*.jpg"))
    points = range(numbers[0], numbers[-1] + 1, 3)  # 30 fps, of which 10 are asked for
    nearest = {min(numbers, key=lambda n: abs(n - point)) for point in points}
    assert (row["frames"], row["skipped"]) == (len(nearest), 0)
    assert len(nearest) < len(numbers)


def test_frames_of_another_size_are_refused(near, data, tmp_path):
    shutil.copytree(data, tmp_path / "data")
    for path in (tmp_path / "data/P2E_S1").rglob("*.jpg"):
        cv2.imwrite(str(path), cv2.imread(str(path))[::2, ::2])
    done = near("batch", tmp_path / "data", "-o", tmp_path / "o", "--only", "P2E*", *SEED, "--json")
    assert done.code == 9
    reason = done.json()["rows"][0]["reason"]
    assert "got frames of 400x300 in 8 bit, expected 800x600" in reason
    assert not (tmp_path / "o/P2E_S1_C2.1").exists()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--protocol", "sead"), "got 'sead', expected one of 'frames', 'seed'"),
        (("--protocol", "seed", "--faces", "detect"), "cuts faces at labelled eyes"),
        (("--protocol", "seed", "--scale", "4"), "a model of scale 2"),
        (("--protocol", "seed", "--dataset", "videos"), "expected --dataset chokepoint"),
    ],
)
def test_senseless_options_get_one_line(here, data, tmp_path, options, text):
    done = here("batch", data, "-o", tmp_path / "o", *options)
    assert done.code == 2, done.stderr
    assert text in done.stderr
    assert not (tmp_path / "o").exists()


def test_the_square_lies_about_the_eyes():
    """Eyes at a third of the height, side 3 eye distances; the border is replicated."""
    frame = np.ascontiguousarray(skimage.data.astronaut())
    pair = cut_pair(frame, Person("1", Point(198, 120), Point(245, 120)))
    assert pair is not None
    assert (pair.side_px, pair.left) == (141, 151)
    assert pair.top == pytest.approx(120 - 0.36 * 141, abs=1)
    there = frame[pair.top : pair.top + 141, pair.left : pair.left + 141]
    again = cv2.resize(there, (128, 128), interpolation=cv2.INTER_AREA)
    assert np.array_equal(pair.hr, again)
    corner = cut_pair(frame, Person("1", Point(4, 300), Point(34, 300)))
    assert corner is not None
    assert corner.left < 0
    assert np.array_equal(corner.hr[:, 0], corner.hr[:, 4])
    assert cut_pair(frame, Person("1", Point(-60, 300), Point(-20, 300))) is None
    assert cut_pair(frame, Person("1", Point(50, 50), Point(50, 50))) is None
    assert cut_pair(frame, Person("1", None, Point(50, 50))) is None
