"""What makes a run faster changes no frame and no time, and pixels only as far as stated here.

The plain path searches every picture for faces, computes in float32 and one crop at a time.
Results are written without loss, so that every difference is the mode's own.
"""

from __future__ import annotations

import numpy as np
import pytest

from vsr.models.network import cpu_has_bfloat16
from vsr.run.recipe import load_recipe, override
from vsr.run.restore import restore

PLAIN = [
    ("detect", "stride", 1),
    ("upscale", "model", "srresnet-x2"),
    ("upscale", "precision", "float32"),
    ("upscale", "batch_size", 1),
    ("encode", "codec", "ffv1"),
]
MODES = {
    # name: changes, largest difference of a sample in levels, mean difference over the face;
    # measured 0, 3, 0, 18 and 0 at most: a window that moves by a pixel brings other samples
    "batches of 8": ([("upscale", "batch_size", 8)], 1, 0.01),
    "bfloat16": ([("upscale", "precision", "bfloat16")], 4, 0.1),
    "search of every third picture": ([("detect", "stride", 3)], 22, 0.25),
    "search of what changed": ([("detect", "stride", "auto")], 22, 0.25),
    "GPU where there is one": (
        [("decode", "hwaccel", "auto"), ("encode", "hwaccel", "auto")], 0, 0.0,
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def plain(face_clip, tmp_path_factory):
    out = tmp_path_factory.mktemp("plain") / "out.mkv"
    manifest = restore(face_clip, out, override(load_recipe("restore"), PLAIN))
    assert manifest.faces > 0
    return out


@pytest.fixture(scope="module")
def untouched(face_clip, tmp_path_factory, watch):
    """The source plainly enlarged: where the plain path differs from it, there is a face."""
    out = tmp_path_factory.mktemp("untouched") / "out.mkv"
    recipe = override(load_recipe("restore"), [*PLAIN, ("upscale", "model", "lanczos")])
    restore(face_clip, out, override(recipe, [("detect", "min_confidence", 1.0)]))
    return watch(out)[1]


@pytest.mark.parametrize("name", MODES)
def test_a_mode_against_the_plain_path(name, plain, untouched, face_clip, watch, tmp_path):
    changes, largest, mean = MODES[name]
    if name == "bfloat16" and not cpu_has_bfloat16():
        pytest.skip("this processor does not compute bfloat16 itself: minutes")
    out = tmp_path / "out.mkv"
    manifest = restore(face_clip, out, override(load_recipe("restore"), [*PLAIN, *changes]))
    _compare(plain, out, untouched, watch, largest, mean)
    if name.startswith("GPU") and manifest.notices:
        about_it = [n for n in manifest.notices if n.startswith("no GPU")]
        assert [n.partition(" video")[0].partition(" in ")[0] for n in about_it] == [
            "no GPU that decodes this h264",
            "no GPU that encodes ffv1",
        ]


def test_the_fast_recipe_against_the_plain_path(plain, untouched, face_clip, watch, tmp_path):
    """With the plain path's views: an average of five takes noise away that one view keeps."""
    out = tmp_path / "out.mkv"
    changes = [
        ("upscale", "model", "srresnet-x2"),
        ("encode", "codec", "ffv1"),
        ("fuse", "views", 5),
    ]
    restore(face_clip, out, override(load_recipe("restore-fast"), changes))
    _compare(plain, out, untouched, watch, 22, 0.25)


def _compare(plain, out, untouched, watch, largest, mean):
    times, pictures = watch(plain)
    got_times, got = watch(out)
    assert got_times == times
    assert got.shape == pictures.shape
    difference = np.abs(got.astype(int) - pictures.astype(int))
    face = pictures != untouched
    print(f"largest {difference.max()}, mean over the face {difference[face].mean():.4f}")
    assert face.any()
    assert difference.max() <= largest
    assert difference[face].mean() <= mean
