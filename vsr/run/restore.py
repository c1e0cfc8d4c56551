"""The main job on one page: a video in, the same video with clear faces out."""

from __future__ import annotations

import time
from pathlib import Path

from vsr.core.progress import Progress, ProgressHook, silent
from vsr.core.video import VideoInfo
from vsr.faces.crop import crop
from vsr.faces.detect import detect, make_detector
from vsr.faces.paste import verify
from vsr.faces.track import track
from vsr.faces.tracklog import TrackLog
from vsr.media.decode import VideoReader
from vsr.media.probe import probe
from vsr.models.registry import resolve_model
from vsr.models.upscale import load_upscaler, upscale
from vsr.run.flow import Flow
from vsr.run.manifest import Manifest
from vsr.run.output import claim
from vsr.run.recipe import Recipe
from vsr.run.sinks import canvas_format, open_sink

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
    scale = recipe.upscale.scale
    resolve_model(recipe.upscale.model, scale)  # a wrong name is told before anything is loaded
    detector = make_detector(recipe.detect)
    log = TrackLog()
    frames_written = faces = 0
    canvas = canvas_format(info, recipe)
    reader = VideoReader(info, scale=scale, canvas=canvas, cfg=recipe.decode)
    with Flow() as flow, open_sink(out, info, recipe, reader.frame_rate) as sink:
        flow.on_stop(reader.close)
        room = _room(info)
        frames = flow.stage("decode", reader, room)
        found = detect(frames, detector, recipe.detect)
        followed = flow.stage("faces", log.faces(track(found, recipe.track)), room)
        upscaler = load_upscaler(recipe.upscale)  # while the first frames are decoded
        cut = crop(followed, recipe.crop)
        sharp = flow.stage("upscale", upscale(cut, upscaler, recipe.upscale), room)
        checked = log.crops(verify(sharp, scale, recipe.paste))
        for count in sink.run(checked):
            frames_written += 1
            faces += count
            progress(Progress("restoring", frames_written, reader.expected_frames, faces))
        outputs, notices = sink.finish(reader.report.broken_at_s)
    return Manifest.collect(
        source=info,
        outputs=outputs,
        recipe=recipe,
        upscaler=upscaler,
        tracks=log.tracks,
        frames_written=frames_written,
        faces=faces,
        report=reader.report,
        notices=[*reader.report.notices, *notices],
        stages=flow.stats,
        seconds=time.perf_counter() - started,
    ).write(out)


def _room(info: VideoInfo) -> int:
    """Frames a queue may hold, from their size: few large ones, many small ones."""
    frame_bytes = info.width * info.height * 9 * (2 if info.bit_depth > 8 else 1)
    return max(1, min(8, _QUEUE_BYTES // frame_bytes))
