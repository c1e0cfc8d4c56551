"""``vsr prepare``: from published face data sets to LR/HR pairs for training."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from vsr.cli.common import show_progress, state
from vsr.cli.interrupted import kept_if_interrupted
from vsr.cli.prepare_show import HELP, report, report_clips

_SIZES = "Sizes"
_SPLITS = "Splits"
_LAYOUT = "For one layout only"
_SHOW = "What is shown"


def register(app: typer.Typer) -> None:
    """Add the command to the root application."""
    app.command("prepare", help=HELP)(prepare)


def prepare(
    layout: Annotated[
        str, typer.Argument(metavar="LAYOUT", help="celeba, imfdb, chokepoint, folder or clips.")
    ],
    source: Annotated[Path, typer.Argument(metavar="SRC", help="Folder of the source.")],
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="DATASET", help="Folder of the data set.")
    ],
    hr: Annotated[
        int, typer.Option(help="Side of the HR images, pixels.", rich_help_panel=_SIZES)
    ] = 128,
    scale: Annotated[
        list[int] | None,
        typer.Option(help="LR is HR / scale; several may be given.", rich_help_panel=_SIZES),
    ] = None,
    reduce: Annotated[
        str, typer.Option(help="HR to LR: bicubic (Pillow's) or area.", rich_help_panel=_SIZES)
    ] = "bicubic",
    crop: Annotated[
        str,
        typer.Option(
            help="Square to cut: auto, square, SIDE (centred) or SIDE+LEFT+TOP.",
            rich_help_panel=_SIZES,
        ),
    ] = "auto",
    allow_upscale: Annotated[
        bool,
        typer.Option(
            "--allow-upscale", help="Enlarge, not skip, small images.", rich_help_panel=_SIZES
        ),
    ] = False,
    val: Annotated[
        float,
        typer.Option(help="Share for validation, if no official split.", rich_help_panel=_SPLITS),
    ] = 0.05,
    test: Annotated[
        float, typer.Option(help="Share for testing, likewise.", rich_help_panel=_SPLITS)
    ] = 0.05,
    seed: Annotated[
        int, typer.Option(help="Of drawn splits and of --limit.", rich_help_panel=_SPLITS)
    ] = 0,
    limit: Annotated[
        int | None, typer.Option(help="At most N images in each split.", rich_help_panel=_SPLITS)
    ] = None,
    identity: Annotated[
        str,
        typer.Option(
            help="folder: who is on an image: auto, folder (sub-folder) or file (each another).",
            rich_help_panel=_LAYOUT,
        ),
    ] = "auto",
    every: Annotated[
        int, typer.Option(help="chokepoint: every n-th frame.", rich_help_panel=_LAYOUT)
    ] = 1,
    face_side: Annotated[
        float,
        typer.Option(help="chokepoint: square in eye distances.", rich_help_panel=_LAYOUT),
    ] = 4.6,
    frames: Annotated[
        int, typer.Option(help="clips: frames of each.", rich_help_panel=_LAYOUT)
    ] = 6,
    versions: Annotated[
        int, typer.Option(help="clips: degraded versions of each.", rich_help_panel=_LAYOUT)
    ] = 1,
    group: Annotated[
        int, typer.Option(help="clips: clips that one encoder codes.", rich_help_panel=_LAYOUT)
    ] = 32,
    terms: Annotated[str, typer.Option(help="Terms of use, for the card.")] = "",
    jobs: Annotated[int, typer.Option(help="Images at once; 0: one per processor.")] = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a data set made with other settings.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the card.", rich_help_panel=_SHOW)
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Print errors only.", rich_help_panel=_SHOW)
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks.", rich_help_panel=_SHOW)
    ] = False,
) -> None:
    state.debug = state.debug or debug
    from vsr.core.config import build
    from vsr.train.prepare import build as builder
    from vsr.train.prepare.clipconfig import ClipConfig
    from vsr.train.prepare.clips import prepare_clips
    from vsr.train.prepare.config import PrepareConfig

    options = {
        "hr": hr,
        "scales": tuple(scale or (2,)),
        "reduce": reduce,
        "crop": crop,
        "allow_upscale": allow_upscale,
        "val": val,
        "test": test,
        "seed": seed,
        "limit": limit,
        "identity": identity,
        "every": every,
        "face_side": face_side,
        "terms": terms,
        "jobs": jobs,
    }
    rest = {"overwrite": overwrite, "command": shlex.join(["vsr", *sys.argv[1:]])}
    shown = {"as_json": as_json, "quiet": quiet}
    with kept_if_interrupted(out), show_progress(quiet=quiet or as_json) as progress:
        if layout == "clips":
            options |= {"frames": frames, "versions": versions, "group": group}
            cfg = build(ClipConfig, options, "vsr prepare clips")
            card = prepare_clips(source, out, cfg, progress=progress, **rest)
        else:
            cfg = build(PrepareConfig, options, "vsr prepare")
            result = builder.prepare(layout, source, out, cfg, progress=progress, **rest)
    if layout == "clips":
        report_clips(card, out, **shown)
    else:
        report(result, out, **shown)
