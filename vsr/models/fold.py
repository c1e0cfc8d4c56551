"""What a trained generator does not need to compute at every picture, put into its weights."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np

from vsr.models.generator import GeneratorConfig
from vsr.models.registry import Dtype, build
from vsr.models.spec import ModelSpec


def fold_generator(model: keras.Model, spec: ModelSpec, dtype: Dtype = "float32") -> keras.Model:
    """The same function with fewer steps: for running, not for training on.

    A batch normalisation after a convolution is, once trained, a factor and an offset per
    channel, and a block's residual scale is one factor: both go into the convolution before.

    Args:
        model: the spec's generator with its weights, as `registry.load_generator` gives it.
        dtype: what the result computes in.

    Returns:
        ``model`` itself where there is nothing to fold; else a new one whose float32 result
        differs by rounding only.
    """
    config = GeneratorConfig.from_dict(dict(spec.generator))
    plain = dataclasses.replace(config, normalisation="none", residual_scale=1.0)
    if plain == config:
        return model
    folded = build(dataclasses.replace(spec, generator=plain.to_dict()), dtype)
    left = {layer.name: layer for layer in model.layers}
    for layer in folded.layers:
        weights = left.pop(layer.name).get_weights()
        if isinstance(layer, keras.layers.Conv2D):
            norm = left.pop(layer.name.replace("_conv", "_norm"), None)
            if norm is not None:
                weights = _normalised(weights, norm)
            if left.pop(layer.name.replace("_conv2", "_scale"), None) is not None:
                weights = [w * config.residual_scale for w in weights]
        layer.set_weights(weights)
    if left:  # a layer whose work would be lost
        raise ValueError(f"fold_generator: {', '.join(left)} follow no convolution")
    return folded


def _normalised(weights: list[np.ndarray], norm: keras.layers.Layer) -> list[np.ndarray]:
    """A convolution's kernel and bias with the normalisation after it in them."""
    kernel, bias = weights
    gamma, beta, mean, variance = (w.astype(np.float64) for w in norm.get_weights())
    factor = gamma / np.sqrt(variance + norm.epsilon)
    return [kernel * factor, (bias - mean) * factor + beta]
