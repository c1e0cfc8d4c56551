"""TensorFlow: one graph for every shape."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from vsr.models.backend import filtered_stderr
from vsr.models.runtime import Loss, Network, Step

FIXED_BATCHES = False

_PRODUCTS = re.compile(r"conv|matmul|dot|einsum|addmm|bmm", re.IGNORECASE)


def accelerators() -> int:
    """Number of GPUs that TensorFlow sees."""
    with filtered_stderr():
        return len(tf.config.list_physical_devices("GPU"))


def gpu_has_bfloat16() -> bool:
    """Whether the first GPU is of NVIDIA's Ampere generation or later."""
    found = tf.config.list_physical_devices("GPU")
    details = tf.config.experimental.get_device_details(found[0]) if found else {}
    return details.get("compute_capability", (0, 0))[0] >= 8


def make_repeatable() -> None:
    """Deterministic kernels, for the whole process."""
    tf.config.experimental.enable_op_determinism()


def compile_network(network: Network, model: keras.Model) -> Forward:
    """See `vsr.models.runtime.Runtime`. A graph per shape was no faster than one for all."""
    return Forward(functools.partial(network, lambda x: model(x, training=False)))


class Forward:
    """One graph for each kind of pixels, whatever their number."""

    def __init__(self, run: Any) -> None:
        self.python_function = run
        self._graphs = dict[str, Any]()

    def __call__(self, pixels: np.ndarray, peak: np.float32) -> Any:
        kind = pixels.dtype.name
        if kind not in self._graphs:
            spec = tf.TensorSpec((None, None, None, 3), kind), tf.TensorSpec((), "float32")
            self._graphs[kind] = tf.function(
                self.python_function, input_signature=spec, autograph=False
            )
        return self._graphs[kind](pixels, peak)


def count_flops(forward: Forward, shape: tuple[int, int, int, int]) -> float:
    """See `vsr.models.runtime.Runtime`; by TensorFlow's profiler."""
    # traced again with the shape fixed: the profiler multiplies sizes it finds in the graph
    fixed: Any = tf.function(forward.python_function, autograph=False)
    spec = tf.TensorSpec(shape, tf.float32), tf.TensorSpec((), tf.float32)
    graph = fixed.get_concrete_function(*spec).graph
    profiler: Any = tf.compat.v1.profiler
    builder = profiler.ProfileOptionBuilder
    options = builder(builder.float_operation()).with_empty_output().build()
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("ERROR")  # it would advise to rewrite this for version 2, which has no profiler
    try:
        found = profiler.profile(graph, cmd="op", options=options)
    finally:
        logger.setLevel(level)
    return float(sum(_own(node) for node in _walk(found) if _PRODUCTS.search(node.name)))


def _own(node: Any) -> int:
    """An operation type's count without that of the types listed under it."""
    return node.total_float_ops - sum(child.total_float_ops for child in node.children)


def _walk(node: Any) -> Iterator[Any]:
    yield node
    for child in node.children:
        yield from _walk(child)


def compile_step(step: Step, state: Sequence[Any]) -> Step:
    """The step as one graph."""
    return tf.function(step, autograph=False)  # type: ignore[return-value]


def value_and_grad(
    loss: Loss, variables: Sequence[Any], state: Sequence[Any]
) -> tuple[Any, list[Any]]:
    """See `vsr.models.runtime.Runtime`."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch([v.value for v in variables])
        value, kept = loss()
    return kept, tape.gradient(value, [v.value for v in variables])
