"""Degradations as Keras layers: whole batches on the accelerator, seeded, on any backend.

Pictures are float RGB ``(B, H, W, 3)`` in 8-bit levels (0..255), H and W static. The numbers
of each picture come in as tensors of shape ``(B,)``, so one compiled graph serves every draw.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from vsr.degrade.kernels import JPEG_CHROMA, JPEG_LUMA, Reduction, dct_matrix, reduction_matrix
from vsr.degrade.recipe import DegradeConfig

ops: Any = keras.ops  # its stubs know tensors of no backend

# full-range BT.601, as JFIF has it
_TO_YCC = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32
)
_TO_RGB = np.linalg.inv(_TO_YCC).astype(np.float32)


def reduce_batch(x: Any, scale: int, kind: Reduction) -> Any:
    """``(B, H, W, C)`` to ``(B, H/s, W/s, C)``, PIL's bicubic or area, borders included."""
    height, width = x.shape[1], x.shape[2]
    rows = ops.convert_to_tensor(reduction_matrix(height, height // scale, kind))
    columns = ops.convert_to_tensor(reduction_matrix(width, width // scale, kind))
    return ops.einsum("yi,bijc,xj->byxc", rows, x, columns)


def blur_batch(x: Any, sigma: Any, motion_px: Any, angle: Any, size: int) -> Any:
    """Each picture convolved with its own Gaussian and its own motion line, borders reflected.

    sigma, motion_px (HR pixels; 1: none) and angle (radians): tensors ``(B,)``.
    """
    x = _filter(x, _gaussians(sigma, size), size)
    return _filter(x, _motions(motion_px, angle, size), size)


def jpeg_factor(quality: Any) -> Any:
    """libjpeg's factor on the tables for a tensor of qualities from 1 to 100; 50 gives 1."""
    return ops.where(quality < 50.0, 50.0 / quality, 2.0 - quality / 50.0)


def jpeg_batch(x: Any, factor: Any) -> Any:
    """JPEG's losses without its entropy coder: 8x8 DCT, quantisation, 4:2:0 chroma.

    factor: tensor ``(B,)``, the quality's factor on the tables (`jpeg_factor`); 0
    leaves a picture as it is. H and W must be multiples of 16.
    """
    ycc = ops.matmul(x, ops.convert_to_tensor(_TO_YCC.T))
    luma = _quantise(ycc[..., :1] - 128.0, JPEG_LUMA, factor) + 128.0
    height, width = x.shape[1] // 2, x.shape[2] // 2  # average_pool() fails on JAX (Keras 3.15)
    small = ops.mean(ops.reshape(ycc[..., 1:], (-1, height, 2, width, 2, 2)), axis=(2, 4))
    chroma = _smooth_double(_quantise(small, JPEG_CHROMA, factor))
    coded = ops.matmul(ops.concatenate([luma, chroma], -1), ops.convert_to_tensor(_TO_RGB.T))
    coded = ops.clip(ops.round(coded), 0.0, 255.0)
    return ops.where(ops.reshape(factor, (-1, 1, 1, 1)) > 0, coded, x)


class Degrade(keras.layers.Layer):
    """Random LR pictures of HR ones, by the ranges of a `DegradeConfig`.

    Input uint8 or float ``(B, H, W, 3)`` in 0..255, H and W multiples of ``16 * scale``;
    output float32 ``(B, H/s, W/s, 3)`` in 0..255, whole levels. Its seed's state is a variable:
    a checkpoint that holds it goes on with the same draws. H.264 is left to the CPU path.
    """

    def __init__(
        self, scale: int, config: DegradeConfig | None = None, seed: int = 0, **kwargs: Any
    ) -> None:
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.scale, self.config, self.seed = scale, config or DegradeConfig(), seed
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, inputs: Any) -> Any:
        x = ops.cast(inputs, "float32")
        c, draws = self.config, self._uniform((11, ops.shape(x)[0]))
        degraded = ops.cast(draws[0] < c.share, "float32")

        def ranged(row: int, limits: tuple[float, float]) -> Any:
            return limits[0] + draws[row] * (limits[1] - limits[0])

        moves = degraded * ops.cast(draws[1] < c.motion_share, "float32")
        motion = 1.0 + moves * (ranged(2, c.motion_px) - 1.0)
        size = 2 * int(np.ceil(max(3 * c.blur_sigma[1], c.motion_px[1] / 2))) + 1
        if c.share > 0:
            sigma = degraded * ranged(4, c.blur_sigma)
            x = blur_batch(x, sigma, motion, draws[3] * np.pi, size)
        by_bicubic = ops.reshape(draws[5] < c.bicubic_share, (-1, 1, 1, 1))
        x = ops.where(
            by_bicubic, reduce_batch(x, self.scale, "bicubic"), reduce_batch(x, self.scale, "area")
        )
        if c.share > 0:
            noisy = degraded * ops.cast(draws[6] < c.noise_share, "float32")
            sigma = ops.reshape(noisy * ranged(7, c.noise_sigma), (-1, 1, 1, 1))
            x = x + sigma * keras.random.normal(ops.shape(x), seed=self.generator)
        x = ops.clip(ops.round(x), 0.0, 255.0)
        if c.share > 0 and c.jpeg_share > 0:
            coded = degraded * ops.cast(draws[8] < c.jpeg_share, "float32")
            factor = jpeg_factor(ranged(9, c.jpeg_quality))
            x = _jpeg_anywhere(x, coded * ops.maximum(factor, 0.02), draws[10])
        return x

    def _uniform(self, shape: tuple[int, Any]) -> Any:
        return keras.random.uniform(shape, seed=self.generator)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        batch, height, width, channels = input_shape
        sides = [None if side is None else side // self.scale for side in (height, width)]
        return (batch, *sides, channels)


def _jpeg_anywhere(x: Any, factor: Any, draw: Any) -> Any:
    """`jpeg_batch`, the grid of blocks falling anywhere on a picture: by ``draw``, 0..1 ``(B,)``.

    The border's pixels are repeated to fill the blocks that stick out.
    """
    place = ops.cast(ops.floor(draw * 256.0), "int32")
    for axis, offset in ((1, place // 16), (2, place % 16)):
        x = shifted(x, axis, -offset, x.shape[axis] + 16)
    x = jpeg_batch(x, factor)
    for axis, offset in ((1, place // 16), (2, place % 16)):
        x = shifted(x, axis, offset, x.shape[axis] - 16)
    return x


def shifted(x: Any, axis: int, start: Any, size: int) -> Any:
    """``size`` rows or columns of each picture from its own ``start`` on, borders repeated."""
    index = ops.reshape(start, (-1, 1)) + ops.arange(size, dtype="int32")
    index = ops.clip(index, 0, x.shape[axis] - 1)
    shape = [-1, 1, 1, 1]
    shape[axis] = size
    return ops.take_along_axis(x, ops.reshape(index, shape), axis=axis)


def _filter(x: Any, kernels: Any, size: int) -> Any:
    """Picture b by kernel b: the batch becomes channels of one depthwise convolution."""
    height, width, channels = x.shape[1:]
    x = ops.pad(x, ((0, 0), (size // 2,) * 2, (size // 2,) * 2, (0, 0)), mode="reflect")
    wide = ops.reshape(ops.transpose(x, (1, 2, 0, 3)), (1, *x.shape[1:3], -1))
    kernel = ops.repeat(ops.transpose(kernels, (1, 2, 0)), channels, axis=-1)[..., None]
    wide = ops.depthwise_conv(wide, kernel, padding="valid")
    return ops.transpose(ops.reshape(wide, (height, width, -1, channels)), (2, 0, 1, 3))


def _gaussians(sigma: Any, size: int) -> Any:
    x = np.arange(size, dtype=np.float32) - size // 2
    width = ops.reshape(ops.maximum(sigma, 1e-2), (-1, 1))
    line = ops.exp(-0.5 * ops.square(ops.convert_to_tensor(x)[None] / width))
    line = line / ops.sum(line, axis=1, keepdims=True)
    return line[:, :, None] * line[:, None, :]


def _motions(length: Any, angle: Any, size: int) -> Any:
    y, x = np.mgrid[:size, :size].astype(np.float32) - size // 2
    length, angle = ops.reshape(length, (-1, 1, 1)), ops.reshape(angle, (-1, 1, 1))
    along = x * ops.cos(angle) + y * ops.sin(angle)
    across = y * ops.cos(angle) - x * ops.sin(angle)
    kernel = ops.clip(1 - ops.abs(across), 0, 1) * ops.clip(length / 2 + 0.5 - ops.abs(along), 0, 1)
    # no motion is exactly the identity, whatever the angle
    still = np.zeros((1, size, size), np.float32)
    still[0, size // 2, size // 2] = 1.0
    kernel = ops.where(length > 1.0, kernel, ops.convert_to_tensor(still))
    return kernel / ops.sum(kernel, axis=(1, 2), keepdims=True)


def _quantise(plane: Any, table: np.ndarray, factor: Any) -> Any:
    """``(B, H, W, C)`` through an 8x8 DCT with ``table * factor`` as steps (at least 1)."""
    height, width, channels = plane.shape[1:]
    transform = ops.convert_to_tensor(dct_matrix(8))
    blocks = ops.reshape(plane, (-1, height // 8, 8, width // 8, 8, channels))
    coefficients = ops.einsum("ui,baidjc,vj->badcuv", transform, blocks, transform)
    coefficients = ops.reshape(coefficients, (-1, height * width * channels // 64, 8, 8))
    steps = ops.convert_to_tensor(table)[None] * ops.reshape(factor, (-1, 1, 1))
    steps = ops.clip(ops.floor(steps + 0.5), 1.0, 255.0)[:, None]
    levels = ops.round(coefficients / steps) * steps
    levels = ops.reshape(levels, (-1, height // 8, width // 8, channels, 8, 8))
    blocks = ops.einsum("ui,badcuv,vj->baidjc", transform, levels, transform)
    return ops.reshape(blocks, (-1, height, width, channels))


def _smooth_double(x: Any) -> Any:
    """Twice the size with the 3:1 triangle filter of libjpeg's decoder, borders repeated."""
    for axis in (1, 2):
        first = ops.take(x, [0], axis=axis)
        last = ops.take(x, [x.shape[axis] - 1], axis=axis)
        side = x.shape[axis]
        before = ops.concatenate([first, ops.take(x, range(side - 1), axis=axis)], axis=axis)
        after = ops.concatenate([ops.take(x, range(1, side), axis=axis), last], axis=axis)
        pair = ops.stack([0.75 * x + 0.25 * before, 0.75 * x + 0.25 * after], axis=axis + 1)
        shape = list(x.shape)
        shape[0], shape[axis] = -1, 2 * side
        x = ops.reshape(pair, shape)
    return x
