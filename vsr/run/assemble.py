"""An export, edited or not, made into a video with the source's timing and sound."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

import vsr
from vsr.core.color import PIXEL_FORMATS, ColorSpec, PixelFormat
from vsr.core.config import build
from vsr.core.errors import DataError, UsageError, VsrError
from vsr.core.hashing import file_sha256
from vsr.core.progress import Progress, ProgressHook, silent
from vsr.core.types import YuvPicture
from vsr.core.video import VideoInfo
from vsr.media.codecs import card_notices
from vsr.media.convert import from_rgb
from vsr.media.decode import DecodeConfig, VideoReader
from vsr.media.encode import VideoWriter
from vsr.media.images import list_images, read_image
from vsr.media.probe import probe
from vsr.run.exportindex import FORMAT, INDEX
from vsr.run.manifest import Manifest, output_entry, recipe_hash, source_entry, versions
from vsr.run.output import claim, manifest_path
from vsr.run.recipe import Recipe, override, recipe_from_dict
from vsr.run.record import find_source, read_record
from vsr.run.sinks import tag_of, watermark_of
from vsr.run.source import is_folder, probe_source

_KEYS = {
    "source": dict, "recipe": dict, "model": dict, "selection": dict, "tracks": list,
    "frames": list, "faces": list, "notices": list,
}  # fmt: skip

_LARGEST_PX, _LARGEST_PTS, _LARGEST_S, _FASTEST_FPS = 1 << 16, 1 << 62, 1e9, 100_000
"""what no index of a real video exceeds"""


@dataclass(frozen=True, slots=True)
class _Export:
    """An export that has been read and checked."""

    folder: Path
    values: dict[str, Any]
    width: int
    height: int
    format: PixelFormat
    color: ColorSpec
    rate: Fraction | None
    edited: frozenset[int]
    """places of the frames whose pictures are not those that were written"""
    exact: Path | None
    """the frames as the encoder gets them"""

    @property
    def frames(self) -> list[dict[str, Any]]:
        return self.values["frames"]


def assemble(
    folder: Path,
    out: Path,
    *,
    source: Path | None = None,
    encode: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    progress: ProgressHook = silent,
) -> Manifest:
    """Make a video of the frames in an export of `vsr frames`, and a manifest beside it.

    Pictures nobody edited go to the encoder as the export kept them, bit for bit; edited ones
    are converted from RGB. source: where the source lies, if it moved: sound, subtitles and
    metadata come from it. encode: keys of [encode] that differ from the export's recipe.
    Raises DataError in one line where pictures are missing, renamed or of another size, or
    the source is another one; then nothing stands under the output's name.
    """
    started = time.perf_counter()
    index = folder / INDEX
    values = read_record(index, "export of 'vsr frames'", FORMAT, _KEYS)
    found = find_source(values["source"], folder, source)
    claim(found, out, overwrite=overwrite)
    recipe = recipe_from_dict(values["recipe"], INDEX, str(values["recipe"].get("name", "restore")))
    recipe = override(recipe, [("encode", key, value) for key, value in (encode or {}).items()])
    export = _read(folder, values)
    info = probe_source(found, recipe.decode)
    with _writer(out, export, info, recipe) as writer:
        watermark = watermark_of(recipe, export.width, export.height)
        drawn = values["recipe"].get("encode", {}).get("watermark", False)
        for place, picture in enumerate(_pictures(export)):
            if watermark is not None and (not drawn or place in export.edited):
                watermark.draw(picture)
            writer.write(picture, export.frames[place]["pts"])
            progress(Progress("assembling", place + 1, len(export.frames), len(values["faces"])))
        result = writer.close(end_s=values["video"].get("broken_at_s"))
    settings = recipe.to_dict()
    cfg = replace(recipe.encode, pix_fmt=export.format.name)
    edited = len(export.edited)
    changes = [f"{edited} of {len(export.frames)} pictures were edited"] if edited else []
    return Manifest(
        vsr=vsr.__version__,
        versions=versions(),
        source=source_entry(info, manifest_path(out).parent),
        outputs=[output_entry(result)],
        recipe=settings,
        recipe_sha256=recipe_hash(settings),
        model=values["model"],
        frames={
            "source": info.frame_count,
            "decoded": len(export.frames),
            "written": result.frames,
        },
        faces=len(values["faces"]),
        tracks=values["tracks"],
        seconds=round(time.perf_counter() - started, 3),
        stages=[],
        faces_from=values.get("faces_from", "detector"),
        command="assemble",
        broken_at_s=values["video"].get("broken_at_s"),
        notices=[*values["notices"], *changes, *result.notices, *card_notices(cfg)],
    ).write(out)


def _writer(out: Path, export: _Export, info: VideoInfo, recipe: Recipe) -> VideoWriter:
    selection = export.values["selection"]
    edited = f", {len(export.edited)} pictures edited" if export.edited else ""
    return VideoWriter(
        out,
        info=info,
        width=export.width,
        height=export.height,
        format=export.format,
        color=export.color,
        cfg=recipe.encode,
        with_streams=not is_folder(info),
        start_s=selection.get("start_s"),
        end_s=export.values["video"].get("end_s"),
        frame_rate=export.rate,
        tag=tag_of(recipe) + edited,
    )


def _read(folder: Path, values: dict[str, Any]) -> _Export:
    """Check every picture before a byte is written."""
    video, frames = values.get("video"), values["frames"]
    if not isinstance(video, dict) or not frames:
        raise DataError(
            f"{folder}: holds faces only, no frames to make a video of; "
            "export again with a recipe whose output is 'frame'"
        )
    try:
        width, height = _size(video["width"]), _size(video["height"])
        format = PIXEL_FORMATS[str(video["pix_fmt"])]
        color = build(ColorSpec, video["color"], "color")
        rate = Fraction(str(video["frame_rate"])) if video["frame_rate"] else None
        names = [str(f["picture"]) for f in frames]
        hashes = [str(f["sha256"]) for f in frames]
        rising = all(a < b for a, b in itertools.pairwise(_pts(f["pts"]) for f in frames))
        _seconds(video.get("end_s"), video.get("broken_at_s"), values["selection"].get("start_s"))
    except (KeyError, TypeError, ValueError, ZeroDivisionError, UsageError) as error:
        raise DataError(f"{folder / INDEX}: damaged ({error!r}); export again") from None
    if rate is not None and not 0 < rate <= _FASTEST_FPS:
        raise DataError(f"{folder / INDEX}: damaged (frame_rate {rate}); export again")
    if not rising or any(Path(n).is_absolute() or ".." in Path(n).parts for n in names):
        raise DataError(f"{folder / INDEX}: its frames are out of order or elsewhere; export again")
    _refuse_missing(folder, names, values)
    edited = frozenset(
        place
        for place, (name, wanted) in enumerate(zip(names, hashes, strict=True))
        if file_sha256(folder / name) != wanted
    )
    for place in sorted(edited):
        _check_size(folder / names[place], width, height)
    exact = _exact(folder, values)
    return _Export(folder, values, width, height, format, color, rate, edited, exact)


def _size(value: Any) -> int:
    if not isinstance(value, int) or not 0 < value <= _LARGEST_PX:
        raise ValueError(f"size {value!r}")
    return value


def _pts(value: Any) -> int:
    if not isinstance(value, int) or not abs(value) < _LARGEST_PTS:
        raise ValueError(f"pts {value!r}")
    return value


def _seconds(*values: Any) -> None:
    for value in values:
        if value is not None and not (isinstance(value, int | float) and abs(value) < _LARGEST_S):
            raise ValueError(f"seconds {value!r}")


def _refuse_missing(folder: Path, names: list[str], values: dict[str, Any]) -> None:
    """Raise DataError naming the first frame that is not there, and a file that may be it."""
    missing = [name for name in names if not (folder / name).is_file()]
    if not missing:
        return
    known = {*names, *(str(f.get("source")) for f in values["frames"])}
    try:
        there = [f"frames/{p.name}" for p in list_images(folder / "frames")]
    except VsrError:
        there = []
    strange = [name for name in there if name not in known]
    text = f"{folder / missing[0]}: is missing"
    if len(missing) > 1:
        text += f", as are {len(missing) - 1} more of {len(names)} frames"
    if strange:
        text += f" (was it renamed to {strange[0]}?)"
    raise DataError(f"{text}; put back what was exported, or export again")


def _check_size(path: Path, width: int, height: int) -> None:
    try:
        with Image.open(path) as picture:
            size = picture.size
    except (OSError, UnidentifiedImageError, ValueError):
        raise DataError(f"{path}: is no picture any more; put the exported one back") from None
    if size != (width, height):
        raise DataError(
            f"{path}: is {size[0]}x{size[1]}, expected {width}x{height} like the other frames; "
            "scale it back or put the exported one back"
        )


def _exact(folder: Path, values: dict[str, Any]) -> Path | None:
    """The lossless file, where the export has one and it is unchanged."""
    entry = values.get("exact")
    if not isinstance(entry, dict):
        return None
    path = folder / Path(str(entry.get("name"))).name
    if not path.is_file() or file_sha256(path) != entry.get("sha256"):
        values["notices"].append(
            f"{path.name} is missing or was changed, so every frame is converted from its picture"
        )
        return None
    return path


def _pictures(export: _Export) -> Iterator[YuvPicture]:
    """The frames in the encoder's format, in order: kept ones where nobody edited them."""
    kept = _kept(export) if export.exact is not None else None
    try:
        for place, row in enumerate(export.frames):
            exact = next(kept, None) if kept is not None else None
            if exact is not None and place not in export.edited:
                yield exact
            else:
                yield _converted(export, export.folder / row["picture"])
    finally:
        if kept is not None:
            kept.close()


def _kept(export: _Export):
    """The pictures of the lossless file, sample by sample as they were written."""
    assert export.exact is not None
    info = probe(export.exact)
    cfg = DecodeConfig(fps="source")
    if (info.width, info.height) != (export.width, export.height):
        raise DataError(f"{export.exact}: is of another size than the frames; export again")
    with VideoReader(info, scale=1, canvas=export.format, cfg=cfg) as reader:
        for frame in reader:
            assert frame.canvas is not None
            yield YuvPicture(
                frame.canvas.buffer, export.width, export.height, export.format, export.color
            )


def _converted(export: _Export, path: Path) -> YuvPicture:
    rgb: np.ndarray = read_image(path)
    if rgb.shape[:2] != (export.height, export.width):  # turned by EXIF, or changed meanwhile
        raise DataError(
            f"{path}: is {rgb.shape[1]}x{rgb.shape[0]}, expected {export.width}x{export.height}"
        )
    return from_rgb(rgb, export.format, export.color)
