"""``vsr train``: a data set and a recipe in, a model out."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vsr.cli.common import emit_json, note, say, state
from vsr.cli.interrupted import kept_if_interrupted
from vsr.core.progress import Progress, ProgressHook, silent

if TYPE_CHECKING:
    from vsr.train.loop import TrainResult

_HELP = """Train a face super-resolver on a data set of 'vsr prepare'.

* `vsr train celeba-178 -o runs/x2` (pixel loss, x2)
* `vsr train celeba-178 -o runs/gan --pipeline train-gan --init srresnet-x2`
* `vsr train celeba-178 -o runs/x4 --set generator.scale=4 --set loop.minutes=30`

RUN gets log.csv, curves.png, grids/ (LR, bicubic, SR, HR), tensorboard/, checkpoint.npz and at
the end export/, which `vsr models add RUN` turns into a model. The same command resumes a
run that was stopped or killed. KERAS_BACKEND chooses TensorFlow (default), JAX or PyTorch.
"""


def register(app: typer.Typer) -> None:
    """Add the command to the root application."""
    app.command("train", help=_HELP)(train)


def train(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="Made by 'vsr prepare'.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="RUN", help="Folder of the run.")],
    pipeline: Annotated[
        str, typer.Option(help="Recipe: a name of 'vsr pipelines list', or a file.")
    ] = "train-pixel",
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="TABLE.KEY=VALUE", help="Change the recipe; repeatable."),
    ] = None,
    init: Annotated[
        str | None, typer.Option(help="Start from a model's weights: a name or its .json.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the exported model.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON result.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors only.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    state.debug = state.debug or debug
    from vsr.models.backend import start_backend

    start_backend()  # quietly, before the recipe imports it
    from vsr.core.config import parse_set
    from vsr.train.loop import train as run_training
    from vsr.train.recipe import load_train_recipe

    recipe = load_train_recipe(pipeline, [parse_set(text) for text in set_ or ()])

    command = shlex.join(["vsr", *sys.argv[1:]])
    with kept_if_interrupted(out), _show_steps(quiet=quiet or as_json) as progress:
        result = run_training(
            recipe,
            dataset,
            out,
            init=init,
            name=name,
            command=command,
            progress=progress,
            report=lambda line: note(line, quiet=quiet or as_json),
        )
    _report(result, as_json=as_json, quiet=quiet)


@contextlib.contextmanager
def _show_steps(*, quiet: bool) -> Iterator[ProgressHook]:
    """A bar with the losses on a terminal, nothing else where (validations are notes anyway)."""
    if quiet or not sys.stderr.isatty():
        yield silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TextColumn("steps"), TimeRemainingColumn())  # fmt: skip
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("starting", total=None)

        def hook(p: Progress) -> None:
            bar.update(task, description=p.phase, completed=p.done, total=p.total)

        yield hook


def _report(result: TrainResult, *, as_json: bool, quiet: bool) -> None:
    if as_json:
        emit_json(
            {
                "run": str(result.run),
                "steps": result.steps,
                "seconds": round(result.seconds, 1),
                "figures": result.figures,
                "export": str(result.export),
            }
        )
    elif not quiet:
        gain = result.figures.get("gain")
        told = f", {gain:+.2f} dB over bicubic" if gain is not None else ""
        say(
            f"{result.run}: {result.steps} steps in {result.seconds:.0f} s{told}; "
            f"register it with: vsr models add {shlex.quote(str(result.run))}"
        )
