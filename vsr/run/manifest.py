"""The record beside an output: what was done, with what, and what came out."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import platform
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import vsr
from vsr.core.hashing import file_sha256
from vsr.core.types import Track
from vsr.core.video import VideoInfo
from vsr.faces.detect import DetectConfig, detector_name
from vsr.faces.detectors import DETECTORS
from vsr.faces.trackrecord import track_to_dict
from vsr.media.binary import ffmpeg_version
from vsr.media.decode import DecodeReport
from vsr.media.encode import EncodeResult
from vsr.models.networks import Networks
from vsr.models.upscale import Upscaler
from vsr.run.flow import StageStats
from vsr.run.output import manifest_path, write_atomically
from vsr.run.recipe import Recipe
from vsr.run.samesize import kept_notices
from vsr.run.source import source_hash

FORMAT = 1
"""version of the manifest's layout"""

FacesFrom = Literal["detector", "given"]
"""whether faces were found and followed, or told by the caller"""

_PLAIN_LIST = re.compile(r"(?<=\[)\n\s*[^\[\]{}]*?\n\s*(?=\])")
_PACKAGES = (
    "tensorflow", "keras", "numpy", "opencv-python-headless",
    *(entry.package for entry in DETECTORS.values() if entry.package),
)  # fmt: skip
_OTHER_BACKENDS = {"jax": ("jax", "jaxlib"), "torch": ("torch",)}
"""what Keras runs on -> the packages of it; TensorFlow's counts always, since mtcnn runs on it"""


def recipe_hash(settings: Mapping[str, Any]) -> str:
    """SHA-256 of a resolved recipe's values: of its JSON with sorted keys and no spaces."""
    text = json.dumps(settings, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def output_entry(result: EncodeResult) -> dict[str, Any]:
    """What a record says of a video that was written."""
    return {
        "name": result.path.name,
        "sha256": file_sha256(result.path),
        "frames": result.frames,
        "pictures_sha256": result.pictures_sha256,
    }


def path_from(folder: Path, path: Path) -> str:
    """Where ``path`` lies as seen from ``folder``."""
    try:
        return os.path.relpath(path.resolve(), folder.resolve())
    except ValueError:  # on another drive
        return str(path.resolve())


def source_entry(info: VideoInfo, folder: Path, sha256: str | None = None) -> dict[str, Any]:
    """What a record in ``folder`` says of a source: where it lies as seen from there, its hash.

    sha256: the hash, where it is known already.
    """
    return {
        "name": info.path.name,
        "path": path_from(folder, info.path),
        "sha256": sha256 or source_hash(info.path),
        "width": info.width,
        "height": info.height,
        "time_base": str(info.time_base),
        "codec": info.codec,
    }


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What ``vsr run`` did; written as JSON beside the output."""

    vsr: str
    versions: dict[str, str]
    source: dict[str, Any]
    outputs: list[dict[str, Any]]
    recipe: dict[str, Any]
    recipe_sha256: str
    """of the recipe's values, see `recipe_hash`"""
    model: dict[str, Any]
    """name and sha256 of the weights, and the scale of the output"""
    frames: dict[str, int | None]
    """source: frames in the source (None where not counted); decoded: those that a decoder
    gives; off_grid: of them, those that the rate leaves out; written; lost_start, lost_middle,
    lost_end: frames of the source that no decoder gives, by where they stand; cut_off: further
    ones, ahead of its last frame, that a source which breaks off does not hold"""
    faces: int
    tracks: list[dict[str, Any]]
    seconds: float
    """wall time of the whole run"""
    stages: list[dict[str, Any]]
    """per queue: items, and how long its two ends waited for each other"""
    first_frame_s: float | None = None
    """wall time until the first frame was written: of loading, and of filling the queues"""
    faces_from: FacesFrom = "detector"
    detector: dict[str, str] = field(default_factory=dict)
    """name and sha256, see `detector_entry`; empty where it found no faces for this command"""
    networks: dict[str, str] = field(default_factory=dict)
    """name and sha256 of the networks that took crops at another working scale"""
    command: str = "run"
    """"run", or "assemble" where an export was put together"""
    broken_at_s: float | None = None
    """second up to which the source could be decoded, where it broke off"""
    clock: list[dict[str, float]] = field(default_factory=list)
    """where the source's clock jumps back, see `vsr.core.video.ClockJump`"""
    notices: list[str] = field(default_factory=list)
    format: int = FORMAT

    @staticmethod
    def collect(
        *,
        source: VideoInfo,
        out: Path,
        outputs: Sequence[EncodeResult],
        recipe: Recipe,
        faces_from: FacesFrom,
        upscaler: Upscaler,
        tracks: Iterable[Track],
        frames_written: int,
        faces: int,
        report: DecodeReport,
        stages: list[StageStats],
        seconds: float,
        source_sha256: str | None = None,
        first_frame_s: float | None = None,
        working_scales: Iterable[int] = (),
    ) -> Manifest:
        """Gather the record of a finished run; hashes source and outputs.

        out: what the run was told to write, which the manifest will lie beside.
        source_sha256: of the source, where it is known already. working_scales: of the networks
        that took crops at another scale than the run's own.
        """
        tracks, settings, scale = tuple(tracks), recipe.to_dict(), recipe.upscale.scale
        return Manifest(
            vsr=vsr.__version__,
            versions=versions(),
            source=source_entry(source, manifest_path(out).parent, source_sha256),
            outputs=[output_entry(r) for r in outputs],
            recipe=settings,
            recipe_sha256=recipe_hash(settings),
            faces_from=faces_from,
            detector=detector_entry(recipe.detect) if faces_from == "detector" else {},
            model={"name": upscaler.name, "scale": scale, "sha256": upscaler.sha256},
            networks=Networks(upscaler, recipe.upscale).hashes(working_scales),
            frames={
                "source": source.frame_count,
                "decoded": report.frames_decoded,
                "off_grid": report.frames_decoded - report.frames_kept,
                "written": frames_written,
                "lost_start": report.lost_start,
                "lost_middle": report.lost_middle,
                "lost_end": report.lost_end,
                "cut_off": report.cut_off,
            },
            faces=faces,
            tracks=[track_to_dict(t) for t in tracks],
            seconds=round(seconds, 3),
            first_frame_s=None if first_frame_s is None else round(first_frame_s, 3),
            stages=[_rounded(dataclasses.asdict(s)) for s in stages],
            broken_at_s=report.broken_at_s,
            clock=[dataclasses.asdict(j) for j in source.clock.jumps] if source.clock else [],
            notices=[
                *report.notices,
                *(text for r in outputs for text in r.notices),
                *kept_notices(recipe, sum(t.kept for t in tracks), faces),
                *_missing_tracks(recipe, tracks),
            ],
        )

    @property
    def lost(self) -> int:
        """Frames of the source that could not be decoded; those behind a break count too."""
        return sum(self.frames.get(f"lost_{place}") or 0 for place in ("start", "middle", "end"))

    def loss(self, out: Path) -> str:
        """What the result ``out`` lacks of a source that broke off or lost frames, in a line."""
        frames = self.frames
        earlier = sum(frames.get(key) or 0 for key in ("lost_start", "lost_middle", "cut_off"))
        if self.broken_at_s is None:
            held = "the" if not frames.get("off_grid") else f"{frames['written']} of the"
            return (
                f"{self.lost} of the source's {frames['source']} frames could not be decoded; "
                f"{out} holds {held} other {frames['decoded']} and is playable"
            )
        held = f"all but {earlier} frames" if earlier else "everything"
        return (
            f"the source breaks off at {self.broken_at_s:.2f} s; "
            f"{out} holds {held} up to there and is playable"
        )

    def placed(self, name: str, source: str | None) -> Manifest:
        """The record of a single output that was made elsewhere and is moved beside it.

        name: its final file name. source: path of the source as seen from the final folder,
        None where there is none.
        """
        return dataclasses.replace(
            self,
            outputs=[{**self.outputs[0], "name": name}],
            source={**self.source, "path": source},
        )

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON values."""
        return dataclasses.asdict(self)

    def to_json(self) -> str:
        """The record as indented JSON, lists of plain values on one line."""
        text = json.dumps(self.to_dict(), indent=2, ensure_ascii=False)
        # within a JSON string there are no line breaks, so only the layout can match
        return _PLAIN_LIST.sub(lambda m: re.sub(r"\n\s*", " ", m[0]).strip(), text) + "\n"

    def write(self, out: Path) -> Manifest:
        """Write the record beside ``out`` (or into it, where it is a folder)."""
        write_atomically(manifest_path(out), self.to_json())
        return self


def versions() -> dict[str, str]:
    """Versions of the programs and packages that have a say in the result, and Keras' backend."""
    backend = backend_name()
    found = {
        "python": platform.python_version(),
        "ffmpeg": ffmpeg_version(),
        "backend": backend,
    }
    for package in (*_PACKAGES, *_OTHER_BACKENDS.get(backend, ())):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def backend_name() -> str:
    """What Keras runs on here; does not load it."""
    if keras := sys.modules.get("keras"):
        return keras.backend.backend()
    return os.environ.get("KERAS_BACKEND", "tensorflow")


def _missing_tracks(recipe: Recipe, tracks: Iterable[Track]) -> list[str]:
    """Which of the chosen tracks there were not, in a notice each."""
    missing = recipe.choose.missing(t.track_id for t in tracks)
    remedy = "'vsr faces --sheet' shows every track's number"
    return [f"--track {text}: the source has no such face; {remedy}" for text in missing]


def detector_entry(cfg: DetectConfig) -> dict[str, str]:
    """The name of the detector that a configuration gets here, and the hash of its file.

    Other detectors' weights come with their packages, whose versions tell them.
    """
    name, sha256 = detector_name(cfg), ""
    if DETECTORS[name].takes_file and cfg.model_file is not None:
        with contextlib.suppress(OSError):  # the detector says itself what is wrong with it
            sha256 = file_sha256(cfg.model_file)
    return {"name": name, "sha256": sha256}


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    return {k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()}
