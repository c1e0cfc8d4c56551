"""Further rows: what cameras, phones and other programs write beside the usual."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from tests.conformance.clips import Row, ffmpeg, pictures

_FFV1 = ("--codec", "ffv1")
_SOURCE = ("--set", "encode.pix_fmt=source")
_VP9 = ("--codec", "vp9")


def _mjpeg(size: str) -> Callable[[Path], None]:
    words = ("-c:v", "mjpeg", "-q:v", "3", "-f", "mjpeg")
    return lambda out: ffmpeg(*pictures(size), *words, out)


def _alpha(codec: str) -> Callable[[Path], None]:
    words = ("-vf", "format=yuva420p", "-c:v", codec, "-auto-alt-ref", 0)
    return lambda out: ffmpeg(*pictures(), *words, out)


def _full(pix_fmt: str, codec: str = "libx264") -> Callable[[Path], None]:
    filters = f"scale=out_range=pc,format={pix_fmt},setparams=range=pc"
    words = ("-q:v", 3) if codec == "mjpeg" else ("-crf", 8)
    return lambda out: ffmpeg(*pictures(), "-vf", filters, "-c:v", codec, *words, out)


def _early_vorbis(out: Path) -> None:
    """The first packet, which gives no sound, stands before 0."""
    noise = ("-f", "lavfi", "-i", "anoisesrc=d=1.2:r=44100:seed=1")
    ffmpeg(*pictures(seconds="1.2"), *noise, "-c:v", "libtheora", "-q:v", 9, "-c:a", "libvorbis",
           out)  # fmt: skip


def _early_sound(codec: str) -> Callable[[Path], None]:
    """An edit list begins the sound 60 ms before the pictures."""

    def make(out: Path) -> None:
        plain = out.with_name("plain.mp4")
        sound = ("-f", "lavfi", "-i", "anoisesrc=d=0.5:r=48000")
        ffmpeg(*pictures(seconds="0.5"), *sound, "-c:v", "libx264", "-c:a", codec, plain)
        ffmpeg("-i", plain, "-itsoffset", "-0.06", "-i", plain, "-map", "0:v", "-map", "1:a",
               "-c", "copy", out)  # fmt: skip
        plain.unlink()

    return make


def _reserved(out: Path) -> None:
    plain = out.with_name("plain.ts")
    ffmpeg(*pictures(), "-pix_fmt", "yuv420p", "-c:v", "mpeg2video", "-q:v", 3, plain)
    tags = "colour_primaries=3:transfer_characteristics=3:matrix_coefficients=6"
    ffmpeg("-i", plain, "-c", "copy", "-bsf:v", f"mpeg2_metadata={tags}", out)
    plain.unlink()


def _odd_display(out: Path) -> None:
    display = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(0,50)"
    words = f"master-display={display}:max-cll=1000,400:log-level=error"
    ffmpeg(*pictures(), "-pix_fmt", "yuv420p10le", "-c:v", "libx265", "-x265-params", words, out)


def _ffv1(pix_fmt: str) -> Callable[[Path], None]:
    codec = "rawvideo" if pix_fmt == "yuv440p" else "ffv1"
    return lambda out: ffmpeg(*pictures(), "-pix_fmt", pix_fmt, "-c:v", codec, out)


def _without_pictures(out: Path) -> None:
    whole = out.with_name("whole.mp4")
    ffmpeg(*pictures(), "-f", "lavfi", "-i", "sine=d=2", "-c:v", "libx264", "-c:a", "aac", whole)
    ffmpeg("-i", whole, "-c", "copy", "-ss", 1, out)
    whole.unlink()


def _matrix(number: int) -> Callable[[Path], None]:
    def make(out: Path) -> None:
        plain = out.with_name("plain.ts")
        ffmpeg(*pictures(), "-pix_fmt", "yuv420p", "-c:v", "mpeg2video", "-q:v", 3, plain)
        tags = f"colour_primaries=1:transfer_characteristics=1:matrix_coefficients={number}"
        ffmpeg("-i", plain, "-c", "copy", "-bsf:v", f"mpeg2_metadata={tags}", out)
        plain.unlink()

    return make


def _gif(*, damaged: bool = False) -> Callable[[Path], None]:
    """Pictures that are shown for unequal times."""

    def make(out: Path) -> None:
        kept = "+".join(f"eq(n,{n})" for n in (0, 4, 14, 39, 43, 47, 117))
        ffmpeg(*pictures(rate="100", seconds="2"), "-vf", f"select='{kept}'", "-fps_mode", "vfr",
               out)  # fmt: skip
        if damaged:
            rng, data = random.Random(0), bytearray(out.read_bytes())
            for _ in range(8):
                data[rng.randrange(1000, len(data) - 10)] ^= 1 << rng.randrange(8)
            out.write_bytes(data)

    return make


def _apng(mode: str) -> Callable[[Path], None]:
    """Each picture holds what is new, to be drawn over the one before."""

    def make(out: Path) -> None:
        shown = []
        for number in range(8):
            sample = np.full((64, 96, 4), 80, np.uint8)
            sample[8:40, 8 * number : 8 * number + 30] = (200, 25 * number, 60, 128)
            shown.append(Image.fromarray(sample, "RGBA").convert(mode))
        shown[0].save(out, format="PNG", save_all=True, append_images=shown[1:], blend=1,
                      duration=40)  # fmt: skip

    return make


def _sounding(out: Path, start: float, *words: object, hertz: int = 440) -> None:
    ffmpeg(*pictures(seconds="0.6"), "-f", "lavfi", "-i", f"sine={hertz}:d=0.6:r=44100", *words,
           "-output_ts_offset", start, out)  # fmt: skip


def _joined_clocks(starts: tuple[float, ...], skip: int, *words: object) -> Callable[[Path], None]:
    """Recordings whose bytes follow one another, each with a clock of its own."""

    def make(out: Path) -> None:
        data = []
        for number, start in enumerate(starts):
            piece = out.with_name(f"piece{number}{out.suffix}")
            _sounding(piece, start, *words, hertz=440 + 110 * number)
            data.append(piece.read_bytes())
            piece.unlink()
        out.write_bytes(data[0] + b"".join(piece[skip:] for piece in data[1:]))

    return make


def _programs(out: Path) -> None:
    pieces = [out.with_name(f"program{n}.ts") for n in (0, 1)]
    for number, piece in enumerate(pieces):
        _sounding(piece, 3 + 40 * number, *_MPEG2, hertz=440 + 110 * number)
    ffmpeg("-copyts", "-i", pieces[0], "-i", pieces[1], "-map", 0, "-map", 1, "-c", "copy",
           "-program", "st=0:st=1", "-program", "st=2:st=3", "-max_interleave_delta", 1,
           out)  # fmt: skip
    for piece in pieces:
        piece.unlink()


def _gap(out: Path) -> None:
    ffmpeg(*pictures(seconds="0.8"), "-vf", "select='not(between(n,6,13))'", "-fps_mode",
           "passthrough", "-c:v", "libx264", "-bf", 2, out)  # fmt: skip


_MPEG2 = ("-c:v", "mpeg2video", "-q:v", 3, "-c:a", "mp2")
_H264 = ("-c:v", "libx264", "-bf", 2, "-c:a", "libmp3lame")
_FLV1 = ("-c:v", "flv1", "-q:v", 3, "-c:a", "libmp3lame")
_TS_WRAP_S = (1 << 33) / 90_000


FORMATS: tuple[Row, ...] = (
    Row("GIF, unequal times", "codec", "shown.gif", _gif(), quick=True),
    Row("animated PNG, drawn over one another", "codec", "over.apng", _apng("RGB")),
    Row("animated PNG with alpha", "codec", "over.apng", _apng("RGBA"), ".mov"),
    Row("MPEG program stream", "container", "c.mpg", lambda out: _sounding(out, 0, *_MPEG2)),
    Row("Flash video", "container", "c.flv", lambda out: _sounding(out, 0, *_FLV1)),
    Row("Flash video, H.264", "container", "h.flv", lambda out: _sounding(out, 0, *_H264), ".mp4"),
    Row("Windows Media", "container", "c.wmv", lambda out: _sounding(out, 0, "-c:v", "wmv2",
        "-q:v", 3, "-c:a", "wmav2")),
    Row("MXF", "container", "c.mxf", lambda out: _sounding(out, 0, "-c:v", "mpeg2video", "-q:v", 3,
        "-c:a", "pcm_s16le", "-ar", 48000)),
    Row("3GP", "container", "c.3gp", lambda out: _sounding(out, 0, "-c:v", "libx264", "-c:a",
        "aac"), ".mp4"),
    Row("a matrix whose number means nothing", "colour", "matrix3.ts", _matrix(3), quick=True),
    Row("a matrix derived from the primaries", "colour", "matrix12.ts", _matrix(12)),
    Row("a gap of 0.3 s", "time", "gap.mp4", _gap, ".mp4"),
    Row("the counter wraps", "time", "wrap.ts", lambda out: _sounding(out, _TS_WRAP_S - 1.7,
        *_MPEG2)),
    Row("recordings joined, the clock jumps back (ts)", "time", "back.ts",
        _joined_clocks((50, 3), 0, *_MPEG2), quick=True),
    Row("recordings joined, the clock jumps back (flv)", "time", "back.flv",
        _joined_clocks((50, 3), 13, *_FLV1)),
    Row("recordings joined, the clock jumps on (ts)", "time", "on.ts",
        _joined_clocks((3, 50), 0, *_H264)),
    Row("a transport stream of two programs", "streams", "programs.ts", _programs),
    Row("a GIF with damaged pictures", "trouble", "hurt.gif", _gif(damaged=True)),
    Row("raw motion JPEG", "codec", "camera.mjpeg", _mjpeg("96x64"), quick=True),
    Row("raw motion JPEG, large pictures", "codec", "large.mjpeg", _mjpeg("800x600")),
    Row("vp8 with alpha", "codec", "alpha8.webm", _alpha("libvpx")),
    Row("vp9 with alpha", "codec", "alpha9.webm", _alpha("libvpx-vp9"), ".webm", _VP9),
    Row("Theora and Vorbis, sound from before 0", "container", "early.ogv", _early_vorbis,
        quick=True),
    Row("Theora and Vorbis, sound from before 0", "container", "early.ogv", _early_vorbis, ".webm",
        _VP9),
    *(Row(f"{name} sound from before 0, mp4 to mkv", "container", "early.mp4", _early_sound(codec))
      for name, codec in (("AAC", "aac"), ("MP3", "libmp3lame"), ("Opus", "libopus"))),
    Row("4:1:1", "pixels", "p411.mkv", _ffv1("yuv411p")),
    Row("4:4:0", "pixels", "p440.nut", _ffv1("yuv440p")),
    Row("full range, as ffv1", "colour", "full.mp4", _full("yuv420p"), ".mkv", _FFV1, quick=True),
    Row("full range 10 bit 4:2:2, as ffv1", "colour", "full10.mkv", _full("yuv422p10le"), ".mkv",
        (*_FFV1, *_SOURCE)),
    Row("full range motion JPEG, as ffv1", "colour", "fullj.mkv", _full("yuvj420p", "mjpeg"),
        ".mkv", _FFV1),
    Row("full range, as hevc", "colour", "full.mp4", _full("yuv420p"), ".mp4", ("--codec", "hevc")),
    Row("full range, as av1", "colour", "full.mp4", _full("yuv420p"), ".mp4", ("--codec", "av1")),
    Row("full range, as vp9", "colour", "full.mp4", _full("yuv420p"), ".webm", _VP9),
    Row("reserved colour tags", "colour", "reserved.ts", _reserved, quick=True),
    Row("HDR10, luminance out of range, as hevc", "colour", "oddhdr.mp4", _odd_display, ".mp4",
        ("--codec", "hevc")),
    Row("a photograph", "trouble", "face.jpg", lambda out: ffmpeg(*pictures(), "-frames:v", 1,
        "-update", 1, out), quick=True),
    Row("a video stream without packets", "trouble", "nothing.mkv", _without_pictures),
)  # fmt: skip
