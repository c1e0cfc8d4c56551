"""The statistics of verification, against searches through every threshold and theory."""

from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsr.evaluate.recognition import (
    MIN_PERSONS,
    auc,
    compare,
    distances,
    eer,
    make_pairs,
    measurable,
    roc,
    tar_at,
    thinned,
)

pytestmark = pytest.mark.fast

levels = st.lists(st.integers(0, 12).map(lambda n: n / 10), min_size=1, max_size=25)


@settings(deadline=None)
@given(levels, levels)
def test_the_curve_counts_what_each_threshold_accepts(genuine, impostor):
    g, i = np.array(genuine), np.array(impostor)
    curve = roc(g, i)
    assert curve.thresholds[1:].tolist() == sorted({*genuine, *impostor})
    for threshold, far, tar in zip(curve.thresholds, curve.far, curve.tar, strict=True):
        assert far == pytest.approx(np.mean(i <= threshold))
        assert tar == pytest.approx(np.mean(g <= threshold))


@settings(deadline=None)
@given(levels, levels, st.sampled_from([0.001, 0.01, 0.1, 0.25, 0.5]))
def test_rates_equal_a_search_through_all_thresholds(genuine, impostor, target):
    g, i = np.array(genuine), np.array(impostor)
    curve = roc(g, i)
    allowed = [np.mean(g <= t) for t in [-1, *genuine, *impostor] if np.mean(i <= t) <= target]
    assert tar_at(curve, target) == pytest.approx(max(allowed))
    wins = np.mean([(a < b) + 0.5 * (a == b) for a in genuine for b in impostor])
    assert auc(curve) == pytest.approx(wins)
    rates = [(np.mean(i <= t), np.mean(g > t)) for t in [-1, *sorted({*genuine, *impostor})]]
    crossing = next(k for k, (far, frr) in enumerate(rates) if far >= frr)
    low = max(rates[crossing - 1][0], rates[crossing][1])
    high = min(rates[crossing][0], rates[crossing - 1][1])
    assert low - 1e-9 <= eer(curve) <= high + 1e-9


def test_known_rates():
    apart = roc(np.array([0.1, 0.2]), np.array([0.5, 0.6]))
    assert (eer(apart), auc(apart), tar_at(apart, 0.001)) == (0, 1, 1)
    swapped = roc(np.array([0.5, 0.6]), np.array([0.1, 0.2]))
    assert (eer(swapped), auc(swapped), tar_at(swapped, 0.001)) == (1, 0, 0)
    alike = roc(np.array([0.3, 0.3]), np.array([0.3]))
    assert (eer(alike), auc(alike)) == (0.5, 0.5)


def test_normal_distances_give_the_rate_of_theory():
    """Two normal distributions two deviations apart cross at Phi(-1) = 0.1587."""
    rng = np.random.default_rng(0)
    curve = roc(rng.normal(0, 1, 200_000), rng.normal(2, 1, 200_000))
    assert eer(curve) == pytest.approx(0.15866, abs=0.002)
    assert tar_at(curve, 0.01) == pytest.approx(0.3721, abs=0.006)  # Phi(2 - 2.3263)
    assert auc(curve) == pytest.approx(0.92135, abs=0.002)  # Phi(2 / sqrt(2))


def test_pairs_lie_between_groups_only():
    persons, groups = list("aaabbc"), list("xxyxyy")
    pairs = make_pairs(persons, groups)
    every = [p for p in itertools.combinations(range(6), 2) if groups[p[0]] != groups[p[1]]]
    same = {p for p in every if persons[p[0]] == persons[p[1]]}
    assert {tuple(p) for p in pairs.genuine.tolist()} == same
    assert {tuple(p) for p in pairs.impostor.tolist()} == set(every) - same
    fewer = make_pairs(persons, groups, limit=2)
    assert len(fewer.genuine) == len(fewer.impostor) == 2
    assert {tuple(p) for p in fewer.impostor.tolist()} < set(every) - same


def test_the_pairs_are_those_of_the_whole_list():
    rng = np.random.default_rng(2)
    persons, groups = rng.integers(0, 9, 60).astype(str), rng.integers(0, 5, 60).astype(str)
    first, second = np.triu_indices(60, 1)
    apart = groups[first] != groups[second]
    same = persons[first] == persons[second]
    for limit in (50, 10**6):
        pairs, draw = make_pairs(persons, groups, limit, seed=4), np.random.default_rng(4)
        for found, kind in ((pairs.genuine, same), (pairs.impostor, ~same)):
            every = np.stack([first, second], axis=1)[apart & kind]
            if len(every) > limit:
                every = every[np.sort(draw.choice(len(every), limit, replace=False))]
            np.testing.assert_array_equal(found, every)


def test_pairs_that_are_not_drawn_are_not_made():
    faces = np.arange(20_000)
    tracemalloc.start()
    pairs = make_pairs((faces % 500).astype(str), (faces % 7).astype(str), limit=1000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(pairs.genuine) == len(pairs.impostor) == 1000
    assert peak < 2**25  # all of them: 3 GB
    assert make_pairs(["a"] * 9, ["x"] * 9).genuine.shape == (0, 2)
    assert make_pairs([], []).impostor.shape == (0, 2)


def test_distances_are_euclidean():
    table = np.random.default_rng(1).normal(size=(30, 128))
    pairs = np.array(list(itertools.combinations(range(30), 2)))
    wanted = [np.sqrt(((table[a] - table[b]) ** 2).sum()) for a, b in pairs]
    assert np.allclose(distances(table, pairs), wanted)


def people(count: int, noise: float, seed: int = 3) -> tuple[np.ndarray, list[str], list[str]]:
    """Descriptors of ``count`` persons, each four times, in four groups."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(count, 8))
    table = np.repeat(centres, 4, axis=0) + rng.normal(0, noise, (4 * count, 8))
    return (
        table,
        [f"{i // 4:04d}" for i in range(4 * count)],
        [f"s{i % 4}" for i in range(4 * count)],
    )


def test_a_better_descriptor_is_seen_as_better():
    good, persons, groups = people(30, 0.4)
    bad = people(30, 1.5)[0]
    pairs = make_pairs(persons, groups)
    found = compare({"bicubic": bad, "sr": good, "copy": bad}, persons, pairs, "bicubic", 200)
    for name, sign in (("eer", -1), ("tar@far=0.01", 1), ("auc", 1)):
        value = found["sr"][name]
        assert value.low <= value.value <= value.high
        assert value.value - found["bicubic"][name].value == pytest.approx(value.change)
        assert value.change_low * sign > 0
        assert value.change_high * sign > 0
        same = found["copy"][name]
        assert (same.change, same.change_low, same.change_high) == (0, 0, 0)
    assert found["bicubic"]["eer"].change is None


def test_the_interval_is_that_of_persons_not_of_pairs():
    """Over many worlds, the interval holds the expected rate about as often as it says."""
    expected = np.mean([_eer_of(*people(40, 1.2, seed)) for seed in range(200, 260)])
    hits = 0
    for seed in range(40):
        table, persons, groups = people(12, 1.2, seed)
        pairs = make_pairs(persons, groups)
        value = compare({"x": table}, persons, pairs, "x", 150)["x"]["eer"]
        hits += value.low <= expected <= value.high
    assert hits >= 32  # 95 % of 40 is 38; small samples cover somewhat less


def _eer_of(table, persons, groups):
    pairs = make_pairs(persons, groups)
    return eer(roc(distances(table, pairs.genuine), distances(table, pairs.impostor)))


def test_too_little_is_said_to_be_too_little():
    table, persons, groups = people(MIN_PERSONS - 1, 0.5)
    few = compare({"bicubic": table}, persons, make_pairs(persons, groups), "bicubic", 50)
    assert few["bicubic"]["eer"].value is not None
    assert few["bicubic"]["eer"].low is None
    assert few["bicubic"]["tar@far=0.001"].value is None
    assert compare({"x": table[:4]}, persons[:4], make_pairs(persons[:4], groups[:4]), "x") == {}
    assert measurable("tar@far=0.001", 1000)
    assert not measurable("tar@far=0.001", 999)
    assert measurable("eer", 1)


def test_a_drawn_curve_is_made_of_points_of_the_curve():
    rng = np.random.default_rng(5)
    curve = roc(rng.normal(0, 1, 500), rng.normal(2, 1, 5000))
    points = thinned(curve)
    exact = set(zip(curve.far.tolist(), curve.tar.tolist(), strict=True))
    assert set(points) <= exact
    assert points == sorted(points)
    assert points[-1] == (1.0, 1.0)
    assert points[0] == (0.0, curve.tar[curve.far == 0].max())
    assert points[0][1] > 0.05
    assert 20 < len(points) <= 201
