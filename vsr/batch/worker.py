"""A worker process of the local engine: jobs in on stdin, events out on stdout, JSON lines.

    python -m vsr.batch.worker PARENT_PID THREADS

In: a job per line (`Job.to_dict`); end of file ends the worker. Out: ``{"ready": true}``, then
``{"progress": …}`` and, per job, ``{"row": …}``. It dies with the driver, however that dies.
"""

from __future__ import annotations

import ctypes
import dataclasses
import json
import os
import signal
import sys
from typing import Any

from vsr.batch.job import Job, JobProgress
from vsr.batch.runner import Runner

_PR_SET_PDEATHSIG = 1


def worker_environment(threads: int) -> dict[str, str]:
    """What every engine sets for its workers before TensorFlow is loaded."""
    return {
        "OMP_NUM_THREADS": str(threads),
        "TF_NUM_INTRAOP_THREADS": str(threads),
        "TF_NUM_INTEROP_THREADS": "1",
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",  # several workers may share a GPU
        "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3"),
    }


def die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent ends (Linux).

    Elsewhere the next event ends it: nobody reads the pipe any more.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the kernel was told
        os._exit(1)


def main() -> None:
    """Read jobs until stdin ends."""
    die_with(int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's to handle
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints must not look like an event

    def send(event: dict[str, Any]) -> None:
        try:
            print(json.dumps(event, ensure_ascii=False), file=events, flush=True)
        except BrokenPipeError:
            os._exit(1)

    def progress(p: JobProgress) -> None:
        send({"progress": dataclasses.asdict(p)})

    import cv2

    from vsr.run.heap import steady_heap

    cv2.setNumThreads(int(sys.argv[2]))
    steady_heap()
    runner = Runner()
    send({"ready": True})
    for line in sys.stdin:
        row = runner.run(Job.from_dict(json.loads(line)), progress)
        send({"row": row.to_dict()})
    events.flush()
    os._exit(0)  # no thread of a library may hold the process up


if __name__ == "__main__":
    main()
