"""A video, or what claims to be one, makes ffmpeg open nothing else: no file, no connection."""

from __future__ import annotations

import struct
import subprocess
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from vsr.media.binary import ffmpeg_exe
from vsr.media.limits import MAX_PIXELS, MAX_STREAMS

LOCAL = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{path}\n#EXT-X-ENDLIST\n",
    "hls-bom": "\ufeff#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:{path}\n#EXT-X-ENDLIST\n",
    "hls-subfile": "#EXTM3U\n#EXTINF:1,\nsubfile,,start,0,end,9,,:{path}\n#EXT-X-ENDLIST\n",
    "hls-concat": "#EXTM3U\n#EXTINF:1,\nconcat:{path}|{path}\n#EXT-X-ENDLIST\n",
    "hls-key": '#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="{path}"\n#EXTINF:1,\ncrypto:{path}\n',
    "ffconcat": "ffconcat version 1.0\nfile '{path}'\n",
    "ffconcat-late": "# a comment first\nffconcat version 1.0\nfile '{path}'\n",
    "dash": '<?xml version="1.0"?><MPD type="static"><Period><AdaptationSet><Representation>'
    "<BaseURL>{path}</BaseURL></Representation></AdaptationSet></Period></MPD>",
    "svg": '<svg xmlns="http://www.w3.org/2000/svg"><image href="file://{path}"/></svg>',
    "pls": "[playlist]\nFile1={path}\n",
    "vobsub": "# VobSub index file, v7\nid: en, index: 0\n# {path}\n",
    "imf": '<?xml version="1.0"?><CompositionPlaylist><Id>{path}</Id></CompositionPlaylist>',
}
REMOTE = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{url}/a.ts\n#EXT-X-ENDLIST\n",
    "ffconcat": "ffconcat version 1.0\nfile {url}/a.mp4\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video {port} RTP/AVP 96\n",
    "asx": '<asx version="3.0"><entry><ref href="{url}/a.asf"/></entry></asx>',
    "svg": '<svg xmlns="http://www.w3.org/2000/svg"><image href="{url}/a.png"/></svg>',
    "rtsp": "rtsp://127.0.0.1:{port}/a",
    "ass": "[Script Info]\nScriptType: v4.00+\n[Fonts]\nfontname: {url}/a.ttf\n[Events]\n",
}


DISGUISES = [
    *((kind, ".mp4") for kind in LOCAL),
    *(("hls", s) for s in (".m3u8", ".avi", ".mkv", ".ts")),
    *(("ffconcat", ".ffconcat"), ("dash", ".mpd"), ("svg", ".svg"), ("vobsub", ".idx")),
]


@pytest.mark.parametrize(("kind", "suffix"), DISGUISES)
def test_lists_of_local_files(refused, trap, tmp_path, kind, suffix):
    source = tmp_path / f"in{suffix}"
    source.write_text(LOCAL[kind].format(path=trap.canary), encoding="utf-8")
    assert source.name in refused("run", source, "-o", tmp_path / "out.mp4", code=3)


@pytest.mark.parametrize("kind", REMOTE)
def test_lists_of_addresses(refused, trap, tmp_path, kind):
    source = tmp_path / "in.mp4"
    source.write_text(REMOTE[kind].format(url=trap.url, port=trap.port), encoding="utf-8")
    assert "in.mp4" in refused("run", source, "-o", tmp_path / "out.mp4", code=3)


@pytest.mark.parametrize(
    "name",
    [
        "{url}/a.mp4", "concat:{path}|{path}", "subfile,,start,0,end,0,,:{path}", "file:{path}",
        "data:video/mp4;base64,AAAA", "crypto:{path}", "pipe:0", "-", "rtmp://127.0.0.1:{port}/a",
        "lavfi:testsrc", "async:{path}", "cache:{path}", "frames%03d.png", "*.mp4",
    ],
)  # fmt: skip
def test_an_input_is_a_path_and_nothing_else(refused, trap, tmp_path, name):
    name = name.format(url=trap.url, port=trap.port, path=trap.canary)
    refused("run", "-o", tmp_path / "out.mp4", "--", name, cwd=tmp_path)


def test_a_file_named_as_a_pattern_is_not_one(refused, trap, tmp_path):
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"in{number:03d}.jpg"), np.zeros((64, 96, 3), np.uint8))
    (tmp_path / "in000.jpg").rename(tmp_path / "in%03d.jpg")
    refused("run", tmp_path / "in%03d.jpg", "-o", tmp_path / "out.mp4", code=3)


def test_an_output_named_as_a_pattern_is_one_file(here, clip, tmp_path):
    out = tmp_path / "out%03d.mp4"
    assert here("run", clip, "-o", out, "--model", "bicubic").code == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out%03d.mp4", "out%03d.mp4.json"]


def boxes(data: bytes, start: int, end: int):
    """(type, start, end) of the QuickTime boxes in a stretch of bytes."""
    while start + 8 <= end:
        size, kind = struct.unpack(">I4s", data[start : start + 8])
        yield kind, start, start + size
        start += size


def with_reference(data: bytes, path: Path) -> bytes:
    """A QuickTime file whose first track says that its samples lie in another file (an alias)."""
    name = str(path).encode()
    record = bytearray(150)
    record[50] = min(63, len(path.name))
    record[51 : 51 + record[50]] = path.name.encode()[:63]
    record[132:134] = record[130:132] = struct.pack(">h", 1)
    tags = struct.pack(">hH", 2, len(name)) + name + b"\0" * (len(name) % 2)
    alias = bytes(record) + tags + struct.pack(">hH", -1, 0)
    entry = struct.pack(">I4sI", 12 + len(alias), b"alis", 0) + alias
    inner = struct.pack(">II", 0, 1) + entry
    dref = struct.pack(">I4s", 8 + len(inner), b"dref") + inner

    def rebuilt(start: int, end: int, path: tuple[bytes, ...]) -> bytes:
        parts = []
        for kind, a, b in boxes(data, start, end):
            if kind != path[0]:
                parts.append(data[a:b])
            elif len(path) == 1:
                parts.append(dref)
            else:
                inside = rebuilt(a + 8, b, path[1:])
                parts.append(struct.pack(">I4s", 8 + len(inside), kind) + inside)
        return b"".join(parts)

    return rebuilt(0, len(data), (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"))


def test_a_movie_whose_samples_lie_in_another_file(refused, trap, ffmpeg, tmp_path):
    plain, source = tmp_path / "plain.mov", trap.canary.with_name("in.mov")
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=96x64:d=0.4", "-c:v", "libx264", plain)
    source.write_bytes(with_reference(plain.read_bytes(), trap.canary))
    log = ffmpeg("-enable_drefs", 1, "-use_absolute_path", 1, "-i", source, "-f", "null", "-")
    assert trap.opened() > 0, f"the attack does not work, so the test proves nothing: {log}"
    refused("run", source, "-o", tmp_path / "out.mp4", code=3)


def test_the_trap_sees_what_an_unguarded_ffmpeg_does(trap, ffmpeg, tmp_path):
    """Else every test here would pass for nothing."""
    source = tmp_path / "in.ffconcat"
    source.write_text(LOCAL["ffconcat"].format(path=trap.canary))
    ffmpeg("-f", "concat", "-safe", 0, "-i", source, "-f", "null", "-")
    assert trap.opened() > 0
    assert trap.opened() == 0
    command = [ffmpeg_exe(), "-rw_timeout", "500000", "-i", f"{trap.url}/a.mp4", "-f", "null", "-"]
    subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
    assert trap.connected() > 0


def test_pictures_that_are_too_large(refused, ffmpeg, tmp_path):
    """The header alone is enough: nothing of that size is reserved."""
    source = tmp_path / "in.mkv"
    ffmpeg("-f", "lavfi", "-i", "color=s=9000x8000:d=0.1", "-frames:v", 1, "-c:v", "mjpeg", source)
    assert MAX_PIXELS < 9000 * 8000
    assert f"{MAX_PIXELS:,}" in refused("run", source, "-o", tmp_path / "out.mp4", code=3)


def test_too_many_streams(refused, ffmpeg, tmp_path):
    source, count = tmp_path / "in.mkv", MAX_STREAMS + 1
    sound = ["-f", "lavfi", "-i", "anullsrc=d=0.1"]
    video = ["-f", "lavfi", "-i", "testsrc2=s=96x64:d=0.1"]
    maps = ["-map", "0", *(["-map", "1"] * (count - 1))]
    ffmpeg(*video, *sound, *maps, "-c:a", "pcm_u8", "-ar", 8000, source)
    assert f"{count} streams" in refused("run", source, "-o", tmp_path / "out.mp4", code=3)


@pytest.mark.parametrize(
    ("variable", "value", "code"),
    [
        ("VSR_MAX_PIXELS", "6143", 3), ("VSR_MAX_PIXELS", "6144", 0),
        ("VSR_MAX_STREAMS", "1", 0), ("VSR_MAX_PIXELS", "many", 2), ("VSR_MAX_STREAMS", "-1", 2),
    ],
)  # fmt: skip
def test_limits_can_be_set(vsr, clip, tmp_path, monkeypatch, variable, value, code):
    monkeypatch.setenv(variable, value)
    outcome = vsr("run", clip, "-o", tmp_path / "out.mp4", "--model", "bicubic", "--quiet")
    assert outcome.code == code, outcome.stderr
    if code:
        assert variable in outcome.stderr
        assert outcome.stderr.count("\n") == 1
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["png", "tif", "svg"])
def test_pictures_of_a_folder(refused, trap, tmp_path, kind):
    """A picture of a few bytes that unpacks to gigabytes, and one with references."""
    folder = tmp_path / "frames"
    folder.mkdir()
    if kind == "svg":
        (folder / "0001.png").write_text(LOCAL["svg"].format(path=trap.canary))
    else:
        picture = np.zeros((64, 96, 3), np.uint16)
        data = bytearray(cv2.imencode(f".{kind}", picture)[1].tobytes())
        if kind == "png":
            data[16:24] = struct.pack(">II", 60000, 60000)
            data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
        else:
            at = struct.unpack("<I", data[4:8])[0]
            for entry in range(at + 2, at + 2 + 12 * struct.unpack("<H", data[at : at + 2])[0], 12):
                if struct.unpack("<H", data[entry : entry + 2])[0] in (256, 257):
                    data[entry + 2 : entry + 12] = struct.pack("<HII", 4, 1, 60000)
        (folder / f"0001.{kind}").write_bytes(data)
    assert "frames" in refused("run", folder, "-o", tmp_path / "out.mp4", code=3)
