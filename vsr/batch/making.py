"""What a job does: frames and labels in, a video and face pictures out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from vsr.batch.archives import extract_folder, members
from vsr.batch.clip import RATE, SequenceClip
from vsr.batch.job import Job, Row
from vsr.batch.persons import FacePictures, Labels, Tally, given_faces
from vsr.batch.plan import BatchConfig, recipe_of
from vsr.batch.runner import Loaded, Made
from vsr.batch.storage import Storage, open_storage
from vsr.core.errors import DataError, InputError
from vsr.core.progress import Progress, ProgressHook
from vsr.core.types import FrameFaces
from vsr.faces.annotations import SequenceAnnotations, parse_annotations
from vsr.faces.crop import crop
from vsr.faces.detect import detect
from vsr.faces.paste import paste, verify
from vsr.faces.track import track
from vsr.media.encode import VideoWriter
from vsr.models.upscale import upscale
from vsr.run.flow import Flow
from vsr.run.manifest import Manifest
from vsr.run.recipe import Recipe
from vsr.run.restore import restore

_ROOM = 8
"""frames a queue may hold"""
_NOTES = 20


def make_sequence(
    job: Job, data: Storage, folder: Path, loaded: Loaded, progress: ProgressHook
) -> Made:
    """One ChokePoint sequence: ``NAME.mp4`` and ``NAME/PERSON/FRAME.png``.

    Raises VsrError where no frame can be read, labels are broken or do not fit the frames.
    """
    cfg, recipe = BatchConfig(**job.settings["batch"]), recipe_of(job)
    scale = recipe.upscale.scale
    labels = None
    if job.labels is not None:
        labels = Labels(_annotations(job, data, folder), cfg.face_side, cfg.eye_line)
    clip = _clip(job, data, folder, recipe)
    pictures = FacePictures(
        folder=folder / "faces",
        scale=scale,
        widen=cfg.crop_side / cfg.face_side,
        number_of=clip.number,
        labels=labels,
    )
    video, tally = folder / f"video{job.suffix}", Tally()
    info, room = clip.info, _ROOM
    with Flow() as flow, _writer(video, clip, recipe) as writer:
        frames = flow.stage("read", clip, room)
        if labels is not None:
            faced = given_faces(frames, labels, clip.number)
        else:
            found = detect(frames, loaded.detector(recipe.detect), recipe.detect)
            faced = track(_without_background(found, clip, cfg, job.name), recipe.track)
        cut = crop(faced, recipe.crop)
        sharp = upscale(cut, loaded.upscaler(recipe.upscale), recipe.upscale)
        judged = flow.stage("upscale", verify(sharp, scale, recipe.paste), room)
        seen = pictures.write(judged, tally)
        for frame in paste(seen, scale, recipe.paste):
            assert frame.canvas is not None
            writer.write(frame.canvas, frame.pts)
            progress(Progress("restoring", tally.frames, len(job.files), tally.faces))
        if not tally.frames:
            raise InputError(f"{job.name}: not one of its {len(job.files)} frames can be read")
        writer.close()
    _check_fit(job, tally, clip)
    outputs = {f"{job.name}{job.suffix}": video}
    if tally.faces:
        outputs[f"{job.name}/"] = pictures.folder
    return Made(
        Row(
            sequence=job.name,
            status="ok",
            frames=tally.frames,
            persons=len(tally.persons),
            faces=tally.faces,
            labels=tally.labels,
            plain=tally.plain,
            skipped=len(clip.skipped),
            faces_from="truth" if labels is not None else "detect",
            width=info.width * scale,
            height=info.height * scale,
            notes=tuple(clip.skipped[:_NOTES]),
        ),
        outputs,
    )


def make_video(
    job: Job, data: Storage, folder: Path, loaded: Loaded, progress: ProgressHook
) -> Made:
    """One video through the main job: ``NAME.mp4`` and its manifest.

    Raises VsrError; a source that breaks off is an error too.
    """
    source = data.fetch(job.source, folder)
    out = folder / f"video{job.suffix}"
    manifest = restore(source, out, recipe_of(job), progress=progress)
    if manifest.broken_at_s is not None:
        raise InputError(f"{job.source}: breaks off at {manifest.broken_at_s:.2f} s")
    name = f"{job.name}{job.suffix}"
    return Made(_video_row(job, manifest), {name: out, f"{name}.json": _beside(out)})


def _beside(out: Path) -> Path:
    return out.with_name(out.name + ".json")


def _video_row(job: Job, manifest: Manifest) -> Row:
    scale = manifest.model["scale"]
    return Row(
        sequence=job.name,
        status="ok",
        frames=manifest.frames["written"] or 0,
        persons=len(manifest.tracks),
        faces=manifest.faces,
        plain=sum(t["plain"] for t in manifest.tracks),
        faces_from="detect",
        width=manifest.source["width"] * scale,
        height=manifest.source["height"] * scale,
        notes=tuple(manifest.notices[:_NOTES]),
    )


def _clip(job: Job, data: Storage, folder: Path, recipe: Recipe) -> SequenceClip:
    """The frames, as local files."""
    into = folder / "frames"
    if job.archive is not None:
        archive = data.fetch(job.archive, folder)
        where = extract_folder(archive, job.archive, job.source, job.files, into)
    else:
        where = data.fetch_folder(job.source, job.files, into)
    if not job.files:
        raise InputError(f"{job.name}: holds no frame")
    return SequenceClip(where, job.files, scale=recipe.upscale.scale, encode=recipe.encode)


def _writer(video: Path, clip: SequenceClip, recipe: Recipe) -> VideoWriter:
    info, scale = clip.info, recipe.upscale.scale
    return VideoWriter(
        video,
        info=info,
        width=info.width * scale,
        height=info.height * scale,
        format=clip.canvas,
        color=info.color,
        cfg=recipe.encode,
        with_streams=False,
        frame_rate=RATE,
    )


def _without_background(
    items: Iterable[FrameFaces], clip: SequenceClip, cfg: BatchConfig, name: str
) -> Iterator[FrameFaces]:
    """No faces in the empty first frames, where a detector could only be wrong.

    Second and third parts begin in the middle of things.
    """
    later_part = name[-2:-1] == "." and name[-1:] != "1"
    for item in items:
        empty = not later_part and clip.number(item.frame) < cfg.background
        yield FrameFaces(item.frame) if empty else item


def _check_fit(job: Job, tally: Tally, clip: SequenceClip) -> None:
    """Labels of larger pictures put most faces off these."""
    if tally.outside * 2 > tally.faces:
        size = f"{clip.info.width}x{clip.info.height}"
        raise DataError(
            f"{job.labels}: {tally.outside} of {tally.faces} faces lie off the frames of {size}; "
            "get the frames in their original size (800x600), or use --faces detect"
        )


def _annotations(job: Job, data: Storage, folder: Path) -> SequenceAnnotations:
    """The labels, from a file or an archive."""
    path = job.labels or ""
    root = open_storage(job.labels_root) if job.labels_root else data
    if job.labels_archive is None:
        return parse_annotations(root.read_bytes(path), path)
    archive = root.fetch(job.labels_archive, folder)
    for member in members(archive, job.labels_archive):
        if member.path == path:
            return parse_annotations(member.file.read(), path)
    raise DataError(f"{path}: is no longer in the archive; run the command again")
