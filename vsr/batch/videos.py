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
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts",
    ".wmv", ".flv", ".3gp", ".ogv",
))  # fmt: skip


def plan_videos(
    root: Storage, out: str, settings: dict[str, Any], only: Sequence[str] = ()
) -> list[Job]:
    """A job for every video file below a root, sub-folders kept; none inside the output.

    only: shell patterns of paths below the root; none: all.
    """
    below = path_below(out, root) if out else None
    entries = [
        e
        for e in root.entries()
        if e.kind == "file"
        and PurePosixPath(e.path).suffix.lower() in VIDEO_SUFFIXES
        and (below is None or not PurePosixPath(e.path).is_relative_to(below))
    ]
    stems = Counter(str(PurePosixPath(e.path).with_suffix("")) for e in entries)
    chosen = [e for e in entries if not only or any(fnmatch.fnmatch(e.path, o) for o in only)]
    return [_job(e, root, out, settings, stems) for e in chosen]


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
