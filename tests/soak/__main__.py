"""Does anything grow with the film? Many small frames through the real chain, watched.

    python -m tests.soak --frames 100000
    python -m tests.soak --frames 20000 --from 2000 --model auto

The frames, 96x72 with a face that moves over a still background and is away now and then, run
through decoding, detection, tracking, cutting, upscaling, pasting and encoding as `vsr run`
does it, in one process of its own. Resident memory, threads and open files of that process and
its ffmpegs are sampled with the number of frames done. Prints JSON; the exit code is 1 where a
line through the samples of the second part rises by more than the limits say.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.bench.process_tree import kill_tree, sample
from tests.fuzz.lab import ROOT
from tests.soak.clip import make_clip
from tests.soak.trend import Point, judge

_TAIL = 300
"""last frames that are not judged: the decoder has ended by then and its threads are gone"""
_SAMPLES = 400
"""how many there are to be, about"""


def soak(frames: int, begin: int, model: str = "bicubic") -> dict[str, Any]:
    """Run ``frames`` frames and judge what is held from frame ``begin`` on."""
    with tempfile.TemporaryDirectory(prefix="vsr-soak-") as name:
        folder = Path(name)
        clip = make_clip(folder / "in.mp4", frames)
        started = time.monotonic()
        points = _watch(clip, folder / "out.mp4", folder / "done", model, frames)
        seconds = time.monotonic() - started
        manifest = json.loads((folder / "out.mp4.json").read_text())
    return {
        "frames": manifest["frames"]["written"],
        "faces": manifest["faces"],
        "tracks": len(manifest["tracks"]),
        "model": manifest["model"]["name"],
        "seconds": round(seconds, 1),
        **judge(points, begin, frames - _TAIL),
    }


def _watch(clip: Path, out: Path, counter: Path, model: str, frames: int) -> list[Point]:
    """A sample every ``frames / _SAMPLES`` frames, while the run lasts."""
    command = [sys.executable, "-m", "tests.soak.run", *map(str, (clip, out, counter)), model]
    child = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL)
    points: list[Point] = []
    next_at = 1
    try:
        while child.poll() is None:
            time.sleep(0.02)
            done = int(counter.read_text() or 0) if counter.exists() else 0
            if done < next_at:
                continue
            next_at = done + max(1, frames // _SAMPLES)
            held = sample(child.pid)
            if held.processes:
                points.append(Point(done, held.resident, held.threads, held.files))
    finally:
        kill_tree(child.pid)
    if child.returncode != 0:
        raise subprocess.CalledProcessError(child.returncode, command)
    return points


def main() -> None:
    """Soak and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--from", dest="begin", type=int, default=10_000, help="first frame judged")
    parser.add_argument("--model", default="bicubic", help="'auto': the default network, slow")
    args = parser.parse_args()
    result = soak(args.frames, args.begin, args.model)
    print(json.dumps(result, indent=2))
    sys.exit(0 if result["flat"] else 1)


if __name__ == "__main__":
    main()
