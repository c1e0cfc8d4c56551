"""Arguments of the encoding ffmpeg: pictures from stdin, all else from the source."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import ffmpeg

from vsr.core.color import ColorSpec
from vsr.core.video import VideoInfo
from vsr.media.codecs import EncodeConfig, encoder_options, tag_filter
from vsr.media.containers import Container, StreamPlan
from vsr.media.lookahead import limit_lookahead
from vsr.media.process import SAFE_INPUT
from vsr.media.timeline import first_tick

_NO_STREAM = "99999?"
"""maps nothing, yet makes the source an input that metadata and chapters are taken from"""

_BRANDS = ("major_brand", "minor_version", "compatible_brands")
"""an mp4's description of itself, which would be a lie in another file"""


def encode_arguments(
    out: Path,
    *,
    info: VideoInfo,
    container: Container,
    cfg: EncodeConfig,
    pixels: int,
    color: ColorSpec,
    plans: Sequence[StreamPlan] | None,
    window: tuple[float | None, float | None],
    shift_s: Fraction,
    rate: Fraction | None,
    free_titles: bool = False,
    comment: str | None = None,
) -> list[str]:
    """ffmpeg's arguments to encode the NUT stream on stdin into ``out``.

    pixels: of a picture.
    plans: what happens to the source's streams; None: neither streams nor metadata of it.
    window: (start, end) in the source's own seconds. shift_s: taken off its timestamps.
    rate: nominal frames per second of the pictures. free_titles: write metadata under its
    own names into mp4 and mov. comment: the file's comment; None: the source's.
    """
    pictures = ffmpeg.input(
        "pipe:0", format="nut", copyts=None, probesize=32, analyzeduration=0, fpsprobesize=0,
        thread_queue_size=2, **SAFE_INPUT,
    )  # fmt: skip
    streams = [pictures["v:0"]]
    options: dict[str, object] = {
        "format": container.muxer,
        "fps_mode": "passthrough",
        "enc_time_base": "demux",
        "max_muxing_queue_size": 1 << 16,
        # Naming one stream's disposition makes ffmpeg keep the others as they were.
        "disposition:0": "default",
        **encoder_options(cfg, mov=container.is_mov),
    }
    if tags := tag_filter(color):
        options["vf"] = tags
    if container.is_mov:
        options["video_track_timescale"] = info.time_base.denominator
        if free_titles:
            options["movflags"] = "use_metadata_tags"
    limit_lookahead(options, cfg, pixels)
    if window[0] is not None:
        # Copied sound begins at the keyframe before the window; muxers would move everything
        # on to make room for it.
        options["copypriorss"] = 0
    if window[1] is not None:
        end = first_tick(window[1], info.time_base) * info.time_base
        options["to"] = f"{float(end - shift_s):.6f}"
    if window == (None, None):
        options |= _end_on_time(info, rate, shift_s)
    if plans is not None:
        source = _source(info, window, shift_s)
        kept = [p for p in plans if p.action != "drop"]
        streams += [source[str(p.stream.index)] for p in kept] or [source[_NO_STREAM]]
        options |= _stream_options(info, kept)
    target = f"file:{out.absolute()}"
    output = ffmpeg.output(*streams, target, **options)
    log = ("-loglevel", "level+warning", "-stats", "-stats_period", "3600")
    arguments = output.overwrite_output().global_args(*log).get_args()
    titles: dict[str, str] = dict.fromkeys(_BRANDS, "") if plans is not None else {}
    if comment is not None:
        titles["comment"] = comment
    # Repeated options are beyond the builder: they go right before the output's name.
    at = arguments.index(target)
    arguments[at:at] = [w for k, v in titles.items() for w in ("-metadata", f"{k}={v}")]
    return arguments


def _end_on_time(info: VideoInfo, rate: Fraction | None, shift_s: Fraction) -> dict[str, str]:
    """The bitstream filter that gives the last picture the source's last duration.

    Raw pictures arrive without durations, so ffmpeg ends the file one average frame after
    the last timestamp: with a variable rate the picture would end before or after the sound.
    """
    if info.last_pts is None or info.start_pts is None or info.duration_s is None:
        return {}
    shift = round(shift_s / info.time_base)
    end = info.start_pts + round(Fraction(info.duration_s) / info.time_base) - shift
    last = info.last_pts - shift
    if rate is not None:
        # After thinning the last picture kept may be the last but one of the source.
        last = min(last, end - int(Fraction(3, 2) / rate / info.time_base))
    # pts and dts are named because setts would otherwise make them equal, B-frames or not.
    at_end = f"gte(PTS\\,{last})*lt(PTS\\,{end})"
    return {"bsf:v:0": f"setts=pts=PTS:dts=DTS:duration=if({at_end}\\,{end}-PTS\\,DURATION)"}


def _source(info: VideoInfo, window: tuple[float | None, float | None], shift_s: Fraction) -> Any:
    options: dict[str, object] = dict(SAFE_INPUT)
    start_s = window[0]
    if start_s is not None:
        options |= {"seek_timestamp": 1, "ss": f"{start_s:.6f}"}
    if shift_s:
        options["itsoffset"] = f"{float(-shift_s):.6f}"
    return ffmpeg.input(f"file:{info.path.absolute()}", **options)


def _stream_options(info: VideoInfo, kept: Sequence[StreamPlan]) -> dict[str, object]:
    """Codecs, metadata, chapters and languages of the streams that come along."""
    options: dict[str, object] = {
        "map_metadata": 1,
        "map_chapters": 1,
        "map_metadata:s:0": f"1:s:{info.stream_index}",
    }
    for number, plan in enumerate(kept, start=1):
        options[f"c:{number}"] = plan.codec
        options[f"map_metadata:s:{number}"] = f"1:s:{plan.stream.index}"
        if plan.stream.attached_picture:
            options[f"disposition:{number}"] = "attached_pic"
    return options


def cut_arguments(
    whole: Path,
    out: Path,
    *,
    container: Container,
    time_base: Fraction,
    end_s: float,
    free_titles: bool = False,
) -> list[str]:
    """ffmpeg's arguments to copy a finished file without what lies at or after ``end_s``."""
    options: dict[str, object] = {"format": container.muxer, "codec": "copy", "map": "0"}
    if container.is_mov:
        options["video_track_timescale"] = time_base.denominator
        if free_titles:
            options["movflags"] = "use_metadata_tags"
    source = ffmpeg.input(f"file:{whole.absolute()}", copyts=None, **SAFE_INPUT)
    output = ffmpeg.output(source, f"file:{out.absolute()}", to=f"{end_s:.6f}", **options)
    return output.overwrite_output().global_args("-loglevel", "level+warning").get_args()
