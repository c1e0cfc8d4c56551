from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsr.faces.smooth import smooth_box

_T = np.arange(25) / 30


def _ramp(times: np.ndarray) -> np.ndarray:
    """Steady motion and growth."""
    return np.stack([50 + 90 * times, 200 - 60 * times, 40 + 12 * times, 50 + 15 * times], axis=1)


def _values(box) -> tuple[float, float, float, float]:  # type: ignore[no-untyped-def]
    return (*box.center, box.width, box.height)


@pytest.mark.parametrize("at", [0, 5, 12, 24])
def test_steady_motion_is_exact_everywhere(at: int) -> None:
    boxes = _ramp(_T)
    assert _values(smooth_box(_T, boxes, _T[at], 0.08, 0.25)) == pytest.approx(boxes[at])


def test_no_lag_forwards_and_backwards_agree() -> None:
    boxes = _ramp(_T)
    boxes[10:, 0] += 30  # a jerk
    for at in range(3, 22):
        forward = smooth_box(_T, boxes, _T[at], 0.08, 0.25)
        backward = smooth_box(-_T[::-1], boxes[::-1], -_T[at], 0.08, 0.25)
        assert _values(forward) == pytest.approx(_values(backward))


def test_a_jerk_is_met_in_its_middle() -> None:
    boxes = np.tile([100.0, 100, 40, 50], (25, 1))
    boxes[13:, 0] += 30
    centers = [_values(smooth_box(_T, boxes, t, 0.08, 0.25))[0] for t in _T]
    assert centers[12] + centers[13] == pytest.approx(230, abs=1e-3)


def test_missing_frames_are_bridged_exactly() -> None:
    boxes = _ramp(_T)
    have = np.r_[0:9, 15:25]
    for at in range(9, 15):
        bridged = smooth_box(_T[have], boxes[have], _T[at], 0.08, 0.25)
        assert _values(bridged) == pytest.approx(boxes[at])


@given(st.lists(st.floats(0.005, 0.2), min_size=2, max_size=20), st.data())
def test_uneven_timestamps(steps: list[float], data: st.DataObject) -> None:
    times = np.cumsum(steps)
    at = data.draw(st.integers(0, len(times) - 1))
    expected = _ramp(times)[at]
    assert _values(smooth_box(times, _ramp(times), times[at], 0.08, 0.25)) == pytest.approx(
        expected, rel=1e-4
    )


def test_jitter_shrinks() -> None:
    rng = np.random.default_rng(1)
    boxes = _ramp(_T) + rng.normal(0, 1.0, (25, 4))
    smooth = np.array([_values(smooth_box(_T, boxes, t, 0.08, 0.25)) for t in _T])
    before, after = (np.abs(np.diff(b, n=2, axis=0)).mean(axis=0) for b in (boxes, smooth))
    assert (after[:2] < before[:2] / 4).all()
    assert (after[2:] < before[2:] / 10).all()


def test_one_sighting_is_the_box() -> None:
    box = smooth_box(np.array([0.4]), np.array([[10.0, 20, 30, 40]]), 0.4, 0.08, 0.25)
    assert _values(box) == (10, 20, 30, 40)


def test_size_stays_within_what_was_seen() -> None:
    times = np.array([0.0, 0.01])
    boxes = np.array([[50.0, 50, 10, 10], [50, 50, 4, 4]])
    assert smooth_box(times, boxes, 0.2, 0.08, 0.25).width >= 4
