"""kill -9 of the driver or a worker at random moments: re-runs complete the batch.

VSR_KILLS=10 python -m pytest tests/batch/test_resume.py makes it ten kills.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from batch_helpers import FAST, command, contents, environment, rows_of

from vsr.batch.job import Job, Row
from vsr.batch.journal import check, write_marker
from vsr.batch.storage import LocalStorage

KILLS = int(os.environ.get("VSR_KILLS", "2"))


@pytest.fixture(scope="module")
def undisturbed(vsr, short, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed")
    done = vsr("batch", short, "-o", out, *FAST, "--quiet")
    assert done.code == 0, done.stderr
    return out


def test_is_complete_and_identical_after_kills(short, tmp_path, undisturbed):
    rng = random.Random(KILLS)
    killed: list[str] = []
    for round_ in range(2 * KILLS):  # a batch that completes before the last kill: another one
        out = tmp_path / str(round_)
        _disturb(short, out, rng, killed)
        _compare(out, undisturbed)
        if len(killed) >= KILLS:
            break
    print(f"killed: {' '.join(killed)}")
    assert len(killed) >= KILLS
    assert {"driver", "worker"} <= set(killed)


def _disturb(data: Path, out: Path, rng: random.Random, killed: list[str]) -> None:
    """Run a batch until it is complete; kill it at random moments, the driver or a worker."""
    finished: dict[str, tuple[int, int]] = {}
    while True:
        process = subprocess.Popen(
            command("batch", data, "-o", out, *FAST, "--quiet"), env=environment()
        )
        family: list[psutil.Process] = []
        if len(killed) < KILLS:
            victim = ("driver", "worker")[len(killed) % 2]
            family = _kill_later(process, victim, rng.uniform(0.8, 4.0), killed)
        code = process.wait(timeout=120)
        assert code in (0, -signal.SIGKILL), code
        if code != 0:
            _, alive = psutil.wait_procs(family, timeout=5)
            assert not alive, "workers outlive their driver"
        now = _marks(out)
        for name, facts in finished.items():  # what was finished was not touched again
            assert now[name] == facts
        finished = now
        if code == 0:
            return


def _compare(out: Path, undisturbed: Path) -> None:
    assert contents(out) == contents(undisturbed)
    assert not list((out / ".vsr").glob("making/*"))
    figures = ("status", "frames", "persons", "faces", "labels", "plain", "skipped", "reason")
    wanted = rows_of(undisturbed)
    for name, row in rows_of(out).items():
        assert {f: row[f] for f in figures} == {f: wanted[name][f] for f in figures}
    events = (out / ".vsr/journal.jsonl").read_text().splitlines()
    ends = [e["job"] for e in map(json.loads, events) if e["event"] == "ok"]
    assert len(ends) == len(set(ends)), "a finished sequence was done twice"


def _kill_later(
    process: subprocess.Popen, victim: str, wait_s: float, killed: list[str]
) -> list[psutil.Process]:
    """Kill -9 the driver or one of its workers; the driver's family at that moment."""
    deadline = time.monotonic() + wait_s
    while time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    if process.poll() is not None:
        return []
    driver = psutil.Process(process.pid)
    while process.poll() is None:
        family, workers = driver.children(recursive=True), _workers(driver)
        if victim == "driver":
            driver.kill()
        elif workers:
            random.choice(workers).kill()
        else:  # a busy machine has none yet
            time.sleep(0.02)
            continue
        killed.append(victim)
        return family
    return []


def _workers(driver: psutil.Process) -> list[psutil.Process]:
    found = []
    for child in driver.children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if "vsr.batch.worker" in " ".join(child.cmdline()):
                found.append(child)
    return found


def _marks(out: Path) -> dict[str, tuple[int, int]]:
    """Each finished sequence's marker and video: when they were written."""
    marks = {}
    for marker in (out / ".vsr/done").glob("*.json"):
        name = marker.name.removesuffix(".json")
        video = out / f"{name}.mp4"
        if "row" in json.loads(marker.read_text()):
            marks[name] = (marker.stat().st_mtime_ns, video.stat().st_mtime_ns)
    return marks


def test_a_second_run_does_nothing(near, short, undisturbed):
    before = _marks(undisturbed)
    done = near("batch", short, "-o", undisturbed, *FAST, "--json")
    assert done.code == 0
    assert done.json()["totals"]["kept"] == 4
    assert _marks(undisturbed) == before


def test_other_settings_are_told_and_redone_on_request(near, short, tmp_path):
    one = ("batch", short, "-o", tmp_path, "--only", "P1E_S3_C2", *FAST)
    assert near(*one, "--quiet").code == 0
    before = _marks(tmp_path)
    refused = near(*one, "--set", "encode.crf=30")
    assert refused.code == 4
    assert "was made with other settings; add --overwrite" in refused.stderr
    assert _marks(tmp_path) == before
    assert near(*one, "--set", "encode.crf=30", "--overwrite", "--quiet").code == 0
    assert _marks(tmp_path) != before


def test_outputs_that_were_taken_away_are_made_again(near, short, tmp_path):
    one = ("batch", short, "-o", tmp_path, "--only", "P1E_S3_C2", *FAST)
    assert near(*one, "--quiet").code == 0
    before = contents(tmp_path)
    next(tmp_path.glob("P1E_S3_C2/*/*.png")).unlink()
    assert near(*one, "--json").json()["totals"]["kept"] == 0
    assert contents(tmp_path) == before


def test_nothing_foreign_is_replaced(here, short, tmp_path):
    (tmp_path / "P1E_S3_C2").mkdir()
    mine = tmp_path / "P1E_S3_C2/mine.txt"
    mine.write_text("precious")
    done = here("batch", short, "-o", tmp_path, *FAST, "--overwrite")
    assert done.code == 4
    assert "was not created by vsr batch" in done.stderr
    assert mine.read_text() == "precious"


@pytest.mark.parametrize("name", ["summary.csv", "summary.json", "protocol.md"])
def test_no_foreign_table_is_replaced(here, short, tmp_path, name):
    mine = tmp_path / name
    mine.write_text("precious")
    for _ in range(2):  # a refused run must not make it its own
        done = here("batch", short, "-o", tmp_path, *FAST, "--overwrite")
        assert done.code == 4
        assert f"{name}: already exists and was not created by vsr batch" in done.stderr
    assert mine.read_text() == "precious"
    assert {p.name for p in tmp_path.iterdir()} <= {name, ".vsr"}


def test_a_version_that_made_a_finished_sequence_is_noted(tmp_path):
    storage = LocalStorage(tmp_path)
    job = Job(name="P1E", kind="chokepoint", root="x", source="x", out=str(tmp_path))
    write_marker(storage, job, Row(sequence="P1E", status="ok", notes=("one",)), {})
    marker = tmp_path / ".vsr/done/P1E.json"
    marker.write_text(json.dumps({**json.loads(marker.read_text()), "vsr": "0.0.1"}))
    found = check(storage, job)
    assert found.row is not None
    assert found.row.notes == ("one", "made by vsr 0.0.1")


def test_two_batches_do_not_share_an_output(short, tmp_path, vsr):
    with LocalStorage(tmp_path).lock():
        done = vsr("batch", short, "-o", tmp_path, *FAST)
    assert done.code == 4
    assert "another vsr batch is at work there" in done.stderr
