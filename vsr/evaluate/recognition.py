"""Verification: how well distances of descriptors tell the same person from another.

Pairs are taken between groups (sequences) only. All variants of the faces are judged on the
same pairs, and intervals come from drawing whole persons again: the pairs of one person are
not independent, and other people would have been filmed on another day.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Int = NDArray[np.intp]

LEVEL = 0.95
MIN_PERSONS = 5
"""fewer persons cannot stand for all persons: no interval is given"""
FAR_TARGETS = (1e-2, 1e-3)


@dataclass(frozen=True, slots=True)
class Pairs:
    """Which faces are compared: indices into the list of faces."""

    genuine: Int
    """(N, 2): one person, two groups"""
    impostor: Int
    """(M, 2): two persons, two groups"""


@dataclass(frozen=True, slots=True)
class Curve:
    """A receiver operating characteristic; a pair is accepted where its distance <= threshold."""

    thresholds: Float
    """rising; the first is -inf: nothing is accepted"""
    far: Float
    """share of impostor pairs accepted"""
    tar: Float
    """share of genuine pairs accepted"""


@dataclass(frozen=True, slots=True)
class Interval:
    """A value, its interval, and the same for its difference to the baseline."""

    value: float | None
    """None where there are too few pairs to say"""
    low: float | None = None
    high: float | None = None
    change: float | None = None
    """minus the baseline's; None for the baseline itself"""
    change_low: float | None = None
    change_high: float | None = None


def make_pairs(
    persons: Sequence[str], groups: Sequence[str], limit: int = 200_000, seed: int = 0
) -> Pairs:
    """All pairs of faces of different groups, at most ``limit`` of either kind (drawn, seeded).

    Only the pairs that are taken are ever made: 64,000 faces have two thousand million.
    """
    who = np.unique(np.asarray(persons, str), return_inverse=True)[1]
    where = np.unique(np.asarray(groups, str), return_inverse=True)[1]
    rng = np.random.default_rng(seed)
    apart = np.arange(len(who))[::-1] - _later(where)
    genuine = _later(who) - _later(who * (where.max(initial=0) + 1) + where)

    def second(face: int, same: bool) -> Int:
        later = slice(face + 1, None)
        fits = (where[later] != where[face]) & ((who[later] == who[face]) == same)
        return np.flatnonzero(fits) + face + 1

    return Pairs(
        _drawn(genuine, lambda face: second(face, True), limit, rng),
        _drawn(apart - genuine, lambda face: second(face, False), limit, rng),
    )


def _later(labels: Int) -> Int:
    """How many of the places after each hold the same label."""
    order = np.argsort(labels, kind="stable")
    ends = np.searchsorted(labels[order], labels[order], side="right")
    counts = np.empty(len(labels), np.intp)
    counts[order] = ends - 1 - np.arange(len(labels))
    return counts


def _drawn(counts: Int, second: Callable[[int], Int], limit: int, rng: np.random.Generator) -> Int:
    """Pairs ``(N, 2)`` in order: all, or ``limit`` of them.

    counts: how many pairs begin with each face; ``second``: the other faces of one's, rising.
    """
    total = int(counts.sum())
    drawn = total > limit
    ranks = np.sort(rng.choice(total, limit, replace=False)) if drawn else np.arange(total)
    ends = np.cumsum(counts)
    first = np.searchsorted(ends, ranks, side="right")
    places = ranks - (ends - counts)[first]
    pairs = np.stack([first, places], axis=1)
    faces, starts = np.unique(first, return_index=True)
    for face, start, end in zip(faces, starts, np.append(starts, len(pairs))[1:], strict=True):
        pairs[start:end, 1] = second(int(face))[places[start:end]]
    return pairs


def distances(descriptors: Float, pairs: Int) -> Float:
    """Euclidean distance of each pair of rows; float64 ``(N,)``."""
    parts = [
        np.linalg.norm(descriptors[p[:, 0]] - descriptors[p[:, 1]], axis=1)
        for p in np.array_split(pairs, max(1, len(pairs) // 20_000))
    ]
    return np.concatenate(parts) if parts else np.zeros(0)


class Sorted:
    """The pairs of one variant by rising distance, ready to be weighted again and again."""

    def __init__(self, genuine: Float, impostor: Float) -> None:
        joined = np.concatenate([genuine, impostor])
        self.order = np.argsort(joined, kind="stable")
        self.is_genuine = self.order < len(genuine)
        levels = joined[self.order]
        # equal distances are accepted together
        self.last = np.flatnonzero(np.append(levels[1:] != levels[:-1], True))
        self.levels = levels[self.last]

    def curve(self, weights: Float) -> Curve:
        """The curve where pair i (genuine ones first) counts ``weights[i]`` times."""
        ordered = weights[self.order]
        genuine = np.cumsum(np.where(self.is_genuine, ordered, 0.0))
        impostor = np.cumsum(ordered) - genuine
        return Curve(
            np.concatenate([[-np.inf], self.levels]),
            np.concatenate([[0.0], impostor[self.last] / impostor[-1]]),
            np.concatenate([[0.0], genuine[self.last] / genuine[-1]]),
        )


def roc(genuine: Float, impostor: Float) -> Curve:
    """The curve of two lists of distances, at least one each."""
    return Sorted(genuine, impostor).curve(np.ones(len(genuine) + len(impostor)))


def eer(curve: Curve) -> float:
    """Equal error rate: where false acceptance and false rejection cross, on straight lines."""
    gap = curve.far - (1 - curve.tar)  # rises from -1 to 1
    k = int(np.argmax(gap >= 0))
    step = gap[k] - gap[k - 1]
    part = -gap[k - 1] / step if step > 0 else 0.0
    return float(curve.far[k - 1] + part * (curve.far[k] - curve.far[k - 1]))


def tar_at(curve: Curve, far: float) -> float:
    """Largest share of genuine pairs accepted while at most ``far`` of the impostors are."""
    k = int(np.searchsorted(curve.far, far * (1 + 1e-12), side="right")) - 1
    return float(curve.tar[k])


def auc(curve: Curve) -> float:
    """Area under the curve: the chance that a genuine pair is nearer than an impostor pair."""
    return float(np.sum(np.diff(curve.far) * (curve.tar[1:] + curve.tar[:-1]) / 2))


Statistic = Callable[[Curve], float]
STATISTICS: dict[str, Statistic] = {
    "eer": eer,
    **{f"tar@far={t:g}": (lambda c, t=t: tar_at(c, t)) for t in FAR_TARGETS},
    "auc": auc,
}
"""name to function; all of them lie between 0 and 1"""


def measurable(name: str, impostors: int) -> bool:
    """Whether so many impostor pairs can show a rate: 1e-3 needs a thousand."""
    _, at, target = name.partition("@far=")
    return not at or impostors >= 1 / float(target) - 1e-9


def compare(
    descriptors: Mapping[str, Float],
    persons: Sequence[str],
    pairs: Pairs,
    baseline: str,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, dict[str, Interval]]:
    """Every statistic of every variant, with its interval and its change over the baseline.

    descriptors: variant to float ``(faces, 128)``, faces in one order. The same persons are
    drawn for all variants, so the interval of a change is that of paired values. A pair counts
    as often as its persons were drawn (the product for two). Empty where a kind of pair is
    missing.
    """
    if not len(pairs.genuine) or not len(pairs.impostor):
        return {}
    ready = {
        name: Sorted(distances(d, pairs.genuine), distances(d, pairs.impostor))
        for name, d in descriptors.items()
    }
    who = np.unique(np.asarray(persons, str), return_inverse=True)[1]
    a, b = who[pairs.genuine[:, 0]], who[pairs.impostor]
    ones = np.ones(len(a) + len(b))
    names = [s for s in STATISTICS if measurable(s, len(pairs.impostor))]
    found = {v: _statistics(s.curve(ones), names) for v, s in ready.items()}
    drawn: dict[str, list[Float]] = {v: [] for v in ready}
    present = np.unique(np.concatenate([a, b.ravel()]))
    if min(len(np.unique(a)), len(present)) >= MIN_PERSONS:
        rng = np.random.default_rng(seed)
        for _ in range(resamples):
            counts = np.zeros(who.max() + 1)
            counts[present] = rng.multinomial(len(present), np.full(len(present), 1 / len(present)))
            weights = np.concatenate([counts[a], counts[b[:, 0]] * counts[b[:, 1]]])
            if weights[: len(a)].any() and weights[len(a) :].any():
                for variant, table in ready.items():
                    drawn[variant].append(_statistics(table.curve(weights), names))
    return {v: _intervals(v, names, found, drawn, baseline) for v in ready}


def _statistics(curve: Curve, names: Sequence[str]) -> Float:
    return np.array([STATISTICS[name](curve) for name in names])


def _intervals(
    variant: str,
    names: Sequence[str],
    found: Mapping[str, Float],
    drawn: Mapping[str, list[Float]],
    baseline: str,
) -> dict[str, Interval]:
    result = {name: Interval(None) for name in STATISTICS}
    draws, base = np.array(drawn[variant]), np.array(drawn[baseline])
    for i, name in enumerate(names):
        low, high = _quantiles(draws[:, i]) if len(draws) else (None, None)
        change = change_low = change_high = None
        if variant != baseline:
            change = float(found[variant][i] - found[baseline][i])
            if len(draws):
                change_low, change_high = _quantiles(draws[:, i] - base[:, i])
        value = float(found[variant][i])
        result[name] = Interval(value, low, high, change, change_low, change_high)
    return result


def _quantiles(values: Float) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def thinned(curve: Curve, points: int = 200) -> list[tuple[float, float]]:
    """(far, tar) of a curve at rates that suit a logarithmic axis; exact points of it.

    The first is the last one at which no impostor is accepted: it has no place on such an axis,
    but where the curve comes from is drawn by it.
    """
    lowest = max(1e-6, float(curve.far[curve.far > 0].min(initial=1.0)))
    wanted = np.geomspace(lowest, 1.0, points)
    wanted = np.concatenate([[0.0], wanted * (1 + 1e-12)])
    places = np.unique(np.searchsorted(curve.far, wanted, side="right") - 1)
    return [(float(curve.far[k]), float(curve.tar[k])) for k in places]
