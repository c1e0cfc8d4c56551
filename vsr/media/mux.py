"""Arguments of the encoding and of the joining ffmpeg: pictures from stdin, all else from the
source."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import ffmpeg

from vsr.core.color import ColorSpec
from vsr.core.video import VideoInfo
from vsr.media.codecs import EncodeConfig, encoder_options, tag_filter, tag_options
from vsr.media.containers import Container, StreamPlan
from vsr.media.hdr import hdr10_options
from vsr.media.limits import SAFE_INPUT
from vsr.media.lookahead import limit_lookahead
from vsr.media.packets import move_options
from vsr.media.timeline import first_tick

_NO_STREAM = "99999?"
"""maps nothing, yet makes the source an input that metadata and chapters are taken from"""

_MOST_DELAY = 16
"""pictures that any of the codecs may hold back to put them in order"""

_BRANDS = ("major_brand", "minor_version", "compatible_brands")
"""an mp4's description of itself, which would be a lie in another file"""

_STALE = (
    "alpha_mode", "encoder", "encoder_options", "BPS", "NUMBER_OF_FRAMES", "NUMBER_OF_BYTES",
    "_STATISTICS_WRITING_APP", "_STATISTICS_WRITING_DATE_UTC", "_STATISTICS_TAGS",
)  # fmt: skip
"""what a source's picture stream says of its own coding, as Matroska's writers do"""


def part_arguments(out: Path, *, cfg: EncodeConfig, color: ColorSpec, pixels: int) -> list[str]:
    """ffmpeg's arguments to encode the raw NUT stream on stdin into ``out``, a NUT file too.

    pixels: of a picture.
    """
    options: dict[str, object] = {
        "format": "nut",
        "fps_mode": "passthrough",
        "enc_time_base": "demux",
        "fflags": "bitexact",  # no program names in a file that may be hashed
        "avoid_negative_ts": "disabled",  # B-frames' decoding times would move the first part
        **encoder_options(cfg),
    }
    options |= hdr10_options(options, color)
    limit_lookahead(options, cfg, pixels)
    if tags := tag_filter(color, cfg):
        options["vf"] = tags
    pictures = ffmpeg.input(
        "pipe:0", format="nut", copyts=None, probesize=32, analyzeduration=0, fpsprobesize=0,
        thread_queue_size=2, **SAFE_INPUT,
    )  # fmt: skip
    output = ffmpeg.output(pictures["v:0"], f"file:{out.absolute()}", **options)
    log = ("-loglevel", "level+warning", "-stats", "-stats_period", "3600")
    # The pictures come as they are to be encoded: ffmpeg fails rather than convert them unasked.
    log = (*log, "-noauto_conversion_filters")
    return output.overwrite_output().global_args(*log).get_args()


def cut_arguments(
    source: Path, out: Path, *, container: Container, time_base: Fraction, end_s: float
) -> list[str]:
    """ffmpeg's arguments to copy a video without what lies at or after ``end_s``."""
    options: dict[str, object] = {"format": container.muxer, "codec": "copy", "map": "0"}
    if container.is_mov:
        options["video_track_timescale"] = time_base.denominator
    whole = ffmpeg.input(f"file:{source.absolute()}", copyts=None, **SAFE_INPUT)
    output = ffmpeg.output(whole, f"file:{out.absolute()}", to=f"{end_s:.6f}", **options)
    return output.overwrite_output().global_args("-loglevel", "level+warning").get_args()


def join_arguments(
    out: Path,
    *,
    info: VideoInfo,
    container: Container,
    cfg: EncodeConfig,
    color: ColorSpec,
    plans: Sequence[StreamPlan] | None,
    window: tuple[float | None, float | None],
    shift_s: Fraction,
    rate: Fraction | None,
    part_base: Fraction,
    frames: int,
    last: int,
    end_s: Fraction | None = None,
    free_titles: bool = False,
    comment: str | None = None,
    late_decoding: bool = False,
) -> list[str]:
    """ffmpeg's arguments to copy the joined parts on stdin into ``out``, the source beside them.

    plans: what happens to the source's streams; None: neither streams nor metadata of it.
    window: (start, end) in the source's own seconds. shift_s: taken off its timestamps.
    rate: nominal frames per second of the pictures. part_base: time base of the parts. frames: in
    the parts. last: the last one's time in the output, ticks of the source. end_s:
    nothing of any stream from this second of the output on. free_titles: write metadata under
    its own names into mp4 and mov. comment: the file's comment; None: the source's.
    late_decoding: see `_packet_times`.
    """
    pictures = ffmpeg.input("pipe:0", format="nut", copyts=None, fpsprobesize=0, **SAFE_INPUT)
    streams = [pictures["v:0"]]
    options: dict[str, object] = {
        "format": container.muxer,
        "c:v:0": "copy",
        "max_muxing_queue_size": 1 << 16,
        # Naming one stream's disposition makes ffmpeg keep the others as they were.
        "disposition:0": "default",
        **{f"{name}:v:0": value for name, value in tag_options(color).items()},
    }
    if container.is_mov:
        base = part_base if late_decoding else info.time_base
        options["video_track_timescale"] = base.denominator
        if cfg.codec == "hevc":
            options["tag:v:0"] = "hvc1"  # Apple's players know no other
        if free_titles:
            options["movflags"] = "use_metadata_tags"
    if window[0] is not None:
        # Copied sound begins at the keyframe before the window; muxers would move everything
        # on to make room for it.
        options["copypriorss"] = 0
        if info.clock is not None:
            options["ss"] = 0  # by the times that were moved, instead of a seek in the source
    if window[1] is not None:
        end = first_tick(window[1], info.time_base) * info.time_base - shift_s
        end_s = end if end_s is None else min(end, end_s)
    if end_s is not None:
        options["to"] = f"{float(end_s):.6f}"
    # The filter counts in the parts' time base, whose ticks are a fraction of the source's.
    ends = _end(info, window, rate, shift_s, end_s, last) * info.time_base // part_base
    options |= _packet_times(
        frames,
        last * info.time_base // part_base,
        ends,
        is_mov=container.is_mov,
        late_decoding=late_decoding,
    )
    if plans is not None:
        kept = [p for p in plans if p.action != "drop"]
        source = _source(info, window, shift_s, [p.stream.index for p in kept])
        streams += [source[str(p.stream.index)] for p in kept] or [source[_NO_STREAM]]
        options |= _stream_options(info, kept)
    target = f"file:{out.absolute()}"
    output = ffmpeg.output(*streams, target, **options)
    arguments = output.overwrite_output().global_args("-loglevel", "level+warning").get_args()
    titles: dict[str, str] = dict.fromkeys(_BRANDS, "") if plans is not None else {}
    if comment is not None:
        titles["comment"] = comment
    # Repeated options are beyond the builder: they go right before the output's name.
    at = arguments.index(target)
    arguments[at:at] = [w for k, v in titles.items() for w in ("-metadata", f"{k}={v}")]
    if plans is not None:
        stale = [f"{name}{end}=" for name in _STALE for end in ("", "-eng")]
        arguments[at:at] = [w for tag in stale for w in ("-metadata:s:v:0", tag)]
    return arguments


def _end(
    info: VideoInfo,
    window: tuple[float | None, float | None],
    rate: Fraction | None,
    shift_s: Fraction,
    end_s: Fraction | None,
    last: int,
) -> int:
    """When the last picture ends in the output, in the source's ticks: with the source's own.

    Where less than all of the source is there, with what there is.
    """
    step = max(1, round(1 / rate / info.time_base)) if rate else 1
    # Not one tick: mp4's edit list counts in milliseconds, and would leave the picture out.
    step = max(step, round(Fraction(1, 200) / info.time_base))
    if end_s is not None:
        end = round(end_s / info.time_base)
        if window[1] is not None:
            end = min(end, last + step)
    elif window[0] is not None or info.start_pts is None or info.duration_s is None:
        return last + step
    else:
        end = info.start_pts + round((Fraction(info.duration_s) - shift_s) / info.time_base)
    return end if end > last else last + step  # an end before the last picture is none


def _packet_times(
    frames: int, last: int, end: int, *, is_mov: bool, late_decoding: bool
) -> dict[str, str]:
    """The bitstream filter that sets packets' durations and decoding times.

    frames: their number. last: time of the one that is shown last, which lasts until ``end``.
    Raw pictures arrive without durations, and the packet that comes last is rarely the one that
    is shown last: where the rate varies, mp4's track would end at its decoding time and an
    average frame, before the last picture. So it lasts until the track is as long as the video.

    Parts hold no decoding times, so ffmpeg puts those before the first picture's own at the
    nominal rate's distance. Where the first pictures lie closer together than that, mp4's
    writer takes the smallest delay that it sees for the file's, and moves everything. With
    ``late_decoding`` they lie a few ticks before the first picture instead, closer than any
    two pictures.
    """
    # pts and dts are named because setts would otherwise make them equal, B-frames or not.
    dts, delay = "DTS", "STARTPTS+STARTDTS"  # to stand behind a minus
    if late_decoding:
        dts = f"if(lt(DTS\\,STARTPTS)\\,STARTPTS-{_MOST_DELAY}+N\\,DTS)"
    duration = f"if(gte(PTS\\,{last})\\,{end}-PTS\\,DURATION)"
    if is_mov and not late_decoding:
        # The track ends with this packet's decoding time and duration, the edit list with its
        # presentation time and duration: it is decoded late enough for both to be right.
        late = f"max({dts}\\,PTS-{delay})"
        dts = f"if(eq(N\\,{frames - 1})\\,{late}\\,{dts})"
        shown_last = f"gte(PTS\\,{last})"
        until = f"if({shown_last}\\,{end}-PTS\\,max(1\\,{end}-{delay}-{late}))"
        duration = f"if(eq(N\\,{frames - 1})\\,{until}\\,{duration})"
    return {"bsf:v:0": f"setts=pts=PTS:dts={dts}:duration={duration}"}


def _source(
    info: VideoInfo,
    window: tuple[float | None, float | None],
    shift_s: Fraction,
    kept: Sequence[int],
) -> Any:
    """The source as an input, of which the streams ``kept`` are taken."""
    options: dict[str, object] = {**SAFE_INPUT, **move_options(info, *kept, shift_s=shift_s)}
    start_s = window[0]
    if start_s is not None and info.clock is None:
        options |= {"seek_timestamp": 1, "ss": f"{start_s:.6f}"}
    if shift_s and info.clock is None:
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
        if plan.warm_up:
            options[f"bsf:{number}"] = "setts=pts=if(N\\,PTS\\,0):dts=if(N\\,DTS\\,0)"
        if plan.stream.attached_picture:
            options[f"disposition:{number}"] = "attached_pic"
    return options
