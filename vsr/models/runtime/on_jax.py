"""JAX: pure functions, each shape compiled once."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import jax  # pyright: ignore[reportMissingImports]
import keras
import numpy as np

from vsr.models.runtime import Forward, Loss, Network, Step

FIXED_BATCHES = True


def accelerators() -> int:
    """Number of GPUs and TPUs that JAX sees."""
    return sum(d.platform != "cpu" for d in jax.devices())


def gpu_has_bfloat16() -> bool:
    """Whether the first device is of NVIDIA's Ampere generation or later."""
    capability = getattr(jax.devices()[0], "compute_capability", "0.0")  # only CUDA has one
    return int(str(capability).split(".")[0]) >= 8


def make_repeatable() -> None:
    """Nothing to do: XLA's kernels are."""


def compile_network(network: Network, model: keras.Model) -> Forward:
    """See `vsr.models.runtime.Runtime`."""
    fixed = [v.value for v in model.non_trainable_variables]
    free = [v.value for v in model.trainable_variables]

    def pure(weights: Any, x: Any, peak: Any) -> Any:
        return network(lambda z: model.stateless_call(*weights, z)[0], x, peak)

    return functools.partial(jax.jit(pure), (free, fixed))


def count_flops(forward: Any, shape: tuple[int, int, int, int]) -> float:
    """See `vsr.models.runtime.Runtime`; from the traced function."""
    # not the compiler's figure: on a GPU it leaves out what cuDNN computes
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


def compile_step(step: Step, state: Sequence[Any]) -> Step:
    """The step as a jitted pure function of its state."""

    def pure(values: list[Any], *batch: Any) -> tuple[dict[str, Any], list[Any]]:
        pairs = list(zip(state, values, strict=True))
        with keras.StatelessScope(state_mapping=pairs) as scope:
            logs = step(*batch)
        return logs, [_current(scope, variable) for variable in state]

    jitted = jax.jit(pure)

    def run(*batch: Any) -> dict[str, Any]:
        logs, values = jitted([v.value for v in state], *batch)
        for variable, value in zip(state, values, strict=True):
            # no assign(): its checks of several hundred variables took longer than a GPU's step
            variable._direct_assign(value)
        return logs

    return run


def _current(scope: Any, variable: Any) -> Any:
    value = scope.get_current_value(variable)
    return variable.value if value is None else value


def value_and_grad(
    loss: Loss, variables: Sequence[Any], state: Sequence[Any]
) -> tuple[Any, list[Any]]:
    """See `vsr.models.runtime.Runtime`; the loss as a pure function in a scope of its own."""
    chosen = {id(v) for v in variables}
    others = [v for v in state if id(v) not in chosen]
    fixed = [(v, v.value) for v in others]

    def pure(values: list[Any]) -> tuple[Any, Any]:
        pairs = [*zip(variables, values, strict=True), *fixed]
        with keras.StatelessScope(state_mapping=pairs) as scope:
            value, kept = loss()
        return value, (kept, [_current(scope, v) for v in others])

    (_, (kept, updated)), grads = jax.value_and_grad(pure, has_aux=True)(
        [v.value for v in variables]
    )
    for variable, value in zip(others, updated, strict=True):
        variable.assign(value)
    return kept, grads
