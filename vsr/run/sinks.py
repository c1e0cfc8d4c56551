"""Where restored frames go: into one video, or into one video per face track."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import vsr
from vsr.core.color import PIXEL_FORMATS, ColorSpec, PixelFormat
from vsr.core.errors import InputError, OutputError
from vsr.core.names import hidden_beside
from vsr.core.types import FaceCrop, FrameCrops
from vsr.core.video import VideoInfo
from vsr.faces.paste import paste
from vsr.media.codecs import card_notices
from vsr.media.convert import from_rgb
from vsr.media.encode import CONTAINERS, EncodeResult, Part, VideoWriter, choose_format
from vsr.media.watermark import Watermark
from vsr.models.registry import resolve_model
from vsr.run.recipe import Recipe
from vsr.run.source import is_folder

_FACE_FORMAT = PIXEL_FORMATS["yuv420p"]
_FACE_COLOR = ColorSpec(
    matrix="bt709", tag_space="bt709", tag_primaries="bt709", tag_transfer="bt709", tag_range="tv"
)
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
    return choose_format(info, recipe.encode) if recipe.output == "frame" else None


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
        format = choose_format(info, recipe.encode)
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
        return [replace(result, notices=[*result.notices, *card_notices(self._encode)])]

    def finish_parts(self) -> None:
        """Complete what was encoded, without joining it: a later run does that."""
        self._writer.finish_parts()


class FaceSink:
    """One video per track at the generator's output size.

    ``out`` is a folder to be made (``out/face_0000.mp4``), or a video file name after
    which the videos are named (``clip.mp4`` -> ``clip.face_0000.mp4``).
    """

    def __init__(
        self, out: Path, info: VideoInfo, recipe: Recipe, frame_rate: Fraction | None
    ) -> None:
        self._frame_rate = frame_rate
        self._out = out
        self._info = info
        self._recipe = recipe
        self._tag = tag_of(recipe)
        self._single = out.suffix.lower() in CONTAINERS
        self._suffix = out.suffix.lower() if self._single else ".mp4"
        self._open: dict[int, VideoWriter] = {}
        self._watermarks: dict[int, Watermark | None] = {}
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
                if track is None or crop.sr is None:
                    continue
                picture = from_rgb(crop.sr, _FACE_FORMAT, _FACE_COLOR)
                writer = self._writer(track, crop)
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
        try:
            return self._place(made)
        except OSError as error:
            reason = error.strerror or error
            raise OutputError(f"{self._out}: cannot be placed ({reason})") from error

    def _place(self, made: list[EncodeResult]) -> list[EncodeResult]:
        if self._single:
            stem = self._out.stem
            finals = [self._out.with_name(f"{stem}.{r.path.name}") for r in made]
            for result, final in zip(made, finals, strict=True):
                result.path.replace(final)
        else:
            if self._out.is_dir():
                shutil.rmtree(self._out)
            self._folder.replace(self._out)
            finals = [self._out / r.path.name for r in made]
        return [replace(r, path=p) for r, p in zip(made, finals, strict=True)]

    def _writer(self, track: int, crop: FaceCrop) -> VideoWriter:
        if track not in self._open:
            if crop.sr is None:
                raise ValueError("FaceSink: got a crop without sr")
            height, width = crop.sr.shape[:2]
            self._open[track] = VideoWriter(
                self._folder / f"face_{track:04d}{self._suffix}",
                info=self._info,
                width=width,
                height=height,
                format=_FACE_FORMAT,
                color=_FACE_COLOR,
                cfg=replace(self._recipe.encode, pix_fmt=_FACE_FORMAT.name),
                with_streams=False,
                frame_rate=self._frame_rate,
                tag=self._tag,
            )
            self._watermarks[track] = watermark_of(self._recipe, width, height)
        return self._open[track]
