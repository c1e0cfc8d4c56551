"""YuNet through OpenCV, from an ONNX file that the user brings.

S. Yu et al., "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence
Research 2023. OpenCV's wheels have the code, not the file.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from vsr.core.errors import InputError, MissingDependencyError
from vsr.faces.detector import Detection, make_detection, suppress_duplicates

_CANDIDATE_SCORE = 0.3
_CANDIDATE_IOU = 0.4
_MAX_CANDIDATES = 1000
_MIN_SIDE = 16


class YuNetDetector:
    """cv2.FaceDetectorYN: the same network as libfacedetection, often faster."""

    name = "yunet"

    def __init__(self, model_file: Path | None) -> None:
        """model_file: face_detection_yunet_*.onnx of the OpenCV model zoo.

        Raises `MissingDependencyError` without a file and `InputError` where the file is
        missing or is not such a network.
        """
        if model_file is None:
            raise MissingDependencyError(
                "detector yunet: got no model file, expected face_detection_yunet_*.onnx; "
                "download it from the OpenCV model zoo and give it as detect.model_file"
            )
        if not Path(model_file).is_file():
            raise InputError(
                f"detector yunet: got no file at {model_file}, expected an ONNX model; "
                "correct detect.model_file"
            )
        try:
            self._net = cv2.FaceDetectorYN.create(
                str(model_file), "", (320, 320), _CANDIDATE_SCORE, _CANDIDATE_IOU, _MAX_CANDIDATES
            )
            self.detect(np.zeros((64, 64, 3), np.uint8))
        except cv2.error as error:
            reason = str(error).strip().splitlines()[0][:160]
            raise InputError(
                f"detector yunet: got {model_file}, which OpenCV cannot use ({reason}), expected a "
                "YuNet ONNX file; take face_detection_yunet_2023mar.onnx of the OpenCV model zoo"
            ) from error

    def detect(self, rgb: np.ndarray) -> list[Detection]:
        """Faces of a picture ``(H, W, 3)`` uint8 RGB, surest first."""
        height, width = rgb.shape[:2]
        if min(height, width) < _MIN_SIDE:
            return []
        self._net.setInputSize((width, height))
        _, rows = self._net.detect(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
        if rows is None:
            return []
        found = [make_detection(r[:4], r[14]) for r in np.asarray(rows)]
        return suppress_duplicates(f for f in found if f is not None)
