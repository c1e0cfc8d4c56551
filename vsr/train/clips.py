"""Training patches out of data sets of clips: degraded beforehand, by real encoders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from vsr.core.errors import DataError
from vsr.degrade.layers import shifted
from vsr.models.runtime import current
from vsr.train.backend import place
from vsr.train.prepare.clipset import ClipSet, Shard, open_clipset
from vsr.train.recipe import DataConfig
from vsr.train.shown import Shown

ops: Any = keras.ops  # its stubs know tensors of no backend


class ClipSource:
    """Frames of clips, cut to patches; the arrays stay on disk and are mapped.

    ``batch(step)`` depends on the seed and the step alone.
    """

    def __init__(self, sets: Sequence[ClipSet], data: DataConfig, seed: int) -> None:
        self.data, self.seed, self.scale = data, seed, sets[0].scale
        self._shards = [_filled(s) for s in sets]
        self.pictures = sum(s.count("train") for s in sets)
        self.shown = shown_of_clips(sets)

    def batch(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """The step's LR and HR patches, uint8 RGB."""
        rng = np.random.default_rng([self.seed, step])
        pairs = [self._patch(rng) for _ in range(self.data.batch)]
        return np.stack([lr for lr, _ in pairs]), np.stack([hr for _, hr in pairs])

    def batches(self, start: int) -> Iterator[tuple[Any, Any]]:
        """See `vsr.train.data.BatchSource`."""
        from vsr.train.data import ahead

        return ahead(self, start)

    def _patch(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        pick = _drawn(self._shards, self.data, rng)
        patch, scale = self.data.patch_px, self.scale
        shard = self._shards[pick.which][pick.shard]
        y, x = pick.y, pick.x
        lr = shard.lr[pick.clip, pick.version, pick.frame, y : y + patch, x : x + patch]
        high = slice(y * scale, (y + patch) * scale), slice(x * scale, (x + patch) * scale)
        hr = shard.hr[pick.clip, pick.frame][high]
        if pick.flip:
            lr, hr = lr[:, ::-1], hr[:, ::-1]
        return np.ascontiguousarray(lr), np.ascontiguousarray(hr)


class DeviceClipSource(ClipSource):
    """The same patches, cut on the accelerator: its memory holds all frames as uint8."""

    def __init__(self, sets: Sequence[ClipSet], data: DataConfig, seed: int) -> None:
        super().__init__(sets, data, seed)
        shards = [shard for shards in self._shards for shard in shards]
        self._numbers, hr, lr = [], [], []
        count = [0, 0]
        for shard in shards:
            self._numbers.append(tuple(count))
            hr.append(shard.hr.reshape(-1, *shard.hr.shape[2:]))
            lr.append(shard.lr.reshape(-1, *shard.lr.shape[3:]))
            count = [count[0] + len(hr[-1]), count[1] + len(lr[-1])]
        self._first = np.cumsum([0, *map(len, self._shards)])
        self._hr = ops.convert_to_tensor(np.concatenate(hr))
        self._lr = ops.convert_to_tensor(np.concatenate(lr))
        self._make = current().compile_step(self._patches, [])

    def batches(self, start: int) -> Iterator[tuple[Any, Any]]:
        """See `vsr.train.data.BatchSource`."""
        step = start
        while True:
            made = self._make(self._lr, self._hr, self._places(step))
            yield place(made["lr"]), place(made["hr"])
            step += 1

    def _places(self, step: int) -> np.ndarray:
        """LR frame, HR frame, row, column and 1 where mirrored, int32 ``(B, 5)``."""
        rng = np.random.default_rng([self.seed, step])
        rows = []
        for _ in range(self.data.batch):
            pick = _drawn(self._shards, self.data, rng)
            shard = self._shards[pick.which][pick.shard]
            hr, lr = self._numbers[self._first[pick.which] + pick.shard]
            versions, frames = shard.lr.shape[1:3]
            lr += (pick.clip * versions + pick.version) * frames + pick.frame
            rows.append((lr, hr + pick.clip * frames + pick.frame, pick.y, pick.x, pick.flip))
        return np.array(rows, np.int32)

    def _patches(self, lr: Any, hr: Any, places: Any) -> dict[str, Any]:
        mirrored = ops.reshape(places[:, 4], (-1, 1, 1, 1)) > 0
        made = {}
        for name, frames, which, times in (("lr", lr, 0, 1), ("hr", hr, 1, self.scale)):
            patch = ops.take(frames, places[:, which], axis=0)
            for axis in (1, 2):
                side = self.data.patch_px * times
                patch = shifted(patch, axis, places[:, 1 + axis] * times, side)
            patch = ops.where(mirrored, ops.flip(patch, axis=2), patch)
            made[name] = ops.cast(patch, "float32") / 127.5 - 1.0
        return made


@dataclass(frozen=True, slots=True)
class _Pick:
    """One patch: data set, shard, clip, version, frame, LR row and column, whether mirrored."""

    which: int
    shard: int
    clip: int
    version: int
    frame: int
    y: int
    x: int
    flip: bool


def _drawn(sets: list[list[Shard]], data: DataConfig, rng: np.random.Generator) -> _Pick:
    extra = len(sets) > 1 and rng.random() < data.extra_share
    which = 1 + int(rng.integers(len(sets) - 1)) if extra else 0
    number = int(rng.integers(len(sets[which])))
    clips, versions, frames, side = sets[which][number].lr.shape[:4]
    clip, version = int(rng.integers(clips)), int(rng.integers(versions))
    frame = int(rng.integers(frames))
    y, x = (int(v) for v in rng.integers(side - data.patch_px + 1, size=2))
    flip = bool(data.flip and rng.random() < 0.5)
    return _Pick(which, number, clip, version, frame, y, x, flip)


def open_clip_source(dataset: Path, data: DataConfig, scale: int, seed: int) -> ClipSource:
    """The source over a data set of clips and those of ``data.extra``.

    Raises:
        DataError: one does not hold what the recipe needs.
    """
    crop = data.patch_px * scale
    paths = [dataset, *map(Path, data.extra)]
    made = DeviceClipSource if data.source == "device" else ClipSource
    return made([open_clipset(path, scale=scale, crop=crop) for path in paths], data, seed)


def shown_of_clips(sets: Sequence[ClipSet]) -> Shown:
    """What a model's card says of clips."""
    scale, names = sets[0].scale, [s.origin.name for s in sets]
    more = f" and of {', '.join(names[1:])}" if names[1:] else ""
    clips = sum(s.count("train") for s in sets)
    sides = [s.hr_size // scale for s in sets]
    return Shown(
        words=f"{clips} clips of {sets[0].card['frames']} frames of {names[0]}{more}, degraded by "
        "lens, motion, noise and real video encoders (vsr prepare clips)",
        sides=(min(sides) // 2, 2 * max(sides)),
        origins=tuple(s.origin for s in sets),
    )


def _filled(clips: ClipSet) -> list[Shard]:
    shards = [s for s in clips.shards("train") if len(s.hr)]
    if not shards:
        raise DataError(f"{clips.path}: holds no training clips; prepare it with a smaller --val")
    return shards
