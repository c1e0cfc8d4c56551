"""Clips made by ffmpeg itself, and PyAV as the referee that reads what we write."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest

from vsr.media.binary import ffmpeg_exe
from vsr.media.decode import DecodeConfig, VideoReader
from vsr.media.encode import EncodeConfig, EncodeResult, VideoWriter, choose_format
from vsr.media.probe import probe

_SRT = "1\n00:00:00,100 --> 00:00:00,700\nhello\n\n2\n00:00:00,800 --> 00:00:01,100\nbye\n"
_ASS = (
    "[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize\n"
    "Style: Default,Arial,16\n\n[Events]\nFormat: Layer, Start, End, Style, Text\n"
    "Dialogue: 0,0:00:00.10,0:00:01.00,Default,hi there\n"
)
_CHAPTERS = (
    ";FFMETADATA1\ntitle=A film\nartist=Somebody\n"
    "[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=600\ntitle=one\n"
    "[CHAPTER]\nTIMEBASE=1/1000\nSTART=600\nEND=1200\ntitle=two\n"
)


def run_ffmpeg(*words: object) -> None:
    """Run the bundled ffmpeg; a failure shows its log."""
    command = [ffmpeg_exe(), "-hide_banner", "-loglevel", "error", "-nostdin", "-y"]
    done = subprocess.run([*command, *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _cfr(rate: str, out: Path, *video: str) -> None:
    run_ffmpeg(
        *("-f", "lavfi", "-i", f"testsrc2=s=160x120:r={rate}:d=1.2"),
        *("-f", "lavfi", "-i", "sine=f=440:d=1.2:r=44100"),
        *("-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-g", "12"),
        *(video or ("-pix_fmt", "yuv420p")),
        *("-c:a", "aac", out),
    )


def _silent(out: Path, vf: str, *codec: str) -> None:
    source = "testsrc2=s=160x120:r=25:d=0.8"
    run_ffmpeg(
        "-f", "lavfi", "-i", source, "-vf", vf, *(codec or ("-c:v", "libx264")), out
    )  # fmt: skip


class Clips:
    """Makes each test clip when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, name: str) -> Path:
        path = self.folder / name
        if not path.exists():
            getattr(self, "_" + path.stem)(path)
        return path

    def _r23976(self, out: Path) -> None:
        _cfr("24000/1001", out)

    def _r25(self, out: Path) -> None:
        _cfr("25", out)

    def _r2997(self, out: Path) -> None:
        _cfr("30000/1001", out)

    def _r30(self, out: Path) -> None:
        _cfr("30", out)

    def _r60(self, out: Path) -> None:
        _cfr("60", out)

    def _r5994(self, out: Path) -> None:
        _cfr("60000/1001", out)

    def _vfr(self, out: Path) -> None:
        """Frames dropped and moved by odd amounts, with B-frames and a long last frame."""
        _cfr(
            "30", out, "-vf",
            "select='not(eq(mod(n,7),3))*not(between(n,15,20))',"
            "settb=1/15360,setpts='PTS+137*mod(N,3)'",
            "-fps_mode", "vfr", "-enc_time_base", "1/15360",
        )  # fmt: skip

    def _offset(self, out: Path) -> None:
        run_ffmpeg("-itsoffset", "1.7", "-i", self("r30.mp4"), "-c", "copy", "-copyts", out)

    def _ms(self, out: Path) -> None:
        run_ffmpeg("-i", self("r30.mp4"), "-c", "copy", out)

    def _ms2997(self, out: Path) -> None:
        run_ffmpeg("-i", self("r2997.mp4"), "-c", "copy", out)

    def _stream(self, out: Path) -> None:
        run_ffmpeg("-i", self("r30.mp4"), "-c", "copy", out)

    def _program(self, out: Path) -> None:
        run_ffmpeg("-i", self("r30.mp4"), "-c:v", "mpeg2video", "-c:a", "mp2", out)

    def _untimed(self, out: Path) -> None:
        run_ffmpeg("-i", self("r30.mp4"), "-c", "copy", out)

    def _raw(self, out: Path) -> None:
        run_ffmpeg("-i", self("r30.mp4"), "-map", "0:v", "-c", "copy", out)

    def _rotated(self, out: Path) -> None:
        run_ffmpeg("-display_rotation", "90", "-i", self("r30.mp4"), "-c", "copy", out)

    def _edited(self, out: Path) -> None:
        """An edit list hides the first half second, which still has to be decoded."""
        run_ffmpeg("-ss", "0.5", "-i", self("r30.mp4"), "-c", "copy", out)

    def _odd(self, out: Path) -> None:
        _silent(out, "scale=161:121,format=yuv420p", "-c:v", "ffv1")

    def _odd444(self, out: Path) -> None:
        _silent(out, "scale=161:121,format=yuv444p", "-c:v", "ffv1")

    def _ten(self, out: Path) -> None:
        tags = "colorspace=bt2020nc:color_primaries=bt2020:color_trc=smpte2084:range=tv"
        _silent(out, f"format=yuv420p10le,setparams={tags}")

    def _full(self, out: Path) -> None:
        _silent(out, "scale=out_range=pc,format=yuvj420p")

    def _tagged(self, out: Path) -> None:
        tags = "colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv"
        _silent(out, f"format=yuv420p,setparams={tags},setsar=4/3")

    def _rgb(self, out: Path) -> None:
        _silent(out, "format=gbrp", "-c:v", "libx264rgb", "-crf", "0")

    def _many(self, out: Path) -> None:
        """Two sound streams, subtitles, chapters, titles and languages."""
        srt, chapters = self.folder / "s.srt", self.folder / "chapters.txt"
        srt.write_text(_SRT)
        chapters.write_text(_CHAPTERS)
        mkv = out.suffix == ".mkv"
        ass = self.folder / "s.ass"
        ass.write_text(_ASS)
        run_ffmpeg(
            "-i", self("r30.mp4"), "-f", "lavfi", "-i", "sine=880:d=1.2", "-i", srt, "-i", ass,
            "-i", chapters, "-map", "0:v", "-map", "0:a", "-map", "1:a", "-map", "2",
            *(("-map", "3") if mkv else ()), "-map_metadata", "4", "-map_chapters", "4",
            "-c", "copy", "-c:a:1", "ac3", "-c:s", "copy" if mkv else "mov_text",
            "-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=ger",
            "-metadata:s:s:0", "language=fre", "-disposition:a:1", "comment", out,
        )  # fmt: skip

    def _cover(self, out: Path) -> None:
        png = self.folder / "cover.png"
        run_ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x64", "-frames:v", "1", png)
        run_ffmpeg(
            "-i", self("r30.mp4"), "-i", png, "-map", "0", "-map", "1", "-c", "copy",
            "-disposition:v:1", "attached_pic", out,
        )  # fmt: skip

    def _sound(self, out: Path) -> None:
        """Sound and cover art: no moving picture."""
        run_ffmpeg(
            "-i", self("cover.mp4"), "-map", "0:a", "-map", "0:v:1", "-c", "copy",
            "-disposition:v:0", "attached_pic", out,
        )  # fmt: skip

    def _long(self, out: Path) -> None:
        """Six seconds, index in front: to be cut off and damaged."""
        run_ffmpeg(
            "-f", "lavfi", "-i", "testsrc2=s=320x240:r=30:d=6",
            "-f", "lavfi", "-i", "sine=d=6:r=44100", "-c:v", "libx264", "-preset", "veryfast",
            "-bf", "3", "-g", "30", "-c:a", "aac", "-movflags", "+faststart", out,
        )  # fmt: skip

    def _longc(self, out: Path) -> None:
        run_ffmpeg("-i", self("long.mp4"), "-c", "copy", out)

    def _longavi(self, out: Path) -> None:
        run_ffmpeg("-i", self("long.mp4"), "-c:v", "mpeg4", "-q:v", "5", "-c:a", "mp3", out)


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Clips:
    """``clips("vfr.mp4")`` -> path."""
    return Clips(tmp_path_factory.mktemp("clips"))


def decoded_pts(path: Path) -> tuple[list[int], Fraction]:
    """PyAV's (pts of every decoded picture, time base)."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        pts = [frame.pts for frame in container.decode(stream)]
        assert stream.time_base is not None
        return [p for p in pts if p is not None], Fraction(stream.time_base)


def packets(path: Path, index: int) -> list[tuple[Fraction, bytes]]:
    """PyAV's (time in seconds, bytes) of every packet of a stream."""
    with av.open(str(path)) as container:
        stream = container.streams[index]
        return [
            (Fraction(p.pts) * stream.time_base, bytes(p))
            for p in container.demux(stream)
            if p.size and p.pts is not None and stream.time_base is not None
        ]


def streams(path: Path, kind: str) -> list[SimpleNamespace]:
    """What PyAV says of the streams of a kind."""
    with av.open(str(path)) as container:
        return [
            SimpleNamespace(
                index=s.index,
                codec=s.codec_context.name if s.codec_context else None,
                language=s.language,
                start=None if s.start_time is None else s.start_time * s.time_base,
                duration=None if s.duration is None else s.duration * s.time_base,
            )
            for s in container.streams
            if s.type == kind
        ]


def picture_facts(path: Path) -> SimpleNamespace:
    """PyAV's colour tags and shape of the video stream."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        return SimpleNamespace(
            pix_fmt=context.pix_fmt,
            range=context.color_range,
            space=context.colorspace,
            primaries=context.color_primaries,
            transfer=context.color_trc,
            aspect=stream.sample_aspect_ratio,
            width=context.width,
            height=context.height,
            rotation=next(container.decode(stream)).rotation,
        )


def plain_job(
    source: Path,
    out: Path,
    *,
    fps: str = "source",
    scale: int = 2,
    tell_rate: bool = True,
    **encode: object,
) -> SimpleNamespace:
    """decode -> encode, nothing in between: what every real job rests on.

    The preset has B-frames, as the default has: without them decoding order is display
    order, and wrong timestamps look right.
    """
    info = probe(source)
    cfg = EncodeConfig(**{"preset": "superfast", **encode})  # type: ignore[arg-type]
    format = choose_format(info, cfg)
    reader = VideoReader(info, scale=scale, canvas=format, cfg=DecodeConfig(fps=fps))
    pts: list[int] = []
    with VideoWriter(
        out,
        info=info,
        width=info.width * scale,
        height=info.height * scale,
        format=format,
        color=info.color,
        cfg=cfg,
        frame_rate=reader.frame_rate,
    ) as writer:
        for frame in reader:
            assert frame.canvas is not None
            writer.write(frame.canvas, frame.pts)
            pts.append(frame.pts)
        result: EncodeResult = writer.close(end_s=reader.report.broken_at_s)
    return SimpleNamespace(info=info, pts=pts, result=result, report=reader.report, reader=reader)


def raw_pictures(path: Path, pix_fmt: str, *filters: str) -> np.ndarray:
    """All pictures as ffmpeg decodes them: uint8 (or uint16) samples, one flat array."""
    command = [ffmpeg_exe(), "-loglevel", "error", "-nostdin", "-i", str(path)]
    if filters:
        command += ["-vf", ",".join(filters)]
    command += ["-map", "0:v:0", "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", pix_fmt]
    done = subprocess.run([*command, "-"], capture_output=True, check=True)
    return np.frombuffer(done.stdout, np.uint16 if pix_fmt.endswith("le") else np.uint8)


@pytest.fixture(scope="session")
def referee() -> SimpleNamespace:
    """The helpers above, for tests (which cannot import this file)."""
    return SimpleNamespace(
        ffmpeg=run_ffmpeg,
        pts=decoded_pts,
        packets=packets,
        streams=streams,
        facts=picture_facts,
        job=plain_job,
        raw=raw_pictures,
    )


Job = Callable[..., SimpleNamespace]
