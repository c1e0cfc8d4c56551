"""``vsr pipelines``: which recipes exist, what is in them, and whether mine is right."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from vsr.cli.common import emit_json, printable, say

app = typer.Typer(no_args_is_help=True, help="List, show and check recipes.")


@app.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """List the shipped recipes.  Example: `vsr pipelines list`"""
    from vsr.core.config import describe, list_recipes, read_toml

    rows = [
        {"name": p.stem, "kind": str(read_toml(p).get("kind", "?")), "purpose": describe(p)}
        for p in list_recipes()
    ]
    if as_json:
        emit_json(rows)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("name", "kind", "purpose", box=None)
    for row in rows:
        table.add_row(row["name"], row["kind"], row["purpose"])
    Console().print(table)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="Name or TOML file.")],
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Print a recipe with every key, defaults included.  Example: `vsr pipelines show restore`"""
    from vsr.core.config import describe, find_recipe, to_toml

    path = find_recipe(name)
    resolved = _resolve(path)
    if as_json:
        emit_json(resolved)
        return
    say(f"# {describe(path)}")
    print(printable(to_toml(resolved)), end="")


@app.command()
def check(file: Annotated[str, typer.Argument(help="Name or TOML file.")]) -> None:
    """Check a recipe; faults are named by table and key.  Example: `vsr pipelines check my.toml`"""
    from vsr.core.config import find_recipe

    path = find_recipe(file)
    _resolve(path)
    say(f"{path.name}: ok")


def _resolve(path: Path) -> dict[str, Any]:
    from vsr.core.config import read_toml

    kind = read_toml(path).get("kind")
    if kind in ("train", "tune"):
        from vsr.models.backend import start_backend

        start_backend()  # quietly, before these recipes import it
    if kind == "train":
        from vsr.train.recipe import check_recipe as check_train

        return check_train(path).to_dict()
    if kind == "tune":
        from vsr.train.tune.recipe import check_recipe as check_tune

        return check_tune(path).to_dict()
    from vsr.run.recipe import check_recipe

    return check_recipe(path).to_dict()
