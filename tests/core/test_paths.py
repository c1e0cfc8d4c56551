"""Paths about which nothing can be asked."""

from __future__ import annotations

import os
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
