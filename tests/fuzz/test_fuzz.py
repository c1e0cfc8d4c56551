"""Short runs of the fuzzers, what they once found, and proof that they see what they look for.

The long runs are commands: `python -m tests.fuzz.videos`, `python -m tests.fuzz.texts`.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fuzz.kinds import KINDS, TEXT_KINDS
from tests.fuzz.lab import Lab
from tests.fuzz.seeds import texts
from tests.fuzz.texts import attack as attack_texts
from tests.fuzz.videos import attack as attack_videos

CORPUS = Path(__file__).parent / "corpus"
"""KIND/WHAT@SEED: inputs that broke a rule once ("+" in SEED stands for "/")"""
CLIPS = ("h264.mp4", "vp9.webm", "mpeg4.avi", "h264.ts", "face.mp4")


Labs = Callable[[str], Lab]


@pytest.fixture(scope="session")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("seeds")


@pytest.fixture(scope="module")
def labs(seeds: Path) -> Iterator[Labs]:
    """The lab of a kind: one for all tests, since a worker imports for seconds."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def lab(kind: str) -> Lab:
            if kind in TEXT_KINDS:
                texts(seeds, (kind,))
            return stack.enter_context(Lab(kind, seeds))

        yield lab


def test_mutated_videos(seeds: Path, labs: Labs) -> None:
    tally = attack_videos(seeds, range(24), seed=0, names=CLIPS, lab=labs("video"))
    assert tally.faults == []
    assert tally.counts["done"] > 4, "mutations so heavy that hardly a video is read test little"
    assert tally.counts["refused"] > 4, "mutations so light that nothing is refused test little"


@pytest.mark.parametrize("kind", TEXT_KINDS)
def test_mutated_texts(kind: str, seeds: Path, labs: Labs) -> None:
    tally, _ = attack_texts(seeds, kind, count=8, seed=0, lab=labs(kind))
    assert tally.faults == []
    assert sum(tally.counts.values()) == 8


@pytest.mark.parametrize("kind", sorted(p.name for p in CORPUS.iterdir()))
def test_what_was_found_once(kind: str, labs: Labs) -> None:
    verdicts = {}
    for path in sorted((CORPUS / kind).iterdir()):
        seed = path.name.partition("@")[2].replace("+", "/")
        verdicts[path.name] = labs(kind).judge(seed, path.read_bytes())
    assert {n: v for n, v in verdicts.items() if v.status == "fault"} == {}


def test_each_valid_file_is_accepted(seeds: Path, labs: Labs) -> None:
    """Else every mutation would be refused for a reason that has nothing to do with it."""
    for kind in ("chokepoint", "recipe", "export", "report", "dataset", "marker"):
        for name, data in texts(seeds, (kind,))[kind].items():
            verdict = labs(kind).judge(name, data)
            assert verdict.status == "done", (kind, name, verdict)


@pytest.mark.parametrize(
    ("rule", "error"),
    [
        ("hang", "hang"),
        ("crash", "crash"),
        ("traceback", "KeyError"),
        ("memory", "memory"),
        ("process", "leak"),
        ("leftover", "InputError"),
        ("unplayable", "bad result"),
    ],
)
def test_the_lab_sees_a_broken_rule(rule: str, error: str, tmp_path: Path) -> None:
    patience = 3 if rule == "hang" else 20
    with Lab("misbehaving", tmp_path, time_s=patience, memory_mib=400) as lab:
        verdict = lab.judge("seed", rule.encode())
        assert (verdict.status, verdict.error) == ("fault", error)
        assert lab.judge("seed", b"refused").status == "refused", "it goes on with the next input"
        assert lab.judge("seed", b"nothing").status == "done"


def test_every_kind_has_seeds(seeds: Path) -> None:
    assert set(TEXT_KINDS) < set(KINDS)
    assert all(texts(seeds, (kind,))[kind] for kind in TEXT_KINDS)
