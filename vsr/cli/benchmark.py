"""``vsr benchmark``: how fast this machine is, stage by stage, and what to set."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vsr.cli import options as opt
from vsr.cli.common import emit_json, note, one_line, show_progress, state

if TYPE_CHECKING:
    from vsr.bench.result import BenchmarkResult

_HELP = """Measure this machine: the network, each stage alone, the whole, and what to set.

- `vsr benchmark`
- `vsr benchmark input.mp4 --pipeline restore-fast --json`
- `vsr benchmark --faces 7 --part stages --repeats 3`

Without INPUT a scene with faces is drawn, of a video the first two seconds are measured. It says
what is to come and about how long that takes. Nothing is written but temporary files. Needs a
quiet machine: it says so where others are at work.
"""


def register(app: typer.Typer) -> None:
    """Add the command to the root application."""
    app.command("benchmark", help=_HELP)(benchmark)


def benchmark(
    source: Annotated[
        Path | None,
        typer.Argument(metavar="[INPUT]", help="A video, or a folder of numbered pictures."),
    ] = None,
    pipeline: opt.Pipeline = "restore",
    sets: opt.Sets = None,
    model: opt.Model = None,
    scale: opt.Scale = None,
    batch_size: opt.BatchSize = None,
    device: opt.Device = None,
    preset: opt.Preset = None,
    repeats: Annotated[
        int, typer.Option(help="Rounds; each measures everything once. Medians are shown.")
    ] = 3,
    seconds: Annotated[
        float | None, typer.Option(help="Seconds of the clip, drawn or given [default: 2].")
    ] = None,
    faces: Annotated[int, typer.Option(help="Faces in the drawn clip, 0 to 9.")] = 1,
    face_px: Annotated[float, typer.Option(help="Their width in the drawn clip.")] = 64.0,
    parts: Annotated[
        list[str] | None,
        typer.Option("--part", help="generator, stages, start-up or settings alone (repeatable)."),
    ] = None,
    as_json: opt.AsJson = False,
    quiet: opt.Quiet = False,
    debug: opt.Debug = False,
) -> None:
    state.debug = state.debug or debug
    from vsr.bench.benchmark import PARTS, BenchmarkConfig
    from vsr.bench.benchmark import benchmark as measure
    from vsr.run.heap import steady_heap

    recipe = opt.resolve_recipe(
        pipeline,
        sets,
        {
            "upscale.model": model,
            "upscale.scale": scale,
            "upscale.batch_size": batch_size,
            "upscale.device": device,
            "encode.preset": preset,
        },
    )
    cfg = BenchmarkConfig(
        repeats=repeats,
        seconds=seconds,
        faces=faces,
        face_px=face_px,
        parts=tuple(parts) if parts else PARTS,
    )
    steady_heap()  # as 'vsr run' does
    with show_progress(quiet=quiet or as_json) as progress:
        result = measure(source, recipe, cfg, progress, partial(note, quiet=quiet or as_json))
    for text in result.notices:
        note(text, quiet=quiet)
    if as_json:
        emit_json(result.to_dict())
    elif not quiet:
        _show(result)


def _show(result: BenchmarkResult) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from vsr.bench.table import COLUMNS, caption, sections

    table = Table(box=None, pad_edge=False)
    for column in COLUMNS:
        figure = column in ("figure", "CPU s")
        table.add_column(column, justify="right" if figure else "left", overflow="fold")
    for section in sections(result):
        table.add_row(end_section=True)
        table.add_row(Text(section.title, style="bold"), "", "", "", Text(section.note))
        for row in section.rows:
            table.add_row(*(Text(one_line(cell)) for cell in row))
    console = Console()
    console = Console(width=max(console.width, 120))
    console.print(table)
    console.print(Text(caption(result)))
