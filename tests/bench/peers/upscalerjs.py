"""UpscalerJS' ESRGAN models: TensorFlow.js layer models rebuilt in Keras."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from vsr.models.layers import PixelShuffle


class UpscalerJs:
    """One of ``@upscalerjs/esrgan-slim|medium|thick``; an `Upscaler`."""

    sha256 = ""

    def __init__(self, package: Path, size: str, scale: int) -> None:
        self.name, self.scale = f"esrgan-{size}", scale
        self._model = load_layers_model(package / "models" / f"x{scale}" / "model.json")
        self._run = _compiled(self._model)
        # the dense networks (slim, medium) work on 0..255, the thick one on 0..1
        self._peak = 1.0 if size == "thick" else 255.0

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        x = batch.astype(np.float32) / 255.0 * self._peak
        y = np.asarray(self._run(x)) / self._peak * 255.0
        return np.clip(np.rint(y), 0, 255).astype(np.uint8)


def _compiled(model: keras.Model) -> Callable[[np.ndarray], Any]:
    """One graph for all sizes, where TensorFlow is at work: as quick as it can be."""
    if keras.backend.backend() != "tensorflow":
        return lambda x: model(x, training=False)
    import tensorflow as tf

    spec = [tf.TensorSpec((None, None, None, 3), tf.float32)]
    return tf.function(lambda x: model(x, training=False), input_signature=spec, autograph=False)


def load_layers_model(path: Path) -> keras.Model:
    """The Keras model of a ``model.json`` with its weight shards beside it."""
    described = json.loads(path.read_text())
    config = described["modelTopology"]["model_config"]["config"]
    made: dict[str, Any] = {}
    layers: dict[str, keras.layers.Layer] = {}
    for entry in config["layers"]:
        name = entry["config"]["name"]
        if entry["class_name"] == "InputLayer":
            made[name] = keras.Input((None, None, 3), name=name)
            continue
        inputs = [made[source[0]] for source in entry["inbound_nodes"][0]]
        layers[name] = layer = _layer(entry["class_name"], entry["config"])
        made[name] = layer(inputs if len(inputs) > 1 else inputs[0])
    model = keras.Model(
        made[config["input_layers"][0][0]],
        made[config["output_layers"][0][0]],
        name=path.parent.name,
    )
    weights = _weights(path.parent, described["weightsManifest"])
    for name, layer in layers.items():
        if isinstance(layer, keras.layers.Conv2D):
            layer.set_weights([weights[f"{name}/kernel"], weights[f"{name}/bias"]])
    return model


def _layer(kind: str, config: dict[str, Any]) -> keras.layers.Layer:
    name = config["name"]
    if kind == "Conv2D":
        return keras.layers.Conv2D(
            config["filters"],
            config["kernel_size"],
            padding=config["padding"],
            activation=config["activation"],
            name=name,
        )
    if kind == "Activation":
        return keras.layers.Activation(config["activation"], name=name)
    if kind == "Concatenate":
        return keras.layers.Concatenate(axis=config["axis"], name=name)
    if kind == "Add":
        return keras.layers.Add(name=name)
    if kind == "UpSampling2D":
        return keras.layers.UpSampling2D(
            config["size"], interpolation=config["interpolation"], name=name
        )
    if kind == "MultiplyBeta":
        return keras.layers.Rescaling(config["beta"], name=name)
    if kind.startswith("PixelShuffle"):
        return PixelShuffle(config["scale"], name=name)
    raise ValueError(f"unknown layer {kind}")


def _weights(folder: Path, manifest: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    for group in manifest:
        data = b"".join((folder / shard).read_bytes() for shard in group["paths"])
        at = 0
        for entry in group["weights"]:
            count = int(np.prod(entry["shape"]))
            values = np.frombuffer(data, np.float32, count, at)
            arrays[entry["name"]] = values.reshape(entry["shape"])
            at += 4 * count
    return arrays
