"""The Ray cluster that a batch runs on: connecting to it, what it has room for."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from typing import Any

from vsr.core.errors import UsageError, VsrError

NAMED = ("local", "auto")
"""addresses that are not HOST:PORT"""
_OBJECT_STORE_BYTES = 100 << 20
"""only jobs and rows pass through it"""
_ANSWER_S = 10.0
_LAST_SIGNS_S = 3.0


@contextlib.contextmanager
def connected(address: str | None) -> Iterator[None]:
    """A connection to the cluster that is asked for, or to one that is started here."""
    import logging

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray reports home otherwise
    import ray

    if ray.is_initialized():
        yield
        return
    try:
        _connect(address, {"log_to_driver": False, "logging_level": logging.ERROR})
        yield
    finally:
        ray.shutdown()


def _connect(address: str | None, quiet: dict[str, Any]) -> None:
    import ray

    wanted = address or os.environ.get("RAY_ADDRESS")
    if wanted and wanted not in NAMED:
        _check_answers(wanted)
    if wanted != "local":
        try:
            ray.init(address=wanted or "auto", **quiet)
            return
        except (ConnectionError, TimeoutError, RuntimeError, ValueError) as error:
            if wanted:
                raise _unreachable(wanted, words(error)) from None
    ray.init(
        address="local", include_dashboard=False, object_store_memory=_OBJECT_STORE_BYTES, **quiet
    )


def _check_answers(address: str) -> None:
    """Ask the port first: Ray itself takes minutes to give up."""
    host, port = parts_of(address)
    try:
        socket.create_connection((host, port), timeout=_ANSWER_S).close()
    except OSError as error:
        raise _unreachable(address, error.strerror or str(error)) from None


def parts_of(address: str) -> tuple[str, int]:
    """Host and port of an address. Raises UsageError."""
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise UsageError(f"--address: got '{address}', expected HOST:6379 or local")
    return host.strip("[]"), int(port)


def _unreachable(address: str, why: str) -> VsrError:
    return VsrError(f"{address}: no Ray cluster answers there ({why}); see deploy/README.md")


def room(cpus: float, gpus: float) -> int:
    """Workers that fit the cluster's nodes as they are. Raises VsrError where none does."""
    import ray

    count = 0
    for node in ray.nodes():
        has = node["Resources"] if node["Alive"] else {}
        fits = _times(cpus, has.get("CPU", 0.0))
        if 0 < gpus <= 1:  # a fraction is on one device
            fits = min(fits, int(has.get("GPU", 0.0)) * _times(gpus, 1.0))
        elif gpus:
            fits = min(fits, _times(gpus, has.get("GPU", 0.0)))
        count += fits
    if count == 0:
        raise VsrError(
            f"no node of the cluster has {cpus:g} CPUs and {gpus:g} GPUs; ask for less with "
            "--cpus and --gpus, or say --workers N to have an autoscaling cluster grow"
        )
    return count


def _times(part: float, whole: float) -> int:
    return int(whole / part + 1e-9)


def alive(node: str) -> bool:
    """Whether a node, by its id, still belongs to the cluster.

    A worker's end is told at once, its machine's only after missed heartbeats: so the node's own
    port is asked too, for a few seconds, in which a node that is being stopped closes it.
    """
    import ray

    deadline = time.monotonic() + _LAST_SIGNS_S
    while time.monotonic() < deadline:
        there = [n for n in ray.nodes() if n["NodeID"] == node and n["Alive"]]
        if not there:
            return False
        where = there[0]["NodeManagerAddress"], there[0]["NodeManagerPort"]
        try:
            socket.create_connection(where, timeout=_ANSWER_S).close()
        except OSError:
            return False
        time.sleep(0.5)
    return True


def words(error: Exception) -> str:
    """The telling part of Ray's long messages, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith(("class_name:", "actor_id:", "pid:",
            "namespace:", "ip:", "The actor "))]  # fmt: skip
    return " ".join(told or lines)[:300] or type(error).__name__
