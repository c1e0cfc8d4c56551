"""``vsr tune``: a data set and a search space in, the best training recipe out."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vsr.cli.common import emit_json, note, show_progress, state
from vsr.cli.interrupted import kept_if_interrupted

if TYPE_CHECKING:
    from vsr.train.tune.recipe import TuneRecipe
    from vsr.train.tune.record import StudyResult

_HELP = """Search for a better training recipe: network shape, initialiser, optimiser, rates.

* `vsr tune celeba-178 -o studies/x2` (the default space, 13 trials)
* `vsr tune celeba-178 -o studies/x2 --trials 40 --minutes 120`
* `vsr tune celeba-178 -o studies/mine --pipeline my-space.toml --set search.steps=900`
* `vsr train celeba-178 -o runs/best --pipeline studies/x2/best.toml` (train what it found)

Each trial is a short 'vsr train'; Hyperband gives only the best of them more steps. STUDY gets
trials.csv, trials.json, best.toml and trials/ (recipe, log and run of each). The same command
resumes a study that was stopped or killed. Needs: pip install 'face-vsr[tune]'.
"""


def register(app: typer.Typer) -> None:
    """Add the command to the root application."""
    app.command("tune", help=_HELP)(tune)


def tune(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="Made by 'vsr prepare'.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="STUDY", help="The study's folder.")],
    pipeline: Annotated[
        str, typer.Option(help="Search space: a name of 'vsr pipelines list', or a file.")
    ] = "tune",
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="TABLE.KEY=VALUE",
            help="Change [search] or the base recipe all trials share; repeatable.",
        ),
    ] = None,
    trials: Annotated[int | None, typer.Option(help="Number of short training runs.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Stop after this time.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the search and of every trial.")] = None,
    init: Annotated[
        str | None, typer.Option(help="Start every trial from a model: a name or its .json.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON result.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors only.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    state.debug = state.debug or debug
    from vsr.models.backend import start_backend

    start_backend()
    from vsr.core.config import parse_set
    from vsr.train.tune.recipe import load_tune_recipe
    from vsr.train.tune.study import tune as run_study

    options = {"trials": trials, "minutes": minutes, "seed": seed}
    changes = [parse_set(text) for text in set_ or ()]
    changes += [("search", key, value) for key, value in options.items() if value is not None]
    recipe = load_tune_recipe(pipeline, changes)
    silent = quiet or as_json
    # where there is no bar, the line per trial is enough
    bar = show_progress(quiet=silent or not sys.stderr.isatty())
    with kept_if_interrupted(out), bar as progress:
        result = run_study(
            recipe,
            dataset,
            out,
            init=init,
            progress=progress,
            report=lambda line: note(line, quiet=silent),
        )
    _report(result, recipe, as_json=as_json, quiet=quiet)


def _report(result: StudyResult, recipe: TuneRecipe, *, as_json: bool, quiet: bool) -> None:
    if as_json:
        emit_json(result.to_dict())
        return
    if quiet:
        return
    from rich.console import Console
    from rich.table import Table

    from vsr.train.tune.record import cells, columns, ranked, verdict

    table = Table(*columns(recipe), box=None)
    for row in ranked(result.rows):
        table.add_row(*cells(row, recipe))
    console = Console()
    Console(width=max(console.width, 140)).print(table)  # in one piece, even in a pipe
    typer.echo(verdict(result, recipe))
    if result.ended == "minutes":
        typer.echo("time is up; the same command resumes the search")
    if result.recipe is not None:
        where = shlex.quote(str(result.recipe))
        typer.echo(f"train it with: vsr train DATASET -o RUN --pipeline {where}")
