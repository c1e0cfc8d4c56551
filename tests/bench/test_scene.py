"""The built-in clip: the same everywhere, and faces that a detector takes for faces."""

from __future__ import annotations

from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from vsr.bench.scene import HEIGHT, WIDTH, place, scene
from vsr.core.types import Frame
from vsr.faces.detect import DetectConfig, detect, make_detector
from vsr.run.source import probe_source


def test_the_scene_is_the_same_each_time():
    for a, b in zip(islice(scene(9, faces=3), 3), scene(3, faces=3), strict=True):
        assert a.shape == (HEIGHT, WIDTH, 3)
        assert a.dtype == np.uint8
        np.testing.assert_array_equal(a, b)


def test_it_moves():
    first, second = scene(2)
    assert np.mean(first != second) > 0.5


@pytest.mark.parametrize("faces", [0, 1, 7])
def test_every_drawn_face_is_found_where_it_stands(faces: int):
    detector = make_detector(DetectConfig())
    *_, picture = scene(11, faces=faces, face_px=64)
    (item,) = detect([Frame(0, 0, Fraction(1, 30), picture)], detector, DetectConfig())
    assert len(item.faces) == faces
    wanted = sorted(place(face, 10) for face in range(faces))
    for (x, y), box in zip(
        wanted, sorted((f.box for f in item.faces), key=lambda b: b.center), strict=True
    ):
        assert abs(box.center[0] - x) < 8
        assert abs(box.center[1] - y) < 16
        assert 56 <= box.width <= 72


def test_the_file_holds_its_frames(clip: Path):
    info = probe_source(clip)
    assert (info.width, info.height, info.frame_count, info.frame_rate) == (800, 600, 12, 30)


def test_a_tenth_face_has_no_place():
    with pytest.raises(ValueError, match="0 to 9"):
        next(scene(1, faces=10))
