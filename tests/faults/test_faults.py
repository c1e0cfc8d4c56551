"""Full disks, folders without rights, rivals, and an ffmpeg that hangs or dies."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.faults.command import finished, left_behind, same, start
from tests.faults.conftest import OPTIONS, make_clip, wait_for_parts

RUNS = 10
STALL_S = "6"  # a busy machine has pauses of three seconds


def end(process: subprocess.Popen[str], seconds: float = 120) -> str:
    """The one line of a run that must fail."""
    _, errors = process.communicate(timeout=seconds)
    assert process.returncode not in (0, 1), errors
    assert errors.startswith("error: ")
    assert errors.count("\n") == 1, errors
    return errors


def parts(out: Path) -> dict[str, bytes]:
    """The finished parts that lie in a journal."""
    folder = out.with_name(f".{out.name}.vsr-journal")
    return {p.name: p.read_bytes() for p in folder.glob("*.nut")}


def goes_on(clip: Path, out: Path, whole: Path) -> None:
    """The same command ends well and makes the undisturbed output."""
    errors = finished(start("run", clip, "-o", out, *OPTIONS))
    assert "resuming after" in errors
    assert same(whole, out) == []
    assert left_behind(out.parent) == []


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own, and a function that mounts it anew with other options."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(options: str) -> int:
        command = ["mount", "-t", "tmpfs", "-o", options, "none", str(folder)]
        return subprocess.run(command, capture_output=True).returncode

    if shutil.which("mount") is None or mount("size=16m") != 0:
        pytest.skip("file systems cannot be mounted here")
    yield folder, mount
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_leaves_finished_parts_whole(small_disk, clip, whole):
    folder, mount = small_disk
    out = folder / "out.mp4"
    mount(f"remount,size={int(1.3 * whole.stat().st_size)}")  # parts fit, the whole beside not
    assert "No space left" in end(start("run", clip, "-o", out, *OPTIONS, "--quiet"))
    assert not out.exists()
    before = parts(out)
    assert before
    assert "No space left" in end(start("run", clip, "-o", out, *OPTIONS, "--quiet"))
    after = parts(out)
    assert {name: after[name] for name in before} == before
    mount("remount,size=64m")
    goes_on(clip, out, whole)


def test_a_disk_that_fills_in_the_first_part_leaves_nothing(small_disk, clip):
    folder, mount = small_disk
    mount("remount,size=24k")
    end(start("run", clip, "-o", folder / "out.mp4", *OPTIONS, "--quiet"))
    assert [p.name for p in folder.iterdir()] == []


def test_a_limit_of_file_size_is_told_and_what_fits_is_kept(clip, whole, tmp_path):
    out = tmp_path / "out.mp4"
    size = whole.stat().st_size // 2  # each part fits, the whole does not

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    error = end(start("run", clip, "-o", out, *OPTIONS, "--quiet", limit=limit))
    assert "File too large" in error
    assert len(parts(out)) >= 4
    goes_on(clip, out, whole)


def test_a_read_only_folder_is_told_and_nothing_is_lost(small_disk, lost, clip, whole):
    folder, mount = small_disk
    shutil.copytree(lost.parent, folder, dirs_exist_ok=True)
    out = folder / lost.name
    before = parts(out)
    mount("remount,ro")
    assert "Read-only file system" in end(start("run", clip, "-o", out, *OPTIONS, "--quiet"))
    mount("remount,rw")
    assert parts(out) == before
    goes_on(clip, out, whole)


def test_two_runs_on_one_output_refuse_each_other(clip, whole, tmp_path):
    out = tmp_path / "out.mp4"
    first = start("run", clip, "-o", out, *OPTIONS)
    wait_for_parts(first, out, 1)
    first.send_signal(signal.SIGSTOP)  # or it might be through before the others begin
    assert "another run is writing it" in end(start("run", clip, "-o", out, *OPTIONS))
    assert "another run is writing it" in end(start("run", clip, "-o", out, "--restart"))
    first.send_signal(signal.SIGCONT)
    finished(first)
    assert same(whole, out) == []


@pytest.mark.parametrize("which", ["decoder", "encoder"])
@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
def test_an_ffmpeg_that_hangs_or_dies_is_noticed_and_parts_are_kept(
    clip, whole, tmp_path, which, number
):
    out = tmp_path / "out.mp4"
    stall_s = STALL_S if number == signal.SIGSTOP else "60"
    process = start("run", clip, "-o", out, *OPTIONS, "--quiet", VSR_STALL_S=stall_s)
    wait_for_parts(process, out, 1)
    process.send_signal(signal.SIGSTOP)  # while we choose, nothing ends by itself
    children = psutil.Process(process.pid).children(recursive=True)
    ffmpegs = [c for c in children if "ffmpeg" in c.name()]
    decoders = [c for c in ffmpegs if str(clip) in " ".join(c.cmdline())]
    chosen = decoders if which == "decoder" else [c for c in ffmpegs if c not in decoders]
    if not chosen:
        pytest.skip("it was through already")
    for child in chosen:
        child.send_signal(number)
    process.send_signal(signal.SIGCONT)
    begun = time.monotonic()
    error = end(process)
    assert ("hangs" if number == signal.SIGSTOP else "signal 9") in error
    assert time.monotonic() - begun < 30  # 3 s and the rest on an idle machine
    assert not psutil.wait_procs(children, timeout=3)[1]
    assert not out.exists()
    goes_on(clip, out, whole)


def test_ten_runs_at_once_all_end_well(tmp_path):
    """Of one second, which is two parts; ``VSR_FAULT_SOURCE`` names a longer source."""
    given = os.environ.get("VSR_FAULT_SOURCE")
    source = Path(given) if given else make_clip(tmp_path / "source.mp4", 1)
    wanted = tmp_path / "wanted.mp4"
    finished(start("run", source, "-o", wanted, *OPTIONS))
    folder = tmp_path / "ten"
    folder.mkdir()
    outs = [folder / f"{number}.mp4" for number in range(RUNS)]
    running = [start("run", source, "-o", out, *OPTIONS, "--quiet") for out in outs]
    for process in running:
        assert finished(process) == ""
    assert {out.name: same(wanted, out) for out in outs} == {out.name: [] for out in outs}
    assert left_behind(folder) == []
