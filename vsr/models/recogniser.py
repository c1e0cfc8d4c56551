"""A small face recogniser: whose face is it? For the identity loss of the training only.

A residual network (He et al., CVPR 2016) whose output for two pictures of one person is alike
and for two persons is not. It is trained by this project from scratch (`vsr.train.recogniser`);
no measure of `vsr evaluate` uses it, and none of those measures took part in its training.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import keras

from vsr.core.errors import ModelError

STAGES = ((24, 0), (48, 1), (96, 2), (192, 1))
"""channels and residual blocks of each stage; every stage halves the picture"""
EMBEDDING = 128
"""numbers that stand for a face"""


def build_recogniser() -> keras.Model:
    """The network with fresh weights.

    Input ``(B, H, W, 3)`` float RGB in [-1, 1], a face of about 70 to 130 pixels. Outputs: the
    activations of the four stages, ``(B, H / 2^k, W / 2^k, C)``, and last the embedding
    ``(B, 128)`` float32 of length 1.
    """
    inputs = keras.Input((None, None, 3), name="rgb")
    x, outputs = inputs, []
    for index, (channels, blocks) in enumerate(STAGES, start=1):
        x = keras.layers.ReLU()(_conv(x, channels, f"stage{index}", strides=2))
        for block in range(1, blocks + 1):
            y = keras.layers.ReLU()(_conv(x, channels, f"stage{index}_block{block}_conv1"))
            y = _conv(y, channels, f"stage{index}_block{block}_conv2")
            x = keras.layers.ReLU()(keras.layers.Add()([x, y]))
        outputs.append(x)
    pooled = keras.layers.GlobalAveragePooling2D(dtype="float32")(x)
    y = keras.layers.Dense(EMBEDDING, use_bias=False, name="embedding", dtype="float32")(pooled)
    y = keras.layers.BatchNormalization(momentum=0.95, name="embedding_norm", dtype="float32")(y)
    outputs.append(keras.layers.UnitNormalization(dtype="float32")(y))
    return keras.Model(inputs, outputs, name="recogniser")


def _conv(x: Any, channels: int, name: str, strides: int = 1) -> Any:
    x = keras.layers.Conv2D(
        channels, 3, strides, padding="same", use_bias=False,
        kernel_initializer="he_normal", name=name,
    )(x)  # fmt: skip
    return keras.layers.BatchNormalization(momentum=0.95, name=f"{name}_norm")(x)


def load_recogniser(path: Path) -> keras.Model:
    """The trained network of a ``.weights.h5`` file, frozen.

    Raises ModelError where the file is missing, damaged, or of another network.
    """
    if not path.is_file():
        raise ModelError(
            f"{path}: no such file, expected the weights of a face recogniser; make them with: "
            f"vsr train-recogniser FACES -o {path}"
        )
    model = build_recogniser()
    try:
        model.load_weights(path)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        first = str(error).strip().splitlines()[0]
        raise ModelError(
            f"{path}: expected the weights of a face recogniser as 'vsr train-recogniser' "
            f"writes them, could not be read ({first}); make them again"
        ) from None
    model.trainable = False
    return model
