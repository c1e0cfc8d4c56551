"""What happens to a run that was lost: it goes on, or says why it cannot."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.command import left_behind, same, start
from tests.faults.conftest import OPTIONS, SAMPLE, wait_for_parts
from tests.faults.kills import kill_and_resume

KILLS = int(os.environ.get("VSR_FAULT_KILLS", "3"))


def run(source: Path, out: Path, *options: object) -> tuple[int, str]:
    process = start("run", source, "-o", out, *OPTIONS, *options)
    _, errors = process.communicate()
    return process.returncode, errors


def refused(here: Callable[..., Any], source: Path, out: Path, *options: object) -> str:
    """What a run says that ends before any work, and so needs no process of its own."""
    ended = here("run", source, "-o", out, *OPTIONS, *options)
    assert ended.code != 0
    return ended.stderr


def journal(out: Path) -> Path:
    return out.with_name(f".{out.name}.vsr-journal")


def test_killed_at_random_points_the_output_is_the_undisturbed_one(clip, tmp_path):
    found = kill_and_resume(clip, tmp_path, OPTIONS, KILLS, seed=3)
    assert found.kills == KILLS
    assert found.differences == []


def test_it_goes_on_from_finished_parts_and_then_says_that_it_is_done(here, clip, whole, lost):
    code, errors = run(clip, lost)
    assert code == 0, errors
    assert "resuming after" in errors
    assert same(whole, lost) == []
    assert left_behind(lost.parent) == []
    before = lost.stat().st_mtime_ns
    again = here("run", clip, "-o", lost, *OPTIONS)
    assert again.code == 0
    assert "is complete already, of the same input, weights and settings" in again.stderr
    assert lost.stat().st_mtime_ns == before
    assert "already exists" in refused(here, clip, lost, "--crf", 20)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--crf", 20), "encode.crf = 17 (now 20)"),
        (("--set", "detect.stride=2"), "detect.stride = auto (now 2)"),
        (("--model", "lanczos"), "model bicubic (now lanczos)"),
    ],
)
def test_other_settings_are_refused_with_the_reason(here, clip, lost, options, reason):
    before = {p.name: p.read_bytes() for p in journal(lost).iterdir()}
    errors = refused(here, clip, lost, *options)
    assert reason in errors
    assert "--restart" in errors
    assert errors.count("\n") == 1
    assert {p.name: p.read_bytes() for p in journal(lost).iterdir()} == before


def test_another_input_is_refused_until_restarted(here, whole, lost, clip, tmp_path):
    other = tmp_path / "other.mp4"
    shutil.copy(SAMPLE, other)
    assert "another input" in refused(here, other, lost)
    code, errors = run(clip, lost, "--restart")
    assert code == 0, errors
    assert "resuming" not in errors
    assert same(whole, lost) == []


@pytest.mark.parametrize(
    "damage", ["a line cut short", "a part cut short", "a byte is another", "a part is gone"]
)
def test_what_a_loss_of_power_damaged_is_made_again(clip, whole, lost, damage):
    folder = journal(lost)
    if damage == "a line cut short":
        book = folder / "parts.jsonl"
        book.write_bytes(book.read_bytes()[:-9])
    elif damage == "a part cut short":
        os.truncate(folder / "000001.nut", 1000)
    elif damage == "a byte is another":
        data = bytearray((folder / "000001.nut").read_bytes())
        data[len(data) // 2] ^= 1
        (folder / "000001.nut").write_bytes(data)
    else:
        (folder / "000000.nut").unlink()
    code, errors = run(clip, lost)
    assert code == 0, errors
    assert same(whole, lost) == []


def test_a_journal_that_cannot_be_read_is_refused(here, clip, lost):
    (journal(lost) / "header.json").write_text("[]")
    errors = refused(here, clip, lost)
    assert "use --restart to start over" in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_keeps_what_is_finished(clip, whole, tmp_path, number):
    out = tmp_path / "out.mp4"
    process = start("run", clip, "-o", out, *OPTIONS, "--quiet")
    wait_for_parts(process, out, 1)
    process.send_signal(number)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert errors == ("error: interrupted; finished parts are kept; the same command resumes\n")
    assert not out.exists()
    code, errors = run(clip, out)
    assert code == 0
    assert "resuming after" in errors
    assert same(whole, out) == []


def test_lost_between_the_output_and_its_manifest_it_is_finished(clip, whole, tmp_path):
    """A debugger's view of the one moment that random kills seldom meet."""
    out = tmp_path / "out.mp4"
    code = "import os, vsr.run.manifest as m; m.Manifest.write = lambda *_: os._exit(9)"
    process = start("run", clip, "-o", out, *OPTIONS, before=code)
    process.communicate()
    assert process.returncode == 9
    assert out.exists()
    code, errors = run(clip, out)
    assert code == 0, errors
    assert same(whole, out) == []
    assert left_behind(tmp_path) == []


def test_a_file_of_the_users_own_is_not_taken_for_a_lost_output(here, clip, lost):
    lost.write_bytes(b"precious")
    assert "already exists" in refused(here, clip, lost)
    assert lost.read_bytes() == b"precious"
