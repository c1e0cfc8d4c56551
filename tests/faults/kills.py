"""Kill -9 at random points of a run, resumed until done: is it the undisturbed run's output?

``python -m tests.faults.kills INPUT --kills 100 --seed 1 -- --model bicubic``; what follows the
two dashes goes to ``vsr run``. Exit code 1 where one output differs.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.command import finished, killed_after, left_behind, same, start


@dataclass
class Outcome:
    """What a series of kills found."""

    kills: int = 0
    outputs: int = 0
    """that were finished after kills and compared"""
    resumed: int = 0
    """starts that went on from finished parts"""
    differences: list[str] = field(default_factory=list)


def kill_and_resume(
    source: Path, folder: Path, options: Sequence[str], kills: int, seed: int
) -> Outcome:
    """Make outputs, each killed at random points until it is done, until ``kills`` are through."""
    dice = random.Random(seed)
    whole = folder / "undisturbed.mp4"
    begun = time.monotonic()
    finished(start("run", source, "-o", whole, *options))
    length = time.monotonic() - begun
    found = Outcome()
    while found.kills < kills:
        out = folder / f"killed_{found.outputs:03d}.mp4"
        before = found.kills
        _until_done(source, out, options, length, dice, kills, found)
        if found.kills == before:  # it was through sooner than any kill came
            _remove(out)
            continue
        found.outputs += 1
        wrong = same(whole, out)
        found.differences += [f"{out.name} after {found.kills - before} kills: {w}" for w in wrong]
        if left := left_behind(folder):
            found.differences.append(f"{out.name}: left behind {left}")
        print(
            f"{out.name}: {found.kills - before} kills, {'DIFFERS: ' if wrong else 'same'}"
            f"{'; '.join(wrong)} ({found.kills} of {kills})",
            flush=True,
        )
        _remove(out)
    return found


def _until_done(
    source: Path,
    out: Path,
    options: Sequence[str],
    length: float,
    dice: random.Random,
    kills: int,
    found: Outcome,
) -> None:
    while True:
        process = start("run", source, "-o", out, *options)
        if found.kills < kills and killed_after(process, dice.uniform(0, length)):
            found.kills += 1
            assert not out.with_name(f"{out.name}.json").exists() or out.exists()
            continue
        found.resumed += "resuming after" in finished(process)
        return


def _remove(out: Path) -> None:
    out.unlink()
    out.with_name(f"{out.name}.json").unlink()


def main(arguments: Sequence[str]) -> int:
    """The command."""
    words = list(arguments)
    options = words[words.index("--") + 1 :] if "--" in words else ["--model", "bicubic"]
    parser = argparse.ArgumentParser(prog="python -m tests.faults.kills", description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    known = parser.parse_args(words[: words.index("--")] if "--" in words else words)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kills") as folder:
        found = kill_and_resume(known.source, Path(folder), options, known.kills, known.seed)
    print(
        f"{found.kills} kills, {found.outputs} outputs of which {found.resumed} went on from "
        f"finished parts in their last start, {len(found.differences)} differences, "
        f"{time.monotonic() - begun:.0f} s"
    )
    for text in found.differences:
        print(f"  {text}")
    return 1 if found.differences else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
