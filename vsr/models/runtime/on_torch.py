"""PyTorch: everything as it is written."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from keras import ops

from vsr.models.runtime import Forward, Loss, Network, Step

FIXED_BATCHES = False


def accelerators() -> int:
    """Number of GPUs that PyTorch sees."""
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def gpu_has_bfloat16() -> bool:
    """Whether the first GPU is of NVIDIA's Ampere generation or later."""
    return bool(torch.cuda.is_available()) and torch.cuda.get_device_capability()[0] >= 8


def make_repeatable() -> None:
    """Nothing is asked for: some layers have no such kernels."""


def compile_network(network: Network, model: keras.Model) -> Forward:
    """See `vsr.models.runtime.Runtime`."""
    return functools.partial(_without_gradients, network, model)


def _without_gradients(network: Callable[..., Any], model: keras.Model, *args: Any) -> Any:
    with torch.inference_mode():
        pixels, peak = (ops.convert_to_tensor(a) for a in args)
        return network(lambda x: model(x, training=False), pixels, peak)


def count_flops(forward: Forward, shape: tuple[int, int, int, int]) -> float:
    """See `vsr.models.runtime.Runtime`; counted while it runs."""
    from torch.utils.flop_counter import (  # pyright: ignore[reportMissingImports]
        FlopCounterMode,
    )

    with FlopCounterMode(display=False) as counter:
        forward(np.zeros(shape, np.float32), np.float32(255))
    return float(counter.get_total_flops())


def compile_step(step: Step, state: Sequence[Any]) -> Step:
    """The step as it is."""
    return step


def value_and_grad(
    loss: Loss, variables: Sequence[Any], state: Sequence[Any]
) -> tuple[Any, list[Any]]:
    """See `vsr.models.runtime.Runtime`."""
    value, kept = loss()
    return kept, list(torch.autograd.grad(value, [v.value for v in variables]))
