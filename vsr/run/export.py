"""Frames and faces as pictures to be inspected: ``vsr frames``."""

from __future__ import annotations

import dataclasses
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np

from vsr.core.color import PixelFormat
from vsr.core.errors import InputError, OutputError, UsageError
from vsr.core.hashing import file_sha256
from vsr.core.names import hidden_beside
from vsr.core.progress import Progress, ProgressHook, silent
from vsr.core.types import FaceCrop, Frame, FrameCrops, YuvPicture
from vsr.core.video import VideoInfo
from vsr.faces.paste import paste
from vsr.faces.tracklog import TrackLog
from vsr.faces.trackrecord import track_to_dict
from vsr.media.convert import to_rgb
from vsr.media.encode import EncodeConfig, VideoWriter
from vsr.media.images import write_image
from vsr.models.interpolate import InterpolationUpscaler
from vsr.models.registry import resolve_model
from vsr.models.upscale import Upscaler, load_upscaler
from vsr.run.contactsheet import write_contact_sheet
from vsr.run.exportindex import INDEX, ExportIndex, face_row
from vsr.run.flow import Flow
from vsr.run.keyframes import KeyFrames
from vsr.run.manifest import recipe_hash, source_entry, versions
from vsr.run.output import claim, claim_replaceable, replace_folder
from vsr.run.recipe import Recipe
from vsr.run.restore import FaceFinder, face_finder, followed_faces, super_resolved
from vsr.run.sinks import canvas_format, watermark_of
from vsr.run.source import Source, open_source, probe_source

EXACT = "pictures.mkv"
"""the frames as the encoder gets them, lossless"""


@dataclass(frozen=True, kw_only=True)
class ExportConfig:
    """Which frames and faces are exported, and how."""

    start_s: float | None = None
    """first second, in the source's own timestamps"""
    end_s: float | None = None
    """second before which it ends"""
    every: int = 1
    """every n-th frame; those between are still followed"""
    tracks: tuple[int, ...] = ()
    """only these tracks, and frames in which one of them stands; empty: all"""
    max_frames: int | None = None
    """stop after so many frames"""
    format: Literal["png", "jpg", "webp"] = "png"
    with_source: bool = False
    """also write the source's own frames"""
    exact: bool = True
    """keep the frames as the encoder gets them too, so that a video can be made without loss"""
    fused: bool = False
    """also write the key frame of each track, with its views averaged"""

    def __post_init__(self) -> None:
        if self.format not in ("png", "jpg", "webp"):
            raise UsageError(f"--format: got '{self.format}', expected png, jpg or webp")
        for name, value in (("every", self.every), ("max-frames", self.max_frames)):
            if value is not None and value < 1:
                raise UsageError(f"--{name}: got {value}, expected 1 or more")
        if self.start_s is not None and self.end_s is not None and self.end_s <= self.start_s:
            raise UsageError(f"--end: got {self.end_s}, expected more than --start {self.start_s}")


def export(
    source: Path,
    out: Path,
    recipe: Recipe,
    cfg: ExportConfig | None = None,
    *,
    find: FaceFinder | None = None,
    face_per_eye_distance: float | None = None,
    overwrite: bool = False,
    progress: ProgressHook = silent,
) -> ExportIndex:
    """Write frames, faces, index and contact sheet of ``source`` into the new folder ``out``.

    source: a video or a folder of numbered pictures. With ``recipe.output == "faces"`` only
    faces are written. find: where the faces are, instead of detector and tracker;
    face_per_eye_distance: width of such a face's box in eye distances, where it comes from eyes.
    Raises VsrError; then nothing stands under the output's name.
    """
    started = time.perf_counter()
    cfg = cfg or ExportConfig()
    if cfg.fused and recipe.fuse.views == 1:
        raise UsageError(
            "--fused: got fuse.views = 1, expected 3 or more views to average; add "
            "--set fuse.views=5"
        )
    claim(source, out, overwrite=overwrite)
    claim_replaceable(source, out, "an export", (out / INDEX).is_file)
    info = probe_source(source, recipe.decode)
    resolve_model(recipe.upscale.model, recipe.upscale.scale)
    finder = find or face_finder(recipe)
    canvas = canvas_format(info, recipe)
    reader = open_source(
        info,
        scale=recipe.upscale.scale,
        canvas=canvas,
        cfg=recipe.decode,
        start_s=cfg.start_s,
        end_s=cfg.end_s,
    )
    log = TrackLog()
    with _Folder(out, info, recipe, cfg, canvas, face_per_eye_distance) as folder:
        with Flow() as flow:
            followed = followed_faces(flow, reader, finder, log, recipe)
            upscaler = load_upscaler(recipe.upscale)
            crops = super_resolved(flow, followed, upscaler, recipe, info, log)
            for done in folder.write(crops, reader):
                total = cfg.max_frames or -(-reader.expected_frames // cfg.every)
                progress(Progress("exporting", done, total, len(folder.faces)))
        tracks = [track_to_dict(t) for t in log.tracks]
        if not folder.frames:
            raise InputError(_nothing(source, cfg, [t["track_id"] for t in tracks]))
        index = ExportIndex(
            source=source_entry(info, out),
            recipe=recipe.to_dict(),
            recipe_sha256=recipe_hash(recipe.to_dict()),
            model={**_model(upscaler), "scale": recipe.upscale.scale},
            versions=versions(),
            faces_from="detector" if find is None else "given",
            selection=_selection(cfg),
            video=folder.video(reader),
            exact=folder.close_exact(),
            tracks=tracks,
            frames=folder.frames,
            faces=folder.faces,
            keys=folder.write_keys(),
            notices=list(reader.report.notices),
            seconds=round(time.perf_counter() - started, 3),
        )
        folder.finish(index)
    return index


class _Folder:
    """The export while it is made, under a temporary name beside its own."""

    def __init__(
        self,
        out: Path,
        info: VideoInfo,
        recipe: Recipe,
        cfg: ExportConfig,
        canvas: PixelFormat | None,
        face_per_eye_distance: float | None,
    ) -> None:
        self.frames: list[dict[str, Any]] = []
        self.faces: list[dict[str, Any]] = []
        self._out, self._info, self._recipe, self._cfg = out, info, recipe, cfg
        self._canvas = canvas
        self._per_eyes = face_per_eye_distance
        scale = recipe.upscale.scale
        self._size = info.width * scale, info.height * scale
        self._bicubic = InterpolationUpscaler("bicubic", scale)
        self._watermark = watermark_of(recipe, *self._size)
        self._path = Path(
            tempfile.mkdtemp(prefix=hidden_beside(out, ".partial").name, dir=out.parent)
        )
        self._path.chmod(0o755)
        self._exact: VideoWriter | None = None
        if canvas is not None:
            self._make("frames")
            if cfg.exact:
                self._exact = self._exact_writer(canvas)
        self._cut_short = False
        self._keys = KeyFrames() if cfg.fused else None

    def __enter__(self) -> _Folder:
        return self

    def __exit__(self, *_: object) -> None:
        if self._exact is not None:
            self._exact.abort()
        shutil.rmtree(self._path, ignore_errors=True)

    def write(self, items: Iterator[FrameCrops], reader: Source) -> Iterator[int]:
        """Write the chosen frames and their faces; yields how many frames there are so far."""
        cfg = self._cfg
        for item in items:
            crops = [c for c in item.crops if self._wanted(c)]
            number = reader.number_of(item.frame)
            if self._keys is not None:
                for crop in crops:
                    self._keys.consider(self._row(item.frame, number, crop), crop)
            if item.frame.index % cfg.every or (cfg.tracks and not crops):
                continue
            self._write_frame(item, number)
            for crop in crops:
                self._write_face(item.frame, number, crop)
            yield len(self.frames)
            if len(self.frames) == cfg.max_frames:
                self._cut_short = True
                return

    def write_keys(self) -> list[dict[str, Any]]:
        """Write the key frames; their rows, with the names of their pictures."""
        rows = []
        for key in self._keys.found() if self._keys is not None else ():
            self._make("keys")
            names = {k: f"keys/{key.row['track']:04d}_{k}.{self._cfg.format}" for k in key.pictures}
            for kind, name in names.items():
                self._image(name, key.pictures[kind])
            rows.append({**key.row, **names})
        return rows

    def close_exact(self) -> dict[str, Any] | None:
        """Complete the lossless file: its name and hash; None where there is none."""
        if self._exact is None:
            return None
        result = self._exact.close()
        return {"name": EXACT, "sha256": file_sha256(result.path)}

    def video(self, reader: Source) -> dict[str, Any] | None:
        """What `assemble` must know to make a video of the frames."""
        if self._canvas is None:
            return None
        cfg = self._cfg
        rate = reader.frame_rate
        end_s = cfg.end_s
        if self._cut_short:
            step = 1 / rate if rate else self._info.time_base
            end_s = float(self.frames[-1]["pts"] * self._info.time_base + step)
        return {
            "width": self._size[0],
            "height": self._size[1],
            "pix_fmt": self._canvas.name,
            "color": dataclasses.asdict(self._info.color),
            "frame_rate": str(rate / cfg.every) if rate else None,
            "end_s": end_s,
            "broken_at_s": reader.report.broken_at_s,
            "lost": reader.report.lost,
            "lost_before": reader.report.lost - reader.report.lost_end + reader.report.cut_off,
        }

    def finish(self, index: ExportIndex) -> None:
        """Write index and contact sheet, and give the folder its name."""
        model = f"{index.model['name']} · {index.model['scale']}x"
        try:
            write_contact_sheet(self._path, self.faces, f"{self._info.path.name} · {model}")
            index.write(self._path)
            os.sync()  # all pictures at once: cheaper than one by one
            replace_folder(self._path, self._out)
        except OSError as error:
            reason = error.strerror or error
            raise OutputError(f"{self._out}: cannot be written ({reason})") from error

    def _wanted(self, crop: FaceCrop) -> bool:
        track = crop.face.track_id
        return track is not None and (not self._cfg.tracks or track in self._cfg.tracks)

    def _write_frame(self, item: FrameCrops, number: int) -> None:
        frame = item.frame
        row: dict[str, Any] = {
            "frame": number,
            "pts": frame.pts,
            "seconds": round(frame.seconds, 6),
            "picture": None,
            "sha256": None,
            "source": None,
        }
        if self._canvas is not None:
            (pasted,) = paste((item,), self._recipe.upscale.scale, self._recipe.paste)
            assert pasted.canvas is not None
            if self._watermark is not None:
                self._watermark.draw(pasted.canvas)
            self._keep_exact(pasted.canvas)
            row["picture"] = f"frames/{number:08d}.{self._cfg.format}"
            self._image(row["picture"], to_rgb(pasted.canvas))
            row["sha256"] = file_sha256(self._path / row["picture"])
            if self._cfg.with_source:
                row["source"] = f"frames/{number:08d}_source.{self._cfg.format}"
                self._image(row["source"], frame.rgb)
        self.frames.append(row)

    def _row(self, frame: Frame, number: int, crop: FaceCrop) -> dict[str, Any]:
        eyes = crop.face.box.width / self._per_eyes if self._per_eyes else None
        return face_row(frame, number, crop, eyes)

    def _write_face(self, frame: Frame, number: int, crop: FaceCrop) -> None:
        row = self._row(frame, number, crop)
        folder = f"faces/{crop.face.track_id:04d}"
        self._make(folder)
        plain = self._bicubic(crop.lr[None])[0]
        pictures = {"lr": crop.lr, "bicubic": plain, "sr": plain if crop.sr is None else crop.sr}
        if crop.fused is not None:
            pictures["fused"] = crop.fused
        for kind, picture in pictures.items():
            row[kind] = f"{folder}/{number:08d}_{kind}.{self._cfg.format}"
            self._image(row[kind], picture)
        self.faces.append(row)

    def _make(self, folder: str) -> None:
        try:
            (self._path / folder).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = error.strerror or error
            raise OutputError(f"{self._out}: cannot be written ({reason})") from error

    def _image(self, name: str, rgb: np.ndarray) -> None:
        write_image(self._path / name, rgb, sync=False)

    def _keep_exact(self, picture: YuvPicture) -> None:
        if self._exact is not None:
            self._exact.write(picture, len(self.frames))

    def _exact_writer(self, canvas: PixelFormat) -> VideoWriter:
        """Pictures in order, a thirtieth of a second each: their real times are in the index."""
        rate = Fraction(30)
        plain = replace(self._info, time_base=1 / rate, frame_rate=rate, start_pts=0, last_pts=None)
        return VideoWriter(
            self._path / EXACT,
            info=plain,
            width=self._size[0],
            height=self._size[1],
            format=canvas,
            color=self._info.color,
            cfg=EncodeConfig(codec="ffv1", pix_fmt=canvas.name),
            with_streams=False,
        )


def _nothing(source: Path, cfg: ExportConfig, seen: list[int]) -> str:
    if cfg.tracks:
        known = ", ".join(map(str, seen)) or "none"
        wanted = ", ".join(map(str, cfg.tracks))
        return f"{source}: no frame shows track {wanted}; tracks seen: {known}"
    return f"{source}: no frame lies between --start and --end; choose another stretch"


def _selection(cfg: ExportConfig) -> dict[str, Any]:
    names = ("start_s", "end_s", "every", "max_frames")
    return {**{name: getattr(cfg, name) for name in names}, "tracks": list(cfg.tracks)}


def _model(upscaler: Upscaler) -> dict[str, Any]:
    return {"name": upscaler.name, "scale": upscaler.scale, "sha256": upscaler.sha256}
