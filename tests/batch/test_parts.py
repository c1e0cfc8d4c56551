"""Long sequences in parts: nothing shows of it in the results, and finished parts are kept."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest
from batch_helpers import FAST, command, contents, environment, rows_of

PART = 4
"""frames of a part"""
PARTS = (*FAST, "--set", f"encode.part_frames={PART}", "--workers", "1")
FIGURES = ("status", "frames", "persons", "faces", "labels", "plain", "skipped", "faces_from",
           "width", "height", "reason", "notes")  # fmt: skip


@pytest.fixture(scope="module")
def data(fixture_script, tmp_path_factory) -> Path:
    """16, 9 and 4 frames, with gaps, two that cannot be read."""
    names = ("P1E_S1_C2", "P1E_S3_C2", "P2E_S1_C2.1")
    root = fixture_script.build(tmp_path_factory.mktemp("data") / "long", names=names, frames=12)
    last = sorted((root / "P2E_S1").rglob("*.jpg"))
    for path in last[PART:]:
        path.unlink()
    frames = sorted((root / "P1E_S3").rglob("*.jpg"))
    frames[3].write_bytes(frames[3].read_bytes()[:300])
    cv2.imwrite(str(frames[6]), cv2.resize(cv2.imread(str(frames[6])), (400, 300)))
    return root


@pytest.fixture(scope="module", params=["truth", "detect"])
def faces(request) -> tuple[str, ...]:
    more = ("--background", "0") if request.param == "detect" else ()
    return ("--faces", request.param, *more)


@pytest.fixture(scope="module")
def whole(vsr, data, faces, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    done = vsr("batch", data, "-o", out, *PARTS, *faces, "--whole", "--quiet")
    assert done.code == 8, done.stderr  # two frames cannot be read
    assert not (out / ".vsr/parts").exists()
    return out


def events(out: Path) -> list[str]:
    lines = map(json.loads, (out / ".vsr/journal.jsonl").read_text().splitlines())
    return [e["job"] for e in lines if e["event"] == "ok"]


def same(out: Path, whole: Path) -> None:
    assert contents(out) == contents(whole)
    wanted = rows_of(whole)
    for name, row in rows_of(out).items():
        assert {f: row[f] for f in FIGURES} == {f: wanted[name][f] for f in FIGURES}
    assert not list((out / ".vsr/parts").iterdir())
    ends = events(out)
    assert len(ends) == len(set(ends)), "a finished part was done twice"


def test_parts_give_the_files_and_rows_of_the_whole(near, data, faces, whole, tmp_path):
    done = near("batch", data, "-o", tmp_path, *PARTS, *faces, "--quiet")
    assert done.code == 8, done.stderr
    same(tmp_path, whole)
    ends = events(tmp_path)
    steps = {step: [e for e in ends if e.endswith(f".{step}")] for step in ("detect", "make")}
    assert len(steps["make"]) == 7
    assert len(steps["detect"]) == (7 if "detect" in faces else 0)
    assert not any("P2E_S1_C2.1/" in e for e in ends)  # short: as it always was
    assert (whole / "P1E_S3_C2/faces.csv").is_file()
    with (tmp_path / "P1E_S3_C2/faces.csv").open() as file:
        numbers = [int(line["frame"]) for line in csv.DictReader(file)]
    assert numbers == sorted(numbers)


def _killed(
    arguments: tuple, out: Path, victim: str, wanted: str, deadline_s: float = 120
) -> list[str]:
    """Run, kill -9 the driver or a worker when ``wanted`` is being made; parts done by then."""
    process = subprocess.Popen(command(*arguments), env=environment())
    driver = psutil.Process(process.pid)
    deadline = time.monotonic() + deadline_s
    while not list(out.glob(f".vsr/making/*_{wanted}.*/part/faces/*/*.png")):
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    done = [p.name for p in out.glob(".vsr/parts/*/*.json")]
    if victim == "driver":
        driver.kill()
        assert process.wait(30) == -signal.SIGKILL
    else:
        worker = [c for c in driver.children() if "vsr.batch.worker" in " ".join(c.cmdline())]
        os.kill(worker[0].pid, signal.SIGKILL)
        assert process.wait(280) == 8  # two frames cannot be read, as in the whole
    return done


def test_a_kill_in_a_part_costs_that_part(near, data, faces, whole, tmp_path):
    victim = "driver" if "detect" in faces else "worker"
    arguments = ("batch", data, "-o", tmp_path, *PARTS, *faces, "--quiet")
    done = _killed(arguments, tmp_path, victim, f"P1E_S3_C2_{PART:06d}.make")
    assert "000000.make.json" in done
    if victim == "driver":
        again = near(*arguments)
        assert again.code == 8, again.stderr
    same(tmp_path, whole)
    if victim == "worker":
        assert rows_of(tmp_path)["P1E_S3_C2"]["attempts"] == 2


def test_a_broken_sequence_fails_with_the_reason_of_the_whole(near, data, tmp_path):
    broken = tmp_path / "data"
    folder = broken / "P1E_S1_C1"
    folder.mkdir(parents=True)
    for number in range(2 * PART + 2):
        (folder / f"{number:08d}.jpg").write_bytes(b"no picture")
    reasons = []
    for how in ("--split", "--whole"):
        out = tmp_path / how
        assert near("batch", broken, "-o", out, *PARTS, how, "--quiet").code == 9
        reasons.append(rows_of(out)["P1E_S1_C1"]["reason"])
        assert contents(out) == {}
    assert reasons[0] == reasons[1] != ""


def test_no_background_is_looked_for_in_the_parts_of_a_later_part(near, fixture_script, tmp_path):
    """P2E_S1_C2.2 begins in the middle of things, and so do its parts."""
    name = "P2E_S1_C2.2"
    data = fixture_script.build(tmp_path / "data", names=(name,), frames=10)
    for how in ("--split", "--whole"):
        done = near("batch", data, "-o", tmp_path / how, *PARTS, how, "--faces", "detect",
                   "--background", "5000", "--quiet")  # fmt: skip
        assert done.code == 0, done.stderr
    assert rows_of(tmp_path / "--whole")[name]["faces"] > 0
    same(tmp_path / "--split", tmp_path / "--whole")


def test_frames_that_the_rate_leaves_out_are_not_missed(near, data, tmp_path):
    """A third of the frames is kept, so that the last parts have none."""
    for how in ("--split", "--whole"):
        done = near("batch", data, "-o", tmp_path / how, "--only", "P1E_S1_C2", *PARTS, how,
                   "--faces", "detect", "--set", 'decode.fps="10"', "--quiet")  # fmt: skip
        assert done.code == 0, done.stderr
    same(tmp_path / "--split", tmp_path / "--whole")
    rows = rows_of(tmp_path / "--split")
    assert rows["P1E_S1_C2"]["skipped"] == 0
    assert 5 < rows["P1E_S1_C2"]["frames"] < 20


def test_a_join_takes_one_frame_out_of_an_archive(tmp_path):
    from vsr.batch.job import Job
    from vsr.batch.making import sized_frames_of
    from vsr.batch.storage import open_storage
    from vsr.media.folder import probe_folder

    picture = cv2.imencode(".jpg", np.zeros((48, 64, 3), np.uint8))[1].tobytes()
    files = tuple(f"{n:08d}.jpg" for n in range(5, 9))
    for first in (picture, b"no picture"):
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            for name in files:
                archive.writestr(f"S/{name}", picture if name != files[0] else first)
        job = Job(name="S", kind="chokepoint", root=str(tmp_path), source="a.zip/S",
                  archive="a.zip", files=files, out="out")  # fmt: skip
        folder = tmp_path / str(len(first))
        frames = sized_frames_of(job, open_storage(str(tmp_path)), folder)
        assert sorted(p.name for p in frames.iterdir()) == list(files)
        filled = [p.name for p in frames.iterdir() if p.stat().st_size]
        assert len(filled) == (1 if first == picture else 4)
        info = probe_folder(frames)
        assert (info.width, info.height, info.frame_count, info.last_pts) == (64, 48, 4, 3)


def test_parts_of_other_programs_are_made_again(data, tmp_path):
    from engine_contract import jobs_for, silent

    from vsr.batch.job import Job
    from vsr.batch.local import LocalEngine
    from vsr.batch.parts import in_steps, part_jobs, programs_of
    from vsr.batch.plan import recipe_of
    from vsr.batch.runner import Runner
    from vsr.batch.storage import open_storage

    job = next(j for j in jobs_for(data, tmp_path, PART) if j.name == "P1E_S3_C2")
    programs = programs_of(recipe_of(job))
    assert {"vsr", "ffmpeg", "detector", "encoder", "tensorflow"} <= programs.keys()
    first, second, *_ = part_jobs(job, "make", programs)
    other = part_jobs(job, "make", {**programs, "ffmpeg": "0.1"})[1]
    runner = Runner()
    assert runner.run(first, silent).status == runner.run(other, silent).status == "ok"
    assert other.name == second.name

    def run(jobs: list[Job]):
        yield from LocalEngine(1).run(jobs, silent)

    rows = {r.sequence: r for r in in_steps([job], open_storage(str(tmp_path)), run)}
    assert rows[first.name].kept
    assert not rows[second.name].kept
    assert rows[job.name].status == "ok"


def test_parts_of_different_encoders_are_not_joined(data, tmp_path):
    from engine_contract import jobs_for, silent

    from vsr.batch.parts import part_jobs
    from vsr.batch.runner import Runner

    job = next(j for j in jobs_for(data, tmp_path, PART) if j.name == "P1E_S3_C2")
    runner = Runner()
    for part in part_jobs(job, "make"):
        assert runner.run(part, silent).status == "ok"
    facts = tmp_path / part.name / "part.json"
    facts.write_text(json.dumps({**json.loads(facts.read_text()), "encoder": "h264_nvenc of n7"}))
    row = runner.run(replace(job, step="join"), silent)
    assert row.status == "failed"
    assert "come from different encoders (h264_nvenc of n7, libx264 of ffmpeg" in row.reason


def test_parts_go_with_the_settings_they_were_made_with(data, tmp_path):
    from engine_contract import jobs_for, silent

    from vsr.batch.journal import check
    from vsr.batch.parts import part_jobs
    from vsr.batch.runner import Runner
    from vsr.batch.storage import open_storage

    job = next(j for j in jobs_for(data, tmp_path) if j.name == "P1E_S1_C2")
    encode = {**job.settings["recipe"]["encode"], "part_frames": PART}
    job = replace(job, settings={**job.settings, "recipe": {**job.settings["recipe"],
                                                            "encode": encode}})  # fmt: skip
    part = part_jobs(job, "make")[1]
    assert Runner().run(part, silent).status == "ok"
    storage = open_storage(str(tmp_path))
    assert check(storage, part).standing == "done"
    encode = {**encode, "crf": 30}
    other = replace(job, settings={**job.settings, "recipe": {**job.settings["recipe"],
                                                              "encode": encode}})  # fmt: skip
    assert check(storage, part_jobs(other, "make")[1]).standing == "other settings"
    assert check(storage, replace(part, source_print="other")).standing == "other source"
