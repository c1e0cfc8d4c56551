"""A run whose memory is short, and one whose graphics card disappears on the way."""

from __future__ import annotations

import av
import numpy as np
import pytest
import tensorflow as tf

from tests.faults.conftest import make_clip
from vsr.core.errors import ModelError
from vsr.models.network import GeneratorUpscaler
from vsr.models.upscale import UpscaleConfig, load_upscaler
from vsr.run.journal import journal_path
from vsr.run.recipe import load_recipe
from vsr.run.restore import restore

MODEL = "srgan-x2-fast"
SECONDS = 2
FRAMES = 25 * SECONDS


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Two seconds: four parts."""
    return make_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", SECONDS)


@pytest.fixture(scope="module")
def recipe():
    upscale = [("upscale", "model", MODEL), ("upscale", "precision", "float32")]
    encode = [("encode", "codec", "ffv1"), ("encode", "part_frames", 16)]
    return load_recipe("restore-fast", [*upscale, *encode])


@pytest.fixture(scope="module")
def undisturbed(clip, recipe, tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed") / "out.mkv"
    restore(clip, out, recipe, upscaler=loaded())
    return out


def loaded() -> GeneratorUpscaler:
    upscaler = load_upscaler(UpscaleConfig(model=MODEL, scale=2, precision="float32"))
    assert isinstance(upscaler, GeneratorUpscaler)
    return upscaler


def failing(error: Exception, when) -> GeneratorUpscaler:
    """A network that computes on the processor, but for the calls for which ``when`` is true."""
    upscaler, calls = loaded(), []
    run = upscaler._run

    def fragile(batch):
        calls.append(len(batch))
        if when(calls):
            raise error
        return run(batch)

    upscaler._run = fragile  # pyright: ignore[reportAttributeAccessIssue]
    return upscaler


def pictures(path):
    with av.open(str(path)) as container:
        return [(f.pts, f.to_ndarray(format="rgb24")) for f in container.decode(video=0)]


def assert_same(one, other):
    """Times equal; pictures up to the rounding of another batch size."""
    found, wanted = pictures(one), pictures(other)
    assert len(found) == FRAMES
    assert [p for p, _ in found] == [p for p, _ in wanted]
    for (_, a), (_, b) in zip(found, wanted, strict=True):
        assert np.abs(a.astype(int) - b).max() <= 2


def test_memory_that_is_short_drops_no_frame(clip, recipe, undisturbed, tmp_path):
    short = tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
    upscaler = failing(short, lambda calls: calls[-1] > 1)
    restore(clip, tmp_path / "out.mkv", recipe, upscaler=upscaler)
    assert upscaler.max_batch == 1
    assert_same(tmp_path / "out.mkv", undisturbed)


def test_a_graphics_card_that_disappears_leaves_the_journal_whole(
    clip, recipe, undisturbed, tmp_path
):
    out = tmp_path / "out.mkv"
    lost = tf.errors.InternalError(None, None, "CUDA_ERROR_DEVICE_UNAVAILABLE: device lost")
    upscaler = failing(lost, lambda calls: sum(calls) > FRAMES * 2 // 3)
    upscaler._on_gpu, upscaler.device = True, "gpu:0"
    upscaler._fixed_batches = True
    with pytest.raises(ModelError, match=r"gpu:0 failed .* run the same command again"):
        restore(clip, out, recipe, upscaler=upscaler)
    assert not out.exists()
    kept = sorted(p.name for p in journal_path(out).glob("*.nut"))
    assert kept
    times = [(journal_path(out) / name).stat().st_mtime_ns for name in kept]
    assert times == sorted(times)
    restore(clip, out, recipe, upscaler=loaded())
    assert_same(out, undisturbed)
    assert not journal_path(out).exists()
