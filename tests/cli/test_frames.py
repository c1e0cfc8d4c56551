"""``vsr frames``, ``assemble`` and ``rerun`` as a user types them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import psutil
import pytest

LABELS = """<?xml version="1.0"?>
<dataset name="P1E_S1_C1">
  <frame number="00000012">
    <person id="0003"><leftEye x="60" y="60"/><rightEye x="90" y="60"/></person>
  </frame>
  <frame number="00000013"/>
</dataset>
"""


def one_error_line(outcome, code, *words):
    lines = [line for line in outcome.stderr.splitlines() if line.strip()]
    assert outcome.code == code, outcome.stderr
    assert len(lines) == 1, outcome.stderr
    assert lines[0].startswith("error: ")
    for word in words:
        assert word in lines[0], lines[0]


@pytest.mark.parametrize("command", ["frames", "assemble", "rerun"])
def test_help_shows_an_example(here, command):
    done = here(command, "--help")
    assert done.code == 0
    assert f"vsr {command} " in done.stdout
    for option in ("--json", "--quiet", "--overwrite"):
        assert option in done.stdout


def test_export_edit_assemble_and_rerun(here, tiny, tmp_path):
    look, out, run = tmp_path / "look", tmp_path / "o.mp4", tmp_path / "run.mp4"
    done = here("frames", tiny, "-o", look, "--model", "lanczos", "--scale", "2", "--json")
    assert done.code == 0, done.stderr
    assert json.loads(done.stdout) == json.loads((look / "index.json").read_text())
    done = here("assemble", look, "-o", out, "--quiet")
    assert (done.code, done.stdout, done.stderr) == (0, "", "")
    assert here("run", tiny, "-o", run, "--model", "lanczos", "--scale", "2", "--quiet").code == 0
    assert out.read_bytes() == run.read_bytes()
    done = here("rerun", tmp_path / "run.mp4.json")
    assert done.code == 0, done.stderr
    assert "the same file, byte for byte (15 frames)" in done.stdout
    # the manifest of an assembled video is none to repeat
    one_error_line(here("rerun", tmp_path / "o.mp4.json"), 9, "describes 'assemble'")
    # a changed result is told by the exit code
    values = json.loads((tmp_path / "run.mp4.json").read_text())
    values["outputs"][0] |= {"sha256": "0" * 64, "pictures_sha256": "0" * 64}
    (tmp_path / "run.mp4.json").write_text(json.dumps(values))
    done = here("rerun", tmp_path / "run.mp4.json", "--json")
    assert done.code == 9
    assert json.loads(done.stdout)["same"] is False
    assert done.stderr.startswith("error: ")


def test_a_chokepoint_sequence_with_its_labels(here, tmp_path):
    folder = tmp_path / "P1E_S1_C1"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in (12, 13, 15):
        picture = cv2.resize(rng.integers(0, 255, (20, 24, 3), np.uint8), (192, 160))
        cv2.imwrite(str(folder / f"{number:08d}.jpg"), picture)
    labels = tmp_path / "P1E_S1_C1.xml"
    labels.write_text(LABELS)
    out = tmp_path / "look"
    options = ("--labels", labels, "--model", "lanczos", "--scale", "2", "--json")
    done = here("frames", folder, "-o", out, *options)
    assert done.code == 0, done.stderr
    index = json.loads(done.stdout)
    assert [f["frame"] for f in index["frames"]] == [12, 13, 15]
    (row,) = index["faces"]
    assert (row["frame"], row["label"], row["eye_distance_px"]) == (12, "0003", 30.0)
    assert row["x"] < 60 < 90 < row["x"] + row["width"]
    assert (out / row["sr"]).is_file()
    one_error_line(here("frames", labels, "-o", out, "--overwrite", *options), 2, "--labels")


def test_bad_input_is_one_line(here, tiny, tmp_path):
    out = tmp_path / "look"
    quick = ("--model", "lanczos", "--scale", "2")
    empty = tmp_path / "empty"
    empty.mkdir()
    one_error_line(here("frames", empty, "-o", out, *quick), 3, "holds no picture")
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "00000001.jpg").write_bytes(b"\xff\xd8\xff")
    one_error_line(here("frames", broken, "-o", out, *quick), 3, "can be read")
    one_error_line(here("run", broken, "-o", tmp_path / "o.mp4", *quick), 3, "can be read")
    one_error_line(here("frames", tiny, "-o", out, "--format", "gif", *quick), 2, "gif", "webp")
    one_error_line(here("frames", tiny, "-o", out, "--every", "0", *quick), 2, "--every")
    one_error_line(here("frames", tiny, "-o", out, "--track", "3", *quick), 3, "track 3")
    one_error_line(here("frames", tiny, "-o", out, "--start", "9", *quick), 3, "--start")
    one_error_line(here("frames", tiny, "-o", tmp_path / "no" / "look"), 4, "does not exist")
    one_error_line(here("assemble", empty, "-o", tmp_path / "o.mp4"), 3, "index.json")
    one_error_line(here("rerun", tmp_path / "none.json"), 3, "none.json")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["broken", "empty"]


def test_interrupted_it_leaves_nothing(long_video, tmp_path):
    out = tmp_path / "look"
    words = ("frames", long_video, "-o", out, "--model", "lanczos", "--quiet")
    process = subprocess.Popen(
        [sys.executable, "-m", "vsr", *words],
        stderr=subprocess.PIPE,
        text=True,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    deadline = time.monotonic() + 90
    while not list(tmp_path.glob(".look*/frames/*.png")):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    process.wait(20)
    assert process.returncode == 130
    assert process.stderr.read().startswith("error: interrupted")
    assert list(tmp_path.iterdir()) == []
    assert psutil.wait_procs(children, timeout=2)[1] == []


def test_a_full_disk_leaves_nothing(vsr, samples, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(small)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("a tmpfs cannot be mounted here (needs root)")
    try:
        source = samples / "surveillance_800x600_30fps.mp4"
        done = vsr("frames", source, "-o", small / "look", "--model", "lanczos", "--quiet")
        one_error_line(done, 4, "cannot be written")
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)
