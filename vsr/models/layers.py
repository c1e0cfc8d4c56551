"""Layers of the networks that Keras does not have, the same on every backend."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from vsr.core.cubic import cubic

ops: Any = keras.ops  # its stubs know tensors of no backend

_PAD = 2


def bicubic_phases(scale: int) -> np.ndarray:
    """Weights of the 5 LR samples around a pixel for each of its ``scale`` HR samples.

    Pixel centres at half coordinates, as PIL, OpenCV and the networks use them: HR sample p
    of LR pixel i lies at ``i + (p + 0.5) / scale - 0.5``.

    Returns:
        float64 ``(scale, 5)``, each row sums to 1.
    """
    offset = (np.arange(scale) + 0.5) / scale - 0.5
    taps = np.arange(-_PAD, _PAD + 1)
    weights = cubic(taps[None, :] - offset[:, None])
    return weights / weights.sum(axis=1, keepdims=True)


def edge_pad(x: Any, pad: int) -> Any:
    """Repeats the border pixels of ``(B, H, W, C)`` ``pad`` times on all four sides.

    `keras.ops.pad` has no such mode on TensorFlow.
    """
    rows = [x[:, :1]] * pad + [x] + [x[:, -1:]] * pad
    x = ops.concatenate(rows, axis=1)
    columns = [x[:, :, :1]] * pad + [x] + [x[:, :, -1:]] * pad
    return ops.concatenate(columns, axis=2)


def depth_to_space(x: Any, scale: int) -> Any:
    """``(B, H, W, s*s*C)`` to ``(B, s*H, s*W, C)``; channel = (row * s + column) * C + c.

    The order of `tf.nn.depth_to_space` in NHWC, so that weights move between backends.
    """
    shape = ops.shape(x)
    channels = x.shape[-1] // (scale * scale)
    x = ops.reshape(x, (-1, shape[1], shape[2], scale, scale, channels))
    x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
    return ops.reshape(x, (-1, shape[1] * scale, shape[2] * scale, channels))


def space_to_depth(x: Any, size: int) -> Any:
    """``(B, s*H, s*W, C)`` to ``(B, H, W, s*s*C)``: what `depth_to_space` turns back."""
    shape = ops.shape(x)
    channels = x.shape[-1]
    x = ops.reshape(x, (-1, shape[1] // size, size, shape[2] // size, size, channels))
    x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
    return ops.reshape(x, (-1, shape[1] // size, shape[2] // size, size * size * channels))


@keras.saving.register_keras_serializable(package="vsr")
class PixelShuffle(keras.layers.Layer):
    """Sub-pixel convolution's rearrangement (Shi et al., CVPR 2016, equation 4).

    Input ``(B, H, W, s*s*C)``, output ``(B, s*H, s*W, C)``, same dtype.
    """

    def __init__(self, scale: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if scale < 2:
            raise ValueError(f"PixelShuffle.scale: got {scale}, expected 2 or more")
        self.scale = scale

    def call(self, inputs: Any) -> Any:
        return depth_to_space(inputs, self.scale)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        batch, height, width, channels = input_shape
        if channels is None or channels % self.scale**2:
            raise ValueError(
                f"PixelShuffle: got {channels} channels, expected a multiple of {self.scale**2}"
            )
        return (
            batch,
            None if height is None else height * self.scale,
            None if width is None else width * self.scale,
            channels // self.scale**2,
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": self.scale}


@keras.saving.register_keras_serializable(package="vsr")
class PixelUnshuffle(keras.layers.Layer):
    """The reverse of `PixelShuffle`: squares of pixels become channels.

    Input ``(B, H, W, C)``, H and W multiples of ``size``; output ``(B, H/s, W/s, s*s*C)``, same
    dtype.
    """

    def __init__(self, size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if size < 2:
            raise ValueError(f"PixelUnshuffle.size: got {size}, expected 2 or more")
        self.size = size

    def call(self, inputs: Any) -> Any:
        return space_to_depth(inputs, self.size)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        batch, height, width, channels = input_shape
        return (
            batch,
            None if height is None else height // self.size,
            None if width is None else width // self.size,
            None if channels is None else channels * self.size**2,
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size}


@keras.saving.register_keras_serializable(package="vsr")
class BicubicUpsample(keras.layers.Layer):
    """Fixed bicubic enlargement (a = -0.5) as one convolution and a pixel shuffle.

    Has no weights and computes in float32 whatever the policy, so that every backend
    agrees. Inside the picture it equals PIL's BICUBIC; at the border the edge pixel is
    repeated, where PIL renormalises its kernel.

    Input ``(B, H, W, C)`` float, output ``(B, s*H, s*W, C)`` float32.
    """

    def __init__(self, scale: int, **kwargs: Any) -> None:
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)
        if scale < 2:
            raise ValueError(f"BicubicUpsample.scale: got {scale}, expected 2 or more")
        self.scale = scale

    def call(self, inputs: Any) -> Any:
        channels = inputs.shape[-1]
        phases = bicubic_phases(self.scale)
        taps = np.einsum("yi,xj->ijyx", phases, phases).reshape(5, 5, 1, -1)
        kernel = np.einsum("ijks,cd->ijcsd", taps, np.eye(channels))
        kernel = kernel.reshape(5, 5, channels, -1).astype("float32")
        padded = edge_pad(ops.cast(inputs, "float32"), _PAD)
        high = ops.conv(padded, ops.convert_to_tensor(kernel), padding="valid")
        return depth_to_space(high, self.scale)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        batch, height, width, channels = input_shape
        return (
            batch,
            None if height is None else height * self.scale,
            None if width is None else width * self.scale,
            channels,
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": self.scale}


@keras.saving.register_keras_serializable(package="vsr")
class BilinearDouble(keras.layers.Layer):
    """Twice the size, bilinear with half-pixel centres, the edge pixel repeated.

    `keras.layers.UpSampling2D` does the same, but not where a graph leaves the size open.
    Input ``(B, H, W, C)``, output ``(B, 2*H, 2*W, C)``, same dtype.
    """

    def call(self, inputs: Any) -> Any:
        shape, channels = ops.shape(inputs), inputs.shape[-1]
        before = ops.concatenate([inputs[:, :1], inputs[:, :-1]], axis=1)
        after = ops.concatenate([inputs[:, 1:], inputs[:, -1:]], axis=1)
        x = ops.stack([0.75 * inputs + 0.25 * before, 0.75 * inputs + 0.25 * after], axis=2)
        x = ops.reshape(x, (-1, 2 * shape[1], shape[2], channels))
        before = ops.concatenate([x[:, :, :1], x[:, :, :-1]], axis=2)
        after = ops.concatenate([x[:, :, 1:], x[:, :, -1:]], axis=2)
        x = ops.stack([0.75 * x + 0.25 * before, 0.75 * x + 0.25 * after], axis=3)
        return ops.reshape(x, (-1, 2 * shape[1], 2 * shape[2], channels))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        batch, height, width, channels = input_shape
        double = [None if side is None else 2 * side for side in (height, width)]
        return (batch, *double, channels)
