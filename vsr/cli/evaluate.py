"""``vsr evaluate``: how good models are, measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from typer.core import TyperGroup

from vsr.cli import evaluate_chokepoint, evaluate_video
from vsr.cli.common import emit_json, note, show_progress
from vsr.cli.options import comparison_scale

if TYPE_CHECKING:
    from vsr.degrade.kernels import Reduction
    from vsr.evaluate.compare import Comparison

_DEFAULT = "video"


class _PathFirst(TyperGroup):
    """A group whose command ``video`` need not be named: ``vsr evaluate clip.mp4``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the default command before arguments that name none."""
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            args = [_DEFAULT, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_PathFirst,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    subcommand_metavar="VIDEO|DIR|COMMAND [ARGS]...",
    help="Measure models against each other.\n\n"
    "`vsr evaluate clip.mp4 --model srresnet-x2` judges them on a video's own frames "
    "(`vsr evaluate video --help` shows its options); a source that is called like a "
    "command is given as `./models`.",
)
app.command(_DEFAULT)(evaluate_video.video)
app.command()(evaluate_chokepoint.chokepoint)


@app.callback()
def _evaluate() -> None:
    pass


@app.command()
def models(
    data: Annotated[
        Path,
        typer.Option(metavar="DIR", help="CelebA in its official layout, or face pictures."),
    ],
    model: Annotated[
        list[str] | None, typer.Option(help="A name of 'vsr models list'; repeat it.")
    ] = None,
    scale: Annotated[
        int | None, typer.Option(help="2, 4 or 8; that of the first model by default.")
    ] = None,
    reduction: Annotated[
        str | None, typer.Option(help="bicubic or area; by default bicubic, at x4 area.")
    ] = None,
    measures: Annotated[
        str, typer.Option(help="Comma-separated.")
    ] = "psnr,ssim,haarpsi,perceptual,identity",
    limit: Annotated[
        int | None, typer.Option(help="Number of faces, evenly sampled (default: all).")
    ] = None,
    feature_faces: Annotated[
        int, typer.Option(help="Faces for perceptual and identity; 0 for all.")
    ] = 250,
    precision: Annotated[str, typer.Option(help="auto, float32 or bfloat16.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu or gpu.")] = "auto",
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FILE.md", help="Also as Markdown.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing FILE.md.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON result.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors only.")] = False,
) -> None:
    """Compare models on faces, clean and degraded, with bicubic as the base line.

    Example: `vsr evaluate models --data celeba --model srresnet-x2 --model lanczos`
    """
    from vsr.core.config import build
    from vsr.evaluate.compare import CompareConfig, compare_on
    from vsr.evaluate.table import markdown
    from vsr.models.upscale import UpscaleConfig, load_upscaler
    from vsr.run.output import claim_file, write_atomically

    if out is not None:
        claim_file(out, "models.md", overwrite=overwrite)
    names = model or ["auto"]
    factor = comparison_scale(names, scale)
    cfg = CompareConfig(
        scale=factor,
        reduction=cast("Reduction | None", reduction),  # checked there
        measures=tuple(m.strip() for m in measures.split(",") if m.strip()),
        limit=limit,
        feature_faces=feature_faces,
    )
    options = {"scale": factor, "precision": precision, "device": device}
    configs = [build(UpscaleConfig, {"model": name, **options}, "options") for name in names]
    loaded = [load_upscaler(config) for config in configs]
    with show_progress(quiet=quiet or as_json) as progress:
        comparison = compare_on(data, loaded, cfg, progress)
    for text in comparison.skipped[:20]:
        note(f"left out: {text}", quiet=quiet)
    _print(comparison, as_json=as_json, quiet=quiet)
    if out is not None:
        write_atomically(out, markdown(comparison))


def _print(comparison: Comparison, *, as_json: bool, quiet: bool) -> None:
    from vsr.evaluate.table import NOTE, caption, cells, columns, rows
    from vsr.evaluate.validation import CONDITIONS

    if as_json:
        emit_json(comparison.to_dict())
        return
    if quiet:
        return
    from rich.console import Console
    from rich.table import Table

    console = Console()
    console = Console(width=max(console.width, 110))  # the table in one piece, even in a pipe
    for condition in CONDITIONS:
        table = Table(*columns(comparison), title=caption(comparison, condition), box=None)
        for row in rows(comparison, condition):
            table.add_row(*cells(comparison, row))
        console.print(table)
    console.print(NOTE, style="dim")
