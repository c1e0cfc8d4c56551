"""The generator as an upscaler: traced once, memory failures survived, precision by measure."""

from __future__ import annotations

import subprocess
import sys
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from vsr.core.errors import ModelError
from vsr.models.backend import start_backend
from vsr.models.spec import ModelSpec, spec_from_dict

start_backend()
import keras  # noqa: E402

from vsr.models import network  # noqa: E402
from vsr.models.architectures.srresnet import BRANCH_ENDS  # noqa: E402
from vsr.models.network import GeneratorUpscaler, choose_precision, load_network  # noqa: E402
from vsr.models.registry import build  # noqa: E402

Make = Callable[..., GeneratorUpscaler]
on_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="needs TensorFlow's own allocator"
)


def _noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)


def test_no_shape_is_traced_twice(tiny_network: Make) -> None:
    upscaler = tiny_network("float32")
    shapes = [(8, 32, 32), (5, 32, 32), (8, 48, 40), (1, 17, 9)]
    kinds = (np.uint8, np.uint16)
    for shape in shapes:
        for kind in kinds:
            upscaler(_noise(*shape).astype(kind))
    warm = upscaler.traces
    for shape in shapes * 2:
        for kind in kinds:
            upscaler(_noise(*shape).astype(kind))
    assert upscaler.traces == warm
    if keras.backend.backend() == "tensorflow":
        assert warm == len(kinds)


@pytest.mark.parametrize("sides", [(32, 32), (5, 3), (31, 33)])
def test_sizes_are_padded_and_cut_again(tiny_network: Make, sides: tuple[int, int]) -> None:
    plain = tiny_network("float32", min_side=1)
    padding = tiny_network("float32", min_side=16, multiple_of=8)
    batch = _noise(2, *sides)
    got, want = padding(batch), plain(batch)
    assert got.shape == want.shape
    inner = np.s_[:, : max(2, 2 * sides[0] - 16), : max(2, 2 * sides[1] - 16)]
    if min(sides) > 16:
        assert np.abs(got[inner].astype(int) - want[inner].astype(int)).max() <= 1


@pytest.mark.parametrize("sides", [(16, 16), (13, 22)])
def test_an_hourglass_runs_at_any_size(values: dict[str, Any], sides: tuple[int, int]) -> None:
    shape = {
        "scale": 4, "filters": 8, "blocks": 2, "head_kernel": 3, "normalisation": "none",
        "activation": "relu", "upsampling": "direct", "image_skip": "bicubic",
        "activation_out": "linear", "context": [6, 10], "decoder": [4], "polish": 4,
    }  # fmt: skip
    values |= {"scale": 4, "generator": shape, "multiple_of": 4}
    model = build(spec := spec_from_dict(values, "test"))
    for layer in BRANCH_ENDS:
        kernel = model.get_layer(layer).kernel
        kernel.assign(keras.random.normal(kernel.shape, stddev=0.05, seed=1))
    upscaler = GeneratorUpscaler(model, spec)
    batch = _noise(3, *sides)
    high = upscaler(batch)
    assert high.shape == (3, 4 * sides[0], 4 * sides[1], 3)
    assert np.abs(upscaler(batch[1:2])[0].astype(int) - high[1].astype(int)).max() <= 1


def test_mirrored_it_does_not_know_left_from_right(tiny_network: Make) -> None:
    plain, mirrored = tiny_network("float32"), tiny_network("float32", mirror=True)
    batch = _noise(2, 24, 20)
    flipped = np.ascontiguousarray(batch[:, :, ::-1])
    both, turned = mirrored(batch).astype(int), mirrored(flipped)[:, :, ::-1].astype(int)
    assert np.abs(both - turned).max() <= 1
    one, other = plain(batch).astype(int), plain(flipped)[:, :, ::-1].astype(int)
    assert np.abs(one - other).max() > 1
    inside = (one > 0) & (one < 255) & (other > 0) & (other < 255)
    assert np.abs(both - (one + other) / 2)[inside].max() <= 1


def test_large_batches_go_in_parts(tiny_network: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    upscaler = tiny_network("float32")
    batch = _noise(6, 24, 24)
    whole = upscaler(batch)
    sizes: list[int] = []
    run = upscaler._run
    monkeypatch.setattr(upscaler, "_run", lambda b: (sizes.append(len(b)), run(b))[1])
    monkeypatch.setattr(network, "MAX_PIXELS_PER_CALL", 24 * 24 * 4)
    assert np.abs(upscaler(batch).astype(int) - whole.astype(int)).max() <= 1
    assert sizes == [4, 2]
    monkeypatch.setattr(network, "MAX_PIXELS_PER_CALL", 1)
    upscaler(batch[:2])
    assert sizes == [4, 2, 1, 1]


@keras.saving.register_keras_serializable(package="tests")
class _Hungry(keras.layers.Layer):
    """Really asks TensorFlow for 64 TiB for every picture beyond ``room``."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def call(self, inputs: Any) -> Any:
        import tensorflow as tf

        excess = tf.maximum(tf.shape(inputs)[0] - self.room, 0)
        waste = tf.fill([tf.cast(excess, tf.int64) * 2**44], 0.0)
        return keras.layers.UpSampling2D(2)(inputs) + tf.reduce_sum(waste)


def _hungry(values: dict[str, Any], room: int) -> GeneratorUpscaler:
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, _Hungry(room)(inputs))
    return GeneratorUpscaler(model, spec_from_dict(values, "test"))


@on_tensorflow
def test_out_of_memory_shrinks_the_batch_and_loses_nothing(values: dict[str, Any]) -> None:
    """One real failure of the allocator (TensorFlow waits 10 s for memory before it reports)."""
    upscaler = _hungry(values, room=5)
    batch = _noise(8, 16, 16)
    want = batch.repeat(2, axis=1).repeat(2, axis=2)
    np.testing.assert_array_equal(upscaler(batch), want)
    assert upscaler.max_batch == 4
    np.testing.assert_array_equal(upscaler(batch[:7]), want[:7])


@pytest.mark.parametrize(("room", "left"), [(1, 1), (3, 2), (7, 4)])
def test_the_batch_shrinks_until_it_fits(
    tiny_network: Make, monkeypatch: pytest.MonkeyPatch, room: int, left: int
) -> None:
    upscaler = tiny_network("float32")
    batch = _noise(8, 16, 16)
    want, run = upscaler(batch), upscaler._run
    monkeypatch.setattr(upscaler, "_run", lambda b: run(b) if len(b) <= room else _raise_oom())
    assert np.abs(upscaler(batch).astype(int) - want.astype(int)).max() <= 1
    assert upscaler.max_batch == left


def test_one_picture_too_many_for_the_memory(
    tiny_network: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    upscaler = tiny_network("float32")
    monkeypatch.setattr(upscaler, "_run", lambda _: _raise_oom())
    with pytest.raises(ModelError, match="one picture of 16x12 does not fit into memory on cpu"):
        upscaler(_noise(4, 12, 16))


class _Outstanding:
    """A result not fetched yet, as long as it lives."""

    def __init__(self, pixels: Any) -> None:
        self.pixels = np.asarray(pixels)


@pytest.mark.parametrize("when", ["started", "fetched"])
@pytest.mark.parametrize("most", [1, 2])
def test_a_neighbour_under_way_does_not_make_a_picture_too_large(
    tiny_network: Make, monkeypatch: pytest.MonkeyPatch, when: str, most: int
) -> None:
    """There is room for ``most`` pictures by themselves, and for none beside others."""
    upscaler = tiny_network("float32")
    batch = _noise(5, 16, 16)
    want, run = upscaler(batch), upscaler._run
    alive: weakref.WeakSet[_Outstanding] = weakref.WeakSet()

    def start(part: np.ndarray) -> _Outstanding:
        if when == "started" and alive:
            _raise_oom()
        alive.add(outstanding := _Outstanding(run(part)))
        return outstanding

    def fetch(outstanding: _Outstanding) -> np.ndarray:
        if len(alive) > 1:
            _raise_oom()
        return outstanding.pixels

    monkeypatch.setattr(upscaler, "_run", start)
    monkeypatch.setattr(network.ops, "convert_to_numpy", fetch)
    upscaler.max_batch = most
    assert np.abs(upscaler(batch).astype(int) - want.astype(int)).max() <= 1


def _raise_oom() -> None:
    raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")


def test_other_failures_are_not_taken_for_lack_of_memory(tiny_network: Make) -> None:
    upscaler = tiny_network("float32")
    with pytest.raises(Exception, match=r"channel|shape|dimension|depth"):
        upscaler(np.zeros((4, 16, 16, 4), np.uint8))
    assert upscaler.max_batch is None


def _spec(values: dict[str, Any], error: float | None) -> ModelSpec:
    return spec_from_dict({**values, "bfloat16_error": error}, "test")


@pytest.mark.parametrize(
    ("error", "hardware", "gpu", "want"),
    [
        (0.3, True, False, "bfloat16"),
        (0.3, False, False, "float32"),
        (0.3, True, True, "float32"),
        (1.2, True, False, "float32"),
        (None, True, False, "float32"),
    ],
)
def test_what_auto_precision_means(
    values: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    error: float | None,
    hardware: bool,
    gpu: bool,
    want: str,
) -> None:
    monkeypatch.setattr(network, "cpu_has_bfloat16", lambda: hardware)
    assert choose_precision(_spec(values, error), on_gpu=gpu) == want


def test_bfloat16_stays_within_its_measured_error(face: np.ndarray) -> None:
    exact = load_network("srresnet-x2", precision="float32", device="cpu")
    rounded = load_network("srresnet-x2", precision="bfloat16", device="cpu")
    part = face[None, 24:72, 24:72]  # where hardware lacks the type, it is slow
    difference = np.abs(exact(part).astype(int) - rounded(part).astype(int))
    assert (exact.precision, rounded.precision) == ("float32", "bfloat16")
    assert 0 < difference.mean() < 0.25
    assert np.percentile(difference, 99.9) <= 1


def test_bfloat16_does_not_leak_into_later_models(tiny_network: Make) -> None:
    tiny_network("bfloat16")
    assert keras.config.dtype_policy().name == "float32"


def test_a_gpu_that_is_not_there() -> None:
    if network.has_gpu():
        pytest.skip("this machine has a GPU")
    with pytest.raises(ModelError, match=r"--device gpu: tensorflow sees no GPU; .*CPU"):
        load_network("srresnet-x2", device="gpu")
    assert load_network("srresnet-x2", device="auto").device == "cpu:0"


def test_the_stage_is_imported_and_started_without_noise() -> None:
    code = (
        "import sys; import vsr.models.upscale as u, vsr.cli.models; "
        "heavy = {'tensorflow', 'keras', 'cv2', 'h5py'} & set(sys.modules); assert not heavy; "
        "u.load_upscaler(u.UpscaleConfig(model='srresnet-x2')); print('ready')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("ready\n", "")
