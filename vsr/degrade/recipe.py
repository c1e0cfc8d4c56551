"""How strongly and how often LR pictures are degraded: ranges and draws."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import get_args

import numpy as np

from vsr.degrade.kernels import Reduction

Range = tuple[float, float]


def _check(name: str, got: object, good: bool, wanted: str) -> None:
    if not good:
        raise ValueError(f"degrade.{name}: got {got!r}, wanted {wanted}; correct the recipe")


@dataclass(frozen=True, kw_only=True)
class Degradation:
    """One way from HR to LR, every number fixed. Applied in the order of the fields."""

    blur_sigma: float = 0.0
    """Gaussian, HR pixels; 0: none"""
    motion_px: float = 1.0
    """straight-line motion during the exposure, HR pixels; 1: none"""
    motion_angle: float = 0.0
    """its direction, radians"""
    reduction: Reduction = "bicubic"
    noise_sigma: float = 0.0
    """Gaussian, independent per sample, 8-bit levels; 0: none"""
    jpeg_quality: int | None = None
    """1..100, 4:2:0; None: not compressed"""
    h264_qp: float | None = None
    """0..51, transform coding like an H.264 intra picture; None: not compressed"""

    def __post_init__(self) -> None:
        quality, qp = self.jpeg_quality, self.h264_qp
        _check("blur_sigma", self.blur_sigma, 0 <= self.blur_sigma <= 10, "0 to 10 px")
        _check("motion_px", self.motion_px, 1 <= self.motion_px <= 31, "1 to 31 px")
        _check("reduction", self.reduction, self.reduction in get_args(Reduction), "a known kind")
        _check("noise_sigma", self.noise_sigma, 0 <= self.noise_sigma <= 100, "0 to 100 levels")
        _check("jpeg_quality", quality, quality is None or 1 <= quality <= 100, "1 to 100 or none")
        _check("h264_qp", qp, qp is None or 0 <= qp <= 51, "0 to 51 or none")


SURVEILLANCE = Degradation(blur_sigma=0.8, noise_sigma=6.0, jpeg_quality=50)
"""The fixed degradation that models are judged on."""


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
    h264_share: float = 0.0
    """of degraded pictures that are compressed like H.264 (not those that became JPEG)"""
    h264_qp: Range = (22.0, 34.0)

    def __post_init__(self) -> None:
        limits = {"blur_sigma": 10, "motion_px": 31, "noise_sigma": 100,
                  "jpeg_quality": 100, "h264_qp": 51}  # fmt: skip
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
        reduction: Reduction = "bicubic" if rng.random() < self.bicubic_share else "area"
        if rng.random() >= self.share:
            return Degradation(reduction=reduction)
        moves, noisy, jpeg, h264 = rng.random(4) < (
            self.motion_share, self.noise_share, self.jpeg_share, self.h264_share
        )  # fmt: skip
        return Degradation(
            blur_sigma=rng.uniform(*self.blur_sigma),
            motion_px=rng.uniform(*self.motion_px) if moves else 1.0,
            motion_angle=rng.uniform(0, np.pi) if moves else 0.0,
            reduction=reduction,
            noise_sigma=rng.uniform(*self.noise_sigma) if noisy else 0.0,
            jpeg_quality=round(rng.uniform(*self.jpeg_quality)) if jpeg else None,
            h264_qp=rng.uniform(*self.h264_qp) if h264 and not jpeg else None,
        )
