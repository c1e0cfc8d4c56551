"""How much detail a crop really holds, by the spectrum of its luma.

The power spectrum of faces, as of natural images, falls by a power of the frequency (Field,
J. Opt. Soc. Am. A 4, 1987; van der Schaaf and van Hateren, Vision Research 36, 1996). Blur and
enlargement leave less above some frequency, and noise and coding fill in what holds no face. So the
coarse structure, which even a face of 16 pixels shows, tells what finer structure to expect;
where clearly less is there, beyond what lies flat over all frequencies, detail ends.
"""

from __future__ import annotations

import functools
import itertools

import numpy as np

SLOPE_DB = 31.0
"""dB per decade by which the power of sharp faces falls (a power of -3.1 of the frequency)"""
LOST_DB = 10.0
"""dB below the expected power at which detail ends: a third of its amplitude"""
PIXELS_PER_CYCLE = 1.7
"""pixels that hold a cycle where detail ends: enlarged faces of n pixels have it at n / 1.7
cycles, since enlarging is no sharp filter (2 would be the theorem's)"""
_COARSE = (2.0, 8.1)
"""cycles per crop: the structure by which the rest is judged"""
_OCTAVE_PARTS = 3
"""rings per octave"""
_FLOOR_SHARE = 0.8
"""part of the finest ring's power that is taken for noise, which lies in all rings alike"""
_FIRST = 6.0
"""cycles per crop below which detail does not end: 10 pixels hold them"""
_LASTS = 3
"""rings that must lack power in the mean: one may be weak by chance"""
_LEAST_SIDE = 24
"""pixels below which nothing can be told"""
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def detail_of(rgb: np.ndarray) -> float:
    """Pixels across a crop that would hold all the detail it shows.

    rgb: uint8 or uint16, (h, w, 3); of a picture that is not square its middle square counts.
    Returns at most the square's side, and just that where nothing is missing, where noise hides
    what is, or where the crop is too small or too flat to tell.
    """
    luma = _middle_square(rgb).astype(np.float32) @ _LUMA
    if rgb.dtype == np.uint16:
        luma /= 257
    side = luma.shape[0]
    if side < _LEAST_SIDE:
        return float(side)
    cycles, power = _ring_powers(luma)
    floor = max(1e-3, power[-1] * _FLOOR_SHARE)
    level = 10 * np.log10(np.maximum(power - floor, 1e-3))
    coarse = (cycles >= _COARSE[0]) & (cycles <= _COARSE[1])
    expected = np.mean(level[coarse] + SLOPE_DB * np.log10(cycles[coarse]))
    expected = expected - SLOPE_DB * np.log10(cycles)
    seen = expected - LOST_DB > 10 * np.log10(floor)
    lost = np.where(seen, np.minimum(expected - level, 2 * LOST_DB), 0.0)
    return min(float(side), PIXELS_PER_CYCLE * _end(cycles, lost))


def _end(cycles: np.ndarray, lost: np.ndarray) -> float:
    """The frequency (cycles per crop) from which on more than `LOST_DB` is missing."""
    for at in range(1, len(cycles)):
        following = lost[at : at + _LASTS]
        if cycles[at] >= _FIRST and lost[at] > LOST_DB and following.mean() > LOST_DB:
            rise = lost[at] - lost[at - 1]
            part = min(max((LOST_DB - lost[at - 1]) / rise, 0.0), 1.0) if rise > 0 else 0.0
            return float(cycles[at - 1] * (cycles[at] / cycles[at - 1]) ** part)
    return float("inf")


def _ring_powers(luma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(cycles per crop, power) of rings a third of an octave wide; float (rings,) each.

    The median over a ring, not its mean: the edges of a codec's blocks and of the crop lie on
    the two axes. For exponentially distributed power the median is ln 2 of the mean.
    """
    rings, cycles, window = _rings(luma.shape[0])
    spectrum = np.abs(np.fft.rfft2((luma - luma.mean()) * window)).ravel() ** 2
    return cycles, np.array([np.median(spectrum[ring]) for ring in rings]) / np.log(2)


@functools.lru_cache(maxsize=32)
def _rings(side: int) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Indices of each ring into a flat half spectrum, its frequency, and a Hann window."""
    edges = 2.0 * 2 ** (np.arange(40) / _OCTAVE_PARTS)
    edges = edges[edges <= side / 2 * 1.0001]
    if edges[-1] < side / 2 * 0.93:
        edges = np.append(edges, side / 2)
    down, across = np.fft.fftfreq(side) * side, np.fft.rfftfreq(side) * side
    radius = np.hypot(down[:, None], across[None, :]).ravel()
    rings = [
        np.flatnonzero((radius >= low) & (radius < high)) for low, high in itertools.pairwise(edges)
    ]
    row = np.hanning(side + 2)[1:-1]
    window = np.outer(row, row)
    window /= np.sqrt((window**2).sum())
    return rings, np.sqrt(edges[1:] * edges[:-1]), window.astype(np.float32)


def _middle_square(rgb: np.ndarray) -> np.ndarray:
    height, width = rgb.shape[:2]
    side = min(height, width)
    y, x = (height - side) // 2, (width - side) // 2
    return rgb[y : y + side, x : x + side]
