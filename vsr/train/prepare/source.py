"""What a layout reader hands on: the images of a source, who is on them, and what it left out."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from vsr.core.errors import DataError
from vsr.core.geometry import Box
from vsr.train.origin import NOT_STATED

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")

SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".pgm", ".ppm", ".pnm")
)


@dataclass(frozen=True, slots=True)
class SourceImage:
    """One face that may become a pair."""

    path: Path
    """the picture it is in"""
    source: str
    """how reports call it: the path below the source folder, "#id" added for one of several"""
    name: str
    """wanted stem of the output files"""
    identity: str | None = None
    """who it is; None where the source does not say"""
    split: Split | None = None
    """where the source's own partition puts it; None where it has none"""
    box: Box | None = None
    """square to cut out, source pixels; None leaves it to the crop rule"""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A row of the reject report."""

    source: str
    reason: str
    """one of few, e.g. "too small" """
    detail: str = ""
    """the case's own numbers"""


@dataclass(frozen=True, kw_only=True)
class Listing:
    """A source folder as its layout reader sees it."""

    images: list[SourceImage]
    skipped: list[Skipped] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    crop: str = "square"
    """the layout's own crop rule"""
    cut: str = ""
    """what the card says of how faces are cut, where it is not by the crop rule"""
    terms: str = NOT_STATED
    annotations: dict[str, dict[str, int]] = field(default_factory=dict)
    """counts of what annotation files say, e.g. {"pose": {"frontal": 12}}"""


class Unusable(Exception):
    """An image cannot become a pair; becomes a row of the reject report."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def walk_images(root: Path) -> Iterator[Path]:
    """Every image file below ``root`` in path order; hidden files and folders are passed over.

    Links to folders are followed, each folder once. Raises DataError where a folder cannot be read.
    """

    def fail(error: OSError) -> None:
        raise DataError(f"{error.filename}: cannot be read ({error.strerror})") from error

    found: list[Path] = []
    seen: set[str] = set()
    for folder, folders, names in os.walk(root, onerror=fail, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [f for f in folders if not f.startswith(".") and f != "__MACOSX"]
        found += [
            Path(folder, n)
            for n in names
            if not n.startswith(".") and os.path.splitext(n)[1].lower() in SUFFIXES
        ]
    yield from sorted(found)


def relative(path: Path, root: Path) -> str:
    """The path below ``root`` as text that every file can hold (odd bytes replaced)."""
    text = path.relative_to(root).as_posix()
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def stem_of(source: str) -> str:
    """A file stem made of a path: "alice/img 1.jpg" becomes "alice_img_1"."""
    text = re.sub(r"[^\w.-]+", "_", os.path.splitext(source)[0]).strip("._-")
    return text[-120:] or "image"


def read_text(path: Path) -> str:
    """A list file as text, UTF-8 or else Latin-1; raises DataError where it cannot be read."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")
