"""The truth: frames of a video or of a folder, or face pictures; and the LR picture of each."""

from __future__ import annotations

import hashlib
import itertools
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from vsr.core.color import PIXEL_FORMATS, ColorSpec
from vsr.core.errors import InputError, UsageError
from vsr.core.hashing import file_sha256
from vsr.core.types import Frame
from vsr.core.video import VideoInfo
from vsr.degrade.image import degrade_image
from vsr.evaluate.experiment.config import ExperimentConfig
from vsr.media.convert import from_rgb
from vsr.media.decode import DecodeConfig
from vsr.media.images import list_images, read_image
from vsr.models.interpolate import InterpolationUpscaler
from vsr.run.recode import recode, recoded
from vsr.run.source import Source, is_folder, open_source, probe_source, source_hash

CANVAS = PIXEL_FORMATS["yuv444p10le"]
"""Fine enough that RGB comes back exactly; the encoder's 4:2:0 and its losses stay out of it."""
COLOR = ColorSpec(matrix="bt709", full_range=True)
MIN_SIDE = 32
"""HR pixels: smaller pictures have nothing to measure"""


@dataclass(frozen=True, slots=True)
class Truth:
    """One frame and what it is worsened to."""

    lr: Frame
    """with its canvas: the LR picture plainly enlarged"""
    rgb: np.ndarray
    """uint8 (s*h, s*w, 3): what is sought"""
    plain: np.ndarray
    """uint8 (s*h, s*w, 3): the canvas in RGB"""
    picture: str | None = None
    """file name of a face picture"""


@dataclass(slots=True)
class TruthSource:
    """Opens a source for an experiment and hands out its truths, once.

    Raises (at construction) InputError or UsageError where the source cannot be read.
    """

    path: Path
    cfg: ExperimentConfig
    decode: DecodeConfig
    notices: list[str] = field(default_factory=list)
    broken_at_s: float | None = None
    kind: str = "video"
    size: tuple[int, int] = (0, 0)
    """width and height of the truth"""
    time_base: Fraction | None = None
    _reader: Source | None = None
    _pictures: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.path.exists():
            raise InputError(f"{self.path}: no such file or folder; check the path of the input")
        if self.cfg.faces:
            self.kind = "faces"
            self._pictures = list_images(self.path)
            return
        info = probe_source(self.path, self.decode)
        if min(info.width, info.height) < MIN_SIDE:
            raise InputError(
                f"{self.path}: is {info.width}x{info.height}, expected at least {MIN_SIDE} pixels "
                "a side; use a larger source"
            )
        self.kind = "frames" if is_folder(info) else "video"
        self.size = self._fit(info.width), self._fit(info.height)
        self.time_base = info.time_base
        self._reader = open_source(
            info, cfg=self.decode, start_s=self.cfg.start_s, end_s=self.cfg.end_s
        )
        timed = self.cfg.start_s is not None or self.cfg.end_s is not None
        if timed and self.expected_frames == 0:
            self._reader.close()
            raise UsageError(f"{self.path}: no frame between --start and --end{_extent(info)}")

    @property
    def expected_frames(self) -> int:
        """How many truths will come if all is whole."""
        return min(self._held, self.cfg.max_frames) if self.cfg.max_frames else self._held

    @property
    def shortened(self) -> bool:
        """Whether the source holds more than is looked at."""
        return self._held > self.expected_frames

    @property
    def _held(self) -> int:
        return len(self._pictures) if self._reader is None else self._reader.expected_frames

    @property
    def _looked_at(self) -> list[Path]:
        return self._pictures[: self.cfg.max_frames or None]

    def describe(self) -> dict[str, Any]:
        """``name``, ``sha256``, sizes and times, as in ``metrics.json``."""
        if self._reader is None:
            lines = [f"{file_sha256(p)}  {p.name}\n" for p in self._looked_at]
            sha256 = hashlib.sha256("".join(lines).encode()).hexdigest()
        else:
            sha256 = source_hash(self.path)
        return {
            "name": self.path.resolve().name,
            "sha256": sha256,
            "kind": self.kind,
            "width": self.size[0],
            "height": self.size[1],
            "time_base": None if self.time_base is None else str(self.time_base),
        }

    def __iter__(self) -> Iterator[Truth]:
        """The truths in order."""
        if self._reader is None:
            yield from self._faces()
            return
        try:
            if self.cfg.degradation.coding is None:
                for frame in itertools.islice(self._reader, self.cfg.max_frames or None):
                    hr = self._fitted(frame)
                    yield self._truth(frame, hr, self._degraded(hr, _key(frame)))
            else:
                yield from self._coded(self._reader)
        finally:
            self._reader.close()
            self.notices += self._reader.report.notices
            self.broken_at_s = self._reader.report.broken_at_s

    def _faces(self) -> Iterator[Truth]:
        index = 0
        for path in self._looked_at:
            try:
                rgb = read_image(path)
                if min(rgb.shape[:2]) < MIN_SIDE:
                    size = f"{rgb.shape[1]}x{rgb.shape[0]}"
                    raise InputError(f"{path}: is {size}, expected {MIN_SIDE} pixels a side")
            except InputError as error:
                self.notices.append(f"{error} (left out)")
                continue
            frame = Frame(index, index, Fraction(1), rgb)
            hr = self._fitted(frame)
            lr = self._degraded(hr, zlib.crc32(path.name.encode()))
            if self.cfg.degradation.coding is not None:
                lr = recode(lr[None], self.cfg.degradation.coding, self.cfg.degradation.second)[0]
            truth = self._truth(frame, hr, lr)
            width, height = truth.rgb.shape[1], truth.rgb.shape[0]
            self.size = max(self.size[0], width), max(self.size[1], height)
            index += 1
            yield replace(truth, picture=path.name)

    def _coded(self, reader: Source) -> Iterator[Truth]:
        """Frames whose LR goes through video encoders: the source is read twice, once for them."""
        how, most = self.cfg.degradation, self.cfg.max_frames or None
        first = open_source(
            probe_source(self.path, self.decode),
            cfg=self.decode, start_s=self.cfg.start_s, end_s=self.cfg.end_s,
        )  # fmt: skip
        try:
            lr = (
                self._degraded(self._fitted(frame), _key(frame))
                for frame in itertools.islice(first, most)
            )
            codings = tuple(c for c in (how.coding, how.second) if c is not None)
            with recoded(lr, codings) as coded:
                for frame, low in zip(itertools.islice(reader, most), coded, strict=True):
                    yield self._truth(frame, self._fitted(frame), low)
        finally:
            first.close()

    def _fitted(self, frame: Frame) -> np.ndarray:
        """8-bit RGB, cropped to a multiple of the scale."""
        rgb = frame.rgb if frame.rgb.dtype == np.uint8 else _eight_bit(frame.rgb)
        height, width = self._fit(rgb.shape[0]), self._fit(rgb.shape[1])
        return np.ascontiguousarray(rgb[:height, :width])

    def _degraded(self, hr: np.ndarray, key: int) -> np.ndarray:
        rng = np.random.default_rng([self.cfg.seed, key])
        return degrade_image(hr, self.cfg.scale, self.cfg.degradation, rng)

    def _truth(self, frame: Frame, hr: np.ndarray, lr: np.ndarray) -> Truth:
        """The frame's LR with the plainly enlarged image beside it."""
        lr = np.ascontiguousarray(lr)
        plain = InterpolationUpscaler("lanczos", self.cfg.scale)(lr[None])[0]
        low = replace(frame, rgb=lr, canvas=from_rgb(plain, CANVAS, COLOR))
        return Truth(low, hr, plain)

    def _fit(self, length: int) -> int:
        return length - length % self.cfg.scale


def _extent(info: VideoInfo) -> str:
    if info.start_pts is None or info.last_pts is None:
        return ""
    first, last = (float(pts * info.time_base) for pts in (info.start_pts, info.last_pts))
    return f"; its frames go from {first:.2f} to {last:.2f} s"


def _key(frame: Frame) -> int:
    """What a frame's noise depends on, besides the seed."""
    return frame.pts & (2**63 - 1)


def _eight_bit(rgb: np.ndarray) -> np.ndarray:
    return np.rint(rgb / np.float32(257)).astype(np.uint8)
