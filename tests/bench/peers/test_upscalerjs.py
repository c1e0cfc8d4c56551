"""The loader of TensorFlow.js layer models, on a small model written in that form."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vsr.models.backend import start_backend

start_backend()
import keras  # noqa: E402


@pytest.fixture(scope="module")
def loader() -> Any:
    path = Path(__file__).with_name("upscalerjs.py")
    spec = importlib.util.spec_from_file_location("peers_upscalerjs", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _node(kind: str, name: str, sources: list[str], **config: Any) -> dict[str, Any]:
    inbound = [[[source, 0, 0, {}] for source in sources]] if sources else []
    return {"class_name": kind, "config": {"name": name, **config}, "inbound_nodes": inbound}


def _write(folder: Path, weights: dict[str, np.ndarray]) -> Path:
    conv = {"kernel_size": [3, 3], "padding": "same", "activation": "linear"}
    layers = [
        _node("InputLayer", "LR", []),
        _node("Conv2D", "a", ["LR"], filters=4, **conv),
        _node("Activation", "relu", ["a"], activation="relu"),
        _node("MultiplyBeta", "beta", ["relu"], beta=0.2),
        _node("Add", "sum", ["a", "beta"]),
        _node("Concatenate", "cat", ["sum", "relu"], axis=3),
        _node("Conv2D", "b", ["cat"], filters=12, **conv),
        _node("PixelShuffle2x", "shuffle", ["b"], scale=2),
    ]
    config = {
        "layers": layers,
        "input_layers": [["LR", 0, 0]],
        "output_layers": [["shuffle", 0, 0]],
    }
    entries = [{"name": n, "shape": list(w.shape), "dtype": "float32"} for n, w in weights.items()]
    data = b"".join(w.astype(np.float32).tobytes() for w in weights.values())
    for shard, part in enumerate((data[:100], data[100:])):
        (folder / f"shard{shard}").write_bytes(part)
    manifest = [{"paths": ["shard0", "shard1"], "weights": entries}]
    text = {"modelTopology": {"model_config": {"config": config}}, "weightsManifest": manifest}
    (folder / "model.json").write_text(json.dumps(text))
    return folder / "model.json"


def test_layers_weights_and_links_are_the_files(loader: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    shapes = {"b/kernel": (3, 3, 8, 12), "b/bias": (12,), "a/kernel": (3, 3, 3, 4), "a/bias": (4,)}
    weights = {n: rng.normal(0, 0.3, s).astype(np.float32) for n, s in shapes.items()}
    model = loader.load_layers_model(_write(tmp_path, weights))
    x = rng.random((2, 5, 7, 3)).astype(np.float32)

    def conv(values: Any, name: str) -> Any:
        out = keras.ops.conv(values, weights[f"{name}/kernel"], padding="same")
        return out + weights[f"{name}/bias"]

    a = conv(x, "a")
    relu = keras.ops.relu(a)
    flat = np.asarray(conv(keras.ops.concatenate([a + 0.2 * relu, relu], axis=-1), "b"))
    want = flat.reshape(2, 5, 7, 2, 2, 3).transpose(0, 1, 3, 2, 4, 5).reshape(2, 10, 14, 3)
    np.testing.assert_allclose(np.asarray(model(x)), want, atol=1e-5)
