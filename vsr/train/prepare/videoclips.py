"""Clips of faces in videos: found, followed, and cut on a window that does not move."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vsr.core.errors import VsrError
from vsr.core.geometry import Box
from vsr.core.types import Face, FrameFaces
from vsr.degrade.image import resize_image
from vsr.run.recipe import Recipe
from vsr.run.restore import face_finder
from vsr.run.source import open_source, probe_source
from vsr.train.prepare.clipconfig import ClipConfig
from vsr.train.prepare.source import SourceImage, Unusable, relative, stem_of

SUFFIXES = frozenset((".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v", ".mpg", ".ts", ".mts"))

_FACES_WIDE = 1.9
"""side of a clip's window in face sides, about what the product cuts out"""


def is_video(path: Path) -> bool:
    """Whether a source is read as a video, by its ending."""
    return path.suffix.lower() in SUFFIXES


def list_videos(root: Path, cfg: ClipConfig) -> list[SourceImage]:
    """Every video below ``root``; its sub-folder names the person, else the file does."""
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        for name in sorted(names):
            path = Path(folder, name)
            if name.startswith(".") or not is_video(path):
                continue
            source = relative(path, root)
            parts = source.split("/")[:-1]
            named = parts and cfg.identity != "file"
            found.append(SourceImage(path, source, stem_of(source), parts[0] if named else source))
    return found


@dataclass(slots=True)
class _Run:
    """One track's frames without a gap."""

    first: int
    faces: list[Face] = field(default_factory=list)


def clips_of_video(path: Path, cfg: ClipConfig) -> Iterator[tuple[np.ndarray, str]]:
    """Clips of every followed face that is large enough, one after the other.

    A clip is ``cfg.frames`` frames in a row in which the detector saw the face, on one window;
    a track ends where the picture changes to another scene, so no clip crosses a cut.

    Yields:
        uint8 RGB ``(T, S, S, 3)`` with S = ``cfg.hr``, and "track 3, frames 20-25".

    Raises:
        Unusable: no video that can be read, or not one clip in it.
    """
    recipe = Recipe()
    try:
        reader = open_source(probe_source(path, recipe.decode), cfg=recipe.decode)
    except VsrError as error:
        raise Unusable("unreadable", str(error)) from error
    made, small, runs = 0, 0, dict[int, _Run]()
    try:
        recent: list[np.ndarray] = []
        for item in face_finder(recipe)(reader):
            recent = [*recent, item.frame.rgb][-cfg.frames :]
            for track, run in _grown(item, runs):
                if len(run.faces) < cfg.frames:
                    continue
                clip = _cut(recent, run.faces, cfg)
                runs.pop(track)
                if clip is None:
                    small += 1
                    continue
                made += 1
                yield clip, f"track {track}, frames {run.first}-{item.frame.index}"
                if made >= cfg.per_video:
                    return
    except VsrError as error:
        if not made:
            raise Unusable("unreadable", str(error)) from error
    finally:
        reader.close()
    if not made:
        reason = f"{small} clips of faces under {cfg.hr} px" if small else "no face long enough"
        raise Unusable("no clip", reason)


def _grown(item: FrameFaces, runs: dict[int, _Run]) -> list[tuple[int, _Run]]:
    """The runs with this frame's faces; those that it breaks are dropped."""
    seen = {f.track_id: f for f in item.faces if f.track_id is not None and not f.filled}
    for track in [t for t in runs if t not in seen]:
        del runs[track]
    for track, face in seen.items():
        runs.setdefault(track, _Run(item.frame.index)).faces.append(face)
    return list(runs.items())


def _cut(frames: list[np.ndarray], faces: list[Face], cfg: ClipConfig) -> np.ndarray | None:
    """The clip, or None where the face is smaller than its window should be."""
    boxes = [face.box for face in faces]
    height, width = frames[0].shape[:2]
    side = round(_FACES_WIDE * max(max(b.width, b.height) for b in boxes))
    side = min(side, height, width)
    if side < cfg.hr or frames[0].dtype != np.uint8:
        return None
    left, top = _placed(boxes, side, width, height)
    rows, columns = slice(top, top + side), slice(left, left + side)
    cut = [np.ascontiguousarray(frame[rows, columns]) for frame in frames[-len(faces) :]]
    return np.stack([resize_image(face, cfg.hr, cfg.hr, "area") for face in cut])


def _placed(boxes: list[Box], side: int, width: int, height: int) -> tuple[int, int]:
    x = float(np.mean([b.x + b.width / 2 for b in boxes])) - side / 2
    y = float(np.mean([b.y + b.height / 2 for b in boxes])) - side / 2
    return round(min(max(x, 0), width - side)), round(min(max(y, 0), height - side))
