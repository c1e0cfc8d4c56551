"""The rows of the conformance table: small clips of every sort, made by ffmpeg on the spot."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vsr.media.binary import ffmpeg_exe

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "sample_videos" / "surveillance_800x600_30fps.mp4"
_SRT = "1\n00:00:00,050 --> 00:00:00,200\nhello\n\n2\n00:00:00,220 --> 00:00:00,350\nbye\n"
_CHAPTERS = (
    ";FFMETADATA1\ntitle=A film\nartist=Somebody\n"
    "[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=200\ntitle=one\n"
    "[CHAPTER]\nTIMEBASE=1/1000\nSTART=200\nEND=400\ntitle=two\n"
)
_PQ = "range=tv:colorspace=bt2020nc:color_primaries=bt2020:color_trc=smpte2084"
_MASTERING = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"


@dataclass(frozen=True)
class Row:
    """One clip and how it is run."""

    name: str
    group: str
    source: str
    """file name, whose suffix is the container"""
    make: Callable[[Path], None]
    """writes the clip"""
    out: str = ".mkv"
    """suffix of the output"""
    options: tuple[str, ...] = ()
    """more words for ``vsr run``"""
    quick: bool = False
    """part of the subset that CI runs"""


def ffmpeg(*words: object) -> None:
    """Run the bundled ffmpeg; RuntimeError with its log where it fails."""
    command = [ffmpeg_exe(), "-hide_banner", "-loglevel", "error", "-nostdin", "-y"]
    done = subprocess.run([*command, *map(str, words)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, words))}: {done.stderr}")


def pictures(size: str = "96x64", rate: str = "25", seconds: str = "0.4") -> tuple[str, ...]:
    """Input words for ten moving pictures."""
    return ("-f", "lavfi", "-i", f"testsrc2=s={size}:r={rate}:d={seconds}")


def _plain(*words: str, size: str = "96x64", rate: str = "25") -> Callable[[Path], None]:
    """Pictures encoded with these words."""
    return lambda out: ffmpeg(*pictures(size, rate), *words, out)


def _x264(pix_fmt: str = "yuv420p", filters: str = "null", *words: str) -> Callable[[Path], None]:
    more = ("-vf", f"{filters},format={pix_fmt}", "-c:v", "libx264", "-preset", "veryfast")
    return _plain(*more, *words)


def _ffv1(pix_fmt: str, filters: str = "null") -> Callable[[Path], None]:
    return _plain("-vf", f"{filters},format={pix_fmt}", "-c:v", "ffv1")


def _tagged(matrix: str, primaries: str, transfer: str, range_: str = "tv") -> str:
    convert = f"scale=out_color_matrix={matrix}:out_range={range_}"
    names = {"bt601": "smpte170m", "bt709": "bt709", "bt2020": "bt2020nc"}
    return (
        f"{convert},format=yuv420p,setparams=range={range_}:colorspace={names[matrix]}:"
        f"color_primaries={primaries}:color_trc={transfer}"
    )


def _copied(first: Callable[[Path], None], before: tuple[str, ...], *after: str
            ) -> Callable[[Path], None]:  # fmt: skip
    """A clip, and a copy of it that ffmpeg makes with these words before and after the input."""

    def make(out: Path) -> None:
        plain = out.with_name(f"plain-{out.stem}.mp4")
        first(plain)
        ffmpeg(*before, "-i", plain, *(after or ("-c", "copy")), out)
        plain.unlink()

    return make


def _hdr10(codec: str) -> Callable[[Path], None]:
    fields = f"master-display={_MASTERING}:max-cll=1000,400:log-level=error"
    if codec == "libsvtav1":
        display = "G(0.265,0.69)B(0.15,0.06)R(0.68,0.32)WP(0.3127,0.329)L(1000,0.005)"
        words = ("-svtav1-params", f"mastering-display={display}:content-light=1000,400")
    else:
        words = ("-x265-params", fields)
    filters = f"format=yuv420p10le,setparams={_PQ}"
    return _plain("-vf", filters, "-c:v", codec, *words)


def _rich(out: Path) -> None:
    """Two sound streams with languages, subtitles, chapters and titles."""
    srt, chapters = out.with_name("s.srt"), out.with_name("chapters.txt")
    srt.write_text(_SRT)
    chapters.write_text(_CHAPTERS)
    text = "copy" if out.suffix == ".mkv" else "mov_text"
    ffmpeg(
        *pictures(), "-f", "lavfi", "-i", "sine=440:d=0.4", "-f", "lavfi", "-i", "sine=880:d=0.4",
        "-i", srt, "-i", chapters, "-map", 0, "-map", 1, "-map", 2, "-map", 3,
        "-map_metadata", 4, "-map_chapters", 4, "-c:v", "libx264", "-c:a:0", "aac",
        "-c:a:1", "ac3", "-c:s", text, "-metadata:s:a:0", "language=eng",
        "-metadata:s:a:1", "language=ger", "-metadata:s:s:0", "language=fre", out,
    )  # fmt: skip


def _sound(codec: str, *video: str) -> Callable[[Path], None]:
    words = video or ("-c:v", "libx264")
    more = ("-f", "lavfi", "-i", "sine=440:d=0.4", *words, "-c:a", codec)
    return lambda out: ffmpeg(*pictures(), *more, "-strict", "-2", out)


def _cover(out: Path) -> None:
    png = out.with_name("cover.png")
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=32x32", "-frames:v", 1, png)
    if out.suffix == ".mkv":
        ffmpeg(*pictures(), "-c:v", "libx264", "-attach", png,
               "-metadata:s:t", "mimetype=image/png", "-metadata:s:t", "filename=cover.png",
               out)  # fmt: skip
    else:
        ffmpeg(*pictures(), "-i", png, "-map", 0, "-map", 1, "-c:v:0", "libx264", "-c:v:1", "copy",
               "-disposition:v:1", "attached_pic", out)  # fmt: skip


def _two_pictures(out: Path) -> None:
    ffmpeg(*pictures(), *pictures("64x96"), "-map", 0, "-map", 1, "-c:v", "libx264", out)


def _timecode(out: Path) -> None:
    ffmpeg(*pictures(), "-c:v", "libx264", "-timecode", "01:00:00:00", out)


def _unknown_duration(out: Path) -> None:
    """A live Matroska: no duration, no index, as written into a pipe."""
    command = [ffmpeg_exe(), "-loglevel", "error", *pictures(), "-c:v", "libx264"]
    command += ["-f", "matroska", "-live", "1", "-"]
    out.write_bytes(subprocess.run(command, capture_output=True, check=True).stdout)


def _joined(second: str, *words: str) -> Callable[[Path], None]:
    """Two raw streams one behind the other: the size changes between them."""

    def make(out: Path) -> None:
        parts = []
        for number, size in enumerate(("96x64", second)):
            part = out.with_name(f"part{number}.ts")
            offset = ("-output_ts_offset", "1") if number else ()
            ffmpeg(*pictures(size), *(words or ("-c:v", "libx264")), *offset, part)
            parts.append(part.read_bytes())
        whole = out.with_name("joined.ts")
        whole.write_bytes(b"".join(parts))
        if out.suffix == ".ts":
            whole.replace(out)
        else:
            ffmpeg("-i", whole, "-c", "copy", out)

    return make


def _damaged(how: str) -> Callable[[Path], None]:
    def make(out: Path) -> None:
        ffmpeg(*pictures(seconds="4"), "-c:v", "libx264", "-g", 10, "-bf", 2, out)
        data = bytearray(out.read_bytes())
        if how == "cut":
            data = data[: len(data) * 2 // 3]
        else:
            at = len(data) // 3
            for place in range(at, at + 3000):
                data[place] = (data[place] * 7 + place) % 256
        out.write_bytes(data)

    return make


def _no_frame(out: Path) -> None:
    ffmpeg(*pictures(), "-frames:v", 0, "-c:v", "libx264", out)


def _sound_only(out: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "sine=440:d=0.4", "-c:a", "aac", out)


_INTERLACED = "tinterlace=interleave_top,fieldorder=tff,format=yuv420p"
_VFR = (
    "select='not(eq(mod(n,5),3))',settb=1/15360,setpts='PTS+137*mod(N,3)'",
    ("-fps_mode", "vfr", "-enc_time_base", "1/15360"),
)
_VP9 = ("--codec", "vp9")

ROWS: tuple[Row, ...] = (
    # codecs
    Row("h264", "codec", "h264.mp4", _x264("yuv420p", "null", "-bf", "3"), ".mp4", quick=True),
    Row("hevc", "codec", "hevc.mp4", _plain("-c:v", "libx265"), ".mp4"),
    Row("vp9", "codec", "vp9.webm", _plain("-c:v", "libvpx-vp9"), ".webm", _VP9, quick=True),
    Row("av1", "codec", "av1.mkv", _plain("-c:v", "libsvtav1"), quick=True),
    Row("mpeg4", "codec", "mpeg4.mp4", _plain("-c:v", "mpeg4", "-bf", "2"), ".mp4"),
    Row("mjpeg", "codec", "mjpeg.mov", _plain("-c:v", "mjpeg", "-q:v", "3"), ".mov", quick=True),
    Row("prores 422", "codec", "prores.mov", _plain("-c:v", "prores_ks"), ".mov", quick=True),
    Row("prores 4444 with alpha", "codec", "prores4.mov", _plain("-vf", "format=yuva444p10le",
        "-c:v", "prores_ks", "-profile:v", "4444"), ".mov"),
    Row("mpeg2", "codec", "mpeg2.ts", _plain("-c:v", "mpeg2video", "-q:v", "3"), ".mkv"),
    Row("ffv1", "codec", "ffv1.mkv", _ffv1("yuv420p")),
    Row("our sample, 12 frames", "codec", "sample.mp4", lambda out: ffmpeg("-i", SAMPLE,
        "-frames:v", 12, "-vf", "scale=200:150", "-c:v", "libx264", out), ".mp4", quick=True),
    # containers
    Row("mp4 to mp4", "container", "c.mp4", _sound("aac"), ".mp4"),
    Row("mp4 to mkv", "container", "c.mp4", _sound("aac"), ".mkv"),
    Row("mov to mov", "container", "c.mov", _sound("pcm_s16le"), ".mov"),
    Row("mov to mp4, PCM sound", "container", "c.mov", _sound("pcm_s16le"), ".mp4"),
    Row("mkv to mkv", "container", "c.mkv", _sound("flac"), ".mkv"),
    Row("mkv to mp4", "container", "c.mkv", _sound("flac"), ".mp4"),
    Row("webm to webm", "container", "c.webm", _sound("libopus", "-c:v", "libvpx-vp9"), ".webm",
        _VP9),
    Row("webm to mp4", "container", "c.webm", _sound("libopus", "-c:v", "libvpx-vp9"), ".mp4"),
    Row("mp4 to webm, AAC sound", "container", "c.mp4", _sound("aac"), ".webm", _VP9),
    Row("avi (mpeg4) to mp4", "container", "c.avi", _sound("ac3", "-c:v",
        "mpeg4"), ".mp4"),
    Row("avi (h264) to mkv", "container", "h.avi", _sound("ac3"), ".mkv", quick=True),
    Row("ts to mp4", "container", "c.ts", _sound("aac"), ".mp4"),
    Row("ts to mkv", "container", "c.ts", _sound("aac"), ".mkv"),
    # depth and chroma
    Row("10 bit 4:2:0", "pixels", "p.mkv", _x264("yuv420p10le"), quick=True),
    Row("10 bit 4:2:0, as hevc", "pixels", "p.mkv", _x264("yuv420p10le"), ".mp4",
        ("--codec", "hevc")),
    Row("10 bit 4:2:0, as av1", "pixels", "p.mkv", _x264("yuv420p10le"), ".mkv",
        ("--codec", "av1")),
    Row("10 bit 4:2:0, as vp9", "pixels", "p.mkv", _x264("yuv420p10le"), ".webm", _VP9),
    Row("8 bit 4:2:2", "pixels", "p422.mkv", _x264("yuv422p"), quick=True),
    Row("8 bit 4:4:4", "pixels", "p444.mkv", _x264("yuv444p")),
    Row("8 bit 4:2:2, pix_fmt=source", "pixels", "p422.mkv", _x264("yuv422p"), ".mkv",
        ("--set", "encode.pix_fmt=source")),
    Row("8 bit 4:4:4, pix_fmt=source", "pixels", "p444.mkv", _x264("yuv444p"), ".mkv",
        ("--set", "encode.pix_fmt=source")),
    Row("10 bit 4:2:2", "pixels", "p42210.mkv", _x264("yuv422p10le")),
    Row("10 bit 4:4:4, pix_fmt=source", "pixels", "p44410.mkv", _x264("yuv444p10le"), ".mkv",
        ("--set", "encode.pix_fmt=source")),
    Row("12 bit 4:2:0", "pixels", "p12.mkv", _ffv1("yuv420p12le")),
    Row("grey", "pixels", "grey.mkv", _ffv1("gray")),
    Row("RGB", "pixels", "rgb.mkv", _ffv1("gbrp")),
    Row("10 bit, pix_fmt=yuv420p", "pixels", "p.mkv", _x264("yuv420p10le"), ".mkv",
        ("--set", "encode.pix_fmt=yuv420p")),
    # colour
    Row("BT.601, limited", "colour", "601.mp4", _plain("-vf", _tagged("bt601", "smpte170m",
        "smpte170m"), "-c:v", "libx264"), ".mp4"),
    Row("BT.709, limited", "colour", "709.mp4", _plain("-vf", _tagged("bt709", "bt709", "bt709"),
        "-c:v", "libx264"), ".mp4"),
    Row("BT.709, full", "colour", "709f.mp4", _plain("-vf", _tagged("bt709", "bt709", "bt709",
        "pc"), "-c:v", "libx264"), ".mp4", quick=True),
    Row("BT.2020, limited", "colour", "2020.mkv", _plain("-vf", _tagged("bt2020", "bt2020",
        "bt2020-10"), "-c:v", "libx264")),
    Row("untagged", "colour", "un.mp4", _x264(), ".mp4"),
    Row("untagged 640x480", "colour", "un480.mp4", _plain("-c:v", "libx264", "-pix_fmt", "yuv420p",
        size="640x480"), ".mp4", quick=True),
    Row("untagged 854x480, rotated by 90", "colour", "turned.mp4", _copied(_plain("-c:v",
        "libx264", "-pix_fmt", "yuv420p", size="854x480"), ("-display_rotation", "90")), ".mp4"),
    Row("HLG 10 bit", "colour", "hlg.mkv", _plain("-vf", "format=yuv420p10le,setparams=range=tv:"
        "colorspace=bt2020nc:color_primaries=bt2020:color_trc=arib-std-b67", "-c:v", "libx265",
        "-x265-params", "log-level=error")),
    Row("HDR10", "colour", "hdr.mp4", _hdr10("libx265"), ".mp4"),
    Row("HDR10, as hevc", "colour", "hdr.mp4", _hdr10("libx265"), ".mp4", ("--codec", "hevc"),
        quick=True),
    Row("HDR10, hevc in mkv", "colour", "hdr.mkv", _hdr10("libx265"), ".mkv",
        ("--codec", "hevc")),
    Row("HDR10, as av1", "colour", "hdr.mp4", _hdr10("libx265"), ".mp4", ("--codec", "av1")),
    Row("HDR10, as vp9", "colour", "hdr.mp4", _hdr10("libx265"), ".webm", _VP9),
    Row("HDR10 from av1", "colour", "hdrav1.mkv", _hdr10("libsvtav1"), ".mkv",
        ("--codec", "hevc")),
    # geometry
    Row("interlaced", "geometry", "i.mp4", _plain("-vf", _INTERLACED, "-c:v", "libx264", "-flags",
        "+ilme+ildct", rate="50"), ".mp4", quick=True),
    Row("interlaced mpeg2", "geometry", "i.ts", _plain("-vf", _INTERLACED, "-c:v", "mpeg2video",
        "-flags", "+ilme+ildct", rate="50"), ".mkv"),
    *(Row(f"rotated by {a}", "geometry", f"r{a}.mp4", _copied(_x264(), ("-display_rotation", str(a)
        )), ".mp4", quick=a == 90) for a in (90, 180, 270)),
    Row("mirrored", "geometry", "flip.mp4", _copied(_x264(), ("-display_hflip",)), ".mp4"),
    Row("non-square pixels", "geometry", "sar.mp4", _x264("yuv420p", "setsar=16/11"), ".mp4",
        quick=True),
    Row("odd size", "geometry", "odd.mkv", lambda out: ffmpeg(*pictures("97x65"), "-vf",
        "format=yuv420p", "-c:v", "ffv1", out)),
    Row("odd size 4:4:4", "geometry", "odd444.mkv", lambda out: ffmpeg(*pictures("97x65"), "-vf",
        "format=yuv444p", "-c:v", "libx264", out)),
    # time
    Row("start offset", "time", "off.mp4", _copied(_x264("yuv420p", "null", "-bf", "2"),
        ("-itsoffset", "1.7"), "-c", "copy", "-copyts"), ".mp4", quick=True),
    Row("negative start", "time", "neg.mov", _copied(_x264(), ("-itsoffset", "-0.2"), "-c", "copy",
        "-copyts", "-avoid_negative_ts", "disabled"), ".mov"),
    Row("edit list", "time", "edit.mp4", _copied(_x264("yuv420p", "null", "-bf", "2"),
        ("-ss", "0.12")), ".mp4", quick=True),
    Row("variable rate", "time", "vfr.mp4", lambda out: ffmpeg(*pictures(rate="30"), "-vf", _VFR[0],
        *_VFR[1], "-c:v", "libx264", "-bf", 3, out), ".mp4", quick=True),
    Row("variable rate, mp4 to mkv", "time", "vfr.mp4", lambda out: ffmpeg(*pictures(rate="30"),
        "-vf", _VFR[0], *_VFR[1], "-c:v", "libx264", "-bf", 3, out), ".mkv"),
    Row("29.97 fps", "time", "ntsc.mp4", _plain("-c:v", "libx264", rate="30000/1001"), ".mp4"),
    Row("60 fps, every frame", "time", "r60.mp4", _plain("-c:v", "libx264", rate="60"), ".mp4",
        ("--fps", "source")),
    Row("60 fps, thinned to 30", "time", "r60.mp4", _plain("-c:v", "libx264", rate="60"), ".mp4"),
    Row("unknown duration", "time", "live.mkv", _unknown_duration, quick=True),
    Row("one frame", "time", "one.mp4", _plain("-frames:v", "1", "-c:v", "libx264"), ".mp4",
        quick=True),
    # streams
    Row("sound, languages, subtitles, chapters (mkv)", "streams", "rich.mkv", _rich),
    Row("sound, languages, subtitles, chapters (mp4)", "streams", "rich.mp4", _rich, ".mp4",
        quick=True),
    Row("the same, mkv to mp4", "streams", "rich.mkv", _rich, ".mp4"),
    Row("the same, mkv to webm", "streams", "rich.mkv", _rich, ".webm", _VP9),
    Row("cover art (mp4)", "streams", "cover.mp4", _cover, ".mp4", quick=True),
    Row("cover art (mkv)", "streams", "cover.mkv", _cover),
    Row("cover art, mkv to mp4", "streams", "cover.mkv", _cover, ".mp4"),
    Row("cover art, mp4 to mkv", "streams", "cover.mp4", _cover),
    Row("two picture streams", "streams", "two.mkv", _two_pictures, quick=True),
    Row("timecode track", "streams", "tc.mov", _timecode, ".mov"),
    Row("timecode track, mov to mkv", "streams", "tc.mov", _timecode),
    # trouble
    Row("size changes (ts)", "trouble", "size.ts", _joined("128x96"), ".mp4", quick=True),
    Row("size changes (mkv)", "trouble", "size.mkv", _joined("64x48")),
    Row("damaged packets", "trouble", "hurt.mp4", _damaged("hurt"), ".mp4", quick=True),
    Row("cut off", "trouble", "cut.mkv", _damaged("cut"), quick=True),
    Row("cut off, no index", "trouble", "cut.mp4", _damaged("cut"), ".mp4"),
    Row("no frame", "trouble", "none.mkv", _no_frame, quick=True),
    Row("sound only", "trouble", "sound.mp4", _sound_only, ".mp4"),
    Row("empty file", "trouble", "empty.mp4", lambda out: out.touch(), ".mp4"),
)  # fmt: skip
