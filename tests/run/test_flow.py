"""The thread chain: order, bounds, errors and endings."""

import threading
import time

import pytest

from vsr.run.flow import Flow

pytestmark = pytest.mark.fast


def vsr_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("vsr-")]


def test_order_and_count_hold_through_two_stages():
    with Flow() as flow:
        first = flow.stage("first", range(500), 3)
        second = flow.stage("second", (x * 2 for x in first), 2)
        assert list(second) == [x * 2 for x in range(500)]
    assert vsr_threads() == []
    assert [s.items for s in flow.stats] == [500, 500]


def test_a_fast_stage_runs_no_further_ahead_than_its_queue():
    made = 0

    def source():
        nonlocal made
        for i in range(100):
            made += 1
            yield i

    with Flow() as flow:
        items = flow.stage("source", source(), 4)
        assert next(items) == 0
        time.sleep(0.3)
        assert made <= 1 + 4 + 1  # taken, queued, and the one that waits for room


def test_an_error_in_a_stage_is_raised_in_its_reader_and_all_threads_end():
    def broken():
        yield 1
        raise RuntimeError("the stage broke")

    def run():
        with Flow() as flow:
            first = flow.stage("broken", broken(), 2)
            list(flow.stage("next", (x for x in first), 2))

    with pytest.raises(RuntimeError, match="the stage broke"):
        run()
    assert vsr_threads() == []


def test_leaving_early_closes_every_generator_and_joins_every_thread():
    closed = threading.Event()

    def endless():
        try:
            while True:
                yield 0
        finally:
            closed.set()

    with Flow() as flow:
        items = flow.stage("second", (x for x in flow.stage("endless", endless(), 2)), 2)
        next(items)
    assert closed.wait(2)
    assert flow.alive == 0
    assert vsr_threads() == []


def test_what_unblocks_a_stage_from_outside_is_called():
    gate = threading.Event()

    def stuck():
        gate.wait(30)
        yield 0

    start = time.perf_counter()
    with Flow() as flow:
        flow.on_stop(gate.set)
        flow.stage("stuck", stuck(), 1)
    assert time.perf_counter() - start < 5
    assert vsr_threads() == []


def test_waits_name_the_slow_stage():
    def slow(items):
        for x in items:
            time.sleep(0.01)
            yield x

    with Flow() as flow:
        fast = flow.stage("fast", iter(range(30)), 2)
        list(flow.stage("slow", slow(fast), 2))
    stats = {s.name: s for s in flow.stats}
    assert stats["slow"].starved_s > 0.1 > stats["slow"].blocked_s
    assert stats["fast"].blocked_s > 0.1


def test_a_queue_without_room_is_refused():
    with pytest.raises(ValueError, match="expected 1 or more"):
        Flow().stage("none", [], 0)
