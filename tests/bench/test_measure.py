"""Whose processor time is counted, and how repeats are summed up."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from vsr.bench.measure import Spread, cpu_seconds, timed

_BURN = "import time\nwhile time.process_time() < {seconds}: pass"


def _child(seconds: float) -> None:
    subprocess.run([sys.executable, "-S", "-c", _BURN.format(seconds=seconds)], check=True)


def _busy(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_a_busy_child_is_counted():
    before = cpu_seconds()
    _child(0.5)
    assert 0.5 <= cpu_seconds() - before < 1.5


def test_threads_are_counted():
    before = cpu_seconds()
    threads = [threading.Thread(target=_busy, args=(0.2,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0.38 <= cpu_seconds() - before < 1.0


def test_waiting_costs_no_processor_time():
    before = cpu_seconds()
    time.sleep(0.5)
    assert cpu_seconds() - before < 0.2


def test_a_pass_tells_items_time_and_the_first_items():
    def items() -> Iterator[int]:
        time.sleep(0.2)
        yield 1
        _child(0.3)
        yield 2

    found = timed(items)
    assert found.items == 2
    assert 0.2 <= found.first_s < found.seconds
    assert found.cpu_s >= 0.3


def test_nothing_at_all_is_a_pass_too():
    assert timed(list).items == 0


def test_a_spread_is_the_median_between_its_ends():
    assert Spread.of([3.0, 1.0, 10.0]) == Spread(1.0, 3.0, 10.0, 3)
    with pytest.raises(ValueError, match="expected one or more"):
        Spread.of([])
