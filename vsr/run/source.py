"""Where frames come from: a video file or a folder of numbered pictures, behind one interface."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np

from vsr.core.color import PixelFormat
from vsr.core.errors import InputError
from vsr.core.hashing import file_sha256
from vsr.core.types import Frame
from vsr.core.video import VideoInfo
from vsr.media.decode import DecodeConfig, DecodeReport, VideoReader
from vsr.media.folder import CONTAINER, FolderReader, numbered_pictures, probe_folder
from vsr.media.probe import probe


class Source(Protocol):
    """Frames with their own timestamps, once, in order. `open_source` makes one."""

    info: VideoInfo
    report: DecodeReport
    """complete once the frames are exhausted"""

    @property
    def expected_frames(self) -> int:
        """Number of frames that will come if the source is whole."""
        ...

    def expected_times(self) -> np.ndarray:
        """Timestamps of those frames, int64 (N,), rising, in the source's time base."""
        ...

    @property
    def frame_rate(self) -> Fraction | None:
        """Average rate of the frames handed out."""
        ...

    def number_of(self, frame: Frame) -> int:
        """A frame's number in the whole source: of its file, or its place on the grid."""
        ...

    def __iter__(self) -> Iterator[Frame]:
        """The frames; can be iterated once."""
        ...

    def close(self) -> None:
        """Stop; safe from any thread and more than once."""
        ...


def probe_source(path: Path, cfg: DecodeConfig | None = None) -> VideoInfo:
    """Header facts of a video file, or of a folder of numbered pictures (rate from ``cfg``).

    Raises InputError in one line for whatever is neither.
    """
    if not path.is_dir():
        return probe(path)
    if (path / "index.json").is_file() and (path / "frames").is_dir():
        raise InputError(
            f"{path}: is an export of 'vsr frames', expected a video or a folder of frames; "
            f"give {path / 'frames'}, or make a video of it with 'vsr assemble'"
        )
    return probe_folder(path, cfg)


def open_source(
    source: Path | VideoInfo,
    *,
    scale: int = 2,
    canvas: PixelFormat | None = None,
    cfg: DecodeConfig | None = None,
    start_s: float | None = None,
    end_s: float | None = None,
    first: int = 0,
    end: int | None = None,
) -> Source:
    """A reader of a video file or of a folder of numbered pictures.

    source: a path, or what `probe_source` told of it (with the same ``cfg``).
    scale, canvas: each frame also brings the plainly upscaled picture, ``scale`` times as
    large, in this pixel format. start_s, end_s: only frames with start_s <= time < end_s.
    first: frames of a smaller index come without canvas. end: only frames of a smaller index.
    A folder's reader is a `FolderReader`, which also knows each frame's number.
    """
    info = source if isinstance(source, VideoInfo) else probe_source(source, cfg)
    reader = FolderReader if is_folder(info) else VideoReader
    return reader(
        info,
        scale=scale,
        canvas=canvas,
        cfg=cfg,
        start_s=start_s,
        end_s=end_s,
        first=first,
        end=end,
    )


def is_folder(info: VideoInfo) -> bool:
    """Whether a source is a folder of pictures: without sound and container metadata."""
    return info.container == CONTAINER


def source_hash(path: Path) -> str:
    """SHA-256 of a source, hexadecimal.

    A folder's is that of one line for each of its frames, by number: its SHA-256, two spaces,
    its name (what ``sha256sum`` prints).
    """
    if not path.is_dir():
        return file_sha256(path)
    lines = [f"{file_sha256(p)}  {p.name}\n" for _, p in numbered_pictures(path)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
