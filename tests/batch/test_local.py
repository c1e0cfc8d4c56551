"""The local engine keeps the contract of engines."""

from __future__ import annotations

import os
from typing import ClassVar

import psutil
import pytest
from engine_contract import EngineContract, jobs_for, silent

from vsr.batch.local import LocalEngine, default_workers
from vsr.core.errors import UsageError
from vsr.core.machine import core_count


def workers() -> list[psutil.Process]:
    children = psutil.Process().children()
    return [c for c in children if "vsr.batch.worker" in " ".join(c.cmdline())]


class TestLocalEngine(EngineContract):
    slow: ClassVar = [("upscale", "model", "bicubic"), ("encode", "preset", "veryslow")]
    """workers are at work once they are there: no network needs to hold them up"""

    @pytest.fixture
    def engine(self) -> LocalEngine:
        return LocalEngine(1)

    @pytest.fixture
    def workers_left(self):
        return lambda: len([w for w in workers() if w.status() != psutil.STATUS_ZOMBIE])

    def kill(self, engine: LocalEngine) -> bool:
        found = workers()
        for worker in found[:1]:
            worker.kill()
        return bool(found)


def test_two_workers_give_the_same_files_as_one(short, tmp_path):
    from batch_helpers import contents

    for count in (1, 2):
        jobs = jobs_for(short, tmp_path / str(count))[:2]
        rows = list(LocalEngine(count).run(jobs, silent))
        assert [r.status for r in rows] == ["ok"] * len(rows)
    one, two = contents(tmp_path / "1"), contents(tmp_path / "2")
    assert one.keys() == two.keys()
    # x264 cuts its work by the number of processors it may use, so only pictures are the same
    pictures = [name for name in one if name.endswith(".png")]
    assert pictures
    assert all(one[name] == two[name] for name in pictures)


def test_the_default_fits_the_machine():
    assert default_workers(1) == 1
    assert 1 <= default_workers(1000) <= max(1, (os.cpu_count() or 1) // 2)


def test_the_default_fits_a_container(monkeypatch):
    """Whose quota and memory are less than what the machine has."""
    monkeypatch.setattr("vsr.core.machine.cores", lambda: list(range(64)))
    monkeypatch.setattr("vsr.core.machine.quota", lambda: 7.5)
    monkeypatch.setattr("vsr.core.machine.memory_limit", lambda: 1 << 60)
    assert core_count() == 8
    assert default_workers(1000) <= 4
    monkeypatch.setattr("vsr.core.machine.memory_limit", lambda: 1 << 30)
    assert default_workers(1000) == 1


def test_senseless_numbers_are_refused():
    with pytest.raises(UsageError, match="--workers: got 0"):
        LocalEngine(0)
    with pytest.raises(UsageError, match="--retries: got -1"):
        LocalEngine(1, retries=-1)
