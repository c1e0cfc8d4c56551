"""The one place where training asks which backend Keras runs on.

Keras leaves gradients to the backend. `compile_step` and `value_and_grad` give TensorFlow, JAX
and PyTorch one interface, so that phases are written once, in `keras.ops`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from typing import Any

import keras

from vsr.models.network import cpu_has_bfloat16

_log = logging.getLogger(__name__)

Step = Callable[..., dict[str, Any]]
"""Tensors in, named scalars out; changes keras variables on the way."""


def choose_precision(wanted: str) -> str:
    """Keras' dtype policy for "auto" | "float32" | "mixed_bfloat16"."""
    if wanted != "auto":
        return wanted
    return "mixed_bfloat16" if cpu_has_bfloat16() or accelerators() else "float32"


def accelerators() -> int:
    """Number of GPUs (or TPUs) that the backend sees."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return len(tf.config.list_physical_devices("GPU"))
    if backend == "jax":
        import jax  # pyright: ignore[reportMissingImports]

        return sum(d.platform != "cpu" for d in jax.devices())
    import torch  # pyright: ignore[reportMissingImports]

    return torch.cuda.device_count()


def hardware() -> str:
    """What training runs on, in words for the model card."""
    found = accelerators()
    place = f"{found} accelerators" if found > 1 else "one accelerator"
    if not found:
        place = f"{os.cpu_count()} CPU cores"
    return f"{place}, {keras.config.dtype_policy().name}, {keras.backend.backend()}"


def prepare_backend(seed: int, precision: str, devices: str) -> None:
    """Seeds everything, asks for repeatable kernels, sets the dtype policy and distribution.

    Must run before a model is built.
    """
    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy(choose_precision(precision))
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    if devices == "one":
        return
    if backend != "jax":
        _log.warning("devices = 'all' needs KERAS_BACKEND=jax; %s trains on one device", backend)
        return
    keras.distribution.set_distribution(keras.distribution.DataParallel(auto_shard_dataset=False))


def place(batch: Any) -> Any:
    """An array or tensor as the backend's tensor, split over the devices if there are several."""
    distribution = keras.distribution.distribution()
    if distribution is None:
        return keras.ops.convert_to_tensor(batch)
    layout = distribution.get_data_layout(batch.shape)
    return keras.distribution.distribute_tensor(batch, layout)


def compile_step(step: Step, state: Sequence[Any]) -> Step:
    """The step as one graph (TensorFlow), one jitted pure function (JAX), or as it is (PyTorch).

    Args:
        step: changes no variable outside ``state``.
        state: every keras variable that the step reads or writes.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return tf.function(step, autograph=False)
    if backend == "jax":
        return _jax_step(step, state)
    return step


def _jax_step(step: Step, state: Sequence[Any]) -> Step:
    import jax  # pyright: ignore[reportMissingImports]

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
    loss: Callable[[], tuple[Any, Any]], variables: Sequence[Any], state: Sequence[Any]
) -> tuple[Any, list[Any]]:
    """Gradients of a scalar loss by keras variables.

    Args:
        loss: gives (scalar, anything else worth keeping).
        variables: of the gradients.
        state: all variables of the step, as given to `compile_step`.

    Returns:
        (what the loss gave besides the scalar, gradients in the order of ``variables``).
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([v.value for v in variables])
            value, kept = loss()
        return kept, tape.gradient(value, [v.value for v in variables])
    if backend == "jax":
        return _jax_grad(loss, variables, state)
    import torch  # pyright: ignore[reportMissingImports]

    value, kept = loss()
    return kept, list(torch.autograd.grad(value, [v.value for v in variables]))


def _jax_grad(
    loss: Callable[[], tuple[Any, Any]], variables: Sequence[Any], state: Sequence[Any]
) -> tuple[Any, list[Any]]:
    """Inside `_jax_step`'s scope: the loss as a pure function in a scope of its own."""
    import jax  # pyright: ignore[reportMissingImports]

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
