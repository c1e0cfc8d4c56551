"""Marks are honest: what is fast starts no process and loads no network; data is asked for once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
DATA = '"VSR_TEST' + '_DATA"'
KINDS = {"fast", "network", "process", "data", "gpu"}
ALONE = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
"""the environment without what the pytest around this one was told"""
COLLECT = (
    "import sys, pytest\n"
    "code = pytest.main(['-q', '--collect-only', '-m', 'fast', '-p', 'no:cacheprovider'])\n"
    "heavy = {'tensorflow', 'keras', 'ray'} & set(sys.modules)\n"
    "sys.exit(str(heavy) if heavy else code)"
)
DISHONEST = """
import subprocess, sys
import pytest

def test_starts(): subprocess.run([sys.executable, "-c", ""])
def test_imports(): import tensorflow
def test_is_fast(): pass
@pytest.mark.process
def test_says_so(): subprocess.run([sys.executable, "-c", ""])
def test_needs_data(real_data): assert real_data
"""


@pytest.mark.fast
def test_every_test_has_a_mark_and_the_fast_ones_no_other(request: pytest.FixtureRequest):
    for item in request.session.items:
        marks = {mark.name for mark in item.iter_markers()} & KINDS
        assert marks, item.nodeid
        assert marks == {"fast"} or "fast" not in marks, item.nodeid


def test_what_is_fast_is_collected_without_a_network():
    done = subprocess.run([sys.executable, "-c", COLLECT], capture_output=True, text=True,
                          cwd=TESTS.parent, env=ALONE)  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert "tests/core/test_types.py::" in done.stdout
    assert not [line for line in done.stdout.splitlines() if line.startswith("tests/train/")]


def test_a_dishonest_mark_fails_the_test(tmp_path: Path):
    """The same conftest.py over a folder whose tests are fast by default."""
    (tmp_path / "core").mkdir()
    shutil.copy(TESTS / "conftest.py", tmp_path)
    (tmp_path / "core" / "test_it.py").write_text(DISHONEST)
    (tmp_path / "core" / "tensorflow.py").touch()  # what the import finds: it costs nothing
    call = [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider"]
    found = {}
    for expression in ("fast", "process", "data"):
        done = subprocess.run([*call, "-m", expression, str(tmp_path)], capture_output=True,
                              text=True, cwd=tmp_path / "core", env=ALONE)  # fmt: skip
        found[expression] = done.stdout
    fast = found["fast"]
    assert "starts" in fast
    assert "mark it process" in fast
    assert "imports TensorFlow: mark it network" in fast
    assert "2 failed, 1 passed, 2 deselected" in fast
    assert "1 passed, 4 deselected" in found["process"]
    assert "deselected" in found["data"]


@pytest.mark.fast
def test_real_data_is_asked_for_in_one_place():
    """No test passes only because of it: all others build what they need."""
    named = {
        path.relative_to(TESTS).as_posix()
        for path in TESTS.rglob("*.py")
        if DATA in path.read_text(encoding="utf-8")
    }
    assert named == {"conftest.py", "media/test_real_clips.py"}
