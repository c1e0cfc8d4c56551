"""How strongly and how often LR pictures are degraded: ranges and draws."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal, get_args

import numpy as np

from vsr.degrade.kernels import Resizing

Range = tuple[float, float]

Codec = Literal["x264", "x265", "mpeg4", "mjpeg"]
PRESETS_X264 = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow")


def _check(name: str, got: object, good: bool, wanted: str) -> None:
    if not good:
        raise ValueError(f"degrade.{name}: got {got!r}, expected {wanted}; correct the recipe")


@dataclass(frozen=True, kw_only=True)
class Coding:
    """A video encoder's pass over a whole clip; `vsr.run.recode` runs it."""

    codec: Codec = "x264"
    quality: float = 28.0
    """x264 and x265: CRF, 0 (best) to 51; mpeg4 and mjpeg: quantiser, 1 (best) to 31"""
    preset: str = "medium"
    """speed of x264 and x265, "ultrafast" to "slow" """
    gop: int = 250
    """frames from one keyframe to the next at most"""

    def __post_init__(self) -> None:
        low, high = (0, 51) if self.codec in ("x264", "x265") else (1, 31)
        _check("codec", self.codec, self.codec in get_args(Codec), f"one of {get_args(Codec)}")
        _check("quality", self.quality, low <= self.quality <= high, f"{low} to {high}")
        _check("preset", self.preset, self.preset in PRESETS_X264, f"one of {PRESETS_X264}")
        _check("gop", self.gop, 1 <= self.gop <= 1000, "1 to 1000 frames")


@dataclass(frozen=True, kw_only=True)
class Degradation:
    """One way from HR to LR, every number fixed. Applied in the order of the fields."""

    blur_sigma: float = 0.0
    """Gaussian, HR pixels; 0: none"""
    defocus_px: float = 0.0
    """radius of the disc that a lens out of focus makes of a point, HR pixels; 0: none"""
    motion_px: float = 1.0
    """straight-line motion during the exposure, HR pixels; 1: none"""
    motion_angle: float = 0.0
    """its direction, radians"""
    reduction: Resizing = "bicubic"
    via: float = 1.0
    """resized twice: first to this many times the LR size; 1: in one step"""
    shrink: float = 1.0
    """how much smaller than LR the picture was before somebody enlarged it; 1: not enlarged"""
    noise_sigma: float = 0.0
    """Gaussian, independent per sample, 8-bit levels; 0: none"""
    shot_noise: float = 0.0
    """variance of the photon noise per level of brightness, 8-bit levels; 0: none"""
    sharpen: float = 0.0
    """share of the difference from a blurred copy (sigma 1 px) that a camera adds; 0: none"""
    jpeg_quality: int | None = None
    """1..100, 4:2:0; None: not compressed"""
    enlarge: Resizing = "bicubic"
    """filter of the enlargement, where ``shrink`` is above 1; never "area" """
    coding: Coding | None = None
    """video encoder; None: none"""
    second: Coding | None = None
    """encoder of a second generation"""

    def __post_init__(self) -> None:
        quality = self.jpeg_quality
        _check("blur_sigma", self.blur_sigma, 0 <= self.blur_sigma <= 10, "0 to 10 px")
        _check("defocus_px", self.defocus_px, 0 <= self.defocus_px <= 15, "0 to 15 px")
        _check("motion_px", self.motion_px, 1 <= self.motion_px <= 31, "1 to 31 px")
        for name in ("reduction", "enlarge"):
            kind = getattr(self, name)
            _check(name, kind, kind in get_args(Resizing), "a known kind")
        _check("enlarge", self.enlarge, self.enlarge != "area", "a filter that enlarges")
        _check("via", self.via, 0.25 <= self.via <= 4, "0.25 to 4")
        _check("shrink", self.shrink, 1 <= self.shrink <= 16, "1 to 16")
        _check("noise_sigma", self.noise_sigma, 0 <= self.noise_sigma <= 100, "0 to 100 levels")
        _check("shot_noise", self.shot_noise, 0 <= self.shot_noise <= 10, "0 to 10 levels")
        _check("sharpen", self.sharpen, 0 <= self.sharpen <= 3, "0 to 3")
        _check("jpeg_quality", quality, quality is None or 1 <= quality <= 100, "1 to 100 or none")


@dataclass(frozen=True, kw_only=True)
class DegradeConfig:
    """Random degradations for training: what share is degraded, and from which ranges."""

    share: float = 0.35
    """of pictures that are degraded at all; the others are only reduced"""
    bicubic_share: float = 0.7
    """reduced by PIL's bicubic; the others by area"""
    blur_sigma: Range = (0.2, 1.2)
    """HR pixels"""
    motion_share: float = 0.0
    """of degraded pictures that are blurred by motion too"""
    motion_px: Range = (2.0, 6.0)
    """HR pixels"""
    noise_share: float = 0.9
    """of degraded pictures that get noise"""
    noise_sigma: Range = (0.5, 8.0)
    """8-bit levels"""
    jpeg_share: float = 0.9
    """of degraded pictures that are compressed as JPEG"""
    jpeg_quality: Range = (40.0, 95.0)

    def __post_init__(self) -> None:
        limits = {"blur_sigma": 10, "motion_px": 31, "noise_sigma": 100,
                  "jpeg_quality": 100}  # fmt: skip
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name not in limits:
                _check(field.name, value, 0 <= value <= 1, "a share from 0 to 1")
                continue
            low = 1 if field.name in ("motion_px", "jpeg_quality") else 0
            high = limits[field.name]
            good = low <= value[0] <= value[1] <= high
            _check(field.name, value, good, f"a rising range within {low} to {high}")

    def draw(self, rng: np.random.Generator) -> Degradation:
        """One random degradation; the same generator state gives the same one."""
        reduction: Resizing = "bicubic" if rng.random() < self.bicubic_share else "area"
        if rng.random() >= self.share:
            return Degradation(reduction=reduction)
        moves, noisy, jpeg = rng.random(3) < (
            self.motion_share, self.noise_share, self.jpeg_share
        )  # fmt: skip
        return Degradation(
            blur_sigma=rng.uniform(*self.blur_sigma),
            motion_px=rng.uniform(*self.motion_px) if moves else 1.0,
            motion_angle=rng.uniform(0, np.pi) if moves else 0.0,
            reduction=reduction,
            noise_sigma=rng.uniform(*self.noise_sigma) if noisy else 0.0,
            jpeg_quality=round(rng.uniform(*self.jpeg_quality)) if jpeg else None,
        )
