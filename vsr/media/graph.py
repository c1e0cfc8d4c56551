"""Arguments of the decoding ffmpeg: one decode, three outputs. Pure builders.

source -> split -> a speck of 8x8, as framecrc lines             (each frame's timestamp)
                -> tag -> RGB at the source's size               (what stages look at)
                       -> Lanczos, scale x, in the encoder's format  (what is pasted into)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ffmpeg

from vsr.core.color import MATRIX_TAGS, Matrix, PixelFormat
from vsr.core.video import VideoInfo
from vsr.media.formats import is_rgb
from vsr.media.limits import SAFE_INPUT
from vsr.media.packets import move_options

_SCALE_NAMES: dict[Matrix, str] = {"bt601": "bt601", "bt709": "bt709", "bt2020": "bt2020"}

LANCZOS_FLAGS = "lanczos+accurate_rnd"
_QUEUED = 2
"""pictures that wait in ffmpeg for each pipe, or for the encoder; its own 8 hold 0.1 GB at 4K"""
_RGB_FLAGS = "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
_UNSCALED = ("chroma-derived-nc", "chroma-derived-c")
"""matrices that ffmpeg's scaler refuses, also where it converts nothing"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outputs:
    """Which pipes the decoder writes, as it sees them."""

    pts: int
    rgb: int
    canvas: int | None


def decode_arguments(
    info: VideoInfo,
    fds: Outputs,
    *,
    scale: int,
    canvas: PixelFormat | None,
    seek_s: float | None = None,
    raster: tuple[int, int] | None = None,
    canvas_from: int | None = None,
    hwaccel: str | None = None,
) -> list[str]:
    """ffmpeg's arguments to decode ``info``'s picture stream into the pipes.

    seek_s: decode from the keyframe at or before this second on, in the source's own
    timestamps; None for all. raster: only frames with pts = origin + k * period have pictures, all
    have a timestamp. canvas_from:
    frames with a smaller pts have no canvas. hwaccel: device that decodes, by ffmpeg's name;
    it falls back on the processor by itself.
    """
    options: dict[str, object] = {"copyts": None, **SAFE_INPUT}
    options |= move_options(info, info.stream_index)
    if info.untag:
        key = f"bsf:{info.stream_index}"
        options[key] = f"{options[key]},{info.untag}" if key in options else info.untag
    if seek_s is not None:
        # ffmpeg's own cut after seeking counts from the file's start a second time when
        # timestamps are kept; from the keyframe before on, the reader drops by timestamp.
        options |= {"seek_timestamp": 1, "ss": f"{seek_s:.6f}", "noaccurate_seek": None}
    if hwaccel is not None:
        options["hwaccel"] = hwaccel
    stream = ffmpeg.input(f"file:{info.path.absolute()}", **options)[str(info.stream_index)]
    if info.interlaced:
        # A full picture for each frame, at its own time; the filter halves the time base.
        stream = stream.filter("bwdif", mode="send_frame", deint="interlaced")
        stream = stream.filter("settb", f"{info.time_base.numerator}/{info.time_base.denominator}")
    # A reserved tag reads as none; the scaler would refuse the picture for it.
    tags = {"color_primaries": info.color.tag_primaries, "color_trc": info.color.tag_transfer}
    if untagged := {name: "unknown" for name, tag in tags.items() if tag is None}:
        stream = stream.filter("setparams", **untagged)
    halves = stream.filter_multi_output("split", 2)
    # One reading of matrix and range for the whole film, whatever a frame may claim.
    rgb_source = is_rgb(info.pix_fmt)
    reading = {
        "range": "pc" if info.color.full_range else "tv",
        "colorspace": MATRIX_TAGS[info.color.matrix],
    }
    every, stream = halves[0], halves[1]
    if info.color.tag_space in _UNSCALED:
        every = every.filter("setparams", **reading)
    if raster is not None:
        origin, period = raster
        stream = stream.filter("select", f"not(mod(pts-({origin}),{period}))")
    if hwaccel is not None:
        # The card packs its planes in another way: back to the source's, which changes no sample.
        stream = stream.filter("format", info.pix_fmt)
    if not rgb_source:
        stream = stream.filter("setparams", **reading)
    branches = stream.filter_multi_output("split", 2) if canvas else [stream]
    outputs = [
        _output(_speck(every), fds.pts, "framecrc"),
        _output(_to_rgb(branches[0], info, rgb_source), fds.rgb, "rawvideo"),
    ]
    if canvas is not None and fds.canvas is not None:
        late = branches[1]
        if canvas_from is not None:
            late = late.filter("select", f"gte(pts,{canvas_from})")
        upscaled = _to_canvas(late, info, rgb_source, scale, canvas)
        outputs.append(_output(upscaled, fds.canvas, "rawvideo"))
    merged = ffmpeg.merge_outputs(*outputs)
    # At "info" it also tells that pictures change their size.
    return merged.global_args("-loglevel", "level+info", "-nostats").get_args()


def rgb_format(info: VideoInfo) -> str:
    """Pixel format of the RGB pipe: 8 bit a sample, 16 for deeper sources."""
    return "rgb48le" if info.bit_depth > 8 else "rgb24"


def _speck(branch: Any) -> Any:
    return branch.filter("scale", 8, 8, flags="neighbor").filter("format", "gray")


def _to_rgb(branch: Any, info: VideoInfo, rgb_source: bool) -> Any:
    reading = {} if rgb_source else _reading(info, "in")
    branch = branch.filter("scale", info.width, info.height, flags=_RGB_FLAGS, **reading)
    if not rgb_source and info.bit_depth == 8:
        # The same bits as without this step, in half the time: swscale converts into planes
        # with vector instructions, into packed pixels without, and packs planes quickly.
        branch = branch.filter("format", "gbrp").filter("scale", flags=_RGB_FLAGS)
    return branch.filter("format", rgb_format(info))


def _to_canvas(
    branch: Any, info: VideoInfo, rgb_source: bool, scale: int, canvas: PixelFormat
) -> Any:
    # The same reading in and out: only the size (and depth) changes, no colour conversion.
    reading = {} if rgb_source else _reading(info, "in")
    size = (info.width * scale, info.height * scale)
    return branch.filter(
        "scale", *size, flags=LANCZOS_FLAGS, **reading, **_reading(info, "out")
    ).filter("format", canvas.name)


def _reading(info: VideoInfo, side: str) -> dict[str, str]:
    return {
        f"{side}_color_matrix": _SCALE_NAMES[info.color.matrix],
        f"{side}_range": "pc" if info.color.full_range else "tv",
    }


def _output(stream: Any, fd: int, muxer: str) -> Any:
    # Flushing after every frame lets the reader take the pipes in turn: nothing it waits
    # for stays in a buffer of ffmpeg.
    return ffmpeg.output(
        stream,
        f"pipe:{fd}",
        format=muxer,
        fps_mode="passthrough",
        enc_time_base="demux",
        flush_packets=1,
        thread_queue_size=_QUEUED,
    )


def parse_framecrc(line: bytes) -> tuple[int, int] | None:
    """(pts, duration) of a framecrc line; None for its header lines."""
    if line.startswith(b"#"):
        return None
    fields: Sequence[bytes] = line.split(b",", 5)
    return int(fields[2]), int(fields[3])
