"""``vsr faces``: find the faces of a video, look at them, choose."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from vsr.cli import options as opt
from vsr.cli.common import counted, emit_json, fail, note, say, show_progress, state
from vsr.core.errors import BrokenSourceError

_HELP = """Find the faces of a video and write them down, to be chosen and corrected.

- `vsr faces input.mp4 -o faces.jsonl --sheet sheet.png`
- look at the sheet: each track with its number, clearest face, times and width
- edit the tracks' lines at the end of the file: `"drop": true` leaves a track as it is,
  `"merge_into": 3` says that it is track 3's person, `"strength": 0.5` blends half of it in
- `vsr run input.mp4 -o out.mp4 --faces-file faces.jsonl`

No model is loaded and no face changed. Frames and sizes must be those of the later command: give
both the same `--fps`.
"""


def register(app: typer.Typer) -> None:
    """Add the command to the root application."""
    app.command("faces", help=_HELP)(faces)


def faces(
    source: Annotated[
        Path, typer.Argument(metavar="INPUT", help="A video, or a folder of numbered pictures.")
    ],
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FILE", help="The faces file (.jsonl).")
    ],
    sheet: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Also a picture of all tracks to choose from."),
    ] = None,
    pipeline: opt.Pipeline = "restore",
    sets: opt.Sets = None,
    overwrite: opt.Overwrite = False,
    fps: opt.Fps = None,
    as_json: opt.AsJson = False,
    quiet: opt.Quiet = False,
    debug: opt.Debug = False,
) -> None:
    state.debug = state.debug or debug
    recipe = opt.resolve_recipe(pipeline, sets, {"decode.fps": fps})
    from vsr.faces.trackrecord import track_to_dict
    from vsr.run.findfaces import find_faces

    with show_progress(quiet=quiet or as_json) as progress:
        found = find_faces(source, out, recipe, sheet=sheet, overwrite=overwrite, progress=progress)
    for text in found.notices:
        note(text, quiet=quiet)
    if as_json:
        tracks = [track_to_dict(t) for t in found.tracks]
        emit_json({"frames": found.frames, "faces": found.faces, "tracks": tracks})
    elif not quiet:
        say(
            f"{out}: {counted(found.faces, 'face')} of {counted(len(found.tracks), 'track')} in "
            f"{counted(found.frames, 'frame')}; "
            f"use it with: vsr run {shlex.quote(str(source))} -o OUT "
            f"--faces-file {shlex.quote(str(out))}"
        )
    if found.broken_at_s is not None:
        fail(
            f"the source breaks off at {found.broken_at_s:.2f} s; {out} holds the faces up to there"
        )
        raise typer.Exit(BrokenSourceError.exit_code)
