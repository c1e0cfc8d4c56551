"""A short soak, and proof that growth would be seen. The long one: `python -m tests.soak`."""

from __future__ import annotations

import dataclasses

import pytest

from tests.soak.__main__ import soak
from tests.soak.trend import Point, judge


def points(*, memory: float = 0.0, threads: float = 0.0, files: float = 0.0) -> list[Point]:
    """Hundred samples over 10,000 frames; each quantity rises by so much (MiB, count)."""
    return [
        Point(n * 100, int((150 + memory * n / 100) * 2**20), 40 + int(threads * n / 100),
              20 + int(files * n / 100))
        for n in range(100)
    ]  # fmt: skip


def test_flat_samples_are_flat():
    result = judge(points(), 1000, 10_000)
    assert result["flat"]
    assert (result["from"], result["to"], result["samples"]) == (1000, 9900, 90)
    assert result["memory_mib"]["growth"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("what", [{"memory": 40.0}, {"threads": 3.0}, {"files": 3.0}])
def test_growth_is_seen(what: dict[str, float]):
    assert not judge(points(**what), 1000, 10_000)["flat"]


def test_the_change_of_encoders_between_parts_is_no_growth():
    busy = points(threads=0.0)
    dips = [
        dataclasses.replace(p, threads=36, files=15) if n % 20 < 4 and n < 60 else p
        for n, p in enumerate(busy)
    ]
    assert judge(dips, 1000, 10_000)["flat"]


def test_too_few_samples_are_no_proof():
    with pytest.raises(ValueError, match="9 samples"):
        judge(points()[:9], 0, 10_000)


def test_two_thousand_frames_leave_nothing_behind():
    result = soak(2000, 400)
    assert result["frames"] == 2000
    assert result["faces"] > 200, "a soak without faces tests half of the chain"
    assert result["tracks"] >= 4
    assert result["flat"], result
