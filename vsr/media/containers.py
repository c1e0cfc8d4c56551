"""Output containers: which there are, and which of the source's streams each can hold."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import ffmpeg

from vsr.core.errors import UsageError
from vsr.core.video import StreamInfo, VideoInfo, is_foreign
from vsr.media.limits import SAFE_INPUT
from vsr.media.process import run_ffmpeg

_TEXT_SUBTITLES = (
    "subrip srt ass ssa webvtt mov_text text microdvd sami realtext subviewer subviewer1 "
    "jacosub mpl2 pjs vplayer stl"
)
TEXT_SUBTITLES = frozenset(_TEXT_SUBTITLES.split())
"""subtitle codecs that are text, which can be converted into each other"""


@dataclass(frozen=True, slots=True)
class Container:
    """One kind of output file."""

    muxer: str
    """ffmpeg's name"""
    codecs: tuple[str, ...]
    """video codecs of `EncodeConfig` it may hold"""
    text_subtitles: str | None
    """codec that text subtitles become where they can't be copied"""

    @property
    def is_mov(self) -> bool:
        """Whether it belongs to the QuickTime family (timescales, edit lists, codec tags)."""
        return self.muxer in ("mp4", "mov")


_MP4 = Container("mp4", ("h264", "hevc", "av1", "vp9"), "mov_text")
CONTAINERS: dict[str, Container] = {
    ".mp4": _MP4,
    ".m4v": _MP4,
    ".mov": Container("mov", ("h264", "hevc"), "mov_text"),
    ".mkv": Container("matroska", ("h264", "hevc", "av1", "vp9", "ffv1"), "subrip"),
    ".webm": Container("webm", ("av1", "vp9"), "webvtt"),
}
"""file name suffix -> container"""


def container_for(out: Path, codec: str | None = None) -> Container:
    """The container that an output's name asks for.

    Raises UsageError on an unknown suffix, or where it can't hold ``codec``.
    """
    container = CONTAINERS.get(out.suffix.lower())
    if container is None:
        raise UsageError(
            f"{out}: got the suffix '{out.suffix}', expected one of {', '.join(CONTAINERS)}"
        )
    if codec is not None and codec not in container.codecs:
        raise UsageError(
            f"{out}: {out.suffix} cannot hold {codec}, only {', '.join(container.codecs)}; "
            "choose another codec, or .mkv, which holds them all"
        )
    return container


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """What happens to one of the source's streams."""

    stream: StreamInfo
    action: Literal["copy", "convert", "drop"]
    codec: str = "copy"
    """ffmpeg encoder name, or "copy" """
    warm_up: bool = False
    """whether its first packet gives no sound and is put to 0, before which files cannot begin"""


def plan_streams(
    info: VideoInfo, container: Container, codec: str | None = None
) -> tuple[list[StreamPlan], list[str]]:
    """Decide for each sound, subtitle, font and cover whether it can come along.

    ffmpeg itself is asked, by a trial run that writes half a second to nowhere: its muxers
    know best what they hold. Returns the plans, in file order, and a notice for each
    stream that is converted or left out. codec: of the pictures that will come, which a
    container that is recommended must hold, too.
    """
    picture = next((s for s in info.streams if s.index == info.stream_index), None)
    foreign = [s for s in info.streams if picture is not None and is_foreign(s, picture)]
    wanted = [s for s in info.streams if _comes_along(s, container) and s not in foreign]
    suffix = next(k for k, v in CONTAINERS.items() if v is container)
    left = [
        f"{s} was left out: {_of_program(s) if s in foreign else _why_left(s, suffix)}"
        for s in info.streams
        if s not in wanted and s.index != info.stream_index and not _renewed(s, container)
    ]
    if not wanted:
        return [], left
    if _can_copy(info, wanted, container):
        return [StreamPlan(s, "copy") for s in wanted], left
    plans = [_plan_one(info, s, container) for s in wanted]
    notices = left
    for plan in plans:
        if plan.action == "convert":
            notices.append(f"{plan.stream} was converted to {plan.codec}, which {suffix} can hold")
        elif plan.action == "drop":
            remedy = _remedy(info, plan.stream, container, codec)
            notices.append(f"{plan.stream} was left out: {suffix} cannot hold it{remedy}")
    return plans, notices


def _remedy(info: VideoInfo, stream: StreamInfo, container: Container, codec: str | None) -> str:
    """Which other container takes a stream, by asking the others' muxers in turn."""
    for suffix, other in CONTAINERS.items():
        if other is container or (codec is not None and codec not in other.codecs):
            continue
        if _can_copy(info, [stream], other):
            return f" ({suffix} can)"
    return ""


_MOV_TITLES = (
    "title artist album_artist composer album date encoder comment genre copyright grouping "
    "lyrics description synopsis show episode_id network keywords episode_sort season_number "
    "media_type hd_video gapless_playback compilation track disc creation_time location "
    "major_brand minor_version compatible_brands"
)
_MOV_TAGS = frozenset(_MOV_TITLES.split())
"""titles that mp4 and mov have a place for"""


def has_foreign_titles(titles: Mapping[str, str]) -> bool:
    """Whether there is metadata that mp4 holds only as free keys.

    Phones note maker, model and place under such names; ffmpeg drops them unless told to
    write keys, which in turn some players don't read: so only where they are needed.
    """
    return any(key.split("-")[0] not in _MOV_TAGS for key in titles)


def read_titles(info: VideoInfo) -> dict[str, str]:
    """The metadata of a whole file (not of its streams), keys in lower case."""
    taken: list[bytes] = []

    def build(fds: Sequence[int]) -> list[str]:
        source = ffmpeg.input(f"file:{info.path.absolute()}", **SAFE_INPUT)
        out = ffmpeg.output(source["99999?"], f"pipe:{fds[0]}", format="ffmetadata")
        return out.global_args("-loglevel", "level+error").get_args()

    run_ffmpeg(build, take=taken.append, timeout_s=120)
    text = b"".join(taken).decode("utf-8", "replace")
    titles: dict[str, str] = {}
    for line in _LINE.findall(text):
        if line.startswith("["):  # streams and chapters have their own
            break
        match = _TITLE.fullmatch(line)
        if match and not line.startswith(";"):
            key, value = (_ESCAPED.sub(r"\1", part) for part in match.groups())
            titles[key.lower()] = value
    return titles


# ffmetadata puts a backslash before "=", ";", "#", itself and line breaks.
_LINE = re.compile(r"((?:[^\\\n]|\\.)+)(?:\n|$)", re.DOTALL)
_TITLE = re.compile(r"((?:[^=\\]|\\.)*)=(.*)", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def _renewed(stream: StreamInfo, container: Container) -> bool:
    """Data streams that ffmpeg writes anew: chapters' titles, and timecodes into QuickTime."""
    return stream.codec == "text" or (stream.codec == "tmcd" and container.is_mov)


def _of_program(stream: StreamInfo) -> str:
    return f"it belongs to another program ({', '.join(map(str, stream.programs))})"


def _why_left(stream: StreamInfo, suffix: str) -> str:
    if stream.kind == "video" and not stream.attached_picture:
        return "one picture stream is made"
    return f"it cannot be written into {suffix}"


def _comes_along(stream: StreamInfo, container: Container) -> bool:
    if stream.kind in ("audio", "subtitle"):
        return True
    if stream.kind == "attachment":
        return container.muxer == "matroska"
    return stream.attached_picture and container.is_mov


def _plan_one(info: VideoInfo, stream: StreamInfo, container: Container) -> StreamPlan:
    if _can_copy(info, [stream], container):
        return StreamPlan(stream, "copy")
    if stream.codec in TEXT_SUBTITLES and container.text_subtitles:
        return StreamPlan(stream, "convert", container.text_subtitles)
    return StreamPlan(stream, "drop")


def _can_copy(info: VideoInfo, streams: Sequence[StreamInfo], container: Container) -> bool:
    """Whether ffmpeg's muxer takes these streams unchanged."""

    def build(_: Sequence[int]) -> list[str]:
        source = ffmpeg.input(f"file:{info.path.absolute()}", t=0.5, **SAFE_INPUT)
        mapped = [source[str(s.index)] for s in streams]
        out = ffmpeg.output(*mapped, "file:/dev/null", format=container.muxer, codec="copy")
        return out.overwrite_output().global_args("-loglevel", "level+error").get_args()

    code, _ = run_ffmpeg(build, timeout_s=120)
    return code == 0
