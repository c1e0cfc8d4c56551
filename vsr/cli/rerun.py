"""``vsr rerun``: a run repeated from its manifest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vsr.cli import options as opt
from vsr.cli.common import emit_json, fail, note, say, show_progress, state
from vsr.core.errors import DataError

if TYPE_CHECKING:
    from vsr.run.rerun import OutputComparison, RerunReport

_HELP = """Repeat a run from its manifest and say whether the same came out.

- `vsr rerun out.mp4.json`
- `vsr rerun out.mp4.json --source moved.mp4 -o again.mp4`

Source, recipe and weights must be those of the run, by their hashes. Exit code 0: the decoded
pictures and their times are the same; 9: they are not.
"""


def register(app: typer.Typer) -> None:
    """Add the command to the root application."""
    app.command("rerun", help=_HELP)(rerun)


def rerun(
    manifest: Annotated[
        Path,
        typer.Argument(metavar="MANIFEST", help="OUTPUT.json of 'vsr run', or the output itself."),
    ],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="OUTPUT", help="Keep the new result. [only compared]"),
    ] = None,
    source: Annotated[
        Path | None, typer.Option(metavar="INPUT", help="The source, where it was moved.")
    ] = None,
    overwrite: opt.Overwrite = False,
    as_json: opt.AsJson = False,
    quiet: opt.Quiet = False,
    debug: opt.Debug = False,
) -> None:
    state.debug = state.debug or debug
    from vsr.run.heap import steady_heap
    from vsr.run.rerun import rerun as repeat

    steady_heap()
    with show_progress(quiet=quiet or as_json) as progress:
        report = repeat(manifest, out, source=source, overwrite=overwrite, progress=progress)
    if as_json:
        emit_json(report.to_dict())
    else:
        _print(report, quiet=quiet)
    if not report.same:
        fail(f"{manifest}: the repeated run gave another result")
        raise typer.Exit(DataError.exit_code)


def _print(report: RerunReport, *, quiet: bool) -> None:
    for text in report.notices:
        note(text, quiet=quiet)
    if report.version_changes:
        note(f"other versions than at the time: {', '.join(report.version_changes)}", quiet=quiet)
    if not quiet:
        for output in report.outputs:
            say(f"{output.name}: {_verdict(output)}")


def _verdict(output: OutputComparison) -> str:
    if output.file_same:
        return f"the same file, byte for byte ({output.frames[1]} frames)"
    if output.pictures_same is None:
        how = "the same" if output.encoded_same else "not the same"
        return f"what the encoder got is {how}; the first file is not there as it was"
    pictures = (
        f"all {output.frames[1]} decoded pictures are the same"
        if output.pictures_same
        else f"{output.different_frames} of {output.frames[0]} decoded pictures differ"
    )
    times = "the same" if output.pts_same else "different"
    return f"{pictures}, their times are {times}; the file itself differs"
