"""Boxes smoothed over time without lag."""

from __future__ import annotations

import numpy as np

from vsr.core.geometry import Box


def smooth_box(
    times_s: np.ndarray, boxes: np.ndarray, at_s: float, sigma_s: float, sigma_size_s: float
) -> Box:
    """The box at a moment, from boxes seen before and after it.

    Local linear regression with Gaussian weights (Cleveland, "Robust Locally Weighted
    Regression", JASA 1979, with one pass): the weights lie symmetrically around the
    moment, so that the result does not lag, and steady motion or growth is
    reproduced exactly, also across missing frames and uneven timestamps.

    times_s: (N,) seconds, ascending; boxes: (N, 4) float (centre x, centre y, width,
    height) in pixels. Middle points and sizes have their own widths of the weights in
    seconds. Returns a box of at least one pixel.
    """
    t = times_s - at_s
    cx, cy = _fit_at_zero(t, boxes[:, :2], sigma_s)
    low, high = boxes[:, 2:].min(axis=0), boxes[:, 2:].max(axis=0)
    w, h = np.clip(_fit_at_zero(t, boxes[:, 2:], sigma_size_s), np.maximum(1, low), high)
    return Box.from_center(float(cx), float(cy), float(w), float(h))


def _fit_at_zero(t: np.ndarray, values: np.ndarray, sigma: float) -> np.ndarray:
    """Value at t = 0 of the weighted straight line through values (N, C)."""
    distance = np.abs(t) / sigma
    weights = np.exp(-0.5 * (distance**2 - distance.min() ** 2))
    total = weights.sum()
    mean_t = (weights * t).sum() / total
    mean = (weights[:, None] * values).sum(axis=0) / total
    spread = (weights * (t - mean_t) ** 2).sum()
    if spread < 1e-6 * sigma**2 * total:
        return mean
    slope = (weights[:, None] * (t - mean_t)[:, None] * (values - mean)).sum(axis=0) / spread
    return mean - slope * mean_t
