"""What the machine can do at best: products of square matrices through the Keras backend."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from vsr.bench.measure import Spread
from vsr.models.backend import start_backend
from vsr.models.registry import Dtype

CPU_SIDES = (512, 1024, 2048, 4096)
GPU_SIDES = (2048, 4096, 8192, 16384)


@dataclass(frozen=True, slots=True)
class MatrixPeak:
    """The best rate of matrix products in a format."""

    dtype: Dtype
    side: int
    """of the square matrices at which it was reached"""
    gflop_s: float
    """best of all repeats, 10^9 floating point operations a second"""
    by_side: dict[int, Spread] = field(default_factory=dict)
    """the rate at each side, over its repeats"""


class MatrixProduct:
    """The product of two square matrices of normal numbers, compiled and on its device."""

    def __init__(self, side: int, dtype: Dtype, device: str = "cpu:0") -> None:
        start_backend()
        import keras
        from keras import ops

        self.side, self._device = side, device
        self.dtype: Dtype = dtype
        with keras.device(device):
            a, b = (keras.random.normal((side, side), seed=i, dtype=dtype) for i in (1, 2))
            self._operands = a, b
        self._keras, self._ops = keras, ops
        self._product = _compiled(dtype)
        self()  # traced, compiled, memory touched

    def __call__(self) -> float:
        """Multiply once; returns 10^9 operations a second."""
        with self._keras.device(self._device):
            start = time.perf_counter()
            result: Any = self._product(*self._operands)
            self._ops.convert_to_numpy(result[:1, :1])  # waits for a device that runs on its own
            seconds = time.perf_counter() - start
        return 2.0 * self.side**3 / seconds / 1e9


@functools.cache
def _compiled(dtype: Dtype) -> Callable[..., Any]:
    """The product of two matrices of any size in a format."""
    import keras
    from keras.ops import matmul

    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        spec = [tf.TensorSpec((None, None), dtype)] * 2
        return tf.function(matmul, input_signature=spec, autograph=False)
    if backend == "jax":
        import jax  # pyright: ignore[reportMissingImports]

        return jax.jit(matmul)
    return matmul


class PeakMeter:
    """Collects the rates of products of several sizes over the rounds of a benchmark."""

    def __init__(self, dtypes: Sequence[Dtype], device: str) -> None:
        sides = GPU_SIDES if device.startswith("gpu") else CPU_SIDES
        self._products = [MatrixProduct(s, d, device) for d in dtypes for s in sides]
        self._rates: list[list[float]] = [[] for _ in self._products]

    def round(self, seconds: float = 0.3) -> None:
        """Multiply at every size and in every format, each for about so long, once at least."""
        for product, rates in zip(self._products, self._rates, strict=True):
            end = time.perf_counter() + seconds
            rates.append(product())
            while time.perf_counter() < end:
                rates.append(product())

    def peaks(self) -> tuple[MatrixPeak, ...]:
        """The best of each format."""
        found: dict[Dtype, dict[int, Spread]] = {}
        for product, rates in zip(self._products, self._rates, strict=True):
            found.setdefault(product.dtype, {})[product.side] = Spread.of(rates)
        return tuple(_best(dtype, by_side) for dtype, by_side in found.items())


def _best(dtype: Dtype, by_side: dict[int, Spread]) -> MatrixPeak:
    side = max(by_side, key=lambda s: by_side[s].max)
    return MatrixPeak(dtype, side, by_side[side].max, by_side)
