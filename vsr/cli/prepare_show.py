"""What ``vsr prepare`` says: its help, and its results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from vsr.cli.common import emit_json, note, say

if TYPE_CHECKING:
    from vsr.train.prepare.build import PrepareResult

HELP = """Turn a folder of faces into a data set of LR/HR pairs for training.

* `vsr prepare celeba celeba/ -o celeba-128-64`
* `vsr prepare chokepoint ChokePoint/ -o choke-64 --hr 64 --scale 2 --scale 4`
* `vsr prepare folder faces/ -o mine --hr 64 --crop square`
* `vsr prepare clips celeba/ -o celeba-clips --scale 2 --frames 5`

LAYOUT is how the source is laid out:

* `celeba`: img_align_celeba/, list_eval_partition.txt, identity_CelebA.txt
* `imfdb`: ACTOR/FILM/images/ with annotation files
* `chokepoint`: frame folders and groundtruth XML, or the released SEQ/PERSON/FRAME.pgm
* `folder`: any folder of faces; sub-folders name persons, or train, val and test
* `clips`: short clips of faces, of stills (CelebA's layout, or any folder) that are made to move
  and of videos, each degraded by lens, motion, noise and real video encoders

The data set has train/, val/ and test/, in each hr/ and lr_x2/ with equal file names, no person
in two of them; CARD.md and dataset.json say what is in it, skipped.csv what is not and why.
A run that was stopped resumes when the same command is given again.
"""


def report(result: PrepareResult, out: Path, *, as_json: bool, quiet: bool) -> None:
    """Notices, what was skipped, and the pairs of each split."""
    splits = ", ".join(f"{name} {s['pairs']}" for name, s in result.card["splits"].items())
    line = f"{out}: {splits} pairs; {result.made} made now, {result.kept} kept"
    _report(result.card, line, as_json=as_json, quiet=quiet)


def report_clips(card: dict[str, Any], out: Path, *, as_json: bool, quiet: bool) -> None:
    """The same of a data set of clips."""
    splits = ", ".join(f"{name} {s['clips']}" for name, s in card["splits"].items())
    line = f"{out}: {splits} clips of {card['frames']} frames"
    _report(card, line, as_json=as_json, quiet=quiet)


def _report(card: dict[str, Any], line: str, *, as_json: bool, quiet: bool) -> None:
    for text in card["notices"]:
        note(text, quiet=quiet)
    if card["skipped"]["count"]:
        reasons = ", ".join(f"{r} {n}" for r, n in card["skipped"]["reasons"].items())
        note(f"skipped {card['skipped']['count']} ({reasons}); see skipped.csv", quiet=quiet)
    if as_json:
        emit_json(card)
    elif not quiet:
        say(line)
