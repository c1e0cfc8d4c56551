"""Paths about which nothing can be asked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from vsr.core.paths import fault_of


@pytest.fixture
def locked(tmp_path):
    """A folder that the test may not enter."""
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o000)
    root = os.geteuid() == 0
    if root:  # permissions do not bind root: be an unprivileged user
        os.seteuid(65534)
    yield folder
    if root:
        os.seteuid(0)
    folder.chmod(0o700)


def test_a_folder_that_may_not_be_entered_is_no_fault_of_the_name(locked):
    assert fault_of(locked / "clip.mp4") == "may not be looked at; check the rights of its folder"


def test_names_that_no_file_can_have(tmp_path):
    assert fault_of(tmp_path / "clip.mp4") is None
    assert "is not valid UTF-8" in (fault_of(Path("clip\udc80.mp4")) or "")
    assert "no file can have this name" in (fault_of(tmp_path / ("x" * 300)) or "")


@pytest.mark.parametrize("name", ["-", "/dev/stdin", "/dev/stdout", "/dev/fd/0"])
def test_a_stream_is_no_file(name):
    fault = fault_of(Path(name))
    assert fault is not None
    assert fault.startswith("is a stream, expected the name of a file")


@pytest.mark.process
def test_a_name_that_only_the_locale_cannot_read_is_not_to_be_renamed():
    """In a process whose file names are ASCII, as old scripts and cron jobs have it."""
    code = "import sys, pathlib, vsr.core.paths as p; print(p.fault_of(pathlib.Path(sys.argv[1])))"
    environment = {**os.environ, "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    for name, words in ((b"Z\xc3\xbcrich.mp4", "set LC_ALL=C.UTF-8"), (b"Z\xfc.mp4", "rename it")):
        command = [os.fsencode(sys.executable), b"-c", code.encode(), name]
        done = subprocess.run(command, capture_output=True, env=environment, check=True)
        assert words in done.stdout.decode("ascii")
