"""Further rows: what cameras, phones and other programs write beside the usual."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

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


FORMATS: tuple[Row, ...] = (
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
