"""What every engine must do: subclass `EngineContract` and give it ``engine`` and ``kill``.

    class TestMine(EngineContract):
        @pytest.fixture
        def engine(self): ...
        def kill(self, engine): "kill -9 one of its workers that is at work; True if one was"

(`Engine` of vsr/batch/job.py says it in words.)
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from batch_helpers import contents

from vsr.batch.driver import run_batch
from vsr.batch.job import Engine, Job, JobProgress, Row
from vsr.batch.journal import check
from vsr.batch.plan import BatchRequest, plan
from vsr.batch.runner import Runner
from vsr.batch.storage import open_storage
from vsr.run.recipe import load_recipe

FAST = [("upscale", "model", "bicubic"), ("encode", "preset", "ultrafast")]

SLOW = [("upscale", "model", "srgan-x2"), ("encode", "preset", "veryslow")]
"""of which no worker ends a sequence before it has been seen at work"""


def jobs_for(
    root: Path, out: Path, part_frames: int | None = None, options: list = FAST
) -> list[Job]:
    parts = [] if part_frames is None else [("encode", "part_frames", part_frames)]
    recipe = load_recipe("chokepoint", [*options, *parts])
    request = BatchRequest(
        dataset="chokepoint", root=open_storage(str(root)), out=str(out), recipe=recipe
    )
    return plan(request)[1]


def silent(_: JobProgress) -> None:
    pass


class EngineContract:
    """The tests; not collected by itself."""

    slow: ClassVar[list[tuple[str, str, str]]] = SLOW
    """settings with which no worker ends a sequence before it has been seen at work"""

    def kill(self, engine: Engine) -> bool:
        raise NotImplementedError

    @pytest.fixture(scope="class")
    def expected(self, short, tmp_path_factory) -> tuple[Path, dict[str, Row]]:
        """The outputs and rows of a runner in this process."""
        out = tmp_path_factory.mktemp("direct")
        runner = Runner()
        return out, {job.name: runner.run(job, silent) for job in jobs_for(short, out)}

    def test_gives_one_row_per_job_and_the_files_of_a_runner(
        self, engine, short, tmp_path, expected
    ):
        seen: list[JobProgress] = []
        jobs = jobs_for(short, tmp_path)
        rows = list(engine.run(jobs, seen.append))
        assert sorted(r.sequence for r in rows) == sorted(j.name for j in jobs)
        assert {p.name for p in seen} == {j.name for j in jobs}
        for row in rows:
            wanted = expected[1][row.sequence]
            assert row.status == "ok"
            assert (row.frames, row.persons, row.faces) == (
                wanted.frames,
                wanted.persons,
                wanted.faces,
            )
        assert contents(tmp_path) == contents(expected[0])
        assert all(check(open_storage(str(tmp_path)), j).standing == "done" for j in jobs)

    def test_a_failing_job_costs_only_itself(self, engine, short, tmp_path):
        jobs = jobs_for(short, tmp_path)
        lost = Job.from_dict({**jobs[1].to_dict(), "source": "nowhere"})
        rows = {r.sequence: r for r in engine.run([jobs[0], lost, jobs[2]], silent)}
        assert [rows[j.name].status for j in (jobs[0], lost, jobs[2])] == ["ok", "failed", "ok"]
        assert "nowhere" in rows[lost.name].reason
        assert not list(tmp_path.glob(f"{lost.name}*"))

    def test_a_dead_worker_costs_its_job_another_attempt(self, engine, short, tmp_path, expected):
        killed: list[bool] = []

        def hook(_: JobProgress) -> None:
            if not killed and self.kill(engine):
                killed.append(True)

        rows = list(engine.run(jobs_for(short, tmp_path), hook))
        assert killed, rows
        assert [r.status for r in rows] == ["ok"] * len(rows), rows
        assert max(r.attempts for r in rows) == 2
        assert contents(tmp_path) == contents(expected[0])

    def test_a_job_whose_workers_always_die_fails_with_its_reason(self, engine, short, tmp_path):
        jobs = jobs_for(short, tmp_path, options=self.slow)[:1]
        killed: list[JobProgress] = []

        def hook(progress: JobProgress) -> None:
            if self.kill(engine):
                killed.append(progress)

        rows = list(engine.run(jobs, hook))
        assert len(killed) >= 2, (killed, rows)
        assert [r.status for r in rows] == ["failed"], rows
        assert "worker died" in rows[0].reason
        assert rows[0].attempts >= 2
        assert contents(tmp_path) == {}

    def test_a_worker_killed_in_a_part_leaves_no_seam(self, engine, short, tmp_path):
        length = max(len(j.files) for j in jobs_for(short, tmp_path)) // 2
        direct, parted = tmp_path / "direct", tmp_path / "parted"
        runner = Runner()
        wanted = {j.name: runner.run(j, silent) for j in jobs_for(short, direct, length)[:2]}
        killed: list[str] = []
        jobs = jobs_for(short, parted, length)[:2]

        class Killing:
            name = "killing"

            def run(_, jobs: list[Job], hook: Callable[[JobProgress], None]) -> Iterator[Row]:
                def watch(p: JobProgress) -> None:
                    hook(p)
                    if not killed and p.name.endswith(".make") and self.kill(engine):
                        killed.append(p.name)

                return engine.run(jobs, watch)

        summary = run_batch(jobs, open_storage(str(parted)), Killing())
        assert killed
        assert contents(parted) == contents(direct)
        for row in summary.rows:
            given = wanted[row.sequence]
            assert (row.status, row.frames, row.persons, row.faces, row.notes) == (
                "ok", given.frames, given.persons, given.faces, given.notes,
            )  # fmt: skip
        assert max(row.attempts for row in summary.rows) == 2
        assert not list((parted / ".vsr/parts").iterdir())

    def test_closing_it_ends_the_workers(self, engine, short, tmp_path, workers_left):
        with contextlib.closing(engine.run(jobs_for(short, tmp_path), silent)) as rows:
            next(rows)
        deadline = time.monotonic() + 10
        while workers_left() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert workers_left() == 0

    def test_no_jobs_give_no_rows(self, engine):
        assert list(engine.run([], silent)) == []

    @pytest.fixture
    def workers_left(self) -> Callable[[], int]:
        """How many workers of this process are alive."""
        raise NotImplementedError
