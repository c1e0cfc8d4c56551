"""The whole fixture through the command, refereed by the label files and by PyAV."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree as ET

import av
import cv2
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from batch_helpers import FAST, rows_of


@pytest.fixture(scope="module")
def out(vsr, chokepoint, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("out")
    done = vsr("batch", chokepoint, "-o", folder, *FAST)
    assert done.code == 0, done.stderr
    assert "8 of 8 ok" in done.stdout
    return folder


def frame_folders(root: Path) -> dict[str, Path]:
    return {p.parent.name: p.parent for p in root.rglob("0*.jpg")}


def labelled(root: Path, name: str) -> dict[int, list[tuple[str, list[tuple[float, float]]]]]:
    """Frame number to (id, eyes), read by another parser than the product's."""
    path = next(root.rglob(f"{name}.xml"), None)
    if path is None:
        return {}
    return {
        int(frame.attrib["number"]): [
            (p.attrib["id"], [(float(e.attrib["x"]), float(e.attrib["y"])) for e in p])
            for p in frame
        ]
        for frame in ET.parse(path).getroot()
    }


def has_two_eyes(eyes: list[tuple[float, float]]) -> bool:
    return len(eyes) == 2 and eyes[0] != eyes[1]


def test_frames_persons_and_faces_are_those_of_the_label_files(chokepoint, out):
    rows = rows_of(out)
    folders = frame_folders(chokepoint)
    assert rows.keys() == folders.keys()
    assert len(rows) == 8
    for name, row in rows.items():
        numbers = {int(p.stem) for p in folders[name].glob("*.jpg")}
        assert row["frames"] == len(numbers)
        people = [p for n, ps in labelled(chokepoint, name).items() if n in numbers for p in ps]
        if not people:
            assert row["faces_from"] == "detect"
            continue
        assert row["persons"] == len({i for i, _ in people})
        assert row["labels"] == len(people)
        assert row["faces"] == sum(has_two_eyes(eyes) for _, eyes in people)


def test_every_person_with_two_eyes_has_a_picture(chokepoint, out):
    for name, folder in frame_folders(chokepoint).items():
        wanted = set()
        for number, people in labelled(chokepoint, name).items():
            seen: Counter[str] = Counter()
            for who, eyes in people:
                if has_two_eyes(eyes) and (folder / f"{number:08d}.jpg").exists():
                    seen[who] += 1
                    nth = f"_{seen[who]}" if seen[who] > 1 else ""
                    wanted.add(f"{who}/{number:08d}{nth}.png")
        made = {p.relative_to(out / name).as_posix() for p in (out / name).rglob("*.png")}
        if wanted:
            assert made == wanted
    assert next(out.glob("P2E_S3_C1.1/*/*_2.png"))


def test_the_index_lists_every_picture(chokepoint, out):
    for name, folder in frame_folders(chokepoint).items():
        with (out / name / "faces.csv").open(newline="") as file:
            lines = list(csv.DictReader(file))
        made = {p.relative_to(out / name).as_posix() for p in (out / name).rglob("*.png")}
        assert {line["file"] for line in lines} == made
        assert len(lines) == rows_of(out)[name]["faces"]
        plain = sum(line["outcome"] == "plain" for line in lines)
        assert plain == rows_of(out)[name]["plain"]
        people = labelled(chokepoint, name)
        for line in lines:
            assert (folder / f"{int(line['frame']):08d}.jpg").exists()
            side = cv2.imread(str(out / name / line["file"])).shape[0]
            assert side == 2 * int(line["side"])
            if people:
                eyes = [e for who, e in people[int(line["frame"])] if who == line["person"]]
                distances = [np.hypot(*np.subtract(*e)) for e in eyes if has_two_eyes(e)]
                assert min(abs(d - float(line["eye_distance_px"])) for d in distances) < 0.01


def test_a_gap_in_the_numbers_is_a_gap_in_time(chokepoint, out):
    for name, folder in frame_folders(chokepoint).items():
        numbers = sorted(int(p.stem) for p in folder.glob("*.jpg"))
        with av.open(str(out / f"{name}.mp4")) as container:
            stream = container.streams.video[0]
            assert (stream.width, stream.height) == (1600, 1200)
            frames = [f.pts * stream.time_base for f in container.decode(stream)]
        assert sorted(frames) == [Fraction(n - numbers[0], 30) for n in numbers]
    with_gap = sorted(int(p.stem) for p in frame_folders(chokepoint)["P1E_S1_C1"].glob("*.jpg"))
    assert max(np.diff(with_gap)) > 10


def test_pictures_show_the_face_at_the_eyes(chokepoint, out):
    """A picture holds what lies around the eyes in the frame, enlarged by two."""
    name = "P1L_S1_C1"
    checked = 0
    for number, people in labelled(chokepoint, name).items():
        for who, eyes in people:
            (ax, ay), (bx, by) = eyes
            if not (100 < ax < 700 and 100 < ay < 500):
                continue
            picture = cv2.imread(str(out / f"{name}/{who}/{number:08d}.png")).astype(float)
            frame = cv2.imread(str(frame_folders(chokepoint)[name] / f"{number:08d}.jpg"))
            distance = float(np.hypot(bx - ax, by - ay))
            side = picture.shape[0] // 2
            assert picture.shape[0] == picture.shape[1]
            assert side == pytest.approx(max(8, 3 * distance), abs=1)
            eye_row = picture.shape[0] * (0.5 - 0.08 * 2.3 / 3)
            reduced = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
            top = round((ay + by) / 2 - eye_row / 2)
            left = round((ax + bx) / 2 - side / 2)
            there = frame[top : top + side, left : left + side].astype(float)
            errors = [
                np.abs(np.roll(there, (dy, dx), (0, 1)) - reduced)[3:-3, 3:-3].mean()
                for dy in (-1, 0, 1)
                for dx in (-1, 0, 1)
            ]
            assert min(errors) < 4
            checked += 1
    assert checked > 5


def test_border_pictures_are_padded_by_replication(chokepoint, out):
    picture = cv2.imread(str(out / "P2E_S1_C2.1/0019/00000804.png")) if _real(chokepoint) else None
    if picture is None:
        path = next(iter(sorted((out / "P2E_S1_C2.1/0019").glob("*.png"))))
        picture = cv2.imread(str(path))
    assert np.array_equal(picture[:, 0], picture[:, 4])
    assert not np.array_equal(picture[:, -1], picture[:, -5])


def _real(root: Path) -> bool:
    return (frame_folders(root)["P2E_S1_C2.1"] / "00000804.jpg").exists()


def test_the_summary_is_a_table_too(out):
    with (out / "summary.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    rows = rows_of(out)
    assert [r["sequence"] for r in table] == sorted(rows)
    assert list(table[0])[:7] == [
        "sequence", "status", "frames", "persons", "faces", "seconds", "reason",
    ]  # fmt: skip
    for row in table:
        assert row["status"] == "ok"
        assert int(row["faces"]) == rows[row["sequence"]]["faces"]


def test_detected_faces_stand_where_the_labels_are(near, chokepoint, tmp_path):
    """--faces detect on a labelled sequence finds the person, and nobody in the empty frames."""
    name = "P2E_S1_C2.1"
    done = near("batch", chokepoint, "-o", tmp_path, "--only", name, "--faces", "detect", *FAST)
    assert done.code == 0, done.stderr
    row = rows_of(tmp_path)[name]
    assert row["faces_from"] == "detect"
    assert row["faces"] > 5
    assert {p.parent.name for p in (tmp_path / name).rglob("*.png")} <= {
        f"face_{i:04d}" for i in range(20)
    }


def test_background_frames_hold_no_detected_faces(near, chokepoint, tmp_path):
    one = ("batch", chokepoint, "--only", "P2E_S1_C2.1", "--faces", "detect", *FAST)
    assert near(*one, "-o", tmp_path, "--background", "5000").code == 0
    assert rows_of(tmp_path)["P2E_S1_C2.1"]["faces"] == 0


def test_archives_give_the_same_files(near, archives, chokepoint, out, tmp_path):
    from batch_helpers import contents

    done = near("batch", archives, "-o", tmp_path / "a", *FAST)
    assert done.code == 0, done.stderr
    assert "labels without frames: P1L_S1_C1" in done.stderr
    made, wanted = contents(tmp_path / "a"), contents(out)
    assert {"P1E_S1_C1.mp4", "P1E_S1_C2.mp4", "P2E_S1_C2.1.mp4", "P2E_S1_C2.2.mp4"} <= made.keys()
    assert made == {k: v for k, v in wanted.items() if k in made}
    done = near("batch", archives, "--list", "--json", "--unpack", tmp_path / "b")
    assert done.code == 0, done.stderr
    listed = {s["sequence"]: s for s in done.json()["sequences"]}
    assert set(listed) == {"P1E_S1_C1", "P1E_S1_C2", "P2E_S1_C2.1", "P2E_S1_C2.2"}
    assert all(s["archive"] is None for s in listed.values())
    for name, folder in frame_folders(tmp_path / "b").items():
        source = frame_folders(chokepoint)[name]
        for path in folder.glob("*.jpg"):
            assert path.read_bytes() == (source / path.name).read_bytes()


def test_a_network_runs_in_the_workers(near, chokepoint, out, tmp_path):
    name = "P2E_S1_C2.2"
    done = near("batch", chokepoint, "-o", tmp_path, "--only", name, "--model", "srresnet-x2-fast")
    assert done.code == 0, done.stderr
    row, plain = rows_of(tmp_path)[name], rows_of(out)[name]
    assert (row["frames"], row["faces"]) == (plain["frames"], plain["faces"])
    assert row["plain"] < row["faces"]
    path = next((tmp_path / name).rglob("*.png"))
    sharp = cv2.imread(str(path))
    bicubic = cv2.imread(str(out / path.relative_to(tmp_path)))
    assert sharp.shape == bicubic.shape
    assert cv2.Laplacian(sharp, cv2.CV_64F).var() > cv2.Laplacian(bicubic, cv2.CV_64F).var()
