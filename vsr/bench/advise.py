"""What the measurements say about four settings: batch, precision, detection stride, preset."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from vsr.bench.bound import StageTime, lower_bound
from vsr.bench.generator import GeneratorResult, GeneratorRow
from vsr.bench.measure import timed
from vsr.bench.outlook import PRESET_FRAMES
from vsr.bench.stages import Prepared, encoded, suffix_of
from vsr.core.types import Face, FrameFaces
from vsr.faces.detect import detect
from vsr.faces.track import track
from vsr.media.codecs import CODECS, PRESETS
from vsr.media.decode import DecodeConfig
from vsr.run.recipe import override
from vsr.run.source import open_source

STRIDES: tuple[int | Literal["auto"], ...] = (1, 2, 3, 5, 8, "auto")
MIN_RECALL = 0.99
"""of the faces found with a search in every frame, that a longer stride must find too"""
_TRIED_PRESETS = PRESETS[: PRESETS.index("medium") + 1]
_SAMPLED = 10
"""every so many of them are compared with what went into the encoder"""
_NEAR = 0.95
"""of the best rate: the smallest batch or stride that reaches it is recommended"""
_WORTH = 1.05
"""times as fast as float32: what bfloat16 must be to be recommended"""
MAX_ERROR_LEVELS = 1.0
"""grey levels by which bfloat16 may differ from float32 (99.9th percentile)"""
_LARGEST_BATCH = 64
"""that `UpscaleConfig.batch_size` takes"""


@dataclass(frozen=True, slots=True)
class Advice:
    """A setting that the measurements speak for."""

    key: str
    """table.key of the recipe"""
    value: str | int
    now: str | int
    """what the recipe says"""
    reason: str


@dataclass(frozen=True, slots=True)
class StrideRow:
    """Detection with one stride."""

    stride: int | Literal["auto"]
    frames_per_s: float
    recall: float
    """0..1: share of the followed faces of stride 1 that are followed with this one"""


@dataclass(frozen=True, slots=True)
class PresetRow:
    """One encoder preset at the recipe's quality."""

    preset: str
    frames_per_s: float
    cpu_s_per_frame: float
    bytes_per_frame: float
    psnr_y_db: float
    """of the encoded luma against the pictures that went in"""


def try_strides(made: Prepared, on_step: Callable[[str], None]) -> tuple[StrideRow, ...]:
    """Search the whole picture ever more seldom: speed, and which faces are lost."""
    rows: list[StrideRow] = []
    truth: Sequence[FrameFaces] = ()
    for stride in STRIDES:
        cfg = dataclasses.replace(made.recipe.detect, stride=stride)
        seen: list[FrameFaces] = []
        took = timed(lambda c=cfg, s=seen: _noted(detect(made.frames, made.detector, c), s))
        found = list(track(seen, made.recipe.track))
        truth = truth or found
        rows.append(StrideRow(stride, took.items / took.seconds, recall(truth, found)))
        on_step(f"stride {stride}")
    return tuple(rows)


def _noted(items: Iterable[FrameFaces], into: list[FrameFaces]) -> Iterator[FrameFaces]:
    for item in items:
        into.append(item)
        yield item


def recall(truth: Iterable[FrameFaces], found: Iterable[FrameFaces]) -> float:
    """Share of the faces of ``truth`` that ``found`` has too (IoU of 0.5 or more), frame by frame.

    1.0 where there is no face at all.
    """
    total = hits = 0
    for wanted, got in zip(truth, found, strict=True):
        total += len(wanted.faces)
        hits += sum(_is_among(face, got.faces) for face in wanted.faces)
    return hits / total if total else 1.0


def _is_among(face: Face, others: Iterable[Face]) -> bool:
    return any(face.box.iou(other.box) >= 0.5 for other in others)


def try_presets(
    made: Prepared, folder: Path, on_step: Callable[[str], None]
) -> tuple[PresetRow, ...]:
    """Encode the prepared pictures with each preset: speed, size and what is lost."""
    recipe = made.recipe
    if recipe.output != "frame" or CODECS[recipe.encode.codec].crf_max is None:
        return ()
    part = dataclasses.replace(made, judged=made.judged[:PRESET_FRAMES])
    rows = []
    for preset in _TRIED_PRESETS:
        out = folder / f"{preset}{suffix_of(recipe)}"
        choice = override(recipe, [("encode", "preset", preset)])
        took = timed(lambda c=choice, o=out: encoded(part, c, o))
        size = out.stat().st_size / took.items
        psnr = _psnr_y(part, out)
        rate = took.items / took.seconds
        rows.append(PresetRow(preset, rate, took.cpu_s / took.items, size, psnr))
        on_step(preset)
    return tuple(rows)


def _psnr_y(made: Prepared, encoded_file: Path) -> float:
    """PSNR of the luma over some of the pictures, dB (100 where they are equal)."""
    errors = []
    first = made.frames[0].canvas
    assert first is not None
    reader = open_source(encoded_file, scale=1, canvas=first.format, cfg=DecodeConfig(fps="source"))
    for frame, item in zip(reader, made.judged, strict=True):
        if frame.index % _SAMPLED == 0 and frame.canvas and item.frame.canvas:
            got, put = (c.planes()[0].astype(np.float32) for c in (frame.canvas, item.frame.canvas))
            errors.append(float(np.mean((got - put) ** 2)))
    peak = 2**first.format.bit_depth - 1
    return float(10 * np.log10(peak**2 / max(np.mean(errors), peak**2 * 1e-10)))


def advise_generator(found: GeneratorResult, made: Prepared) -> list[Advice]:
    """Precision, and the smallest batch that is nearly the best in it."""
    quickest = {row.precision: found.fastest(row.precision) for row in found.rows}
    choice, why = _precision(found, quickest)
    best = quickest[choice]
    rows = [r for r in found.rows if r.precision == choice and r.batch <= _LARGEST_BATCH]
    row = next(r for r in rows if r.faces_per_s >= _NEAR * max(x.faces_per_s for x in rows))
    cfg = made.recipe.upscale
    used = str(getattr(made.upscaler, "precision", cfg.precision))  # what "auto" stands for here
    rates = f"{row.faces_per_s:.1f} faces/s; the best is {best.faces_per_s:.1f} at {best.batch}"
    return [
        Advice("upscale.precision", choice, used, why),
        Advice("upscale.batch_size", row.batch, cfg.batch_size, rates),
    ]


def _precision(found: GeneratorResult, quickest: dict[str, GeneratorRow]) -> tuple[str, str]:
    if len(quickest) == 1:
        (only,) = quickest
        return only, "the only one the recipe allows"
    gain = quickest["bfloat16"].faces_per_s / quickest["float32"].faces_per_s
    error = found.error_levels or 0.0
    text = f"bfloat16 is {gain:.2f} times as fast and {error:.1f} grey levels off"
    good = gain >= _WORTH and error <= MAX_ERROR_LEVELS
    return ("bfloat16" if good else "float32"), text


def advise_stride(rows: Sequence[StrideRow], made: Prepared) -> list[Advice]:
    """What is nearly the quickest of all that keep 99 of 100 faces: the smallest stride.

    "auto" goes before a number, for it follows what moves.
    """
    good = [row for row in rows if row.recall >= MIN_RECALL]
    if not good:
        return []
    best = max(row.frames_per_s for row in good)
    row = min((r for r in good if r.frames_per_s >= _NEAR * best), key=_by_number)
    reason = f"{row.frames_per_s:.0f} frames/s, finds {row.recall:.1%} of what stride 1 finds"
    return [Advice("detect.stride", row.stride, made.recipe.detect.stride, reason)]


def _by_number(row: StrideRow) -> int:
    return 0 if row.stride == "auto" else row.stride


def advise_preset(
    rows: Sequence[PresetRow],
    stages: dict[str, StageTime],
    made: Prepared,
    *,
    cores: int,
    over_bound: float,
    wanted_fps: float,
) -> list[Advice]:
    """The smallest file with which the whole still keeps up with the clock; else the quickest.

    stages: what each stage took for all frames. over_bound: how far the whole is from its bound.
    """
    if not rows:
        return []
    frames = len(made.frames)
    rates = {}
    for row in rows:
        encode = StageTime(frames / row.frames_per_s, frames * row.cpu_s_per_frame)
        bound = lower_bound({**stages, "encode": encode}, cores)
        rates[row.preset] = frames / (bound.seconds * over_bound)
    quick = [row for row in rows if rates[row.preset] >= wanted_fps]
    if quick:
        row = min(quick, key=lambda r: r.bytes_per_frame)
        why = f"the smallest file that keeps up with {wanted_fps:g} frames/s"
    else:
        row = max(rows, key=lambda r: rates[r.preset])
        why = f"the quickest; none keeps up with {wanted_fps:g} frames/s"
    size = row.bytes_per_frame * wanted_fps * 8 / 1e6
    reason = f"{why}: about {rates[row.preset]:.1f}, {size:.1f} Mbit/s, {row.psnr_y_db:.1f} dB"
    return [Advice("encode.preset", row.preset, made.recipe.encode.preset, reason)]
