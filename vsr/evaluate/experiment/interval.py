"""Confidence intervals for values that are not independent: the cluster bootstrap.

Neighbouring frames of a film are nearly the same measurement taken twice. What is drawn again is
therefore whole tracks, or stretches of frames (Field and Welsh, JRSS B 2007; Carlstein, Annals of
Statistics 1986), not single values.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

LEVEL = 0.95
RESAMPLES = 2000
MIN_TRACKS = 5
"""fewer tracks cannot stand for all tracks: then stretches of frames are drawn"""
STRETCH = 10
"""frames"""


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean and its interval."""

    mean: float
    low: float | None
    """None where there is only one cluster"""
    high: float | None
    count: int


def bootstrap(
    values: Sequence[float] | np.ndarray, clusters: Sequence[Hashable], seed: int = 0
) -> Mean:
    """Mean of ``values`` (at least one) and its percentile interval, clusters drawn again."""
    array = np.asarray(values, np.float64)
    numbers = {name: i for i, name in enumerate(dict.fromkeys(clusters))}
    index = np.array([numbers[c] for c in clusters])
    sums = np.bincount(index, array, len(numbers))
    counts = np.bincount(index, minlength=len(numbers))
    mean = float(array.mean())
    if len(numbers) < 2:
        return Mean(mean, None, None, len(array))
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(numbers), (RESAMPLES, len(numbers)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Mean(mean, float(low), float(high), len(array))
