"""``vsr report``: one page on what was done, to be opened in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vsr.cli.common import emit_json, say, show_progress

if TYPE_CHECKING:
    from vsr.evaluate.report.build import Report

_HELP = """Write one self-contained HTML page on a result: before and after, warnings, figures.

- `vsr report out.mp4 -o report.html`
- `vsr report faces/ -o report.html`
- `vsr report out.mp4.json --source moved/input.mp4 -o report.html`

The page opens from disk, without network, in any browser.
"""


ReportOption = Annotated[
    Path | None,
    typer.Option("--report", metavar="FILE.html", help="Also write a page to look at the result."),
]
"""for commands that can end in a report"""


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

    with show_progress(quiet=quiet or as_json) as progress:
        made = build_report(target, out, source=source, overwrite=overwrite, progress=progress)
    if as_json:
        emit_json(made.to_dict())
    elif not quiet:
        _say(made)


def claim(page: Path | None, *, overwrite: bool) -> None:
    """Refuse a ``--report`` that could not be written, before any work is done."""
    if page is not None:
        from vsr.evaluate.report.build import claim_report

        claim_report(page, overwrite=overwrite)


def renewable(page: Path | None) -> bool:
    """Whether there is an older page of vsr's that a repeated command may replace."""
    from vsr.evaluate.report.build import is_report

    return page is not None and is_report(page)


def write(
    page: Path | None,
    result: Path,
    source: Path | None,
    *,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Write the page of ``--report``, where it was asked for."""
    if page is None:
        return
    from vsr.evaluate.report.build import build_report
    from vsr.run.output import manifest_path

    record = manifest_path(result)
    target = record if record.is_file() else result
    with show_progress(quiet=quiet) as progress:
        made = build_report(target, page, source=source, overwrite=overwrite, progress=progress)
    if not quiet:
        _say(made)


def _say(made: Report) -> None:
    from vsr.evaluate.report.words import size

    tracks = len(made.document.tracks)
    faces = f", {tracks} face{'' if tracks == 1 else 's'}" if tracks else ""
    say(f"{made.path}: {size(made.bytes)}{faces}")
