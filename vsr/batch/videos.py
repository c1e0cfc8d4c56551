"""Batches of video files: every one below a root through the main job."""

from __future__ import annotations

import fnmatch
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from vsr.batch.job import Job, fingerprint
from vsr.batch.storage import Entry, Storage, path_below
from vsr.media.containers import CONTAINERS

VIDEO_SUFFIXES = frozenset((
    ".mp4", ".m4v", ".mov", ".qt", ".3gp", ".3g2", ".mj2", ".f4v", ".mkv", ".mk3d", ".webm",
    ".avi", ".divx", ".wmv", ".asf", ".flv", ".ogv", ".ogg", ".ogm", ".nut", ".ivf", ".swf",
    ".mpg", ".mpeg", ".mpe", ".vob", ".mod", ".m1v", ".m2v", ".mpv", ".ts", ".mts", ".m2ts", ".m2t",
    ".tod", ".trp", ".tp", ".wtv", ".mxf", ".gxf", ".lxf", ".r3d", ".dv", ".dif", ".rm", ".rmvb",
    ".ivr", ".nsv", ".dav", ".h264", ".264", ".avc", ".hevc", ".h265", ".265", ".h266", ".266",
    ".vvc", ".evc", ".obu", ".av1", ".vc1", ".cavs", ".avs2", ".m4e", ".y4m", ".mjpeg", ".mjpg",
    ".gif", ".apng", ".avif",
))  # fmt: skip
"""names that `vsr run` reads by; a file of another one is passed over, and told"""


_MOST_KINDS = 12
"""suffixes that are told one by one"""


def plan_videos(
    root: Storage, out: str, settings: dict[str, Any], only: Sequence[str] = ()
) -> tuple[list[Job], list[str]]:
    """A job for every video file below a root, sub-folders kept; none inside the output.

    only: shell patterns of paths below the root; none: all. Also returns a notice where files
    are passed over.
    """
    below = path_below(out, root) if out else None
    entries, others = [], []
    for entry in root.entries():
        path = PurePosixPath(entry.path)
        if entry.kind != "file" or (below is not None and path.is_relative_to(below)):
            continue
        (entries if path.suffix.lower() in VIDEO_SUFFIXES else others).append(entry)
    stems = Counter(str(PurePosixPath(e.path).with_suffix("")) for e in entries)
    return [_job(e, root, out, settings, stems) for e in _chosen(entries, only)], _passed_over(
        _chosen(others, only)
    )


def _chosen(entries: Sequence[Entry], only: Sequence[str]) -> list[Entry]:
    return [e for e in entries if not only or any(fnmatch.fnmatch(e.path, o) for o in only)]


def _passed_over(entries: Sequence[Entry]) -> list[str]:
    """The files that are no videos by their names, counted by suffix: a line, or none."""
    kinds = Counter(PurePosixPath(e.path).suffix.lower() or "without a suffix" for e in entries)
    if not kinds:
        return []
    first = {PurePosixPath(e.path).suffix.lower(): e.path for e in reversed(entries)}
    words = [
        f"{count} {kind} ({first[kind if kind in first else '']}{', …' if count > 1 else ''})"
        for kind, count in kinds.most_common(_MOST_KINDS)
    ]
    if len(kinds) > _MOST_KINDS:
        words.append(f"{len(kinds) - _MOST_KINDS} further kinds")
    return [
        f"passed over, since they are no videos by their names: {', '.join(words)}; "
        "'vsr run' takes a folder of numbered pictures, 'vsr images' any pictures"
    ]


def _job(e: Entry, root: Storage, out: str, settings: dict[str, Any], stems: Counter[str]) -> Job:
    path = PurePosixPath(e.path)
    stem = str(path.with_suffix(""))
    return Job(
        name=stem if stems[stem] == 1 else str(path),
        kind="videos",
        root=root.url,
        source=e.path,
        out=out,
        suffix=_suffix(path.suffix.lower(), settings["recipe"]["encode"]["codec"]),
        settings=settings,
        source_print=fingerprint([e.path, e.size, e.stamp]),
    )


def _suffix(own: str, codec: str) -> str:
    """The source's container where it can hold the codec, else the first that can."""
    for suffix in (own, ".mp4", ".mkv"):
        if suffix in CONTAINERS and codec in CONTAINERS[suffix].codecs:
            return suffix
    return ".mkv"
