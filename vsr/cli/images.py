"""``vsr images``: a folder of face pictures, enlarged."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vsr.cli.common import emit_json, fail, note, say, show_progress
from vsr.cli.options import comparison_scale
from vsr.core.errors import InputError

_HELP = """Enlarge every face picture of a folder: PNG, same names, exactly the scale.

    vsr images faces/ -o large/
    vsr images faces/ -o large/ --model srresnet-x4
    vsr images faces/ -o large/ --model bicubic --scale 8

A file that cannot be read is reported and skipped; the exit code is not 0 then.
"""


def register(app: typer.Typer) -> None:
    """Add the command to the root application."""
    app.command("images", help=_HELP)(images)


def images(
    folder: Annotated[Path, typer.Argument(metavar="LR_DIR", help="The pictures to enlarge.")],
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="SR_DIR", help="Folder for the results.")
    ],
    model: Annotated[str, typer.Option(help="A name of 'vsr models list'.")] = "auto",
    scale: Annotated[
        int | None, typer.Option(help="2, 4 or 8; the model's own by default.")
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Pictures per call of the network.")] = 8,
    precision: Annotated[str, typer.Option(help="auto, float32 or bfloat16.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu or gpu.")] = "auto",
    overwrite: Annotated[bool, typer.Option(help="Replace existing results.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON result.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors only.")] = False,
) -> None:
    from vsr.core.config import build
    from vsr.models.upscale import UpscaleConfig, load_upscaler
    from vsr.run.images import upscale_images

    options = {
        "model": model,
        "scale": comparison_scale([model], scale),
        "batch_size": batch_size,
        "precision": precision,
        "device": device,
    }
    cfg = build(UpscaleConfig, options, "options")
    upscaler = load_upscaler(cfg)
    with show_progress(quiet=quiet or as_json) as progress:
        report = upscale_images(
            folder,
            out,
            upscaler,
            batch_size=cfg.batch_size,
            overwrite=overwrite,
            progress=progress,
        )
    if as_json:
        emit_json(report.to_dict())
    elif not quiet:
        say(
            f"{out}: {len(report.written)} pictures x{report.scale} by {report.model} "
            f"in {report.seconds:.1f} s"
        )
    for text in report.notices:
        note(text, quiet=quiet)
    if report.failed:
        for name, reason in report.failed.items():
            note(f"skipped {name}: {reason}", quiet=quiet)
        total = len(report.failed) + len(report.written)
        fail(f"{len(report.failed)} of {total} pictures were skipped; correct or remove them")
        raise typer.Exit(InputError.exit_code)
