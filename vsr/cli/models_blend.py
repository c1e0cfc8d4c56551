"""``vsr models blend``: two trained models become one."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from vsr.cli.common import say


def register(app: typer.Typer) -> None:
    """Add the command to the ``models`` group."""
    app.command("blend")(blend)


def blend(
    first: Annotated[str, typer.Argument(help="A model: a name, or the path of a .json.")],
    second: Annotated[str, typer.Argument(help="Another one that was trained from the same.")],
    name: Annotated[str, typer.Option(help="Name of the new model.")],
    share: Annotated[float, typer.Option(help="Of the first one's weights, 0..1.")] = 0.5,
    to: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder to add to (default: yours).")
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace a model of this name.")] = False,
) -> None:
    """Mix the weights of two models: what each is good at, the mixture is nearly as good at.

    Example: `vsr models blend cleared-x2 srresnet-x2 --share 0.5 --name both-x2`
    """
    from vsr.models.blend import blend_models

    command = shlex.join(["vsr", *sys.argv[1:]])
    spec = blend_models(first, second, share, name, folder=to, overwrite=overwrite, command=command)
    say(f"{spec.name}: {share:g} of {first}, {1 - share:g} of {second}; use it with --model {name}")
