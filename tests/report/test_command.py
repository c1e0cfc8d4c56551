"""``vsr report`` and ``--report`` as a user types them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def vsr(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "vsr", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=280,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
    )


def test_help_has_an_example():
    done = vsr("report", "--help")
    assert done.returncode == 0
    assert "vsr report out.mp4 -o report.html" in " ".join(done.stdout.split())


def test_json_is_the_only_thing_on_stdout(here, finished, tmp_path):
    page = tmp_path / "r.html"
    done = here("report", finished, "-o", page, "--json")
    assert done.code == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["report"] == str(page)
    assert result["bytes"] == page.stat().st_size
    assert result["tracks"] == 1
    assert result["notices"][0]["tone"] == "stop"
    assert done.stderr == ""


def test_quiet_says_nothing(finished, tmp_path):
    done = vsr("report", finished, "-o", tmp_path / "r.html", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(("name", "code"), [("no.mp4", 3), ("old.json", 9), ("taken.html", 4)])
def test_bad_input_is_one_line_and_a_code_of_its_own(here, finished, tmp_path, name, code):
    manifest = json.loads(finished.with_name("out.mp4.json").read_text())
    (tmp_path / "old.json").write_text(json.dumps({**manifest, "format": 0}))
    (tmp_path / "taken.html").write_text("mine")
    target = finished if code == 4 else tmp_path / name
    page = tmp_path / ("taken.html" if code == 4 else "r.html")
    done = here("report", target, "-o", page)
    assert done.code == code
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert (tmp_path / "taken.html").read_text() == "mine"
    assert not (tmp_path / "r.html").exists()


def test_a_run_ends_in_its_report(here, finished, tmp_path):
    page, out = tmp_path / "r.html", tmp_path / "out.mp4"
    source = finished.with_name("source.mp4")
    done = here("run", source, "-o", out, "--model", "bicubic", "--report", page)
    assert done.code == 0, done.stderr
    assert "Enlarged by interpolation" in page.read_text()
    assert str(page) in done.stdout
    again = tmp_path / "again.mp4"
    done = here("run", source, "-o", again, "--model", "bicubic", "--report", page)
    assert done.code == 4
    assert not again.exists()  # told before any work is done


def test_an_experiment_without_folder_has_no_report(here, finished, tmp_path):
    source = finished.with_name("source.mp4")
    done = here("evaluate", source, "--model", "bicubic", "--report", tmp_path / "r.html")
    assert done.code == 2
    assert "-o DIR" in done.stderr
