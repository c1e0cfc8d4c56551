"""Muon for convolutions: orthogonalised momentum for hidden kernels, Adam for all else."""

from __future__ import annotations

from typing import Any

import keras

ops: Any = keras.ops  # its stubs know tensors of no backend

_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of Jordan et al. (2024): steep at zero, good enough after five rounds"""


@keras.saving.register_keras_serializable(package="vsr")
class ConvMuon(keras.optimizers.Optimizer):
    """Muon (Jordan et al., 2024) on 4-D kernels, Adam on biases and on the kernels left out.

    A kernel ``(h, w, in, out)`` is one matrix ``(h * w * in, out)``; its momentum is replaced
    by the nearest half-orthogonal matrix, so that every direction of the kernel learns at one
    pace. Updates are scaled to Adam's usual size (Liu et al., 2025, section 2.2), so both parts
    share one learning rate. `keras.optimizers.Muon` takes matrices only.

    Args:
        learning_rate: as for Adam.
        adam_layers: variables whose path contains one of these words use Adam.
    """

    def __init__(
        self,
        learning_rate: float = 1e-3,
        momentum: float = 0.95,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
        epsilon: float = 1e-7,
        adam_layers: tuple[str, ...] = ("head_conv", "out_conv"),
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.momentum, self.beta_1, self.beta_2 = momentum, beta_1, beta_2
        self.epsilon, self.adam_layers = epsilon, tuple(adam_layers)
        self._moments: list[Any] = []
        self._velocities: list[Any] = []

    def build(self, var_list: list[Any]) -> None:
        """One momentum per variable, and Adam's second moment where Adam is used."""
        if self.built:
            return
        super().build(var_list)
        for variable in var_list:
            self._moments.append(self.add_variable_from_reference(variable, "momentum"))
            velocity = None
            if not self._by_muon(variable):
                velocity = self.add_variable_from_reference(variable, "velocity")
            self._velocities.append(velocity)

    def _backend_update_step(
        self, grads: list[Any], trainable_variables: list[Any], learning_rate: Any
    ) -> None:
        # kernels of one shape together: alone, their small products leave an accelerator idle
        alike: dict[tuple[int, int], list[tuple[Any, Any]]] = {}
        rest = []
        for gradient, variable in zip(grads, trainable_variables, strict=True):
            if self._by_muon(variable):
                rows = variable.shape[0] * variable.shape[1] * variable.shape[2]
                alike.setdefault((rows, variable.shape[3]), []).append((gradient, variable))
            else:
                rest.append((gradient, variable))
        for shape, pairs in alike.items():
            self._muon(pairs, shape, learning_rate)
        if rest:
            super()._backend_update_step(*map(list, zip(*rest, strict=True)), learning_rate)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """One variable's update by Adam."""
        index = self._get_variable_index(variable)
        moment, velocity = self._moments[index], self._velocities[index]
        self._adam(gradient, variable, ops.cast(learning_rate, variable.dtype), moment, velocity)

    def _by_muon(self, variable: Any) -> bool:
        hidden = not any(word in variable.path for word in self.adam_layers)
        return len(variable.shape) == 4 and hidden

    def _muon(self, pairs: list[tuple[Any, Any]], shape: tuple[int, int], rate: Any) -> None:
        """The update of kernels whose matrices all have one shape."""
        ahead = []
        for gradient, variable in pairs:
            moment = self._moments[self._get_variable_index(variable)]
            self.assign(moment, moment * self.momentum + gradient)
            nesterov = gradient + moment * self.momentum
            ahead.append(ops.reshape(ops.cast(nesterov, variable.dtype), shape))
        updates = orthogonalise(ops.stack(ahead))
        size = 0.2 * max(shape) ** 0.5
        for index, (_, variable) in enumerate(pairs):
            step = ops.reshape(updates[index], variable.shape)
            self.assign_sub(variable, step * (ops.cast(rate, variable.dtype) * size))

    def _adam(self, gradient: Any, variable: Any, rate: Any, moment: Any, velocity: Any) -> None:
        step = ops.cast(self.iterations, variable.dtype) + 1
        self.assign(moment, moment * self.beta_1 + gradient * (1 - self.beta_1))
        self.assign(velocity, velocity * self.beta_2 + ops.square(gradient) * (1 - self.beta_2))
        first = moment / (1 - ops.power(self.beta_1, step))
        second = velocity / (1 - ops.power(self.beta_2, step))
        self.assign_sub(variable, rate * first / (ops.sqrt(second) + self.epsilon))

    def get_config(self) -> dict[str, Any]:
        """For serialisation."""
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "adam_layers": list(self.adam_layers),
        }


def orthogonalise(matrices: Any, rounds: int = 5) -> Any:
    """Nearly the nearest half-orthogonal matrices (U V^T of the SVD), by Newton-Schulz.

    Args:
        matrices: tensor ``(..., m, n)``.

    Returns:
        The same shape; singular values within about 0.7 to 1.2.
    """
    a, b, c = _NEWTON_SCHULZ
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = ops.swapaxes(matrices, -1, -2) if tall else matrices
    x = x / (ops.sqrt(ops.sum(ops.square(x), axis=(-2, -1), keepdims=True)) + 1e-7)
    for _ in range(rounds):
        gram = ops.matmul(x, ops.swapaxes(x, -1, -2))
        x = a * x + ops.matmul(b * gram + c * ops.matmul(gram, gram), x)
    return ops.swapaxes(x, -1, -2) if tall else x
