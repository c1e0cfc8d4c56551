"""``vsr report``: one page on what was done, to be opened in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vsr.cli.common import emit_json, show_progress

_HELP = """Write one self-contained HTML page on a result: before and after, warnings, figures.

- `vsr report out.mp4 -o report.html`
- `vsr report faces/ -o report.html`
- `vsr report out.mp4.json --source moved/input.mp4 -o report.html`

The page opens from disk, without network, in any browser.
"""


def register(app: typer.Typer) -> None:
    """Add the command to the root application."""
    app.command("report", help=_HELP)(report)


def report(
    target: Annotated[
        Path,
        typer.Argument(metavar="RESULT", help="What a vsr command wrote: a video or a folder."),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE.html", help="The page.")],
    source: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The source, if it is not where it was."),
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace an existing page.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON result.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors only.")] = False,
) -> None:
    from vsr.evaluate.report.build import build_report
    from vsr.evaluate.report.words import size

    with show_progress(quiet=quiet or as_json) as progress:
        made = build_report(target, out, source=source, overwrite=overwrite, progress=progress)
    if as_json:
        emit_json(made.to_dict())
    elif not quiet:
        tracks = len(made.document.tracks)
        typer.echo(f"{out}: {size(made.bytes)}, {tracks} face{'' if tracks == 1 else 's'}")
