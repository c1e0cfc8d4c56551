"""Data and results in a bucket, served by an S3 server on this machine."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from batch_helpers import FAST, command, contents, environment

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def data(bucket, short) -> str:
    """The short ChokePoint in the bucket."""
    import s3fs

    s3fs.S3FileSystem().put(f"{short}/", f"{bucket}/ChokePoint/", recursive=True)
    return f"{bucket}/ChokePoint"


@pytest.fixture(scope="module")
def local(vsr, short, tmp_path_factory) -> Path:
    """The same from folder to folder."""
    out = tmp_path_factory.mktemp("local")
    assert vsr("batch", short, "-o", out, *FAST, "--workers", "1", "--quiet").code == 0
    return out


def fetched(out: str, into: Path) -> dict[str, str]:
    """The results below an output in the bucket, as `contents`."""
    import s3fs

    fs = s3fs.S3FileSystem(use_listings_cache=False)
    root = out.removeprefix("s3://")
    for key in fs.find(root):
        target = into / key.removeprefix(f"{root}/")
        target.parent.mkdir(parents=True, exist_ok=True)
        fs.get_file(key, str(target))
    return contents(into)


def test_bucket_to_bucket_gives_the_files_of_folder_to_folder(vsr, data, bucket, local, tmp_path):
    out = f"{bucket}/out"
    done = vsr("batch", data, "-o", out, *FAST, "--workers", "1", "--json")
    assert done.code == 0, done.stderr
    assert done.json()["totals"] == {**done.json()["totals"], "sequences": 4, "ok": 4, "kept": 0}
    assert fetched(out, tmp_path / "first") == contents(local)
    assert json.loads((tmp_path / "first/summary.json").read_text())["totals"]["ok"] == 4
    again = vsr("batch", data, "-o", out, *FAST, "--workers", "1", "--json")
    assert again.json()["totals"]["kept"] == 4


def test_long_sequences_in_parts_go_through_the_bucket_without_a_seam(
    vsr, data, bucket, short, tmp_path
):
    how = (*FAST, "--set", "encode.part_frames=4", "--workers", "1")
    whole, out = tmp_path / "whole", f"{bucket}/parts"
    assert vsr("batch", short, "-o", whole, *how, "--whole", "--quiet").code == 0
    done = vsr("batch", data, "-o", out, *how, "--quiet")
    assert done.code == 0, done.stderr
    assert fetched(out, tmp_path / "parts") == contents(whole)
    assert not list((tmp_path / "parts/.vsr").glob("parts/*"))


def test_a_bucket_is_listed_and_one_sequence_goes_to_a_folder(vsr, data, local, tmp_path):
    listed = vsr("batch", data, "--list", "--json").json()
    assert len(listed["sequences"]) == 4
    done = vsr("batch", data, "-o", tmp_path, "--only", "P1E_S3_C2", *FAST, "--workers", "1")
    assert done.code == 0, done.stderr
    wanted = {n: h for n, h in contents(local).items() if n.startswith("P1E_S3_C2")}
    assert contents(tmp_path) == wanted != {}


def test_is_complete_and_identical_after_kills(data, bucket, local, tmp_path):
    rng, out, killed = random.Random(5), f"{bucket}/killed", 0
    for attempt in range(8):
        process = subprocess.Popen(
            command("batch", data, "-o", out, *FAST, "--workers", "1", "--quiet"),
            env=environment(),
        )
        if killed < 2:
            _kill_after_some_work(process, out, rng, killed)
        code = process.wait(timeout=300)
        here = tmp_path / str(attempt)
        results = fetched(out, here)
        _marked_ones_are_complete(here)
        if code == 0:
            break
        assert code == -signal.SIGKILL
        killed += 1
    assert killed
    assert results == contents(local)


def _kill_after_some_work(process, out: str, rng: random.Random, done: int) -> None:
    """Wait until as many sequences are done, then a little, then kill -9."""
    import s3fs

    fs = s3fs.S3FileSystem(use_listings_cache=False)
    while process.poll() is None and len(fs.find(f"{out}/.vsr/done")) <= done:
        time.sleep(0.05)
    time.sleep(rng.uniform(0, 0.6))
    if process.poll() is None:
        os.kill(process.pid, signal.SIGKILL)


def _marked_ones_are_complete(out: Path) -> None:
    for marker in (out / ".vsr/done").glob("*.json"):
        facts = json.loads(marker.read_text())
        if "row" not in facts:
            continue
        for path, extent in facts["outputs"].items():
            if path.endswith("/"):
                assert sum(p.is_file() for p in (out / path).rglob("*")) == extent
            else:
                assert (out / path).stat().st_size == extent


def test_archives_in_a_bucket_are_read_in_place(vsr, bucket, archives, tmp_path):
    import s3fs

    s3fs.S3FileSystem().put(f"{archives}/", f"{bucket}/archives/", recursive=True)
    from_folder = vsr("batch", archives, "--list", "--json").json()["sequences"]
    listed = vsr("batch", f"{bucket}/archives", "--list", "--json").json()["sequences"]
    assert [s["sequence"] for s in listed] == [s["sequence"] for s in from_folder] != []


def test_what_is_wrong_with_a_bucket_is_one_line(vsr, data):
    for where, code in (("s3://no-such-bucket/x", 3), (f"{data}/nothing", 3)):
        done = vsr("batch", where, "--list")
        assert done.code == code
        assert where in done.stderr
        assert "Traceback" not in done.stderr
    done = vsr("batch", data, "-o", "s3://no-such-bucket/out", *FAST)
    assert done.code == 4
    assert "s3://no-such-bucket/out" in done.stderr
    assert "Traceback" not in done.stderr


def test_ray_and_a_bucket_together(vsr, data, bucket, local, tmp_path):
    pytest.importorskip("ray", reason="Ray is not installed (extra 'ray')")
    out = f"{bucket}/ray"
    done = vsr("batch", data, "-o", out, *FAST, "--only", "P1E_S[13]_C2", "--engine", "ray",
               "--address", "local", "--cpus", "1", "--workers", "1", "--json",
               timeout=600)  # fmt: skip
    assert done.code == 0, done.stderr
    wanted = {n: h for n, h in contents(local).items() if n.startswith(("P1E_S1_C2", "P1E_S3_C2"))}
    assert fetched(out, tmp_path) == wanted != {}
