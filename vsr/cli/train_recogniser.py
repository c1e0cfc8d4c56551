"""``vsr train-recogniser``: what the identity loss of ``vsr train`` compares faces with."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from vsr.cli.common import emit_json, say, show_progress, state
from vsr.cli.interrupted import kept_if_interrupted

_HELP = """Train a small face recogniser, for the identity loss of 'vsr train'.

* `vsr train-recogniser CELEBA -o recogniser.weights.h5 --minutes 20`
* then `vsr train DATASET -o RUN --set loss.identity=5
  --set 'loss.recogniser="recogniser.weights.h5"'`

FACES is CelebA in its official layout, or a folder with a sub-folder for each person. The same
command resumes a run that was stopped or killed. The recogniser takes no part in `vsr run`.
"""


def register(app: typer.Typer) -> None:
    """Add the command to the root application."""
    app.command("train-recogniser", help=_HELP)(train_recogniser)


def train_recogniser(
    faces: Annotated[Path, typer.Argument(metavar="FACES", help="Folder of faces by person.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help="Ends in .weights.h5.")],
    steps: Annotated[int, typer.Option(help="How many updates.")] = 4000,
    minutes: Annotated[
        float | None, typer.Option(help="End after this time even if steps remain.")
    ] = None,
    persons: Annotated[int, typer.Option(help="In a step, two pictures each.")] = 96,
    rate: Annotated[float, typer.Option(help="Largest learning rate.")] = 1.5e-3,
    seed: Annotated[int, typer.Option(help="Of weights, choice and changes.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the record.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors only.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    state.debug = state.debug or debug
    from vsr.models.backend import start_backend

    start_backend()
    from vsr.core.config import build
    from vsr.train.recogniser import RecogniserConfig
    from vsr.train.recogniser import train_recogniser as run_training

    options = {
        "steps": steps, "minutes": minutes, "persons": persons, "rate": rate, "seed": seed,
    }  # fmt: skip
    config = build(RecogniserConfig, options, "vsr train-recogniser")
    command = shlex.join(["vsr", *sys.argv[1:]])
    with kept_if_interrupted(out), show_progress(quiet=quiet or as_json) as progress:
        record = run_training(faces, out, config, command=command, progress=progress)
    if as_json:
        emit_json(record)
    elif not quiet:
        judged = record.get("verification")
        told = "" if judged is None else f", tells {judged:.1%} of pairs apart"
        say(f"{out}: {record['steps']} steps on {record['persons']} persons{told}")
