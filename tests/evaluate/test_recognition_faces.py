"""Faces chosen, aligned and told apart; `vsr evaluate chokepoint` as a user types it."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import skimage.data

from vsr.core.errors import DataError, InputError
from vsr.evaluate.recognition_faces import (
    Sample,
    choose_samples,
    describe,
    eye_chip,
    group_of,
    sequences_of,
)
from vsr.faces.annotations import Person, Point
from vsr.models.interpolate import InterpolationUpscaler

ROOT = Path(__file__).resolve().parents[2]
SEQUENCES = 4


@pytest.fixture(scope="session")
def passages_script() -> ModuleType:
    """tests/evaluate/passages.py."""
    path = Path(__file__).with_name("passages.py")
    spec = importlib.util.spec_from_file_location("passages", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def passages(passages_script, tmp_path_factory) -> Path:
    """Six persons in four sequences, with three empty frames each."""
    return passages_script.build(tmp_path_factory.mktemp("data") / "passages", 6, empty=3)


def vsr(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "vsr", "evaluate", "chokepoint", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=280,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
    )


# === choosing ===


def write_labels(path: Path, frames: dict[int, list[tuple[str, int]]]) -> None:
    """frames: number to (id, eye distance) of its persons."""
    tree = ET.Element("dataset", name=path.stem)
    for number, people in frames.items():
        frame = ET.SubElement(tree, "frame", number=f"{number:08d}")
        for who, distance in people:
            person = ET.SubElement(frame, "person", id=who)
            ET.SubElement(person, "leftEye", x="100", y="100")
            ET.SubElement(person, "rightEye", x=str(100 + distance), y="100")
    path.write_bytes(ET.tostring(tree))


def test_only_nameable_faces_are_chosen_evenly(tmp_path):
    folder = tmp_path / "P1E_S1_C1"
    folder.mkdir()
    frames: dict[int, list[tuple[str, int]]] = {n: [("0001", 20)] for n in range(100, 130)}
    frames[130] = [("Unknown", 20), ("0002", 0)]
    frames[131] = [("0003", 20), ("0003", 25)]
    frames[132] = [("0004", 20)]
    frames[140] = [("0005", 20)]
    write_labels(tmp_path / "P1E_S1_C1.xml", frames)
    for number in set(frames) - {140}:
        (folder / f"{number:08d}.jpg").touch()
    chosen = choose_samples(sequences_of(tmp_path, None, ()), 3)
    assert [(s.person.person_id, s.number) for s in chosen] == [
        ("0001", 105), ("0001", 115), ("0001", 125), ("0004", 132),
    ]  # fmt: skip
    assert len(choose_samples(sequences_of(tmp_path, None, ()), 99)) == 31


def test_groups_keep_parts_and_cameras_together():
    assert group_of("P2E_S1_C2.2", "sequence") == group_of("P2E_S1_C2.1", "sequence")
    assert group_of("P1E_S1_C2", "sequence") != group_of("P1E_S1_C1", "sequence")
    assert group_of("P1E_S1_C2", "passage") == group_of("P1E_S1_C1", "passage")
    assert group_of("P1L_S1_C1", "passage") != group_of("P1E_S1_C1", "passage")
    assert group_of("of my own", "passage") == "of my own"


def test_data_without_labels_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        sequences_of(tmp_path / "nowhere", None, ())
    with pytest.raises(InputError, match=r"no labelled sequence.*vsr batch --unpack"):
        sequences_of(tmp_path, None, ())


# === aligning ===


def test_chips_lie_as_dlibs_own():
    """A chip cut by the eyes is nearer to dlib's than one moved or scaled by a tenth."""
    dlib = pytest.importorskip("dlib")
    from vsr.evaluate.identity import IdentityDistance

    picture = np.ascontiguousarray(skimage.data.astronaut()[:260, 80:380])
    face = IdentityDistance().locate(picture)
    points = [(face.part(i).x, face.part(i).y) for i in range(5)]
    eyes = sorted(
        (tuple(np.mean([points[a], points[b]], axis=0)) for a, b in ((0, 1), (2, 3))),
    )
    theirs = dlib.get_face_chip(picture, face).astype(float)

    def error(stretch: float, right: float, down: float) -> float:
        """Of a chip whose eyes are taken to lie elsewhere, by eye distances."""
        (ax, ay), (bx, by) = eyes
        d, x, y = bx - ax, (ax + bx) / 2, (ay + by) / 2
        x, y, half = x + right * d, y + down * d, stretch * d / 2
        tilt = (by - ay) / 2 * stretch
        chip = eye_chip(picture, [(x - half, y - tilt), (x + half, y + tilt)])
        return float(np.abs(chip - theirs)[10:140, 10:140].mean())

    here = error(1, 0, 0)
    for wrong in ((1.1, 0, 0), (0.9, 0, 0), (1, 0.1, 0), (1, -0.1, 0), (1, 0, 0.1), (1, 0, -0.1)):
        assert error(*wrong) > 1.3 * here, wrong


def test_alignment_does_not_depend_on_the_enlargement():
    """Eyes at the same place in a picture and in its double give the same chip."""
    picture = np.ascontiguousarray(skimage.data.astronaut()[40:200, 140:300])
    large = np.repeat(np.repeat(picture, 2, axis=0), 2, axis=1)
    eyes = [(58.0, 80.0), (105.0, 78.0)]
    doubled = [(2 * x + 0.5, 2 * y + 0.5) for x, y in eyes]
    small_chip, large_chip = eye_chip(picture, eyes), eye_chip(large, doubled)
    assert np.abs(small_chip.astype(float) - large_chip).mean() < 3
    shifted = eye_chip(large, [(x + 4, y) for x, y in doubled])
    assert np.abs(small_chip.astype(float) - shifted).mean() > 6


# === describing ===


@pytest.mark.parametrize("protocol", ["frames", "seed"])
def test_every_variant_of_a_face_is_described(passages, protocol):
    pytest.importorskip("dlib")
    samples = choose_samples(sequences_of(passages, None, ("P1E_*",)), 1)
    found = describe(samples, [InterpolationUpscaler("lanczos", 2)], protocol)
    assert {s.person.person_id for s in found.samples} == {f"{i:04d}" for i in range(1, 7)}
    assert len(found.samples) == 12
    wanted = {"lr", "bicubic", "lanczos"} | ({"hr"} if protocol == "seed" else set())
    assert set(found.descriptors) == wanted
    table = {v: np.array(d) for v, d in found.descriptors.items()}
    assert all(t.shape == (12, 128) for t in table.values())
    # two interpolations of one face look alike to the network, two faces do not
    near = np.linalg.norm(table["bicubic"] - table["lanczos"], axis=1)
    assert 0 < near.max() < 0.35


def test_faces_off_the_frame_are_left_out(passages):
    pytest.importorskip("dlib")
    good = choose_samples(sequences_of(passages, None, ("P1E_S1_C1",)), 1)[:1]
    off = Person("0009", Point(-300, 50), Point(-270, 50))
    bad = Sample("P1E_S1_C1", "P1E_S1_C1", 1, good[0].path, off)
    found = describe([*good, bad], [], "frames")
    assert [s.person.person_id for s in found.samples] == [good[0].person.person_id]
    assert "1 of 2 faces lie off" in found.notices[0]
    with pytest.raises(DataError, match="not one labelled face"):
        describe([bad], [], "seed")


# === the command ===


@pytest.fixture(scope="session")
def study(passages, tmp_path_factory) -> tuple[dict, Path]:
    pytest.importorskip("dlib")
    out = tmp_path_factory.mktemp("out") / "recognition"
    done = vsr(
        passages, "--model", "lanczos", "--resamples", "100", "-o", out, "--json", "--per-person",
        "2",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), out


def test_the_command_tells_persons_apart(study):
    result, _ = study
    assert result["variants"] == ["lr", "bicubic", "lanczos"]
    assert result["data"]["persons"] == 6
    assert result["data"]["faces"] == 6 * SEQUENCES
    whole = result["bins"][0]
    assert (whole["genuine"], whole["impostor"]) == (6 * 6, 15 * 12)
    for variant in result["variants"]:
        found = whole["results"][variant]
        assert found["auc"]["value"] > 0.75  # chance is 0.5
        assert found["eer"]["low"] <= found["eer"]["value"] <= found["eer"]["high"]
        assert found["tar@far=0.001"]["value"] is None  # 180 impostor pairs cannot show it
    parts = result["bins"][1:]
    assert sum(p["genuine"] for p in parts) == whole["genuine"]
    assert sum(p["impostor"] for p in parts) == whole["impostor"]


def test_empty_frames_are_searched(study):
    found = study[0]["false_faces"]
    assert (found["sequences"], found["frames"]) == (SEQUENCES, 3 * SEQUENCES)
    assert found["detections"] == found["tracked"] == 0  # bricks and gravel


def test_what_is_written(study):
    result, out = study
    assert {p.name for p in out.iterdir()} == {"recognition.json", "table.md", "roc.svg"}
    assert json.loads((out / "recognition.json").read_text()) == result
    svg = ET.parse(out / "roc.svg").getroot()
    texts = {t.text for t in svg.iter("{http://www.w3.org/2000/svg}text")}
    assert {"lr", "bicubic", "lanczos", "false acceptance rate"} <= texts
    table = (out / "table.md").read_text()
    assert "| lanczos |" in table
    assert "False faces in 12 empty first frames" in table


def test_an_existing_study_is_not_replaced(here, study, passages):
    done = here("evaluate", "chokepoint", passages, "--model", "lanczos", "-o", study[1])
    assert done.code == 4
    assert "already exists" in done.stderr
    assert done.stdout == ""


def test_senseless_requests_get_one_line(here, passages, tmp_path):
    for arguments, code, text in (
        ((tmp_path / "nowhere",), 3, "no such folder"),
        (
            (passages, "--protocol", "sead"),
            2,
            "got 'sead', expected one of 'frames', 'seed'",
        ),
        ((passages, "--per-person", "0"), 2, "--per-person: got 0, expected 1 or more"),
    ):
        _refused(here("evaluate", "chokepoint", *arguments), code, text)


def test_one_sequence_is_too_few(here, passages):
    pytest.importorskip("dlib")
    done = here("evaluate", "chokepoint", passages, "--only", "P1E_S1_C1", "--model", "lanczos")
    _refused(done, 9, "give more sequences")


def _refused(done, code, text):
    assert done.code == code, done.stderr
    assert text in done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith("error: ")
    assert "Traceback" not in done.stderr
