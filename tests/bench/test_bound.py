"""The bound's arithmetic on made-up stage times."""

from __future__ import annotations

import pytest

from vsr.bench.bound import Bound, StageTime, lower_bound

pytestmark = pytest.mark.fast


def test_the_slowest_stage_alone_bounds_where_the_cores_have_time_left():
    stages = {"decode": StageTime(2.0, 1.0), "detect": StageTime(5.0, 5.0)}
    assert lower_bound(stages, cores=2) == Bound(5.0, "detect")


def test_the_cores_bound_where_the_work_fills_them():
    stages = {"upscale": StageTime(6.0, 11.0), "encode": StageTime(4.0, 7.0)}
    assert lower_bound(stages, cores=2) == Bound(9.0, "cores")
    assert lower_bound(stages, cores=4) == Bound(6.0, "upscale")


def test_a_stage_that_only_waits_costs_no_core():
    stages = {"decode": StageTime(8.0, 0.1), "encode": StageTime(3.0, 6.0)}
    assert lower_bound(stages, cores=2) == Bound(8.0, "decode")


@pytest.mark.parametrize(("stages", "cores"), [({}, 2), ({"a": StageTime(1, 1)}, 0)])
def test_nothing_to_bound_is_refused(stages: dict[str, StageTime], cores: int):
    with pytest.raises(ValueError, match="expected both"):
        lower_bound(stages, cores)
