"""The main job on one page: a video in, the same video with clear faces out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from vsr.core.color import PixelFormat
from vsr.core.progress import Progress, ProgressHook, silent
from vsr.core.types import Frame, FrameCrops
from vsr.core.video import VideoInfo
from vsr.faces.crop import crop
from vsr.faces.detect import detect, make_detector
from vsr.faces.paste import paste
from vsr.faces.track import TrackLog, track
from vsr.media.decode import VideoReader
from vsr.media.encode import VideoWriter, choose_format
from vsr.media.probe import probe
from vsr.models.upscale import Upscaler, load_upscaler, upscale
from vsr.run.face_videos import FaceVideos
from vsr.run.flow import Flow
from vsr.run.manifest import Manifest, Tally
from vsr.run.output import claim
from vsr.run.recipe import Recipe

_QUEUE_BYTES = 48 << 20
"""room of one queue; a frame of 800x600 with its canvas takes 4 MB"""


def restore(
    source: Path,
    out: Path,
    recipe: Recipe,
    *,
    overwrite: bool = False,
    progress: ProgressHook = silent,
) -> Manifest:
    """Super-resolve the faces of ``source`` and write ``out`` and its manifest beside it.

    out: a video file, or with ``recipe.output == "faces"`` a folder (or a file name that
    the face videos are named after).
    Returns what was done. A source that breaks off is written as far as it goes and
    noted in ``Manifest.broken_at_s``.
    Raises VsrError; then nothing stands under the output's name.
    """
    started = time.perf_counter()
    claim(source, out, overwrite=overwrite)
    info = probe(source)
    upscaler = load_upscaler(recipe.upscale)
    tally = Tally()
    log = TrackLog()
    with Flow() as flow:
        pixel_format = choose_format(info, recipe.encode) if recipe.output == "frame" else None
        reader = VideoReader(info, scale=upscaler.scale, canvas=pixel_format, cfg=recipe.decode)
        flow.on_stop(reader.close)
        crops = _find_and_upscale(flow, reader, info, upscaler, recipe, tally, log)
        if pixel_format is not None:
            frames = flow.stage("paste", paste(crops, upscaler.scale, recipe.paste), _room(info))
            outputs, notices = _write_video(
                out, frames, reader, info, upscaler.scale, pixel_format, recipe, tally, progress
            )
        else:
            outputs, notices = _write_faces(out, crops, reader, info, recipe, tally, progress)
    return Manifest.collect(
        source=info,
        outputs=outputs,
        recipe=recipe,
        upscaler=upscaler,
        tracks=log.tracks(),
        tally=tally,
        report=reader.report,
        notices=notices,
        stages=flow.stats,
        seconds=time.perf_counter() - started,
    ).write(out)


def _find_and_upscale(
    flow: Flow,
    reader: VideoReader,
    info: VideoInfo,
    upscaler: Upscaler,
    recipe: Recipe,
    tally: Tally,
    log: TrackLog,
) -> Iterator[FrameCrops]:
    """Frames -> crops with their super-resolved pictures, three stages side by side."""
    room = _room(info)
    frames = flow.stage("decode", reader, room)
    found = detect(frames, make_detector(recipe.detect), recipe.detect)
    followed = flow.stage("faces", track(found, recipe.track, log), room)
    cut = crop(followed, recipe.crop)
    return flow.stage("upscale", tally.count(upscale(cut, upscaler, recipe.upscale)), room)


def _write_video(
    out: Path,
    frames: Iterator[Frame],
    reader: VideoReader,
    info: VideoInfo,
    scale: int,
    pixel_format: PixelFormat,
    recipe: Recipe,
    tally: Tally,
    progress: ProgressHook,
) -> tuple[list[Path], list[str]]:
    """Encode the pasted frames under a temporary name and rename it when complete."""
    writer = VideoWriter(
        out,
        info=info,
        width=info.width * scale,
        height=info.height * scale,
        format=pixel_format,
        color=info.color,
        cfg=recipe.encode,
    )
    with writer:
        for frame in frames:
            assert frame.canvas is not None  # the reader was asked for it
            writer.write(frame.canvas, frame.pts)
            tally.frames += 1
            progress(Progress("restoring", tally.frames, reader.expected_frames, tally.faces))
        broken = reader.report.broken_at_s
        result = writer.close(end_s=broken)
    return [out], [*reader.report.notices, *result.notices]


def _write_faces(
    out: Path,
    crops: Iterator[FrameCrops],
    reader: VideoReader,
    info: VideoInfo,
    recipe: Recipe,
    tally: Tally,
    progress: ProgressHook,
) -> tuple[list[Path], list[str]]:
    """One video per track, all of them in place only when all are complete."""
    with FaceVideos(out, info, recipe.encode) as videos:
        for item in crops:
            videos.write(item)
            tally.frames += 1
            progress(Progress("restoring", tally.frames, reader.expected_frames, tally.faces))
        outputs = videos.close()
    return outputs, reader.report.notices


def _room(info: VideoInfo) -> int:
    """Frames a queue may hold, from their size: few large ones, many small ones."""
    frame_bytes = info.width * info.height * 9 * (2 if info.bit_depth > 8 else 1)
    return max(1, min(8, _QUEUE_BYTES // frame_bytes))
