"""What travels in a video beside its pictures is copied or left out, and never looked into."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import av
import pytest

from vsr.media.binary import ffmpeg_exe
from vsr.media.limits import SAFE_INPUT

ASS = """[Script Info]
ScriptType: v4.00+
Collisions: Normal

[V4+ Styles]
Format: Name, Fontname, Fontsize
Style: Default,{path},16

[Fonts]
fontname: {path}

[Graphics]
filename: {path}

[Events]
Format: Layer, Start, End, Style, Text
Dialogue: 0,0:00:00.00,0:00:00.30,Default,{{\\fn{path}}}{{\\p1}}m 0 0 {url}/a
"""
SRT = '1\n00:00:00,000 --> 00:00:00,300\n<img src="{url}/a.png"><font face="{path}">hello</font>\n'
VTT = (
    'WEBVTT\n\nSTYLE\n::cue {{ background: url("{url}/a.png") }}\n@import url("{url}/a.css");\n\n'
    "00:00.000 --> 00:00.300\nhello\n"
)
SVG = (
    '<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a SYSTEM "file://{path}">]>\n'
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
    '<image xlink:href="file://{path}"/><image href="{url}/a.png"/>&a;</svg>'
)


def attached(ffmpeg, clip: Path, out: Path, *files: tuple[Path, str, str]) -> None:
    """A Matroska file with attachments: (file, media type, the name it bears inside)."""
    words: list[object] = ["-i", clip, "-c", "copy"]
    for path, _, _ in files:
        words += ["-attach", path]
    for number, (_, kind, name) in enumerate(files):
        words += [f"-metadata:s:t:{number}", f"mimetype={kind}"]
        words += [f"-metadata:s:t:{number}", f"filename={name}"]
    log = ffmpeg(*words, out)
    assert out.is_file(), log


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
@pytest.mark.parametrize("kind", ["ass", "srt", "vtt"])
def test_subtitles_that_refer_elsewhere(here, ffmpeg, trap, clip, tmp_path, kind, suffix):
    """Copied, or converted to plain text, without a look at what they name."""
    text = tmp_path / f"sub.{kind}"
    words = {"path": trap.canary, "url": trap.url}
    text.write_text({"ass": ASS, "srt": SRT, "vtt": VTT}[kind].format(**words))
    source, out = tmp_path / "in.mkv", tmp_path / f"out{suffix}"
    ffmpeg("-i", clip, "-i", text, "-map", 0, "-map", 1, "-c", "copy", source)
    trap.opened()
    outcome = here("run", source, "-o", out, "--model", "bicubic")
    assert outcome.code == 0, outcome.stderr
    assert (trap.opened(), trap.connected()) == (0, 0)
    with av.open(str(out)) as container:
        assert len(container.streams.subtitles) == 1
    if suffix == ".mp4":
        assert "was converted to mov_text" in outcome.stderr


def test_attachments_of_every_sort(here, ffmpeg, trap, clip, tmp_path):
    """A script, an SVG, a font that is none, names that lead outside: bytes, and no more."""
    files = []
    for name, kind, inside, text in (
        ("a.svg", "image/svg+xml", "../../outside/evil.svg", SVG),
        ("a.sh", "application/x-sh", "/tmp/vsr-evil.sh", "#!/bin/sh\ntouch {path}\n"),
        ("a.ttf", "application/x-truetype-font", "..\\..\\evil.ttf", "no font"),
        ("a.m3u8", "application/vnd.apple.mpegurl", "a.m3u8", "#EXTM3U\n{url}/a.ts\n"),
        ("a.bin", "application/octet-stream", "x" * 2000, "\0" * 5000),
    ):
        path = tmp_path / name
        path.write_text(text.format(path=trap.canary, url=trap.url))
        files.append((path, kind, inside))
    source, out = tmp_path / "in.mkv", tmp_path / "out.mkv"
    attached(ffmpeg, clip, source, *files)
    before = {p for p in tmp_path.rglob("*") if p.is_file()}
    trap.opened()
    outcome = here("run", source, "-o", out, "--model", "bicubic", "--report", tmp_path / "r.html")
    assert outcome.code == 0, outcome.stderr
    assert (trap.opened(), trap.connected()) == (0, 0)
    new = {p.name for p in tmp_path.rglob("*") if p.is_file() and p not in before}
    assert new == {"out.mkv", "out.mkv.json", "r.html"}
    assert [p.name for p in trap.canary.parent.iterdir()] == [trap.canary.name]
    assert not Path("/tmp/vsr-evil.sh").exists()
    with av.open(str(out)) as container:
        assert sum(1 for s in container.streams if s.type == "attachment") == len(files)


@pytest.mark.parametrize("inside", ["m3u8", "svg"])
def test_a_cover_that_is_no_picture(here, ffmpeg, trap, clip, tmp_path, inside):
    """Cover art that says JPEG and holds a playlist or an SVG."""
    cover = tmp_path / "cover.jpg"
    text = {"m3u8": "#EXTM3U\n#EXTINF:1,\n{path}\n", "svg": SVG}[inside]
    cover.write_text(text.format(path=trap.canary, url=trap.url))
    source = tmp_path / "in.mkv"
    attached(ffmpeg, clip, source, (cover, "image/jpeg", "cover.jpg"))
    trap.opened()
    outcome = here("run", source, "-o", tmp_path / "out.mkv", "--model", "bicubic")
    assert outcome.code == 0, outcome.stderr
    assert (trap.opened(), trap.connected()) == (0, 0)


def traced(tmp_path: Path, *arguments: object) -> tuple[int, str]:
    """Exit code of a command, and what it and its children asked the kernel to open or reach."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    log = tmp_path / "trace.log"
    calls = "openat,open,openat2,connect,sendto,sendmsg,bind,execve"
    command = [strace, "-f", "-s", "300", "-e", f"trace={calls}", "-o", str(log)]
    done = subprocess.run([*command, *map(str, arguments)], capture_output=True, timeout=240)
    text = log.read_text(errors="replace") if log.exists() else ""
    if "openat(" not in text:
        pytest.skip("this system does not let strace trace")
    return done.returncode, text


def reached(trace: str) -> list[str]:
    """Lines of a trace that have to do with the network."""
    return re.findall(r".*(?:sa_family=AF_INET6?|AF_NETLINK).*", trace)


@pytest.mark.parametrize("kind", ["copied", "playlist", "script", "movie"])
def test_no_system_call_leaves_the_file(ffmpeg, trap, clip, tmp_path, kind):
    """The kernel itself is asked: nothing but the input, and no address, whatever the port."""
    source = tmp_path / "in.mkv"
    words = {"path": trap.canary, "url": trap.url}
    if kind == "copied":
        (tmp_path / "sub.ass").write_text(ASS.format(**words))
        (tmp_path / "a.svg").write_text(SVG.format(**words))
        with_text = tmp_path / "text.mkv"
        ffmpeg("-i", clip, "-i", tmp_path / "sub.ass", "-map", 0, "-map", 1, "-c", "copy",
               with_text)  # fmt: skip
        attached(ffmpeg, with_text, source, (tmp_path / "a.svg", "image/svg+xml", "../a.svg"))
    elif kind == "playlist":
        source.write_text("#EXTM3U\n#EXTINF:1,\n{path}\n#EXTINF:1,\n{url}/a.ts\n".format(**words))
    elif kind == "script":
        source.write_text("ffconcat version 1.0\nfile '{path}'\nfile {url}/a.ts\n".format(**words))
    else:
        source.write_text("rtsp://127.0.0.1:9/a\nhttp://example.invalid/a\n")
    command = (sys.executable, "-m", "vsr", "run", source, "-o", tmp_path / "out.mkv")
    code, trace = traced(tmp_path, *command, "--model", "bicubic")
    assert code == (0 if kind == "copied" else 3)
    assert str(source) in trace
    assert trap.canary.name not in re.sub(r"execve\(.*", "", trace)
    assert reached(trace) == []


def test_the_trace_sees_what_an_unguarded_ffmpeg_does(trap, tmp_path):
    """Else the test above would pass for nothing."""
    source = tmp_path / "in.ffconcat"
    source.write_text(f"ffconcat version 1.0\nfile '{trap.canary}'\n")
    words = ("-f", "concat", "-safe", 0, "-i", source, "-f", "null", "-")
    _, trace = traced(tmp_path, ffmpeg_exe(), *words)
    assert trap.canary.name in trace
    words = ("-rw_timeout", "500000", "-i", f"{trap.url}/a.mp4", "-f", "null", "-")
    _, trace = traced(tmp_path, ffmpeg_exe(), *words)
    assert reached(trace)


def test_every_input_is_guarded():
    """No builder of arguments opens a file without the options of `SAFE_INPUT`."""
    for path in (Path(__file__).parents[2] / "vsr").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for call in re.findall(r"ffmpeg\.input\((?:[^()]|\([^()]*\))*\)", text):
            assert "SAFE_INPUT" in call or "**options" in call, f"{path.name}: {call}"
    assert SAFE_INPUT["protocol_whitelist"] == "file,pipe,fd"
