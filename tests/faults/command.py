"""The real ``vsr run`` in a process of its own, and what came out of it, read by PyAV."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

ROOT = Path(__file__).resolve().parents[2]
TIMINGS = ("seconds", "first_frame_s", "stages")
"""what two manifests of the same work may differ in"""

Decoded = list[tuple[Fraction, str]]


def start(*arguments: object, **environment: str) -> subprocess.Popen[str]:
    """``vsr`` with these arguments, in a process group of its own."""
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    known = {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.Popen(
        [sys.executable, "-m", "vsr", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, **known, **environment},
    )


def killed_after(process: subprocess.Popen[str], seconds: float) -> bool:
    """Kill -9 the process, and it alone, after so long; False where it ended before by itself."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return True
    return False


def finished(process: subprocess.Popen[str]) -> str:
    """What a run that must succeed said on stderr."""
    _, errors = process.communicate()
    assert process.returncode == 0, f"exit code {process.returncode}: {errors}"
    return errors


def decoded(path: Path) -> Decoded:
    """Time (exact, seconds) and a hash of each picture."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        base = stream.time_base
        assert base is not None
        return [
            (f.pts * base, hashlib.sha256(f.to_ndarray().tobytes()).hexdigest())
            for f in container.decode(stream)
        ]


def sound(path: Path) -> list[tuple[int | None, bytes]]:
    """The sound's packets."""
    with av.open(str(path)) as container:
        return [
            (p.pts, bytes(p)) for s in container.streams.audio for p in container.demux(s) if p.size
        ]


def record(out: Path) -> dict[str, Any]:
    """An output's manifest without its timings."""
    values = json.loads(out.with_name(f"{out.name}.json").read_text())
    values["outputs"] = [{k: v for k, v in o.items() if k != "name"} for o in values["outputs"]]
    return {k: v for k, v in values.items() if k not in TIMINGS}


def same(first: Path, second: Path) -> list[str]:
    """In what two outputs differ; empty where a viewer and a reader of manifests see the same."""
    found = []
    a, b = decoded(first), decoded(second)
    if [t for t, _ in a] != [t for t, _ in b]:
        found.append(f"times ({len(a)} and {len(b)} pictures)")
    if wrong := [i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x[1] != y[1]]:
        found.append(f"{len(wrong)} pictures, the first at {wrong[0]}")
    if sound(first) != sound(second):
        found.append("sound")
    one, two = record(first), record(second)
    found += [f"manifest: {key}" for key in one if one[key] != two.get(key)]
    return found


def left_behind(folder: Path) -> list[str]:
    """Hidden files, which no finished run leaves."""
    return sorted(p.name for p in folder.iterdir() if p.name.startswith("."))
