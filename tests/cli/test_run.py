"""``vsr run`` as a user types it: results, endings, interruptions."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import av
import psutil
import pytest

QUICK = ("--pipeline", "restore-fast", "--set", "encode.preset=ultrafast")  # soon busy
PLAIN = ("--model", "bicubic", "--set", "encode.preset=ultrafast")  # sooner: no network to load


def start(*arguments):
    """The command in the background, in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "vsr", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )


def ffmpeg_children(process):
    return [c for c in psutil.Process(process.pid).children(recursive=True) if "ffmpeg" in c.name()]


def wait_until_busy(process, out):
    """Until the encoder has begun to write."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        assert process.poll() is None, process.stderr.read()
        partial = [p for p in out.parent.glob(".*/*.partial") if p.stat().st_size > 0]
        if partial and len(ffmpeg_children(process)) >= 2:
            return
        time.sleep(0.05)
    raise AssertionError("the run did not begin to write")


def test_json_is_the_manifest_and_nothing_else(vsr, tiny, tmp_path):
    out = tmp_path / "o.mp4"
    done = vsr("run", tiny, "-o", out, "--json", "--model", "lanczos")
    assert done.code == 0, done.stderr
    assert json.loads(done.stdout) == json.loads((tmp_path / "o.mp4.json").read_text())


def test_quiet_prints_nothing_and_overwrite_replaces(vsr, tiny, tmp_path):
    out = tmp_path / "o.mp4"
    out.write_bytes(b"old")
    done = vsr("run", tiny, "-o", out, "--quiet", "--overwrite", "--model", "lanczos")
    assert (done.code, done.stdout, done.stderr) == (0, "", "")
    assert out.stat().st_size > 1000


def test_a_finished_run_with_its_page_says_so_again(here, tiny, tmp_path):
    out, page = tmp_path / "o.mp4", tmp_path / "r.html"
    command = ("run", tiny, "-o", out, "--report", page, "--model", "lanczos")
    assert here(*command).code == 0
    made = out.stat().st_mtime_ns
    again = here(*command)
    assert again.code == 0, again.stderr
    assert "is complete already" in again.stderr
    assert out.stat().st_mtime_ns == made
    page.write_text("mine")
    refused = here(*command)
    assert (refused.code, page.read_text()) == (4, "mine"), refused.stderr


def test_names_a_shell_would_trip_over(here, tiny, tmp_path):
    source = tmp_path / "-my 'clip' %03d é\n.mp4"
    source.write_bytes(tiny.read_bytes())
    out = tmp_path / 'a "new" one:%d.mp4'
    done = here("run", "--model", "lanczos", "-o", out, "--", source)
    assert done.code == 0, done.stderr
    assert out.exists()


def test_a_source_that_breaks_off_is_kept_as_far_as_it_goes(here, samples, ffmpeg, tmp_path):
    source, out, whole = (tmp_path / f"{name}.mp4" for name in ("cut", "out", "whole"))
    sample = samples / "surveillance_800x600_30fps.mp4"
    ffmpeg("-i", sample, "-t", "2", "-c", "copy", "-movflags", "+faststart", whole)
    source.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * 0.6)])
    done = here("run", source, "-o", out, *PLAIN, "--quiet")
    assert done.code == 8
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: ")
    assert "breaks off at" in done.stderr
    with av.open(str(out)) as container:
        frames = sum(1 for _ in container.decode(video=0))
    manifest = json.loads((tmp_path / "out.mp4.json").read_text())
    assert frames == manifest["frames"]["written"] > 10
    assert manifest["broken_at_s"] == pytest.approx(frames / 30, abs=0.2)


@pytest.mark.parametrize(("number", "how"), [(signal.SIGINT, QUICK), (signal.SIGTERM, PLAIN)])
def test_interrupted_it_ends_at_once_and_leaves_nothing(number, how, long_video, tmp_path):
    out = tmp_path / "out.mp4"
    process = start("run", long_video, "-o", out, "--quiet", *how)
    wait_until_busy(process, out)
    children = ffmpeg_children(process)
    begun = time.monotonic()
    process.send_signal(number)
    process.wait(20)
    took = time.monotonic() - begun
    assert process.returncode == 130
    assert process.stderr.read().startswith("error: interrupted")
    assert list(tmp_path.iterdir()) == []
    assert psutil.wait_procs(children, timeout=2)[1] == []
    assert took < 10  # two seconds on an idle machine


@pytest.mark.parametrize("which", ["decoder", "encoder"])
def test_a_killed_ffmpeg_is_noticed_and_leaves_nothing(which, long_video, tmp_path):
    out = tmp_path / "out.mp4"
    process = start("run", long_video, "-o", out, "--quiet", *PLAIN)
    wait_until_busy(process, out)
    first, *_, last = sorted(ffmpeg_children(process), key=lambda c: c.create_time())
    begun = time.monotonic()
    (first if which == "decoder" else last).kill()
    process.wait(20)
    took = time.monotonic() - begun
    assert process.returncode == 7
    error = process.stderr.read()
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
    assert took < 10


def test_a_dry_run_tells_and_writes_nothing(here, tiny, tmp_path):
    out = tmp_path / "o.mp4"
    done = here("run", tiny, "-o", out, "--dry-run", "--json", "--model", "lanczos")
    assert done.code == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["frames"], told["width"], told["height"]) == (15, 192, 128)
    assert min(told["seconds"], told["disk_mb"], told["fps"]) > 0
    done = here("run", tiny, "-o", out, "--dry-run", "--quiet", "--model", "lanczos")
    assert "15, 0 faces in each, by lanczos" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_without_a_graphics_card_it_says_so_and_goes_on(here, tiny, tmp_path):
    out = tmp_path / "o.mp4"
    done = here("run", tiny, "-o", out, "--hwaccel", "auto", "--model", "lanczos")
    assert done.code == 0, done.stderr
    assert out.exists()
    refused = here("run", tiny, "-o", tmp_path / "p.mp4", "--hwaccel", "cuda")
    assert refused.code != 0
    assert "hwaccel: got 'cuda', expected one of 'none', 'auto'" in refused.stderr
