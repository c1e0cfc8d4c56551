"""Bad input: one line, a code that is not 0, and nothing under the output's name."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest


def check(outcome, out, *words):
    """Exactly one line on stderr, beginning ``error:``, naming every word; no output file."""
    lines = [line for line in outcome.stderr.splitlines() if line.strip()]
    assert outcome.code not in (0, None)
    assert len(lines) == 1, outcome.stderr
    assert lines[0].startswith("error: ")
    assert "Traceback" not in outcome.stderr
    for word in words:
        assert word in lines[0], lines[0]
    if out is not None:
        assert not out.exists()
        assert (
            not [p for p in out.parent.glob(".*") if p.is_file()] if out.parent.is_dir() else True
        )


QUICK = ("--model", "bicubic", "--set", "encode.preset=ultrafast")


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder / "out.mp4"


def make_input(kind, tmp_path, ffmpeg):
    path = tmp_path / f"{kind}.mp4"
    if kind == "missing":
        return path
    if kind == "directory":
        path.mkdir()
    elif kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("this is not a video\n" * 50)
    elif kind == "playlist":
        path = tmp_path / "list.m3u8"
        path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\ntiny.mp4\n#EXT-X-ENDLIST\n")
    elif kind == "ffconcat":
        path.write_text("ffconcat version 1.0\nfile tiny.mp4\n")
    elif kind == "audio":
        ffmpeg("-f", "lavfi", "-i", "sine=d=0.3", "-c:a", "aac", path)
    elif kind == "no-index":
        whole = tmp_path / "whole.mp4"
        ffmpeg("-f", "lavfi", "-i", "testsrc2=s=96x64:d=1", "-c:v", "libx264", whole)
        data = whole.read_bytes()
        path.write_bytes(data[: data.rindex(b"moov") - 4])
    return path


@pytest.mark.parametrize(
    "kind",
    ["missing", "directory", "empty", "text", "playlist", "ffconcat", "audio", "no-index"],
)
def test_inputs_that_are_no_video(here, kind, tmp_path, ffmpeg, out):
    source = make_input(kind, tmp_path, ffmpeg)
    check(here("run", source, "-o", out), out, source.name)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--scale", "3"], ["3", "2", "4"]),
        (["--scale", "two"], ["--scale"]),
        (["--fps", "0"], ["fps", "0"]),
        (["--fps", "fast"], ["fps", "fast"]),
        (["--model", "srgann-x2"], ["srgann-x2", "vsr models list"]),
        (["--pipeline", "restor"], ["restor", "did you mean 'restore'"]),
        (["--set", "crop.margn=1"], ["[crop]", "margn", "did you mean 'margin'"]),
        (["--set", "crap.margin=1"], ["crap", "did you mean 'crop'"]),
        (["--crf", "99"], ["crf", "99"]),
        (["--codec", "h263"], ["codec", "h263"]),
        (["--crop", "round"], ["round", "native"]),
        (["--output", "picture"], ["picture", "faces"]),
        (["--output", "faces", "--crop", "native"], ["crop.mode", "native", "canonical"]),
        (["--pipeline", "crops", "--crop", "native"], ["crop.mode", "native", "canonical"]),
        (["--no-such-option"], ["--no-such-option"]),
    ],
)
def test_options_that_cannot_be_meant(here, tiny, out, options, words):
    check(here("run", tiny, "-o", out, *options), out, *words)


def test_a_misspelt_key_in_a_recipe_file_is_named_with_its_file(here, tiny, out, tmp_path):
    recipe = tmp_path / "mine.toml"
    recipe.write_text('# mine\nkind = "restore"\n[crop]\nmargn = 0.4\n')
    words = ["mine.toml", "[crop]", "margn", "did you mean 'margin'"]
    check(here("run", tiny, "-o", out, "--pipeline", recipe), out, *words)


def test_outputs_that_cannot_be_written(here, tiny, tmp_path):
    nowhere = tmp_path / "nowhere" / "out.mp4"
    check(here("run", tiny, "-o", nowhere), nowhere, "nowhere")
    there = tmp_path / "there.mp4"
    there.write_bytes(b"precious")
    outcome = here("run", tiny, "-o", there)
    check(outcome, None, "there.mp4", "--overwrite")
    assert there.read_bytes() == b"precious"
    strange = tmp_path / "out.xyz"
    check(here("run", tiny, "-o", strange), strange, ".xyz")


def test_the_source_is_never_overwritten(here, tiny, tmp_path):
    copy = tmp_path / "copy.mp4"
    shutil.copy(tiny, copy)
    before = copy.read_bytes()
    check(here("run", copy, "-o", copy, "--overwrite"), None, "same file")
    assert copy.read_bytes() == before


@pytest.fixture
def open_folder():
    """A folder that every user can enter, as pytest's own are not."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_a_folder_without_write_permission(tiny, open_folder):
    source = Path(shutil.copy(tiny, open_folder / "tiny.mp4"))
    source.chmod(0o644)
    folder = open_folder / "locked"
    folder.mkdir(mode=0o555)
    prefix: list[str] = []
    if os.geteuid() == 0:  # permissions do not bind root: try as an unprivileged user
        if shutil.which("setpriv") is None:
            pytest.skip("running as root and no setpriv to become another user")
        prefix = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
        code = f"import vsr.cli.app, os; open({str(source)!r}); os.listdir({str(folder)!r})"
        readable = subprocess.run([*prefix, sys.executable, "-B", "-c", code], capture_output=True)
        if readable.returncode != 0:
            pytest.skip("an unprivileged user cannot read this installation")
    done = subprocess.run(
        [*prefix, sys.executable, "-m", "vsr", "run", str(source), "-o", str(folder / "out.mp4")],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
    )
    lines = done.stderr.strip().splitlines()
    assert done.returncode == 4
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    assert "locked" in lines[0]
    assert not any(folder.iterdir())


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("a tmpfs cannot be mounted here (needs root)")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk(vsr, samples, small_disk):
    source = next(iter(sorted(samples.glob("surveillance*.mp4"))))
    out = small_disk / "out.mp4"
    outcome = vsr("run", source, "-o", out, "--crf", "0", *QUICK, "--quiet")
    check(outcome, out, "room")
    assert list(small_disk.iterdir()) == []


def test_an_empty_name_is_told_as_such(here, out):
    check(here("run", "", "-o", out), out, "argument 2 is empty", "expected")


def test_standard_input_is_no_file(here, out):
    check(here("run", "/dev/stdin", "-o", out), out, "is a stream, expected the name of a file")


def test_a_working_folder_that_is_gone_is_told(tmp_path):
    code = "import os, sys; d = sys.argv.pop(1); os.chdir(d); os.rmdir(d); import vsr.cli.app as a"
    gone = tmp_path / "gone"
    gone.mkdir()
    command = [sys.executable, "-c", f"{code}; a.main()", str(gone), "run", "a.mp4", "-o", "b.mp4"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 3, done.stderr
    assert done.stderr.startswith("error: the working folder cannot be used")
    assert len(done.stderr.splitlines()) == 1
