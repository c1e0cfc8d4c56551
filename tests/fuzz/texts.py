"""Mutated texts and weights through what reads them.

    python -m tests.fuzz.texts --count 2000 --seed 1
    python -m tests.fuzz.texts --kind spec --kind weights --count 500 --keep found/

Hypothesis makes the mutations; COUNT is shared out evenly among the kinds. Prints a JSON
summary; the exit code is 1 where a rule of `tests.fuzz.lab` was broken.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

from tests.fuzz import h5edits, textedits
from tests.fuzz.kinds import TEXT_KINDS
from tests.fuzz.lab import Lab, Tally, Verdict
from tests.fuzz.seeds import texts
from vsr.run.manifest import recipe_hash

_BY_SUFFIX = {
    ".json": textedits.json_texts,
    ".toml": textedits.toml_texts,
    ".xml": textedits.xml_texts,
    ".h5": h5edits.h5_files,
    ".jsonl": textedits.raw,
    ".csv": textedits.raw,
}


def _sealed(data: bytes) -> bytes:
    """A manifest whose recipe's hash fits again, as whoever wants to deceive would make it."""
    try:
        values = json.loads(data)
        values["recipe_sha256"] = recipe_hash(values["recipe"])
        return textedits.dump_json(values)
    except (ValueError, TypeError, KeyError, RecursionError):
        return data


@st.composite
def mutations(draw: st.DrawFn, kind: str, seeds: dict[str, bytes]) -> tuple[str, bytes]:
    """(name of the seed, mutated bytes)."""
    name = draw(st.sampled_from(sorted(seeds)))
    data = draw(_BY_SUFFIX[Path(name).suffix](seeds[name]))
    if kind in ("manifest", "export") and draw(st.booleans()):
        data = _sealed(data)
    return name, data


def profile(count: int, phases: tuple[Phase, ...]) -> settings:
    """The settings of a run of ``count`` mutations: time is the lab's business."""
    return settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=phases,
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
        print_blob=False,
    )


def each(
    kind: str, seeds: dict[str, bytes], count: int, seed: int, act: Callable[[str, bytes], None]
) -> None:
    """Call ``act`` with ``count`` mutations, the same ones for the same seed."""

    @seeded(seed)
    @profile(count, (Phase.generate,))
    @given(mutations(kind, seeds))
    def run(mutation: tuple[str, bytes]) -> None:
        act(*mutation)

    run()


def attack(
    folder: Path, kind: str, count: int, seed: int, keep: Path | None = None,
    lab: Lab | None = None,
) -> tuple[Tally, list[Verdict]]:  # fmt: skip
    """Try ``count`` mutations of a kind; those that break a rule are written to ``keep``.

    lab: one of this kind and folder that is open already, else one is opened for the attack.
    """
    seeds = texts(folder, (kind,))[kind]
    tally, faults = Tally(), []
    with Lab(kind, folder) if lab is None else contextlib.nullcontext(lab) as lab:

        def act(name: str, data: bytes) -> None:
            verdict = lab.judge(name, data)
            label = f"{kind}-{hashlib.sha256(data).hexdigest()[:12]}{Path(name).suffix}"
            tally.add(label, verdict)
            if verdict.status != "fault":
                return
            faults.append(verdict)
            print(f"{label}: {verdict.error}: {verdict.detail}", file=sys.stderr, flush=True)
            if keep is not None:
                keep.mkdir(parents=True, exist_ok=True)
                (keep / label).write_bytes(data)

        each(kind, seeds, count, seed, act)
    return tally, faults


def main() -> None:
    """Attack and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", action="append", choices=TEXT_KINDS, help="repeat it")
    parser.add_argument("--keep", type=Path, help="folder for inputs that break a rule")
    args = parser.parse_args()
    kinds = args.kind or TEXT_KINDS
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for place, kind in enumerate(kinds):
            share = args.count // len(kinds) + (place < args.count % len(kinds))
            tally, _ = attack(Path(folder), kind, share, args.seed, args.keep)
            result[kind] = tally.to_dict()
            print(f"{kind}: {dict(tally.counts)}", file=sys.stderr, flush=True)
    print(json.dumps(result, indent=2))
    sys.exit(1 if any(tally["fault"] for tally in result.values()) else 0)


if __name__ == "__main__":
    main()
