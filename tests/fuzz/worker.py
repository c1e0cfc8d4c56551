"""The process that inputs are tried in: one JSON line in, one verdict out.

    python -m tests.fuzz.worker KIND SEEDS ROOM ANSWERS

Started by `tests.fuzz.lab`. The verdict goes to the pipe ANSWERS, since a library may print.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

import psutil

from tests.fuzz.kinds import KINDS, Kind
from vsr.core.errors import VsrError

_ADDRESS_SPACE = 24 << 30
"""bytes; far above the limit on resident memory, which the parent watches: this one ends what
would take the machine down before the parent looks"""
_SETTLE_S = 2.0
_SPARE_FILES = 24
"""file handles that libraries may open once and keep"""


def main() -> None:
    """Answer until stdin ends."""
    name, seeds, room, answers = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    kind = KINDS[name](Path(seeds), Path(room))
    pipe = int(answers)
    files = psutil.Process().num_fds()
    os.write(pipe, b"ready\n")
    for line in sys.stdin:
        job = json.loads(line)
        data = Path(job["data"]).read_bytes()
        os.write(pipe, json.dumps(judge(kind, job["seed"], data, files)).encode() + b"\n")


def judge(kind: Kind, seed: str, data: bytes, files_at_start: int) -> dict[str, Any]:
    """Try one input; the fields of a `Verdict` that can be told from inside."""
    try:
        fault = kind.act(seed, data)
    except VsrError as error:
        answer = _refusal(error, kind.left_behind())
    except MemoryError as error:
        answer = {"status": "fault", "error": "MemoryError", "detail": _last_call(error)}
    except BaseException as error:
        answer = {"status": "fault", "error": type(error).__name__, "detail": _last_call(error)}
    else:
        answer = {"status": "done"}
        if fault:
            answer = {"status": "fault", "error": "bad result", "detail": fault}
    kind.clear()
    leak = _leaked(files_at_start)
    if leak and answer["status"] != "fault":
        answer = {"status": "fault", "error": "leak", "detail": leak}
    return answer


def _refusal(error: VsrError, left: list[str]) -> dict[str, str]:
    text, name = str(error), type(error).__name__
    if not text.strip() or len(text.splitlines()) != 1:
        return {"status": "fault", "error": name, "detail": f"not one line: {text!r}"}
    if left:
        return {"status": "fault", "error": name, "detail": f"left {left} behind: {text}"}
    return {"status": "refused", "error": name, "detail": text[:500]}


def _last_call(error: BaseException) -> str:
    """The exception and the innermost line of ours that it came through."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "/vsr/" in f.filename]
    where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}: " if frames else ""
    return f"{where}{type(error).__name__}: {error}"[:500]


def _leaked(files_at_start: int) -> str:
    """What the jobs so far still hold a moment after the last one's end."""
    deadline = time.monotonic() + _SETTLE_S
    while True:
        children = [p.name() for p in psutil.Process().children()]
        threads = [t.name for t in threading.enumerate() if t.name.startswith("vsr-")]
        files = psutil.Process().num_fds() - files_at_start
        if not children and not threads and files <= _SPARE_FILES:
            return ""
        if time.monotonic() > deadline:
            return f"processes {children}, threads {threads}, {files} more open files"
        gc.collect()
        time.sleep(0.05)


if __name__ == "__main__":
    main()
