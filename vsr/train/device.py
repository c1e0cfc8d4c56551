"""Training patches made on the accelerator: cut, reduced and degraded in one compiled call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from vsr.core.errors import DataError
from vsr.degrade.layers import Degrade
from vsr.degrade.recipe import DegradeConfig
from vsr.models.runtime import current
from vsr.train.backend import place
from vsr.train.faces import FaceSet
from vsr.train.recipe import DataConfig
from vsr.train.shown import reduced_side, shown_of_sets

ops: Any = keras.ops  # its stubs know tensors of no backend


class DeviceSource:
    """uint8 arrays on the accelerator; only a few numbers a patch go there in each step.

    The same faces, sizes and degradations as `MemorySource` draws, and each step
    holds the same number of patches of ``data.extra``, from one of its folders in turn. A patch
    is cut before it is degraded: filters see its border, not the picture's.
    """

    def __init__(
        self, sets: list[FaceSet], scale: int, data: DataConfig, degrade: DegradeConfig, seed: int
    ) -> None:
        if data.patch_px % 16:
            raise DataError(
                f"data.patch_px: got {data.patch_px}, expected a multiple of 16 with "
                "data.source = 'device' (JPEG's blocks); correct the recipe"
            )
        self.pictures = sum(len(s.pixels) for s in sets)
        self.scale, self.data, self.seed = scale, data, seed
        self.shown = shown_of_sets(sets, scale, data, degrade)
        self._sizes = [s.pixels.shape[:3] for s in sets]
        self._pixels = [ops.convert_to_tensor(s.pixels) for s in sets]
        self._side = data.patch_px * scale
        self._degrade = Degrade(scale, degrade, seed)
        self._make = current().compile_step(self._patches, [self._degrade.generator.state])

    def batches(self, start: int) -> Iterator[tuple[Any, Any]]:
        step = start
        while True:
            rng = np.random.default_rng([self.seed, step])
            # the layer's draws are tied to the step, too
            self._degrade.generator.state.assign(
                np.array([self.seed % 2**32, step], np.uint32).astype("uint32")
            )
            parts: list[Any] = []
            for which, count in self._shares(step):
                parts += [self._pixels[which], *self._windows(rng, which, count)]
            made = self._make(*parts)
            yield place(made["lr"]), place(made["hr"])
            step += 1

    def _shares(self, step: int) -> list[tuple[int, int]]:
        """(set, number of its patches) of a step."""
        batch, others = self.data.batch, len(self._sizes) - 1
        extra = round(batch * self.data.extra_share) if others else 0
        shares = [(0, batch - extra), (1 + step % max(others, 1), extra)]
        return [(which, count) for which, count in shares if count]

    def _windows(
        self, rng: np.random.Generator, which: int, count: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Which pictures, and where: pictures ``(B,)`` int32, numbers ``(B, 4)`` float32.

        The numbers: top and left edge in the reduced picture, source pixels to one of its pixels,
        1 where it is mirrored.
        """
        pictures, *sides = self._sizes[which]
        numbers = np.empty((count, 4), np.float32)
        for row in numbers:
            side = reduced_side(self.data, self.scale, min(sides), which > 0, rng)
            reduced = [s * side // min(sides) for s in sides]
            edges = [rng.integers(r - self._side + 1) for r in reduced]
            row[:] = *edges, min(sides) / side, float(self.data.flip and rng.random() < 0.5)
        return rng.integers(pictures, size=count).astype(np.int32), numbers

    def _patches(self, *parts: Any) -> dict[str, Any]:
        """HR and LR patches of (pixels, pictures, numbers) for each set, in [-1, 1]."""
        groups = [parts[i : i + 3] for i in range(0, len(parts), 3)]
        hr = ops.concatenate([_cut(*group, side=self._side) for group in groups])
        return {"lr": self._degrade(hr) / 127.5 - 1.0, "hr": hr / 127.5 - 1.0}


def _cut(pixels: Any, pictures: Any, numbers: Any, side: int) -> Any:
    """``(B, side, side, 3)`` float32 whole levels: pictures reduced by area, cut and mirrored.

    Cutting and reducing are two products with matrices that hold the overlap of each source
    pixel with each pixel of the window.
    """
    chosen = ops.cast(ops.take(pixels, pictures, axis=0), "float32")
    top, left, ratio, mirrored = (ops.reshape(numbers[:, i], (-1, 1, 1)) for i in range(4))
    rows = _overlaps(top, ratio, side, pixels.shape[1])
    columns = _overlaps(left, ratio, side, pixels.shape[2])
    columns = ops.where(mirrored > 0.5, ops.flip(columns, axis=1), columns)
    window = ops.einsum("byh,bhwc->bywc", rows, chosen)
    window = ops.einsum("bxw,bywc->byxc", columns, window)
    return ops.clip(ops.round(window), 0.0, 255.0)


def _overlaps(first: Any, ratio: Any, side: int, source: int) -> Any:
    """``(B, side, source)``: what share of pixel i of the window source pixel j covers."""
    begin = (first + ops.reshape(ops.arange(side, dtype="float32"), (1, -1, 1))) * ratio
    pixel = ops.reshape(ops.arange(source, dtype="float32"), (1, 1, -1))
    overlap = ops.minimum(begin + ratio, pixel + 1.0) - ops.maximum(begin, pixel)
    return ops.maximum(overlap, 0.0) / ratio
