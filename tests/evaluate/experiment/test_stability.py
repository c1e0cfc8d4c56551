"""Motion, box jitter, intervals: against what is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import bootstrap as scipy_bootstrap

from vsr.core.geometry import Box
from vsr.evaluate.experiment.interval import bootstrap
from vsr.evaluate.experiment.stability import BoxJitter, Change, find_motion

pytestmark = pytest.mark.fast


def test_a_pan_is_seen(film: list[np.ndarray]) -> None:
    motion = find_motion(film[1], film[0])  # the camera moved two pixels to the right
    inner = (slice(16, -16), slice(16, -16))
    columns = np.arange(224)[None, :] + np.zeros((224, 1))
    assert np.median((motion.columns - columns)[inner]) == pytest.approx(2, abs=0.1)
    assert motion.visible[inner].mean() > 0.9
    change = Change.between(film[1], film[0], motion)
    assert (change.warping_error(inner) or 99) < 2


def test_what_was_hidden_does_not_count(film: list[np.ndarray]) -> None:
    before = film[0].copy()
    before[60:160, 60:160] = 40  # something stood there
    change = Change.between(film[0], before, find_motion(film[0], before))
    covered = (slice(70, 150), slice(70, 150))
    assert change.motion.visible[covered].mean() < change.motion.visible[170:, 170:].mean()
    nowhere = (slice(0, 0), slice(0, 0))
    assert change.warping_error(nowhere) is None


def test_jitter_is_the_standard_deviation_of_what_is_not_steady() -> None:
    rng = np.random.default_rng(0)
    steady, trembling = BoxJitter(), BoxJitter()
    for i in range(4000):
        path = np.array([10 + 1.5 * i, 20 + 0.25 * i])
        steady.add(i, Box(*path, 40, 50))
        trembling.add(i, Box(*(path + rng.normal(0, 0.5, 2)), 40, 50))
    assert steady.pixels == pytest.approx(0, abs=1e-9)
    assert trembling.pixels == pytest.approx(0.5, rel=0.05)
    assert trembling.of_width == pytest.approx(0.5 / 40, rel=0.05)


def test_jitter_does_not_reach_over_gaps() -> None:
    jitter = BoxJitter()
    for frame, x in ((0, 0.0), (1, 0.0), (5, 90.0), (6, 90.0)):
        jitter.add(frame, Box(x, 0, 40, 40))
    assert jitter.pixels is None
    assert jitter.of_width is None
    jitter.add(7, Box(90, 0, 40, 40))
    assert jitter.pixels == 0


def test_interval_of_single_values_is_scipys() -> None:
    values = np.random.default_rng(1).gamma(2, 3, 60)
    mine = bootstrap(values, list(range(60)))
    other = scipy_bootstrap(
        (values,), np.mean, method="percentile", n_resamples=20000, random_state=1
    ).confidence_interval
    assert mine.mean == pytest.approx(values.mean())
    assert (mine.low, mine.high) == pytest.approx((other.low, other.high), rel=0.03)
    assert mine == bootstrap(values, list(range(60)))
    assert mine != bootstrap(values, list(range(60)), seed=1)


def test_values_that_repeat_each_other_do_not_count_as_many() -> None:
    few = np.random.default_rng(2).normal(0, 1, 12)
    many, names = np.repeat(few, 50), np.repeat(np.arange(12), 50).tolist()
    honest, naive = bootstrap(many, names), bootstrap(many, list(range(600)))
    alone = bootstrap(few, list(range(12)))
    assert honest.low is not None
    assert naive.low is not None
    assert (honest.low, honest.high) == pytest.approx((alone.low, alone.high))
    assert honest.mean - honest.low > 4 * (naive.mean - naive.low)


def test_one_cluster_has_no_interval() -> None:
    assert bootstrap([1.0, 3.0], ["a", "a"]) == bootstrap([3.0, 1.0], ["b", "b"])
    assert bootstrap([1.0, 3.0], ["a", "a"]).low is None
