"""What differs between TensorFlow, JAX and PyTorch: one module each, of the same functions.

Networks and losses are written in `keras` and `keras.ops`, which hide the backend. What they do not
hide is here: compiling, devices, gradients, counting arithmetic. `Runtime` names the functions.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

import keras

Network = Callable[[Callable[[Any], Any], Any, Any], Any]
"""(the model's call, pixels (B, H, W, 3), float32 peak) -> pixels of the same dtype, enlarged"""
Forward = Callable[..., Any]
"""(pixels (B, H, W, 3), float32 peak) -> pixels of the same dtype, enlarged; compiled"""
Step = Callable[..., dict[str, Any]]
"""Tensors in, named scalars out; changes keras variables on the way."""
Loss = Callable[[], tuple[Any, Any]]
"""gives (scalar, anything else worth keeping)"""


class Runtime(Protocol):
    """The functions of a backend's module."""

    FIXED_BATCHES: bool
    """whether each shape is compiled anew, so that batches are padded to powers of two"""

    def accelerators(self) -> int:
        """Number of GPUs (or TPUs) that the backend sees."""
        ...

    def gpu_has_bfloat16(self) -> bool:
        """Whether the first GPU multiplies bfloat16 in its matrix units."""
        ...

    def make_repeatable(self) -> None:
        """Asks for kernels that give the same result each time."""
        ...

    def compile_network(self, network: Network, model: keras.Model) -> Forward:
        """A network around a model, without gradients."""
        ...

    def count_flops(self, forward: Forward, shape: tuple[int, int, int, int]) -> float:
        """Floating point operations of a call on float32 pixels ``(B, H, W, 3)``: 2 per
        multiply-add of convolutions and products; element-wise operations are left out."""
        ...

    def compile_step(self, step: Step, state: Sequence[Any]) -> Step:
        """A training step; ``state``: every keras variable that it reads or writes."""
        ...

    def value_and_grad(
        self, loss: Loss, variables: Sequence[Any], state: Sequence[Any]
    ) -> tuple[Any, list[Any]]:
        """What the loss keeps, and its gradients by ``variables``, in a step of that state."""
        ...


def current() -> Runtime:
    """The runtime of Keras' backend."""
    name = keras.backend.backend()
    return cast(Runtime, importlib.import_module(f"{__name__}.on_{name}"))
