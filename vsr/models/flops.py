"""How much arithmetic a network's call is, counted from the graph that runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

_PRODUCTS = re.compile(r"conv|matmul|dot|einsum|addmm|bmm", re.IGNORECASE)


def count_flops(forward: Callable[..., Any], shape: tuple[int, int, int, int]) -> float:
    """Floating point operations of one call: 2 per multiply-add of convolutions and products.

    forward: ``(float32 pixels (B, H, W, 3), float32 peak)``, compiled for the active backend as
    `vsr.models.network` does. shape: (B, H, W, 3).

    Element-wise operations are left out.
    """
    import keras

    counters = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
    return counters[keras.backend.backend()](forward, shape)


def _tensorflow(forward: Any, shape: tuple[int, ...]) -> float:
    import tensorflow as tf

    # traced again with the shape fixed: the profiler multiplies sizes it finds in the graph
    fixed = tf.function(forward.python_function, autograph=False)
    spec = tf.TensorSpec(shape, tf.float32), tf.TensorSpec((), tf.float32)
    graph = fixed.get_concrete_function(*spec).graph
    builder = tf.compat.v1.profiler.ProfileOptionBuilder
    options = builder(builder.float_operation()).with_empty_output().build()
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("ERROR")  # it would advise to rewrite this for version 2, which has no profiler
    try:
        found = tf.compat.v1.profiler.profile(graph, cmd="op", options=options)
    finally:
        logger.setLevel(level)
    return float(sum(_own(node) for node in _walk(found) if _PRODUCTS.search(node.name)))


def _own(node: Any) -> int:
    """An operation type's count without that of the types listed under it."""
    return node.total_float_ops - sum(child.total_float_ops for child in node.children)


def _walk(node: Any) -> Any:
    yield node
    for child in node.children:
        yield from _walk(child)


def _jax(forward: Any, shape: tuple[int, ...]) -> float:
    # not the compiler's figure: on a GPU it leaves out what cuDNN computes
    import jax  # pyright: ignore[reportMissingImports]

    pixels, peak = np.zeros(shape, np.float32), np.float32(255)
    return _count(jax.make_jaxpr(forward.func)(*forward.args, pixels, peak).jaxpr)


def _count(jaxpr: Any) -> float:
    """The products' operations in a traced function and in those it calls."""
    total = 0.0
    for step in jaxpr.eqns:
        shapes = [v.aval.shape for v in step.invars if hasattr(v.aval, "shape")]
        outputs = float(sum(np.prod(v.aval.shape) for v in step.outvars))
        if step.primitive.name == "conv_general_dilated":
            kernel, out_axis = shapes[1], step.params["dimension_numbers"].rhs_spec[0]
            total += 2.0 * outputs * np.prod(kernel) / kernel[out_axis]
        elif step.primitive.name == "dot_general":
            summed, _ = step.params["dimension_numbers"][0]
            total += 2.0 * outputs * np.prod([shapes[0][axis] for axis in summed])
        inner = (getattr(value, "jaxpr", value) for value in step.params.values())
        total += sum(_count(value) for value in inner if hasattr(value, "eqns"))
    return total


def _torch(forward: Any, shape: tuple[int, ...]) -> float:
    from torch.utils.flop_counter import (  # pyright: ignore[reportMissingImports]
        FlopCounterMode,
    )

    with FlopCounterMode(display=False) as counter:
        forward(np.zeros(shape, np.float32), np.float32(255))
    return float(counter.get_total_flops())
