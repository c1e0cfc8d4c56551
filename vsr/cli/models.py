"""``vsr models``: what is installed, what is known of it, and adding one's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vsr.cli.common import emit_json, note, printable, say
from vsr.cli.models_verify import verify

if TYPE_CHECKING:
    from vsr.evaluate.compare import Comparison
    from vsr.models.spec import ModelSpec

app = typer.Typer(no_args_is_help=True, help="List, show, verify and add models.")
app.command()(verify)

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON result.")]


@app.command("list")
def list_(as_json: _Json = False) -> None:
    """List every model that --model can name.  Example: `vsr models list`"""
    from vsr.models.registry import default_model, list_models

    specs = list_models(on_damaged=lambda error: note(str(error)))
    defaults = {default_model(scale) for scale in (2, 4, 8)}
    if as_json:
        emit_json([{**s.to_dict(), "default": s.name in defaults} for s in specs])
        return
    import textwrap

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from vsr.core.errors import one_line

    table = Table("name", "family", "scale", "weights", "over bicubic", "terms", box=None)
    for spec in specs:
        gain = spec.figures.get("psnr_gain_db")
        table.add_row(
            f"[bold]{spec.name}[/bold] (default)" if spec.name in defaults else spec.name,
            spec.family,
            f"x{spec.scale}" if spec.scale else "x2 x4 x8",
            f"{spec.parameters:,}" if spec.parameters else "",
            f"{gain:+.2f} dB" if gain is not None else "",
            Text(textwrap.shorten(one_line(spec.terms), 60, placeholder=" …")),
        )
    console = Console()
    Console(width=max(console.width, 130)).print(table)  # one line a model, in a pipe too


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A name of 'vsr models list', or a spec's path.")],
    as_json: _Json = False,
) -> None:
    """Print what is known of a model.  Example: `vsr models show srresnet-x2`"""
    from vsr.models.card import render_card
    from vsr.models.registry import find_card, get_spec

    spec = get_spec(name)
    if as_json:
        emit_json(spec.to_dict())
        return
    from rich.console import Console
    from rich.markdown import Markdown

    card = find_card(name)
    Console().print(Markdown(printable(card if card is not None else render_card(spec))))


@app.command()
def add(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a training run.")],
    name: Annotated[str | None, typer.Option(help="Another name for the model.")] = None,
    to: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder to add to (default: yours).")
    ] = None,
    comparison: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE.json", help="From 'vsr evaluate models --json': for the card; repeat it."
        ),
    ] = None,
    figures: Annotated[
        Path | None,
        typer.Option(metavar="FILE.json", help="One on more faces: its figures go first."),
    ] = None,
    terms: Annotated[
        str | None, typer.Option(help="What a user must know, e.g. 'research only'.")
    ] = None,
    licence: Annotated[
        str | None, typer.Option(help="Licence of the weights, e.g. 'CC0-1.0'.")
    ] = None,
    mirror: Annotated[
        bool | None, typer.Option(help="Average with the mirrored picture: twice the work.")
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace a model of this name.")] = False,
    as_json: _Json = False,
) -> None:
    """Export a training run's weights, spec and card in one step.

    Example: `vsr models add runs/faces --name my-faces-x2`
    """
    from vsr.models.export import add_model, read_export

    more: dict[str, Any] = {}
    if comparison or figures:
        more = _measured(comparison or [], figures, name or read_export(run).name)
    changes = {"name": name, "terms": terms, "licence": licence, "mirror": mirror}
    changes = {key: value for key, value in changes.items() if value is not None}
    spec = add_model(run, folder=to, overwrite=overwrite, changes=changes, **more)
    _added(spec, as_json)


def _measured(tables: list[Path], more_faces: Path | None, name: str) -> dict[str, Any]:
    """The card's table out of comparisons on the same faces, and the spec's figures."""
    import functools

    from vsr.evaluate.compare import Comparison
    from vsr.evaluate.table import markdown

    files = tables or [p for p in (more_faces,) if p is not None]
    joined = functools.reduce(Comparison.joined, [_comparison(path) for path in files])
    figures = joined.figures(name)
    if more_faces is not None:
        figures |= _comparison(more_faces).figures(name)
    return {"figures": figures, "comparison": markdown(joined)}


def _comparison(path: Path) -> Comparison:
    from vsr.core.errors import InputError
    from vsr.core.jsontext import parse_json
    from vsr.evaluate.compare import Comparison

    try:
        values = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error})") from None
    return Comparison.from_dict(values)


def _added(spec: ModelSpec, as_json: bool) -> None:
    values: dict[str, Any] = spec.to_dict()
    if as_json:
        emit_json(values)
        return
    say(
        f"{spec.name}: {spec.parameters:,} weights, x{spec.scale}; "
        f"use it with --model {spec.name} --scale {spec.scale}"
    )
