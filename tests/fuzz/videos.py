"""Mutated videos through the main job.

    python -m tests.fuzz.videos --count 2000 --seed 1
    python -m tests.fuzz.videos --seed 1 --only 417 --keep found/     # one of them again

Prints a JSON summary; the exit code is 1 where a rule of `tests.fuzz.lab` was broken.
Mutation number N of a seed is the same on every machine with the same ffmpeg.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.fuzz.bytesedits import mutate
from tests.fuzz.lab import Lab, Tally
from tests.fuzz.seeds import CLIPS, clips


def mutations(
    made: dict[str, bytes], seed: int, numbers: range
) -> Iterator[tuple[int, str, bytes]]:
    """(number, name of the clip, mutated bytes) of each number."""
    names, contents = list(made), list(made.values())
    for number in numbers:
        rng = random.Random(f"{seed}/{number}")
        which = rng.randrange(len(names))
        yield number, names[which], mutate(contents, which, rng)


def attack(
    seeds: Path, numbers: range, seed: int, names: tuple[str, ...] = tuple(CLIPS),
    keep: Path | None = None, lab: Lab | None = None,
) -> Tally:  # fmt: skip
    """Try the mutations of these numbers; those that break a rule are written to ``keep``.

    lab: one for videos that is open already, else one is opened for the attack.
    """
    tally = Tally()
    made = clips(seeds / "clips", names)
    with Lab("video", seeds) if lab is None else contextlib.nullcontext(lab) as lab:
        for number, name, data in mutations(made, seed, numbers):
            verdict = lab.judge(name, data)
            label = f"{seed}-{number}-{name}"
            tally.add(label, verdict)
            if verdict.status == "fault":
                print(f"{label}: {verdict.error}: {verdict.detail}", file=sys.stderr, flush=True)
            if keep is not None and (verdict.status == "fault" or len(numbers) == 1):
                keep.mkdir(parents=True, exist_ok=True)
                (keep / label).write_bytes(data)
            if (number + 1) % 100 == 0:
                print(f"{number + 1}: {dict(tally.counts)}", file=sys.stderr, flush=True)
    return tally


def main() -> None:
    """Attack and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="a single mutation, by its number")
    parser.add_argument("--keep", type=Path, help="folder for inputs that break a rule")
    args = parser.parse_args()
    numbers = range(args.count) if args.only is None else range(args.only, args.only + 1)
    with tempfile.TemporaryDirectory() as folder:
        tally = attack(Path(folder), numbers, args.seed, keep=args.keep)
    print(json.dumps(tally.to_dict(), indent=2))
    sys.exit(1 if tally.faults else 0)


if __name__ == "__main__":
    main()
