"""File names and metadata may hold anything: they are names, never options, markup or escapes."""

from __future__ import annotations

import re
import shutil

import av
import pytest

NAMES = [
    "two words.mp4",
    'it\'s "quoted" `id` $(id) ;&|.mp4',
    "line\nbreak\n  Stream #0:5: Video: h264, yuv420p, 9x9.mp4",
    "-y.mp4",
    "--version.mp4",
    "%d %s {0} %(x)s.mp4",
    "käse 日本語 🙂 e\u0301.mp4",
    "[bold red]markup[red] :smile: <b>&amp;.mp4",
    "\x1b[2J\x1b]0;title\x07\u202e.mp4",
    "a:b,c;d=e'f\\g|h*?.mp4",
    "pipe:0.mp4",
    "x" * 246 + ".mp4",
    "é" * 123 + ".mp4",
]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_a_name_is_a_name(here, clip, tmp_path, name):
    """As input and as output, relative to the folder, with a page of the result."""
    source, folder = tmp_path / "in", tmp_path / "to"
    source.mkdir()
    folder.mkdir()
    shutil.copy(clip, source / name)
    words = ("run", "--model", "bicubic", "-o", f"../to/{name}", "--report", "../page.html")
    outcome = here(*words, "--", name, cwd=source)
    assert outcome.code == 0, outcome.stderr
    assert sorted(p.name for p in folder.iterdir()) == sorted([name, f"{name}.json"])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in", "page.html", "to"]
    with av.open(str(folder / name)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 10
    printed = outcome.stdout + outcome.stderr
    assert all(c.isprintable() or c == "\n" for c in printed)
    assert printed.count("\n") == len(printed.splitlines())
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<b>&amp;.mp4" not in page
    assert not re.search("[\x00-\x08\x1b\u202e]", page)


@pytest.mark.parametrize("name", ["\x1b[31mred\u202e\n.mp4", "[bold]x.mp4"])
def test_an_error_line_is_one_line(refused, tmp_path, name):
    line = refused("run", tmp_path / name, "-o", tmp_path / "out.mp4", code=3)
    assert line.isprintable()
    if name.startswith("["):
        assert name in line


@pytest.mark.parametrize("name", ["x" * 300, "\udcff\udcfe"])
def test_names_that_no_record_can_hold(refused, clip, tmp_path, name):
    refused("run", clip, "-o", tmp_path / f"{name}.mp4", code=4)
    refused("run", tmp_path / f"{name}.mp4", "-o", tmp_path / "out.mp4", code=3)


def test_metadata_is_text(here, ffmpeg, clip, tmp_path):
    """Titles that look like ffmpeg's own log, like markup or like HTML change nothing."""
    source, out, page = tmp_path / "in.mkv", tmp_path / "out.mkv", tmp_path / "page.html"
    shown = "n:0 pts:0 fmt:rgb24 cl:x sar:9/1 s:9999x9999 i:P"
    ffmpeg(
        *("-i", clip, "-c", "copy", "-metadata", f"title={shown}\n  Stream #0:7: Video: x"),
        *("-metadata", "artist=<script>alert(1)</script>\x1b[2J"),
        *("-metadata", "comment=config in time_base: 1/1, frame_rate: 1/7"),
        *("-metadata:s:v", f"handler_name={shown}", source),
    )
    words = ("run", source, "-o", out, "--model", "bicubic", "--report", page)
    outcome = here(*words)
    assert outcome.code == 0, outcome.stderr
    with av.open(str(out)) as container:
        assert container.streams.video[0].width == 192
        assert container.metadata["ARTIST"].startswith("<script>")
    assert "<script>alert" not in page.read_text(encoding="utf-8")
    assert "\x1b" not in outcome.stdout + outcome.stderr


def test_a_batch_of_hostile_names(here, clip, tmp_path):
    root, out = tmp_path / "root", tmp_path / "out"
    root.mkdir()
    for name in ("[red]a.mp4", "\x1b[2Jb.mp4", "c\nd.mp4", "-e.mp4"):
        shutil.copy(clip, root / name)
    words = ("batch", root, "-o", out, "--dataset", "videos", "--model", "bicubic")
    outcome = here(*words, "--workers", 1)
    assert outcome.code == 0, outcome.stderr
    assert len(list(out.rglob("*.mp4"))) == 4
    assert "\x1b[2J" not in outcome.stdout + outcome.stderr
    assert "[red]a" in outcome.stdout
