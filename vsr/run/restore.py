"""The main job on one page: a video in, the same video with clear faces out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from vsr.core.color import PixelFormat
from vsr.core.errors import FfmpegError
from vsr.core.progress import RESUMING, Progress, ProgressHook, silent
from vsr.core.types import Frame, FrameCrops, FrameFaces
from vsr.core.video import VideoInfo
from vsr.faces.accept import accept
from vsr.faces.choose import choose
from vsr.faces.clip import with_clips
from vsr.faces.crop import crop
from vsr.faces.detect import detect, make_detector
from vsr.faces.detections import DetectionRecord
from vsr.faces.facesfile import read_faces_file
from vsr.faces.fuse import fuse
from vsr.faces.paste import verify
from vsr.faces.track import track
from vsr.faces.tracklog import TrackLog
from vsr.faces.working import find_working
from vsr.models.networks import Networks
from vsr.models.registry import resolve_model
from vsr.models.upscale import Upscaler, load_upscaler, upscale
from vsr.run.flow import Flow
from vsr.run.journal import Journal, Judge, header_of, locked, lost_after_naming
from vsr.run.manifest import Manifest
from vsr.run.recipe import Recipe
from vsr.run.samesize import crop_config, crop_grid
from vsr.run.sinks import canvas_format, claim_output, open_sink
from vsr.run.source import Source, open_source, probe_source, source_hash
from vsr.run.stretch import Stretch, by_segment

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
    journal: bool = True,
    restart: bool = False,
    progress: ProgressHook = silent,
) -> Manifest:
    """Super-resolve the faces of ``source`` and write ``out`` and its manifest beside it.

    source: a video file, or a folder of numbered pictures.
    out: a video file, or with ``recipe.output == "faces"`` a folder (or a file name that
    the face videos are named after).
    find: where the faces are, instead of detector and tracker.
    upscaler: one that is loaded already; None: the recipe's.
    journal: keep what is finished beside ``out`` until all is, and go on with what lies there
    (see `vsr.run.journal`); not for face videos, nor where ``find`` is given.
    restart: begin anew, whatever lies there.
    Returns what was done. A source that breaks off is written as far as it goes and
    noted in ``Manifest.broken_at_s``.
    Raises VsrError; then nothing stands under the output's name.
    """
    claim_output(source, out, recipe, overwrite=overwrite or lost_after_naming(out))
    info = probe_source(source, recipe.decode)
    resolve_model(recipe.upscale.model, recipe.upscale.scale)  # a wrong name is told at once
    with locked(out) as folder:
        if not journal or find is not None or recipe.output != "frame":
            return _restore(info, out, recipe, find, upscaler, progress)
        sha256 = source_hash(source)
        header = header_of(recipe, info, sha256)
        kept = Journal(folder, out, header, recipe.encode.part_frames, restart=restart)
        try:
            manifest = _restore(info, out, recipe, find, upscaler, progress, kept, sha256)
            kept.remove()
        finally:
            kept.close()
    return manifest


def _restore(
    info: VideoInfo,
    out: Path,
    recipe: Recipe,
    find: FaceFinder | None,
    upscaler: Upscaler | None,
    progress: ProgressHook,
    journal: Journal | None = None,
    source_sha256: str | None = None,
) -> Manifest:
    """The flow itself; with a journal from the first frame on that is not finished."""
    started = time.perf_counter()
    scale, canvas = recipe.upscale.scale, canvas_format(info, recipe)
    first = journal.first if journal else 0
    stretch = Stretch(first=first, segment_frames=recipe.encode.part_frames)
    finder = find or face_finder(
        recipe,
        frame_bytes=frame_bytes(info, canvas, scale),
        record=journal.record if journal else None,
    )
    log = TrackLog()
    reader = open_source(info, scale=scale, canvas=canvas, cfg=recipe.decode, first=first)
    frames_written, faces = first, journal.faces if journal else 0
    first_frame_s: float | None = None
    if first:
        progress(Progress(RESUMING, first, reader.expected_frames, faces))
    with Flow() as flow, open_sink(out, info, recipe, reader.frame_rate, journal) as sink:
        followed = followed_faces(flow, reader, finder, log, recipe, stretch)
        upscaler = upscaler or load_upscaler(recipe.upscale)  # while the first frames are decoded
        judge = journal.judged if journal else None
        sharp = super_resolved(flow, followed, upscaler, recipe, info, log, stretch, judge)
        for count in sink.run(sharp):
            first_frame_s = first_frame_s or time.perf_counter() - started
            frames_written += 1
            faces += count
            progress(Progress("restoring", frames_written, reader.expected_frames, faces))
        check_all_came(info, reader.report.frames_kept, frames_written)
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
        seconds=time.perf_counter() - started + (journal.seconds if journal else 0.0),
        source_sha256=source_sha256,
        working_scales=log.working_scales,
    ).write(out)


def check_all_came(info: VideoInfo, kept: int, written: int) -> None:
    """Raise FfmpegError where a frame that was decoded and kept did not reach the output."""
    if written != kept:
        raise FfmpegError(
            f"{info.path}: {written} frames reached the output, expected the {kept} that were "
            "decoded; nothing was kept, please report this with the file's details"
        )


def followed_faces(
    flow: Flow,
    reader: Source,
    find: FaceFinder,
    log: TrackLog,
    recipe: Recipe,
    stretch: Stretch | None = None,
) -> Iterator[FrameFaces]:
    """Decode, find and choose faces, each in its thread, which begin at once.

    Where a stretch ends, the frames of its last views come, too.
    """
    room = _room(reader.info)
    flow.on_stop(reader.close)
    frames = flow.stage("decode", reader, room)
    found = choose(find(frames), recipe.choose)
    found = (stretch or Stretch()).before_end(found, recipe.fuse.span)
    return flow.stage("faces", log.faces(found), room)


def super_resolved(
    flow: Flow,
    followed: Iterable[FrameFaces],
    upscaler: Upscaler,
    recipe: Recipe,
    info: VideoInfo,
    log: TrackLog,
    stretch: Stretch | None = None,
    judge: Judge | None = None,
) -> Iterator[FrameCrops]:
    """Cut the faces out, fuse their views, super-resolve them in a thread, and judge each.

    Each at the working scale of its track: see `vsr.faces.working`. A track is accepted or
    refused calmly, anew in each segment: see `vsr.faces.accept`.

    judge: tells of frames before the stretch what became of their crops, for the log.
    """
    stretch = stretch or Stretch(segment_frames=recipe.encode.part_frames)
    scale, networks = recipe.upscale.scale, Networks(upscaler, recipe.upscale)

    def known(items: Iterable[FrameCrops]) -> Iterator[FrameCrops]:
        for item in items:
            if judge is not None and item.frame.index < stretch.first:
                log.note(judge(item))
            yield item

    def larger(part: Iterable[FrameCrops]) -> Iterator[FrameCrops]:
        return upscale(part, upscaler, recipe.upscale, networks.at)

    cfg = crop_config(recipe)
    cut = crop(followed, cfg, grid=crop_grid(recipe))
    cut = find_working(cut, scale, networks.scales, recipe.working)
    clips = with_clips(known(cut), cfg, recipe.fuse.span, first=stretch.first)
    sharp = by_segment(fuse(stretch.inside(clips)), stretch.segment_frames, larger)
    sharp = flow.stage("upscale", sharp, _room(info))
    judged = verify(sharp, scale, recipe.paste)
    settled = by_segment(judged, stretch.segment_frames, lambda part: accept(part, recipe.paste))
    return log.crops(settled)


def face_finder(
    recipe: Recipe,
    *,
    segment_frames: int | None = None,
    frame_bytes: int = 0,
    record: DetectionRecord | None = None,
) -> FaceFinder:
    """The stage that finds and follows faces as a recipe says; loads its detector, or faces file.

    record: detections of earlier frames, which are taken from there, and into which those of
    later ones are written. frame_bytes: see `vsr.faces.track.track`. segment_frames: see
    `Stretch`; None: the recipe's parts.
    """
    if recipe.choose.file:
        return read_faces_file(Path(recipe.choose.file), recipe.choose.sha256).find
    length = segment_frames or recipe.encode.part_frames
    detector = make_detector(recipe.detect)

    def find(frames: Iterable[Frame]) -> Iterator[FrameFaces]:
        def stage(part: Iterable[Frame]) -> Iterator[FrameFaces]:
            return detect(part, detector, recipe.detect)

        if record is None:
            found = by_segment(frames, length, stage)
        else:
            found = record.detect(frames, length, stage)
        return track(found, recipe.track, frame_bytes=frame_bytes)

    return find


def frame_bytes(info: VideoInfo, canvas: PixelFormat | None, scale: int) -> int:
    """Memory of a frame with its canvas, also where the reader leaves the canvas out."""
    rgb = info.width * info.height * 3 * (2 if info.bit_depth > 8 else 1)
    if canvas is None:
        return rgb
    samples = canvas.samples(info.width * scale, info.height * scale)
    return rgb + samples * (2 if canvas.bit_depth > 8 else 1)


def _room(info: VideoInfo) -> int:
    """Frames a queue may hold, from their size: few large ones, many small ones."""
    frame_bytes = info.width * info.height * 9 * (2 if info.bit_depth > 8 else 1)
    return max(1, min(8, _QUEUE_BYTES // frame_bytes))
