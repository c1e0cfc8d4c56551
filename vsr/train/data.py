"""Training batches: three sources behind one interface, all a function of (seed, step).

``batch(step)`` depends on nothing but the seed and the step, so a run that was killed goes on
with the very batches an uninterrupted one would have seen.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np

from vsr.core.errors import DataError
from vsr.degrade.image import degrade_image, resize_image
from vsr.degrade.recipe import DegradeConfig
from vsr.run.flow import Flow
from vsr.train.backend import place
from vsr.train.clips import open_clip_source
from vsr.train.device import DeviceSource
from vsr.train.faces import FaceSet, load_dataset, load_extra, read_picture
from vsr.train.prepare.clipset import is_clipset
from vsr.train.prepare.dataset import PairedDataset, open_dataset
from vsr.train.recipe import DataConfig, TrainRecipe
from vsr.train.shown import Shown, reduced_side, shown_of_pairs, shown_of_sets

_KEPT_BYTES = 2**29
"""of decoded files that stay in memory"""


class BatchSource(Protocol):
    """Where batches come from."""

    pictures: int
    """number of distinct HR pictures"""
    shown: Shown
    """what the batches are made of"""

    def batches(self, start: int) -> Iterator[tuple[Any, Any]]:
        """Endless (LR ``(B, p, p, 3)``, HR ``(B, s*p, s*p, 3)``) from step ``start`` on.

        Tensors of the backend, float32 RGB in [-1, 1].
        """
        ...


class Batched(Protocol):
    """A source whose batches are made on the CPU."""

    def batch(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """LR and HR of a step, uint8 RGB."""
        ...


class MemorySource:
    """uint8 arrays in memory; patches are cut and degraded on the CPU by a thread of its own."""

    def __init__(
        self, sets: list[FaceSet], scale: int, data: DataConfig, degrade: DegradeConfig, seed: int
    ) -> None:
        self.sets, self.scale, self.data = sets, scale, data
        self.degrade, self.seed = degrade, seed
        self.pictures = sum(len(s.pixels) for s in sets)
        self.shown = shown_of_sets(sets, scale, data, degrade)

    def batch(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """The step's LR and HR patches, uint8 RGB."""
        rng = np.random.default_rng([self.seed, step])
        pairs = [self._patch(rng) for _ in range(self.data.batch)]
        return np.stack([lr for lr, _ in pairs]), np.stack([hr for _, hr in pairs])

    def batches(self, start: int) -> Iterator[tuple[Any, Any]]:
        return ahead(self, start)

    def _patch(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Reduce a picture to some size, degrade it whole, then cut: the JPEG grid and the
        picture's border fall anywhere in the patches."""
        extra = len(self.sets) > 1 and rng.random() < self.data.extra_share
        chosen = self.sets[1 + int(rng.integers(len(self.sets) - 1))] if extra else self.sets[0]
        hr = chosen.pixels[rng.integers(len(chosen.pixels))]
        hr = self._resized(hr, extra, rng)
        if self.data.flip and rng.random() < 0.5:
            hr = hr[:, ::-1]
        hr = np.ascontiguousarray(hr)
        lr = degrade_image(hr, self.scale, self.degrade.draw(rng), rng)
        patch, scale = self.data.patch_px, self.scale
        y = int(rng.integers(lr.shape[0] - patch + 1))
        x = int(rng.integers(lr.shape[1] - patch + 1))
        high = slice(y * scale, (y + patch) * scale), slice(x * scale, (x + patch) * scale)
        return lr[y : y + patch, x : x + patch], hr[high]

    def _resized(self, hr: np.ndarray, extra: bool, rng: np.random.Generator) -> np.ndarray:
        """The picture at one of the recipe's sizes, its sides multiples of the scale."""
        step, full = self.scale, min(hr.shape[:2])
        side = reduced_side(self.data, step, full, extra, rng)
        if side == full:  # as it is, cut to a multiple of the scale
            return hr[: hr.shape[0] // step * step, : hr.shape[1] // step * step]
        least = self.data.patch_px * step
        height, width = (round(s * side / full) // step * step for s in hr.shape[:2])
        return resize_image(hr, max(width, least), max(height, least), "area")


class FileSource:
    """LR and HR files in pairs, shuffled anew each epoch: the seed's protocol.

    On TensorFlow a `tf.data` pipeline decodes, pairs, normalises, batches and prefetches; on
    other backends a thread does the same with OpenCV.
    """

    def __init__(self, dataset: PairedDataset, data: DataConfig, seed: int) -> None:
        pairs = dataset.pairs("train")
        if len(pairs) < data.batch:
            raise DataError(
                f"{dataset.path}: holds {len(pairs)} pairs, expected at least data.batch = "
                f"{data.batch}; lower it or add pictures"
            )
        if dataset.lr_size != data.patch_px:  # which a discriminator's side goes by
            raise DataError(
                f"{dataset.path}: its LR pictures are {dataset.lr_size} px wide, expected "
                f"data.patch_px = {data.patch_px}; prepare it with --hr "
                f"{data.patch_px * dataset.scale}, or set data.patch_px (and discriminator.side)"
            )
        self.pairs, self.data, self.seed = pairs, data, seed
        self.pictures, self.shown = len(pairs), shown_of_pairs(dataset)
        self._kept: dict[Path, np.ndarray] = {}
        self._room = _KEPT_BYTES
        self.steps_per_epoch = len(pairs) // data.batch

    def names(self, step: int) -> list[tuple[Path, Path]]:
        """The step's files: a slice of its epoch's permutation; the last part batch is left out."""
        epoch, place_in_epoch = divmod(step, self.steps_per_epoch)
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.pairs))
        first = place_in_epoch * self.data.batch
        return [self.pairs[i] for i in order[first : first + self.data.batch]]

    def batch(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """The step's LR and HR pictures, uint8 RGB."""
        faces = [[self._picture(path) for path in pair] for pair in self.names(step)]
        flips = self._flips(step)
        pairs = [[p[:, ::-1] if flip else p for p in pair]
                 for pair, flip in zip(faces, flips, strict=True)]  # fmt: skip
        return np.stack([lr for lr, _ in pairs]), np.stack([hr for _, hr in pairs])

    def _picture(self, path: Path) -> np.ndarray:
        """Read once where all fits into memory: an accelerator is faster than PNG's decoder."""
        found = self._kept.get(path)
        if found is None:
            found = _read(path)
            if found.nbytes <= self._room:
                self._kept[path] = found
                self._room -= found.nbytes
        return found

    def _flips(self, step: int) -> np.ndarray:
        rng = np.random.default_rng([self.seed, step, 1])
        return (rng.random(self.data.batch) < 0.5) & self.data.flip

    def batches(self, start: int) -> Iterator[tuple[Any, Any]]:
        if keras.backend.backend() == "tensorflow":
            return self._tf_batches(start)
        return ahead(self, start)

    def _tf_batches(self, start: int) -> Iterator[tuple[Any, Any]]:
        import tensorflow as tf

        def listed() -> Iterator[tuple[str, str, bool]]:
            step = start
            while True:
                for (lr, hr), flip in zip(self.names(step), self._flips(step), strict=True):
                    yield str(lr), str(hr), bool(flip)
                step += 1

        def decode(path: Any, flip: Any) -> Any:
            picture = tf.io.decode_image(tf.io.read_file(path), 3, expand_animations=False)
            picture = tf.ensure_shape(picture, (None, None, 3))
            return tf.cond(flip, lambda: picture[:, ::-1], lambda: picture)

        def pair(lr: Any, hr: Any, flip: Any) -> tuple[Any, Any]:
            return tuple(tf.cast(decode(p, flip), tf.float32) / 127.5 - 1.0 for p in (lr, hr))

        kinds = tuple(tf.TensorSpec((), t) for t in (tf.string, tf.string, tf.bool))
        dataset = tf.data.Dataset.from_generator(listed, output_signature=kinds)
        dataset = dataset.map(pair, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        try:
            yield from dataset.batch(self.data.batch).prefetch(tf.data.AUTOTUNE)
        except (tf.errors.InvalidArgumentError, tf.errors.NotFoundError) as error:
            for path in (path for pair in self.pairs for path in pair):
                _read(path)  # raises at the damaged one
            reason = str(error.message).splitlines()[0]
            raise DataError(
                f"data set: a picture cannot be read ({reason}); prepare it again"
            ) from None


def open_source(recipe: TrainRecipe, dataset: Path) -> BatchSource:
    """The recipe's source over a data set that ``vsr prepare`` made.

    Raises:
        DataError: the data set does not hold what the recipe needs.
    """
    data, scale, seed = recipe.data, recipe.generator.scale, recipe.loop.seed
    if is_clipset(dataset):
        return open_clip_source(dataset, data, scale, seed)
    if data.source == "files":
        paired = open_dataset(dataset, scale=scale)
        return FileSource(paired, data, seed)
    least = data.patch_px * scale
    faces = load_dataset(dataset, least)
    sets = [faces, *(load_extra(Path(name), least) for name in data.extra)]
    made = DeviceSource if data.source == "device" else MemorySource
    return made(sets, scale, data, recipe.degrade, seed)


def ahead(source: Batched, start: int) -> Generator[tuple[Any, Any]]:
    """The source's batches as tensors, made ahead in a thread that ends with its reader."""

    def made() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        step = start
        while True:
            yield source.batch(step)
            step += 1

    with Flow() as flow:
        for lr, hr in flow.stage("train-data", made(), size=8):
            yield place(_unit(lr)), place(_unit(hr))


def _unit(pixels: np.ndarray) -> np.ndarray:
    """uint8 to float32 in [-1, 1]."""
    return pixels.astype(np.float32) / np.float32(127.5) - np.float32(1.0)


def _read(path: Path) -> np.ndarray:
    picture = read_picture(path)
    if picture is None:
        raise DataError(f"{path}: cannot be read as a picture; prepare the data set again")
    return picture
