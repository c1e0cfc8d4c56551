"""The main job on one page: a video in, the same video with clear faces out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from vsr.core.progress import Progress, ProgressHook, silent
from vsr.core.types import Frame, FrameCrops, FrameFaces
from vsr.core.video import VideoInfo
from vsr.faces.crop import crop
from vsr.faces.detect import detect, make_detector
from vsr.faces.paste import verify
from vsr.faces.track import track
from vsr.faces.tracklog import TrackLog
from vsr.models.registry import resolve_model
from vsr.models.upscale import Upscaler, load_upscaler, upscale
from vsr.run.flow import Flow
from vsr.run.manifest import Manifest
from vsr.run.output import claim
from vsr.run.recipe import Recipe
from vsr.run.sinks import canvas_format, open_sink
from vsr.run.source import Source, open_source, probe_source

_QUEUE_BYTES = 48 << 20
"""room of one queue; a frame of 800x600 with its canvas takes 4 MB"""

FaceFinder = Callable[[Iterable[Frame]], Iterator[FrameFaces]]
"""a stage that says where the faces of each frame are: found and followed, or given"""


def restore(
    source: Path,
    out: Path,
    recipe: Recipe,
    *,
    find: FaceFinder | None = None,
    upscaler: Upscaler | None = None,
    overwrite: bool = False,
    progress: ProgressHook = silent,
) -> Manifest:
    """Super-resolve the faces of ``source`` and write ``out`` and its manifest beside it.

    source: a video file, or a folder of numbered pictures.
    out: a video file, or with ``recipe.output == "faces"`` a folder (or a file name that
    the face videos are named after).
    find: where the faces are, instead of detector and tracker.
    upscaler: one that is loaded already; None: the recipe's.
    Returns what was done. A source that breaks off is written as far as it goes and
    noted in ``Manifest.broken_at_s``.
    Raises VsrError; then nothing stands under the output's name.
    """
    started = time.perf_counter()
    claim(source, out, overwrite=overwrite)
    info = probe_source(source, recipe.decode)
    scale = recipe.upscale.scale
    resolve_model(recipe.upscale.model, scale)  # a wrong name is told before anything is loaded
    finder = find or face_finder(recipe)
    log = TrackLog()
    frames_written = faces = 0
    first_frame_s: float | None = None
    canvas = canvas_format(info, recipe)
    reader = open_source(info, scale=scale, canvas=canvas, cfg=recipe.decode)
    with Flow() as flow, open_sink(out, info, recipe, reader.frame_rate) as sink:
        followed = followed_faces(flow, reader, finder, log)
        upscaler = upscaler or load_upscaler(recipe.upscale)  # while the first frames are decoded
        for count in sink.run(super_resolved(flow, followed, upscaler, recipe, info, log)):
            first_frame_s = first_frame_s or time.perf_counter() - started
            frames_written += 1
            faces += count
            progress(Progress("restoring", frames_written, reader.expected_frames, faces))
        outputs = sink.finish(reader.report.broken_at_s)
    return Manifest.collect(
        source=info,
        out=out,
        outputs=outputs,
        faces_from="detector" if find is None else "given",
        recipe=recipe,
        upscaler=upscaler,
        tracks=log.tracks,
        frames_written=frames_written,
        faces=faces,
        report=reader.report,
        stages=flow.stats,
        first_frame_s=first_frame_s,
        seconds=time.perf_counter() - started,
    ).write(out)


def followed_faces(
    flow: Flow, reader: Source, find: FaceFinder, log: TrackLog
) -> Iterator[FrameFaces]:
    """Decode and find faces, each in its thread, which begin at once."""
    room = _room(reader.info)
    flow.on_stop(reader.close)
    frames = flow.stage("decode", reader, room)
    return flow.stage("faces", log.faces(find(frames)), room)


def super_resolved(
    flow: Flow,
    followed: Iterable[FrameFaces],
    upscaler: Upscaler,
    recipe: Recipe,
    info: VideoInfo,
    log: TrackLog,
) -> Iterator[FrameCrops]:
    """Cut the faces out, super-resolve them in a thread, and judge each against its evidence."""
    cut = crop(followed, recipe.crop)
    sharp = flow.stage("upscale", upscale(cut, upscaler, recipe.upscale), _room(info))
    return log.crops(verify(sharp, recipe.upscale.scale, recipe.paste))


def face_finder(recipe: Recipe) -> FaceFinder:
    """The stage that finds and follows faces as a recipe says; loads its detector."""
    detector = make_detector(recipe.detect)

    def find(frames: Iterable[Frame]) -> Iterator[FrameFaces]:
        return track(detect(frames, detector, recipe.detect), recipe.track)

    return find


def _room(info: VideoInfo) -> int:
    """Frames a queue may hold, from their size: few large ones, many small ones."""
    frame_bytes = info.width * info.height * 9 * (2 if info.bit_depth > 8 else 1)
    return max(1, min(8, _QUEUE_BYTES // frame_bytes))
