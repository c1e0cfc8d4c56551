"""What training asks of the machine: precision, seeds, devices."""

from __future__ import annotations

import logging
import os
from typing import Any

import keras

from vsr.models import runtime
from vsr.models.network import cpu_has_bfloat16, has_gpu

_log = logging.getLogger(__name__)


def choose_precision(wanted: str) -> str:
    """Keras' dtype policy for "auto" | "float32" | "mixed_bfloat16"."""
    if wanted != "auto":
        return wanted
    return "mixed_bfloat16" if cpu_has_bfloat16() or has_gpu() else "float32"


def hardware() -> str:
    """What training runs on, in words for the model card."""
    found = runtime.current().accelerators()
    place = f"{found} accelerators" if found > 1 else "one accelerator"
    if not found:
        place = f"{os.cpu_count()} CPU cores"
    return f"{place}, {keras.config.dtype_policy().name}, {keras.backend.backend()}"


def prepare_backend(seed: int, precision: str, devices: str) -> None:
    """Seeds everything, asks for repeatable kernels, sets the dtype policy and distribution.

    Must run before a model is built.
    """
    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy(choose_precision(precision))
    backend = keras.backend.backend()
    runtime.current().make_repeatable()
    if devices == "one":
        return
    if backend != "jax":
        _log.warning("devices = 'all' needs KERAS_BACKEND=jax; %s trains on one device", backend)
        return
    keras.distribution.set_distribution(keras.distribution.DataParallel(auto_shard_dataset=False))


def place(batch: Any) -> Any:
    """An array or tensor as the backend's tensor, split over the devices if there are several."""
    distribution = keras.distribution.distribution()
    if distribution is None:
        return keras.ops.convert_to_tensor(batch)
    layout = distribution.get_data_layout(batch.shape)
    return keras.distribution.distribute_tensor(batch, layout)
