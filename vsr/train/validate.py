"""How good the generator is while it trains: gain over bicubic on faces it never saw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vsr.degrade.image import degrade_image, enlarge_image, resize_image
from vsr.degrade.kernels import Reduction
from vsr.degrade.presets import JPEG
from vsr.degrade.recipe import Degradation
from vsr.evaluate.metrics import psnr_y, ssim_y
from vsr.train.prepare.clipset import is_clipset, open_clipset
from vsr.train.prepare.dataset import open_dataset
from vsr.train.recipe import TrainRecipe

Upscale = Callable[[np.ndarray], np.ndarray]
"""uint8 ``(B, h, w, 3)`` to uint8 ``(B, s*h, s*w, 3)``"""


@dataclass(frozen=True, slots=True)
class ValidationSet:
    """Faces reduced once, clean and degraded, and how far bicubic gets with them."""

    hr: np.ndarray
    """uint8 RGB ``(N, H, W, 3)``"""
    clean: np.ndarray
    """uint8 RGB ``(N, H/s, W/s, 3)``"""
    degraded: np.ndarray
    """the same, by `JPEG`, or as the clips are"""
    bicubic: float
    """PSNR of bicubic enlargement of ``clean``, dB"""
    bicubic_degraded: float
    """PSNR of bicubic enlargement of ``degraded``, dB"""

    def measure(self, upscale: Upscale) -> dict[str, float]:
        """PSNR in dB and SSIM on BT.601 luma, mean over the faces, and gains over bicubic."""
        sr, degraded = _batched(upscale, self.clean), _batched(upscale, self.degraded)
        psnr = _mean(psnr_y, sr, self.hr)
        return {
            "psnr": psnr,
            "ssim": _mean(ssim_y, sr, self.hr),
            "gain": psnr - self.bicubic,
            "gain_degraded": _mean(psnr_y, degraded, self.hr) - self.bicubic_degraded,
        }


def open_validation(recipe: TrainRecipe, dataset: Path) -> ValidationSet | None:
    """The validation split at the recipe's fixed size; None where there is none or none wanted."""
    scale = recipe.generator.scale
    if is_clipset(dataset):
        return _of_clips(recipe, dataset)
    prepared = open_dataset(dataset)
    if recipe.data.validation == 0 or not prepared.names["val"]:
        return None
    faces = prepared.load_hr("val", recipe.data.validation)
    step = scale * recipe.generator.multiple_of
    side = min(recipe.data.fixed_px, prepared.hr_size) // step * step
    hr = np.stack([resize_image(face, side, side, "area") for face in faces])
    return make_validation(hr, scale, recipe.data.validation_reduction)


def _of_clips(recipe: TrainRecipe, dataset: Path) -> ValidationSet | None:
    """The middle frames of the validation clips, as they were degraded and plainly reduced."""
    scale, limit = recipe.generator.scale, recipe.data.validation
    clips = open_clipset(dataset, scale=scale, crop=recipe.data.patch_px * scale)
    shards = clips.shards("val")
    if limit == 0 or not shards:
        return None
    middle = int(clips.card["frames"]) // 2
    per = max(1, -(-limit // len(shards)))
    multiple = recipe.generator.multiple_of
    side = shards[0].lr.shape[-2] // multiple * multiple  # what an hourglass can halve
    wide = slice(0, side * scale)
    hr = np.concatenate([s.hr[:per, middle, wide, wide] for s in shards])[:limit]
    degraded = np.concatenate([s.lr[:per, 0, middle, :side, :side] for s in shards])[:limit]
    reduction, rng = recipe.data.validation_reduction, np.random.default_rng(0)
    clean = np.stack([degrade_image(h, scale, Degradation(reduction=reduction), rng) for h in hr])
    return _with_bicubic(hr, clean, degraded)


def make_validation(hr: np.ndarray, scale: int, reduction: Reduction) -> ValidationSet:
    """Degrades ``hr`` (uint8 ``(N, H, W, 3)``) with one fixed seed."""
    rng = np.random.default_rng(0)
    how = replace(JPEG, reduction=reduction)
    clean = np.stack([degrade_image(h, scale, Degradation(reduction=reduction), rng) for h in hr])
    degraded = np.stack([degrade_image(h, scale, how, rng) for h in hr])
    return _with_bicubic(hr, clean, degraded)


def _with_bicubic(hr: np.ndarray, clean: np.ndarray, degraded: np.ndarray) -> ValidationSet:
    scale = hr.shape[1] // clean.shape[1]
    bicubic = [
        _mean(psnr_y, np.stack([enlarge_image(lr, scale) for lr in lrs]), hr)
        for lrs in (clean, degraded)
    ]
    return ValidationSet(hr, clean, degraded, *bicubic)


def _batched(upscale: Upscale, lr: np.ndarray, size: int = 16) -> np.ndarray:
    return np.concatenate([upscale(lr[i : i + size]) for i in range(0, len(lr), size)])


def _mean(metric: Callable[..., float], a: np.ndarray, b: np.ndarray) -> float:
    return float(np.mean([metric(x, y) for x, y in zip(a, b, strict=True)]))
