"""MTCNN through the mtcnn package (TensorFlow, weights inside): the optional extra `mtcnn`.

K. Zhang et al., "Joint Face Detection and Alignment using Multi-task Cascaded
Convolutional Networks", IEEE Signal Processing Letters 2016.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vsr.core.errors import MissingDependencyError
from vsr.faces.detector import Detection, make_detection, suppress_duplicates

_SATURATION = 5
"""the softmax of the last network saturates near 1; its fifth power puts faces that
libfacedetection gives 0.85 at 0.85 (0.97 before)"""
_MIN_SIDE = 16


class MtcnnDetector:
    """Three cascaded networks over a picture pyramid; slower."""

    name = "mtcnn"

    def __init__(self) -> None:
        """Raises `MissingDependencyError` where the package is not installed."""
        try:
            from mtcnn import MTCNN  # type: ignore[import-not-found]
        except ImportError as error:
            raise MissingDependencyError(
                f"detector mtcnn: got no usable package ({error}), expected mtcnn; "
                "install it with `pip install 'face-vsr[mtcnn]'`"
            ) from error
        self._net: Any = MTCNN(device="CPU:0")

    def detect(self, rgb: np.ndarray) -> list[Detection]:
        """Faces of a picture ``(H, W, 3)`` uint8 RGB, surest first."""
        if min(rgb.shape[:2]) < _MIN_SIDE:
            return []
        rows = self._net.detect_faces(np.ascontiguousarray(rgb))
        found = [
            make_detection(row["box"], float(row["confidence"]) ** _SATURATION)
            for row in rows or []
        ]
        return suppress_duplicates(f for f in found if f is not None)
