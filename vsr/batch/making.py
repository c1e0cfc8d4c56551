"""What a job does: frames and labels in, a video and face pictures out."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from vsr.batch.archives import extract_folder, members
from vsr.batch.job import Job, Row
from vsr.batch.persons import FacePictures, Labels, Tally, given_faces
from vsr.batch.plan import BatchConfig, recipe_of
from vsr.batch.runner import Loaded, Made
from vsr.batch.seedpairs import make_seed_pairs
from vsr.batch.storage import Storage, open_storage
from vsr.core.errors import DataError, InputError, OutputError, VsrError
from vsr.core.progress import Progress, ProgressHook
from vsr.core.types import Frame, FrameFaces, Span
from vsr.faces.annotations import SequenceAnnotations, parse_annotations
from vsr.faces.detect import detect
from vsr.faces.detections import DetectStage
from vsr.faces.track import track
from vsr.faces.tracklog import TrackLog
from vsr.media.folder import FolderReader, probe_folder
from vsr.media.images import read_image
from vsr.run.flow import Flow
from vsr.run.manifest import Manifest, path_from
from vsr.run.recipe import Recipe
from vsr.run.restore import FaceFinder, followed_faces, frame_bytes, restore, super_resolved
from vsr.run.sinks import Sink, canvas_format, open_sink
from vsr.run.stretch import Stretch, by_segment

_NOTES = 20


@dataclass(slots=True)
class Sequence:
    """A sequence that is being done."""

    job: Job
    cfg: BatchConfig
    recipe: Recipe
    reader: FolderReader
    labels: Labels | None
    stretch: Stretch
    tally: Tally

    @property
    def expected(self) -> int:
        """Frames that the recipe's rate keeps."""
        return self.reader.expected_frames

    @property
    def skipped(self) -> int:
        """Of these, those that could not be read or have another size."""
        return self.expected - self.tally.frames


def make_sequence(
    job: Job, data: Storage, folder: Path, loaded: Loaded, progress: ProgressHook
) -> Made:
    """One ChokePoint sequence: ``NAME.mp4`` and ``NAME/PERSON/FRAME.png``.

    Raises VsrError where no frame can be read, labels are broken or do not fit the frames.
    """
    frames = frames_of(job, data, folder)
    try:
        return _make_sequence(job, data, folder, frames, loaded, progress)
    except VsrError as error:
        raise type(error)(told(str(error), frames, job)) from error


def _make_sequence(
    job: Job, data: Storage, folder: Path, frames: Path, loaded: Loaded, progress: ProgressHook
) -> Made:
    cfg, recipe = BatchConfig(**job.settings["batch"]), recipe_of(job)
    known = labels_of(job, data, folder)
    if cfg.protocol == "seed":
        return make_seed_pairs(job, recipe, known, frames, folder, loaded, progress)
    sequence = open_sequence(job, known, frames)
    pictures, video = face_pictures(sequence, folder), folder / f"video{job.suffix}"
    stage = None if known is not None else detection(sequence, loaded)
    reader = sequence.reader
    with open_sink(video, reader.info, recipe, reader.frame_rate) as sink:
        fill(sink, sequence, pictures, stage, loaded, progress)
        sink.finish(None)
    notes = tuple(told(n, frames, job) for n in reader.report.notices)
    return complete(sequence, video, pictures, notes)


def open_sequence(
    job: Job, known: SequenceAnnotations | None, frames: Path, *, canvas: bool = True
) -> Sequence:
    """A sequence's frames, as far as the job's part needs them, and its labels."""
    cfg, recipe = BatchConfig(**job.settings["batch"]), recipe_of(job)
    labels = None if known is None else Labels(known, cfg.face_side, cfg.eye_line)
    info = probe_folder(frames, recipe.decode)
    stretch = Stretch(first=job.first, end=job.end, segment_frames=recipe.encode.part_frames)
    followed = canvas and labels is None
    views = recipe.fuse.span if canvas else Span()
    reader = FolderReader(
        info,
        scale=recipe.upscale.scale,
        canvas=canvas_format(info, recipe) if canvas else None,
        cfg=recipe.decode,
        first=stretch.first,
        end=stretch.read_end(recipe.track if followed else None, views),
    )
    return Sequence(job, cfg, recipe, reader, labels, stretch, Tally())


def face_pictures(sequence: Sequence, folder: Path) -> FacePictures:
    """Where the face pictures of a sequence, or of a part of it, are built."""
    return FacePictures(
        folder=folder / "faces",
        scale=sequence.recipe.upscale.scale,
        widen=sequence.cfg.crop_side / sequence.cfg.face_side,
        number_of=sequence.reader.number_of,
        labels=sequence.labels,
    )


def fill(
    sink: Sink,
    sequence: Sequence,
    pictures: FacePictures,
    stage: DetectStage | None,
    loaded: Loaded,
    progress: ProgressHook,
) -> None:
    """The main job's stages, with the face pictures written on the way.

    stage: finds the faces where there are no labels.
    """
    recipe, reader, tally, log = sequence.recipe, sequence.reader, sequence.tally, TrackLog()
    find, stretch = _finder(sequence, stage), sequence.stretch
    with Flow() as flow:
        followed = followed_faces(flow, reader, find, log, recipe, stretch)
        upscaler = loaded.upscaler(recipe.upscale)
        judged = super_resolved(flow, followed, upscaler, recipe, reader.info, log, stretch)
        for _ in sink.run(pictures.write(judged, tally)):
            progress(Progress("restoring", tally.frames, sequence.expected, tally.faces))


def complete(
    sequence: Sequence, video: Path, pictures: FacePictures, notes: tuple[str, ...]
) -> Made:
    """Check what was made, and add the index of the face pictures. Raises InputError, DataError.

    notes: what was noticed about the frames.
    """
    _check(sequence, notes)
    pictures.finish(sequence.tally)
    job = sequence.job
    outputs = {f"{job.name}{job.suffix}": video}
    if sequence.tally.faces:
        outputs[f"{job.name}/"] = pictures.folder
    return Made(_sequence_row(sequence, notes), outputs)


def detection(sequence: Sequence, loaded: Loaded) -> DetectStage:
    """The detector, which begins anew with every segment."""
    recipe = sequence.recipe
    detector = loaded.detector(recipe.detect)

    def stage(part: Iterable[Frame]) -> Iterator[FrameFaces]:
        return detect(part, detector, recipe.detect)

    return lambda frames: by_segment(frames, recipe.encode.part_frames, stage)


def _finder(sequence: Sequence, stage: DetectStage | None) -> FaceFinder:
    """Where the faces are: given by the labels, or found and followed."""
    recipe, reader, labels = sequence.recipe, sequence.reader, sequence.labels
    if labels is not None:
        return lambda frames: given_faces(frames, labels, reader.number_of)
    if stage is None:
        raise ValueError("fill: got no detector for a sequence without labels")
    canvas = canvas_format(reader.info, recipe)
    room = frame_bytes(reader.info, canvas, recipe.upscale.scale)

    def find(frames: Iterable[Frame]) -> Iterator[FrameFaces]:
        found = _without_background(stage(frames), sequence)
        return track(found, recipe.track, frame_bytes=room)

    return find


def _without_background(items: Iterable[FrameFaces], sequence: Sequence) -> Iterator[FrameFaces]:
    """No faces in the empty first frames, where a detector could only be wrong.

    Second and third parts begin in the middle of things.
    """
    name = sequence.job.sequence or sequence.job.name
    later_part = name[-2:-1] == "." and name[-1:] != "1"
    for item in items:
        empty = sequence.reader.number_of(item.frame) < sequence.cfg.background
        yield FrameFaces(item.frame) if empty and not later_part else item


def _check(sequence: Sequence, notes: tuple[str, ...]) -> None:
    """Refuse what would pass for a result and is none."""
    job, tally, info = sequence.job, sequence.tally, sequence.reader.info
    size = f"{info.width}x{info.height}"
    if sequence.skipped * 2 > sequence.expected:
        first = next(iter(notes), "")
        raise InputError(
            f"{sequence.skipped} of {sequence.expected} frames cannot be read or are not {size}: "
            f"{first}"
        )
    if tally.outside * 2 > tally.faces:
        raise DataError(
            f"{job.labels}: {tally.outside} of {tally.faces} faces lie off the frames of {size}; "
            "get the frames in their original size (800x600), or use --faces detect"
        )


def _sequence_row(sequence: Sequence, notes: tuple[str, ...]) -> Row:
    scale, tally, job = sequence.recipe.upscale.scale, sequence.tally, sequence.job
    info = sequence.reader.info
    return Row(
        sequence=job.name,
        status="ok",
        frames=tally.frames,
        persons=len(tally.persons),
        faces=tally.faces,
        labels=tally.labels,
        plain=tally.plain,
        skipped=sequence.skipped,
        faces_from="truth" if sequence.labels is not None else "detect",
        width=info.width * scale,
        height=info.height * scale,
        notes=notes[:_NOTES],
    )


def told(text: str, frames: Path, job: Job) -> str:
    """A message with the frames' place in the data instead of the scratch folder."""
    return text.replace(str(frames), job.source)


def make_video(
    job: Job, data: Storage, folder: Path, loaded: Loaded, progress: ProgressHook
) -> Made:
    """One video through the main job: ``NAME.mp4`` and its manifest.

    Raises VsrError; a source that breaks off is an error too.
    """
    source = data.fetch(job.source, folder)
    out, recipe = folder / f"video{job.suffix}", recipe_of(job)
    upscaler = loaded.upscaler(recipe.upscale)
    manifest = restore(source, out, recipe, upscaler=upscaler, progress=progress, journal=False)
    if manifest.broken_at_s is not None:
        raise InputError(f"{job.source}: breaks off at {manifest.broken_at_s:.2f} s")
    name = f"{job.name}{job.suffix}"
    here = "://" not in job.out and "://" not in job.root
    seen = path_from((Path(job.out) / name).parent, source) if here else None
    manifest.placed(Path(name).name, seen).write(out)
    beside = out.with_name(f"{out.name}.json")
    return Made(_video_row(job, manifest), {name: out, f"{name}.json": beside})


def _video_row(job: Job, manifest: Manifest) -> Row:
    scale = manifest.model["scale"]
    return Row(
        sequence=job.name,
        status="ok",
        frames=manifest.frames["written"] or 0,
        persons=len(manifest.tracks),
        faces=manifest.faces,
        plain=sum(t["plain"] for t in manifest.tracks),
        skipped=manifest.lost,
        faces_from="detect",
        width=manifest.source["width"] * scale,
        height=manifest.source["height"] * scale,
        notes=tuple(manifest.notices[:_NOTES]),
    )


def frames_of(job: Job, data: Storage, folder: Path) -> Path:
    """A local folder of the sequence's frames and nothing else."""
    if not job.files:
        raise InputError(f"{job.source or job.name}: holds no frame")
    into = folder / "frames"
    if job.archive is not None:
        archive = data.fetch(job.archive, folder)
        return extract_folder(archive, job.archive, job.source, job.files, into)
    where = data.fetch_folder(job.source, job.files, into)
    if where == into:
        return into
    try:
        into.mkdir()
        for name in job.files:  # links: what else lies in the folder stays out
            (into / name).symlink_to((where / name).resolve())
    except OSError as error:
        raise OutputError(f"{into}: cannot be made ({error.strerror or error})") from None
    return into


def sized_frames_of(job: Job, data: Storage, folder: Path) -> Path:
    """As `frames_of`, but of the frames only the first has content where it can be read.

    Enough to know size, numbers and times; spares unpacking or fetching all of them.
    """
    frames = frames_of(replace(job, files=job.files[:1]), data, folder)
    try:
        read_image(frames / job.files[0])
    except InputError:
        shutil.rmtree(frames)
        return frames_of(job, data, folder)
    for name in job.files[1:]:
        (frames / name).touch()
    return frames


def labels_of(job: Job, data: Storage, folder: Path) -> SequenceAnnotations | None:
    """The labels, from a file or an archive; None where faces are to be detected."""
    if job.labels is None:
        return None
    path = job.labels
    root = open_storage(job.labels_root) if job.labels_root else data
    if job.labels_archive is None:
        return parse_annotations(root.read_bytes(path), path)
    archive = root.fetch(job.labels_archive, folder)
    for member in members(archive, job.labels_archive):
        if member.path == path:
            return parse_annotations(member.read(), path)
    raise DataError(f"{path}: is no longer in the archive; run the command again")
