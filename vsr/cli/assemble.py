"""``vsr assemble``: an export made into a video."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vsr.cli import options as opt
from vsr.cli.common import emit_json, fail, note, say, show_progress, state
from vsr.core.errors import BrokenSourceError

_HELP = """Make a video of an (edited) export, with the source's timing, sound and colours.

- `vsr frames input.mp4 -o look/`, edit pictures in `look/frames/`, then
- `vsr assemble look/ -o out.mp4`

Frames that nobody edited come out as 'vsr run' would have written them. Sound and subtitles come
from the source that the export names.
"""


def register(app: typer.Typer) -> None:
    """Add the command to the root application."""
    app.command("assemble", help=_HELP)(assemble)


def assemble(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What 'vsr frames' wrote.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="OUTPUT", help="The video to write.")],
    source: Annotated[
        Path | None, typer.Option(metavar="INPUT", help="The source, where it was moved.")
    ] = None,
    overwrite: opt.Overwrite = False,
    codec: opt.Codec = None,
    crf: opt.Crf = None,
    preset: opt.Preset = None,
    watermark: opt.WatermarkOption = False,
    as_json: opt.AsJson = False,
    quiet: opt.Quiet = False,
    debug: opt.Debug = False,
) -> None:
    state.debug = state.debug or debug
    from vsr.run.assemble import assemble as put_together
    from vsr.run.heap import steady_heap

    options = {"codec": codec, "crf": crf, "preset": preset, "watermark": watermark or None}
    steady_heap()
    with show_progress(quiet=quiet or as_json) as progress:
        manifest = put_together(
            folder,
            out,
            source=source,
            encode={key: value for key, value in options.items() if value is not None},
            overwrite=overwrite,
            progress=progress,
        )
    for text in manifest.notices:
        note(text, quiet=quiet)
    if as_json:
        emit_json(manifest.to_dict())
    elif not quiet:
        say(f"{out}: {manifest.frames['written']} frames in {manifest.seconds:.1f} s")
    if manifest.broken_at_s is not None:
        fail(f"the source breaks off at {manifest.broken_at_s:.2f} s; {out} ends there too")
        raise typer.Exit(BrokenSourceError.exit_code)
