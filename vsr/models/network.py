"""A generator as an upscaler: compiled once, never retraced, no crop lost when memory is short."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from vsr.core.errors import ModelError
from vsr.models import runtime
from vsr.models.registry import Dtype, architecture_of, fold, get_spec, load_generator
from vsr.models.spec import ModelSpec

MAX_BFLOAT16_ERROR = 1.0
"""Grey levels at the 99.9th percentile up to which "auto" computes in bfloat16."""

MAX_PIXELS_PER_CALL = 2**17
"""LR pixels in one call of the network (5 crops of 160x160 fit): bounds its working memory,
for on a CPU TensorFlow's convolutions do not report that memory ran out, they crash."""

MAX_PIXELS_PER_GPU_CALL = 2**21
"""The same on a GPU, which says when its memory is short; 512 crops of 64x64."""

_OOM_TYPES = ("ResourceExhaustedError", "OutOfMemoryError")
_OOM_WORDS = ("resource_exhausted", "out of memory", "bad_alloc", "oom when allocating")


def load_network(
    name_or_path: str | Path,
    *,
    precision: Literal["auto", "float32", "bfloat16"] = "auto",
    device: Literal["auto", "cpu", "gpu"] = "auto",
) -> GeneratorUpscaler:
    """The upscaler of a registered generator.

    Raises:
        ModelError: unknown model, wrong weights, or "gpu" where there is none.
    """
    spec = get_spec(name_or_path)
    place = _device(device)
    dtype = (
        choose_precision(spec, on_gpu=place.startswith("gpu")) if precision == "auto" else precision
    )
    with keras.device(place):
        model = fold(load_generator(name_or_path, dtype), spec, dtype)
    return GeneratorUpscaler(model, spec, device=place, precision=dtype)


def choose_precision(spec: ModelSpec, *, on_gpu: bool) -> Dtype:
    """What "auto" means: bfloat16 on a CPU that computes it, where the model bears it.

    Likewise on a GPU, where the matrix units of NVIDIA's cards compute it from Ampere on.
    """
    error = spec.bfloat16_error
    good = error is not None and error < MAX_BFLOAT16_ERROR
    has_it = runtime.current().gpu_has_bfloat16() if on_gpu else cpu_has_bfloat16()
    return "bfloat16" if good and has_it else "float32"


@functools.cache
def cpu_has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 in hardware (AVX-512 BF16 or AMX; Linux only)."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    flags = next((line for line in text.splitlines() if line.startswith("flags")), "").split()
    return "avx512_bf16" in flags or "amx_bf16" in flags


class GeneratorUpscaler:
    """Runs a generator on batches of crops (`vsr.models.upscale.Upscaler`).

    On TensorFlow one graph serves every shape (a graph per shape was no faster), on JAX each
    shape is compiled once and batches are padded to powers of two, on PyTorch it runs plainly.
    """

    def __init__(
        self,
        model: keras.Model,
        spec: ModelSpec,
        *,
        device: str = "cpu:0",
        precision: Dtype = "float32",
    ) -> None:
        if spec.scale is None:
            raise ValueError(f"GeneratorUpscaler: spec '{spec.name}' has no scale")
        self.name = spec.name
        self.scale: int = spec.scale
        self.sha256 = spec.weights_sha256
        self.precision = precision
        self.device = device
        self.max_batch: int | None = None
        """largest batch that fits into memory, None as long as none was too large"""
        self.traces = 0
        """how often the network was traced or compiled"""
        self._spec = spec
        self._on_gpu = device.startswith("gpu")
        backend = runtime.current()
        self._fixed_batches = backend.FIXED_BATCHES or self._on_gpu
        self._forward = backend.compile_network(self._network(model), model)

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """``(B, h, w, 3)`` uint8 or uint16 to ``(B, s*h, s*w, 3)`` of the same dtype.

        Raises:
            ModelError: not even one picture fits into memory, or the graphics card failed.
        """
        count, height, width = batch.shape[:3]
        shape = (count, height * self.scale, width * self.scale, 3)
        if count == 0:
            return np.empty(shape, batch.dtype)
        padded = _pad_to(batch, self._side(height), self._side(width))
        high = self._split(padded)
        return high[:, : shape[1], : shape[2]].astype(batch.dtype)

    def flops(self, count: int, height: int, width: int) -> float:
        """Floating point operations of one call on ``count`` pictures, by the network's graph.

        See `vsr.models.runtime.Runtime`. Traces the network again; meant for measurements.
        """
        shape = count, self._side(height), self._side(width), 3
        with keras.device(self.device):
            return runtime.current().count_flops(self._forward, shape)

    @property
    def reach(self) -> int:
        """LR pixels around one on which its result depends at most."""
        return architecture_of(self._spec)[1].reach

    def _side(self, side: int) -> int:
        multiple = self._spec.multiple_of
        return -(-max(side, self._spec.min_side) // multiple) * multiple

    def _split(self, batch: np.ndarray) -> np.ndarray:
        """Runs the batch whole, or in parts that fit into memory.

        A part is under way before the one before it is fetched: on a GPU, which computes on
        its own, transfers and arithmetic overlap.
        """
        count, height, width = batch.shape[:3]
        limit = MAX_PIXELS_PER_GPU_CALL if self._on_gpu else MAX_PIXELS_PER_CALL
        most = min(self.max_batch or count, max(1, limit // (height * width)))
        if count <= most:
            return self._alone(batch)
        results: list[np.ndarray] = []
        parts = [batch[i : i + most] for i in range(0, count, most)]
        ahead = self._start(parts[0])
        for part, following in itertools.zip_longest(parts, parts[1:]):
            started, ahead = ahead, None
            if started is not None and following is not None:
                ahead = self._start(following)
            high = self._fetch(part, started)
            if high is None:
                started = ahead = None  # lets go of what takes memory beside it
                high = self._split(part)
            results.append(high)
        return np.concatenate(results)

    def _alone(self, batch: np.ndarray) -> np.ndarray:
        """Runs a batch while no other is under way; in parts where it does not fit even so."""
        high = self._fetch(batch, self._start(batch))
        if high is not None:
            return high
        count, height, width = batch.shape[:3]
        if count == 1:
            raise ModelError(
                f"model '{self.name}': one picture of {width}x{height} does not fit into "
                f"memory on {self.device}; use smaller crops (--set crop.max_side=…) or the CPU"
            )
        return self._split(batch)

    def _start(self, batch: np.ndarray) -> Any:
        """The network's tensor of a batch, perhaps not computed yet; None where memory is short."""
        try:
            return self._run(batch)
        except Exception as error:
            self._raise_unless_memory(error)
            self._take_less(len(batch))
            return None

    def _run(self, batch: np.ndarray) -> Any:
        count = len(batch)
        if self._fixed_batches:
            missing = (1 << (count - 1).bit_length()) - count
            batch = np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)])
        with keras.device(self.device):
            return self._forward(batch, np.float32(np.iinfo(batch.dtype).max))

    def _fetch(self, batch: np.ndarray, started: Any) -> np.ndarray | None:
        """The pixels of a tensor that `_start` gave for the batch; None where memory is short."""
        if started is None:
            return None
        try:
            return np.asarray(ops.convert_to_numpy(started))[: len(batch)]
        except Exception as error:  # a GPU tells of its memory when the result is asked for
            self._raise_unless_memory(error)
            self._take_less(len(batch))
            return None

    def _take_less(self, count: int) -> None:
        """Batches of ``count`` pictures were too large: half of them from now on."""
        if count > 1:
            self.max_batch = min(self.max_batch or count, count // 2)

    def _raise_unless_memory(self, error: Exception) -> None:
        if _is_out_of_memory(error):
            return
        if self._on_gpu:  # lost, reset or overheated: nothing that a caller could have done better
            raise ModelError(
                f"{self.device} failed while it ran model '{self.name}' ({type(error).__name__}: "
                f"{str(error)[:200]}); run the same command again: it resumes with what is "
                "finished, on the CPU where the graphics card is gone"
            ) from error
        raise error

    def _network(self, model: keras.Model) -> runtime.Network:
        low, high = self._spec.value_range

        def network(call: Callable[[Any], Any], pixels: Any, peak: Any) -> Any:
            self.traces += 1
            # whole levels travel to and from a GPU in a quarter of float32's bytes
            lr = ops.cast(pixels, "float32") / peak * (high - low) + low
            values: Any = ops.cast(call(lr), "float32")
            if self._spec.mirror:
                mirrored: Any = ops.cast(call(ops.flip(lr, axis=2)), "float32")
                values = (values + ops.flip(mirrored, axis=2)) / 2.0
            levels: Any = (values - low) * (peak / (high - low))
            return ops.cast(ops.round(ops.clip(levels, 0.0, peak)), pixels.dtype)

        return network


def _pad_to(batch: np.ndarray, height: int, width: int) -> np.ndarray:
    """Repeats the last row and column until the pictures have the size."""
    rows, columns = height - batch.shape[1], width - batch.shape[2]
    if rows == 0 and columns == 0:
        return batch
    return np.pad(batch, ((0, 0), (0, rows), (0, columns), (0, 0)), mode="edge")


def _is_out_of_memory(error: Exception) -> bool:
    if isinstance(error, MemoryError) or type(error).__name__ in _OOM_TYPES:
        return True
    text = str(error).lower()
    return any(words in text for words in _OOM_WORDS)


def _device(wanted: str) -> str:
    """Keras' name of the device: "cpu:0" or "gpu:0".

    Raises:
        ModelError: "gpu" where the backend sees none.
    """
    found = wanted != "cpu" and has_gpu()
    if wanted == "gpu" and not found:
        raise ModelError(
            f"--device gpu: {keras.backend.backend()} sees no GPU; install the driver and "
            "'face-vsr[gpu]', or leave the option out to use the CPU"
        )
    return "gpu:0" if found else "cpu:0"


def has_gpu() -> bool:
    """Whether the backend sees a GPU."""
    return runtime.current().accelerators() > 0
