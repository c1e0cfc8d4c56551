"""The clip that is measured: the user's, a part of it that fits into memory, or a drawn one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from vsr.bench.measure import available_memory
from vsr.bench.scene import FPS, draw_clip
from vsr.core.errors import UsageError, VsrError
from vsr.core.progress import ProgressHook
from vsr.core.video import VideoInfo
from vsr.media.containers import CONTAINERS
from vsr.media.mux import cut_arguments
from vsr.media.process import run_ffmpeg
from vsr.run.recipe import Recipe
from vsr.run.sinks import canvas_format
from vsr.run.source import is_folder, open_source, probe_source

DEFAULT_S = 2.0
"""length of the drawn clip, and of the part of a given video, where nothing is asked for"""
_SHARE = 0.5
"""of the available memory that frames and their upscaled pictures may take"""


@dataclass(frozen=True, slots=True)
class Clip:
    """What is measured."""

    path: Path
    info: VideoInfo
    frames: int
    """that a run takes from it"""
    fps: float
    """rate of these frames"""
    built_in: bool
    notices: tuple[str, ...] = ()


def take_clip(
    source: Path | None,
    recipe: Recipe,
    folder: Path,
    hook: ProgressHook,
    *,
    seconds: float | None = None,
    faces: int = 1,
    face_px: float = 64.0,
) -> Clip:
    """The clip to measure, at most ``seconds`` long and no larger than memory allows.

    source: a video or a folder of pictures; None: a scene with ``faces`` faces is drawn.
    seconds: None for `DEFAULT_S`, of a folder of pictures (which cannot be cut) all.
    folder: where a drawn or shortened clip is put. Raises InputError, UsageError.
    """
    if seconds is not None and not seconds > 0:
        raise UsageError(f"--seconds: got {seconds:g}, expected more than 0")
    path = source
    if path is None:
        count = max(1, round((seconds or DEFAULT_S) * FPS))
        path = draw_clip(folder / "clip.mp4", count, faces=faces, face_px=face_px, hook=hook)
    info = probe_source(path, recipe.decode)
    frames, fps = _extent(info, recipe)
    room = math.floor(_SHARE * available_memory() / _frame_bytes(info, recipe))
    longest = seconds or (math.inf if is_folder(info) else DEFAULT_S)
    wanted = frames if longest == math.inf else min(frames, max(1, round(longest * fps)))
    notices = []
    if seconds is None and wanted < frames:
        notices.append(
            f"the first {wanted} of {frames} frames are measured; --seconds takes more of them"
        )
    if room < wanted:
        notices.append(
            f"memory holds {room} of {wanted} frames with their upscaled pictures: "
            "only these are measured"
        )
        wanted = room
    if wanted < 1:
        raise UsageError(
            f"{path}: not one frame of {info.width}x{info.height} fits into memory; "
            "take a smaller video"
        )
    if wanted < frames:
        path = _shortened(info, wanted / fps, folder)
        info = probe_source(path, recipe.decode)
        frames, fps = _extent(info, recipe)
    return Clip(path, info, frames, fps, source is None, tuple(notices))


def _extent(info: VideoInfo, recipe: Recipe) -> tuple[int, float]:
    """Frames that a run takes, and their rate."""
    reader = open_source(info, cfg=recipe.decode)
    try:
        return reader.expected_frames, float(reader.frame_rate or FPS)
    finally:
        reader.close()


def _frame_bytes(info: VideoInfo, recipe: Recipe) -> int:
    deep = 2 if info.bit_depth > 8 else 1
    canvas = canvas_format(info, recipe)
    scale = recipe.upscale.scale
    larger = canvas.samples(info.width * scale, info.height * scale) if canvas else 0
    return info.width * info.height * 3 * deep + larger * deep


def _shortened(info: VideoInfo, seconds: float, folder: Path) -> Path:
    """The beginning of a video, its packets copied as they are."""
    if is_folder(info):
        raise UsageError(
            f"{info.path}: a folder of pictures cannot be shortened; "
            "move the first ones into a folder of their own"
        )
    suffix = info.path.suffix.lower()
    suffix = suffix if suffix in CONTAINERS else ".mkv"
    out = folder / f"part{suffix}"
    start = float((info.start_pts or 0) * info.time_base)
    arguments = cut_arguments(
        info.path,
        out,
        container=CONTAINERS[suffix],
        time_base=info.time_base,
        end_s=start + seconds,
    )
    code, process = run_ffmpeg(lambda _: arguments)
    if code != 0:
        raise VsrError(f"{info.path}: its beginning could not be copied: {process.last_words()}")
    return out
