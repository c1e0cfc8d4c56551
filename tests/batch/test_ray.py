"""The Ray engine keeps the contract of engines, on a cluster of two nodes on this machine."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator

import psutil
import pytest
from batch_helpers import FAST, command, contents, environment, rows_of
from engine_contract import EngineContract, jobs_for, silent

from vsr.batch.job import Job
from vsr.batch.ray import RayEngine
from vsr.core.errors import UsageError, VsrError

pytest.importorskip("ray", reason="Ray is not installed (extra 'ray')")
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
os.environ.setdefault("RAY_worker_niceness", "0")  # 15 starves where others keep the cores busy

pytestmark = pytest.mark.timeout(900)
_STORE = 80 << 20
_HASTE = {  # a lost node is noticed in seconds
    "health_check_initial_delay_ms": 1000,
    "health_check_period_ms": 1000,
    "health_check_timeout_ms": 2000,
    "health_check_failure_threshold": 3,
}


@contextlib.contextmanager
def two_nodes(more: dict[str, object] | None = None) -> Iterator:
    """more: of Ray's own settings."""
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": _STORE, "include_dashboard": False}
    cluster = Cluster(
        initialize_head=True,
        connect=False,
        head_node_args={**node, "_system_config": {**_HASTE, **(more or {})}},
    )
    try:
        cluster.second = cluster.add_node(num_cpus=1, object_store_memory=_STORE)
        cluster.wait_for_nodes()
        yield cluster
    finally:
        cluster.shutdown()


@pytest.fixture(scope="module")
def cluster():
    with two_nodes() as it:
        yield it


@pytest.fixture(scope="module")
def short(fixture_script, tmp_path_factory):
    """Three sequences that take long enough to be disturbed: of 40, 28 and 21 frames."""
    names = ("P1E_S1_C1", "P1E_S1_C2", "P1E_S3_C2")
    return fixture_script.build(tmp_path_factory.mktemp("data") / "short", names=names)


def workers() -> list[psutil.Process]:
    found = []
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            title = " ".join(child.cmdline())
            if title.startswith("ray::BatchWorker") and child.status() != psutil.STATUS_ZOMBIE:
                found.append(child)
    return found


def busy() -> list[psutil.Process]:
    """Workers that have a job: those that run an ffmpeg.

    (The title says only what was asked last, mostly for progress, and nothing in between.)
    """
    found = []
    for worker in workers():
        with contextlib.suppress(psutil.Error):
            if worker.children():
                found.append(worker)
    return found


class TestRayEngine(EngineContract):
    @pytest.fixture
    def engine(self, cluster) -> RayEngine:
        return RayEngine(2, address=cluster.address, cpus=1)

    @pytest.fixture
    def workers_left(self):
        return lambda: len(workers())

    def kill(self, engine: RayEngine) -> bool:
        found = busy()
        for worker in found[:1]:
            with contextlib.suppress(psutil.NoSuchProcess):
                worker.kill()
        return bool(found)


def test_all_room_of_the_cluster_is_used_by_default(cluster, short, tmp_path):
    most = 0

    def hook(_) -> None:
        nonlocal most
        most = max(most, len(workers()))

    engine = RayEngine(address=cluster.address, cpus=1)
    assert {r.status for r in engine.run(jobs_for(short, tmp_path), hook)} == {"ok"}
    assert most == 2


class Unreadable(Job):
    """What a worker cannot make a job of."""

    def to_dict(self):
        return {"files": 3}


def test_a_call_that_fails_costs_only_its_job(cluster, short, tmp_path):
    jobs = jobs_for(short, tmp_path)
    jobs[0] = Unreadable(**Job.to_dict(jobs[0]))
    rows = {r.sequence: r for r in RayEngine(1, address=cluster.address, cpus=1).run(jobs, silent)}
    assert [rows[j.name].status for j in jobs] == ["failed", "ok", "ok"]
    assert "TypeError" in rows[jobs[0].name].reason
    assert rows[jobs[0].name].attempts == 1


def test_workers_out_of_memory_are_told(short, tmp_path):
    """The nodes end every worker at once, as those short of memory do; no traceback comes."""
    with two_nodes({"memory_usage_threshold": 0.001, "memory_monitor_refresh_ms": 10}) as cluster:
        engine = RayEngine(1, address=cluster.address, cpus=1, retries=0)
        with pytest.raises(VsrError, match="workers die before they can start"):
            list(engine.run(jobs_for(short, tmp_path)[:1], silent))


def test_a_dead_worker_is_replaced_while_the_others_are_busy(cluster, short, tmp_path):
    """With one job waiting and one worker at work, there is room for a second worker.

    The one at work is stopped until the second is there, so that it cannot end its job before.
    """
    killed: list[int] = []
    replaced = threading.Event()

    def watch(stopped: psutil.Process) -> None:
        end = time.monotonic() + 300
        while not replaced.is_set() and time.monotonic() < end:
            if {w.pid for w in workers()} - {stopped.pid, *killed}:
                replaced.set()
            time.sleep(0.05)
        stopped.resume()

    def hook(_) -> None:
        if not killed and len(found := busy()) == 2:
            found[1].suspend()
            killed.append(found[0].pid)
            found[0].kill()
            found[0].wait(10)
            threading.Thread(target=watch, args=(found[1],), daemon=True).start()

    jobs = jobs_for(short, tmp_path, options=[("upscale", "model", "bicubic")])[:2]
    rows = list(RayEngine(2, address=cluster.address, cpus=1).run(jobs, hook))
    assert killed
    assert [r.status for r in rows] == ["ok"] * 2
    assert sorted(r.attempts for r in rows) == [1, 2]
    assert replaced.is_set(), "the dead worker's job waited for the other one"


def test_what_no_node_has_is_told(cluster, short, tmp_path):
    engine = RayEngine(address=cluster.address, cpus=1, gpus=0.5)
    with pytest.raises(VsrError, match=r"no node of the cluster has 1 CPUs and 0\.5 GPUs"):
        list(engine.run(jobs_for(short, tmp_path), silent))


def test_a_node_stopped_half_way_costs_only_time(short, tmp_path):
    from vsr.batch.runner import Runner

    direct = Runner()
    for job in jobs_for(short, tmp_path / "direct"):
        assert direct.run(job, silent).status == "ok"
    stopped: list[float] = []
    with two_nodes() as cluster:
        engine = RayEngine(2, address=cluster.address, cpus=1, retries=0)

        def hook(_) -> None:
            if not stopped and len(busy()) == 2:
                stopped.append(time.monotonic())
                cluster.remove_node(cluster.second, allow_graceful=False)

        jobs = jobs_for(short, tmp_path / "ray")
        rows = list(engine.run(jobs, hook))
    assert stopped
    assert {r.sequence: r.status for r in rows} == {j.name: "ok" for j in jobs}
    assert max(r.attempts for r in rows) == 2
    assert contents(tmp_path / "ray") == contents(tmp_path / "direct")


def test_the_command_starts_ray_itself_and_gives_the_files_of_the_local_engine(
    vsr, short, tmp_path
):
    one = ("batch", short, "--only", "P1E_S[13]_C2", "--model", "bicubic", "--scale", "2")
    local = vsr(*one, "-o", tmp_path / "local", "--workers", "1", "--json")
    ray = vsr(*one, "-o", tmp_path / "ray", "--engine", "ray", "--cpus", "1", "--workers", "1",
              "--address", "local", "--json", timeout=600)  # fmt: skip
    assert (local.code, ray.code) == (0, 0), local.stderr + ray.stderr
    assert ray.json()["engine"] == "ray"
    assert contents(tmp_path / "ray") == contents(tmp_path / "local") != {}


def _is_agent(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return "Agent" in " ".join(process.cmdline())
    return False


def test_a_killed_driver_leaves_nothing_behind_and_the_rest_is_done_next(short, tmp_path):
    from vsr.batch.runner import Runner

    direct = Runner()
    for job in jobs_for(short, tmp_path / "direct"):
        assert direct.run(job, silent).status == "ok"
    out = tmp_path / "ray"
    line = command("batch", short, "-o", out, *FAST, "--engine", "ray", "--address", "local",
                   "--cpus", "1", "--workers", "1", "--quiet")  # fmt: skip
    first = subprocess.Popen(line, env=environment())
    while not list(out.glob(".vsr/done/*.json")) and first.poll() is None:
        time.sleep(0.05)
    family = psutil.Process(first.pid).children(recursive=True)
    first.kill()
    assert first.wait() == -signal.SIGKILL
    family = [p for p in family if not _is_agent(p)]  # they notice some minutes later
    _, alive = psutil.wait_procs(family, timeout=60)
    assert not alive
    finished = {p.name: p.stat().st_mtime_ns for p in out.glob(".vsr/done/*.json")}
    assert subprocess.run(line, env=environment(), timeout=500, check=False).returncode == 0
    rows = rows_of(out)
    for name, when in finished.items():
        if rows[name.removesuffix(".json")]["kept"]:
            assert (out / ".vsr/done" / name).stat().st_mtime_ns == when
    assert any(row["kept"] for row in rows.values())
    assert contents(out) == contents(tmp_path / "direct")


def test_an_address_where_nothing_answers_is_told(vsr, short, tmp_path):
    done = vsr("batch", short, "-o", tmp_path, "--engine", "ray", "--address", "127.0.0.1:1")
    assert done.code == 1
    assert "127.0.0.1:1: no Ray cluster answers there" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": 0}, "--workers: got 0"),
        ({"retries": -1}, "--retries: got -1"),
        ({"cpus": 0.0}, "--cpus: got 0"),
        ({"gpus": 1.5}, "--gpus: got 1.5"),
        ({"address": "somewhere"}, "--address: got 'somewhere', expected HOST:6379 or local"),
        ({"address": "ray://host:10001"}, "--address: got 'ray://host:10001'"),
    ],
)
def test_senseless_numbers_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        RayEngine(**options)
