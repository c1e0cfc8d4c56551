"""Where restored frames go: into one video, or into one video per face track."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np

import vsr
from vsr.core.color import ColorSpec, PixelFormat
from vsr.core.errors import InputError, OutputError, UsageError
from vsr.core.names import hidden_beside
from vsr.core.types import FaceCrop, FrameCrops
from vsr.core.video import VideoInfo
from vsr.faces.paste import paste
from vsr.media.codecs import card_notices
from vsr.media.containers import container_for
from vsr.media.convert import from_rgb
from vsr.media.encode import EncodeResult, Part, VideoWriter, choose_format
from vsr.media.losses import picture_notices
from vsr.media.watermark import Watermark
from vsr.models.interpolate import InterpolationUpscaler
from vsr.models.registry import resolve_model
from vsr.run.facefiles import FaceFiles
from vsr.run.output import claim
from vsr.run.recipe import Recipe
from vsr.run.samesize import format_notices, frame_format
from vsr.run.source import is_folder

_IDLE_FRAMES = 120
"""a track unseen for so many frames is over: its encoder is closed"""


class Sink(Protocol):
    """Takes judged crops in order; nothing stands under the output's name before `finish`."""

    def __enter__(self) -> Sink: ...

    def __exit__(self, *_: object) -> None: ...

    def run(self, items: Iterable[FrameCrops]) -> Iterator[int]:
        """Write every frame; yields the number of crops of each frame written."""
        ...

    def finish(self, broken_at_s: float | None) -> list[EncodeResult]:
        """Complete the output and give it its name."""
        ...


class PartKeeper(Protocol):
    """Keeps the finished parts of a video: the journal of a run, or of one part of it."""

    @property
    def folder(self) -> Path:
        """Where they lie."""
        ...

    @property
    def parts(self) -> list[Part]:
        """Those that are finished, in order."""
        ...

    def add(self, part: Part) -> None:
        """Another one is safe on the disk."""
        ...

    def note_whole(self, path: Path) -> None:
        """The file ``path`` is the whole output, about to get its name."""
        ...

    def note(self, items: Iterable[FrameCrops]) -> Iterator[FrameCrops]:
        """See every frame on its way into the video."""
        ...


def canvas_format(info: VideoInfo, recipe: Recipe) -> PixelFormat | None:
    """What the reader must upscale the whole picture to; None where only faces are written."""
    return frame_format(info, recipe) if recipe.output == "frame" else None


def tag_of(recipe: Recipe) -> str:
    """What the metadata of a result says."""
    model, verb = _model_of(recipe)
    return f"{verb} by vsr {vsr.__version__}, model {model}, scale {recipe.upscale.scale}"


def watermark_of(recipe: Recipe, width: int, height: int) -> Watermark | None:
    """The text that a recipe wants in the corner of pictures of a size; None where it does not."""
    if not recipe.encode.watermark:
        return None
    model, verb = _model_of(recipe)
    return Watermark(f"{verb} · {model} · {recipe.upscale.scale}x", width, height)


def _model_of(recipe: Recipe) -> tuple[str, str]:
    """The model's name, and what it does."""
    spec = resolve_model(recipe.upscale.model, recipe.upscale.scale)
    return spec.name, "enlarged" if spec.family == "interpolation" else "super-resolved"


def claim_output(source: Path, out: Path, recipe: Recipe, *, overwrite: bool) -> None:
    """Refuse early what would fail late, or delete what is not an earlier result.

    Raises InputError, OutputError as `claim` does, UsageError where no face video can be made.
    """
    claim(source, out, overwrite=overwrite)
    if recipe.output == "faces":
        _require_one_size(recipe)
        FaceFiles(out).claim(source, overwrite=overwrite)
    elif out.is_dir():
        raise OutputError(f"{out}: is a folder, expected a file name such as out.mp4")


def _require_one_size(recipe: Recipe) -> None:
    if recipe.crop.mode != "canonical":
        raise UsageError(
            f"crop.mode: got '{recipe.crop.mode}' for face videos, expected 'canonical', since a "
            "video's pictures have one size; 'vsr frames' writes crops of any size"
        )


def open_sink(
    out: Path,
    info: VideoInfo,
    recipe: Recipe,
    frame_rate: Fraction | None = None,
    journal: PartKeeper | None = None,
) -> Sink:
    """The sink of a recipe; raises at once what would otherwise fail at the end.

    frame_rate: nominal rate of the frames that will come, where it is not the source's.
    journal: keeps the finished parts of a video; face videos have none.
    """
    if recipe.output == "frame":
        return VideoSink(out, info, recipe, frame_rate, journal)
    return FaceSink(out, info, recipe, frame_rate)


class VideoSink:
    """The whole picture with the faces pasted back."""

    def __init__(
        self,
        out: Path,
        info: VideoInfo,
        recipe: Recipe,
        frame_rate: Fraction | None,
        journal: PartKeeper | None = None,
    ) -> None:
        self._journal = journal
        self._scale = recipe.upscale.scale
        self._cfg = recipe.paste
        width, height = info.width * self._scale, info.height * self._scale
        self._watermark = watermark_of(recipe, width, height)
        format = frame_format(info, recipe)
        self._format_notices = format_notices(info, recipe)
        self._encode = replace(recipe.encode, pix_fmt=format.name)
        self._writer = VideoWriter(
            out,
            info=info,
            width=width,
            height=height,
            format=format,
            color=info.color,
            cfg=self._encode,
            with_streams=not is_folder(info),
            frame_rate=frame_rate,
            tag=tag_of(recipe),
            parts=journal.folder if journal else None,
            done=journal.parts if journal else (),
            on_part=journal.add if journal else None,
            on_whole=journal.note_whole if journal else None,
        )

    def __enter__(self) -> VideoSink:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.abort()

    def run(self, items: Iterable[FrameCrops]) -> Iterator[int]:
        """Paste and encode each frame."""
        if self._journal is not None:
            items = self._journal.note(items)
        counts: list[int] = []

        def counted() -> Iterator[FrameCrops]:
            for item in items:
                counts.append(len(item.crops))
                yield item

        for frame in paste(counted(), self._scale, self._cfg):
            if frame.canvas is None:
                raise ValueError("VideoSink: got a frame without canvas; read it with one")
            if self._watermark is not None:
                self._watermark.draw(frame.canvas)
            self._writer.write(frame.canvas, frame.pts)
            yield counts.pop(0)

    def finish(self, broken_at_s: float | None) -> list[EncodeResult]:
        """Close the encoder; sound is cut where the source broke off."""
        result = self._writer.close(end_s=broken_at_s)
        notices = [*result.notices, *self._format_notices, *card_notices(self._encode)]
        return [replace(result, notices=notices)]

    def finish_parts(self) -> None:
        """Complete what was encoded, without joining it: a later run does that."""
        self._writer.finish_parts()


class FaceSink:
    """One video per track at the generator's output size, named as `FaceFiles` says.

    A track that comes back after its encoder was closed gets another video.
    """

    def __init__(
        self, out: Path, info: VideoInfo, recipe: Recipe, frame_rate: Fraction | None
    ) -> None:
        _require_one_size(recipe)
        self._out = out
        self._info = info
        self._recipe = recipe
        self._frame_rate = frame_rate
        self._tag = tag_of(recipe)
        self._files = FaceFiles(out)
        self._format = choose_format(info, recipe.encode)
        self._encode = replace(recipe.encode, pix_fmt=self._format.name)
        self._container = container_for(Path(self._files.name(0, 1)), self._encode.codec)
        self._color = _face_color(info.color)
        self._plain = InterpolationUpscaler("lanczos", recipe.upscale.scale)
        self._open: dict[int, VideoWriter] = {}
        self._watermarks: dict[int, Watermark | None] = {}
        self._appearances: Counter[int] = Counter()
        """videos begun of each track"""
        self._done: list[EncodeResult] = []
        self._seen: dict[int, int] = {}
        self._folder = Path(
            tempfile.mkdtemp(prefix=hidden_beside(out, ".partial").name, dir=out.parent)
        )
        self._folder.chmod(0o755)

    def __enter__(self) -> FaceSink:
        return self

    def __exit__(self, *_: object) -> None:
        for writer in self._open.values():
            writer.abort()
        shutil.rmtree(self._folder, ignore_errors=True)

    def run(self, items: Iterable[FrameCrops]) -> Iterator[int]:
        """Append each crop's picture to the video of its track."""
        for position, item in enumerate(items):
            for crop in item.crops:
                track = crop.face.track_id
                if track is None:
                    continue
                rgb = self._shown(crop)
                picture = from_rgb(rgb, self._format, self._color)
                writer = self._writer(track, picture.width, picture.height)
                if (watermark := self._watermarks[track]) is not None:
                    watermark.draw(picture)
                writer.write(picture, item.frame.pts)
                self._seen[track] = position
            for track in [t for t, at in self._seen.items() if position - at > _IDLE_FRAMES]:
                self._done.append(self._open.pop(track).close())
                del self._seen[track], self._watermarks[track]
            yield len(item.crops)

    def finish(self, broken_at_s: float | None) -> list[EncodeResult]:
        """Close the encoders and give the videos their names."""
        self._done += [writer.close() for writer in self._open.values()]
        self._open.clear()
        made = sorted(self._done, key=lambda r: r.path.name)
        if not made:
            raise InputError(f"{self._info.path}: no face was found, so there is no face video")
        notices = self._notices(made)
        try:
            paths = self._files.place(self._folder, [r.path.name for r in made])
        except OSError as error:
            reason = error.strerror or error
            raise OutputError(f"{self._out}: cannot be placed ({reason})") from error
        placed = [replace(r, path=p, notices=[]) for r, p in zip(made, paths, strict=True)]
        return [replace(placed[0], notices=notices), *placed[1:]]

    def _shown(self, crop: FaceCrop) -> np.ndarray:
        """A judged crop, super-resolved where that was accepted, else plainly enlarged."""
        if crop.outcome == "super-resolved" and crop.sr is not None:
            return crop.sr
        return self._plain(crop.lr[None])[0]

    def _notices(self, made: Iterable[EncodeResult]) -> list[str]:
        """What the videos have in common is said once."""
        found = [n for r in made for n in r.notices]
        if not is_folder(self._info):
            found += picture_notices(self._info, self._container, self._format, self._encode)
        return list(dict.fromkeys([*found, *card_notices(self._encode)]))

    def _writer(self, track: int, width: int, height: int) -> VideoWriter:
        if track not in self._open:
            self._appearances[track] += 1
            self._open[track] = VideoWriter(
                self._folder / self._files.name(track, self._appearances[track]),
                info=self._info,
                width=width,
                height=height,
                format=self._format,
                color=self._color,
                cfg=self._encode,
                with_streams=False,
                frame_rate=self._frame_rate,
                tag=self._tag,
            )
            self._watermarks[track] = watermark_of(self._recipe, width, height)
        return self._open[track]


def _face_color(source: ColorSpec) -> ColorSpec:
    """The source's colours, which crops keep, by BT.709's matrix and range."""
    return replace(
        source,
        matrix="bt709",
        full_range=False,
        tag_space="bt709",
        tag_range="tv",
        tag_primaries=source.tag_primaries or "bt709",
        tag_transfer=source.tag_transfer or "bt709",
    )
