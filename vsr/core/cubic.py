"""Keys' cubic convolution kernel, shared by the networks' image skip and the reductions."""

from __future__ import annotations

import numpy as np

CUBIC_A = -0.5
"""Keys' parameter (IEEE ASSP-29, 1981); -0.5 is PIL's BICUBIC, OpenCV uses -0.75."""


def cubic(x: np.ndarray, a: float = CUBIC_A) -> np.ndarray:
    """The kernel at the distances ``x`` (samples, any shape): 1 at 0, zero from 2 on."""
    x = np.abs(x)
    near = (a + 2) * x**3 - (a + 3) * x**2 + 1
    far = a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))
