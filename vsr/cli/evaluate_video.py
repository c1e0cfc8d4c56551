"""``vsr evaluate VIDEO|DIR``: models judged on a source's own frames."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vsr.cli import report as page
from vsr.cli.common import emit_json, note, printable, say, show_progress
from vsr.cli.options import comparison_scale
from vsr.core.errors import BrokenSourceError, UsageError, one_line

if TYPE_CHECKING:
    from vsr.evaluate.experiment.results import Results

_GROUPS = "fidelity,perceptual,identity,stability"


def video(
    source: Annotated[
        Path,
        typer.Argument(metavar="VIDEO|DIR", help="A video, or a folder of frames or faces."),
    ],
    model: Annotated[
        list[str] | None, typer.Option(help="A name of 'vsr models list'; repeat it.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="DIR", help="For metrics, table and faces to look at."),
    ] = None,
    scale: Annotated[
        int | None, typer.Option(help="2, 4 or 8; that of the first model by default.")
    ] = None,
    degrade: Annotated[
        str,
        typer.Option(help="clean, jpeg, codec, surveillance, mjpeg, soft, motion, heavy, tiny."),
    ] = "clean",
    faces: Annotated[
        bool, typer.Option("--faces", help="DIR holds face pictures, each of them one face.")
    ] = False,
    measures: Annotated[
        str | None, typer.Option(help=f"Some of {_GROUPS}; by default all that can be taken.")
    ] = None,
    start: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Frames from this time on.")
    ] = None,
    end: Annotated[float | None, typer.Option(metavar="SECONDS", help="And before this.")] = None,
    max_frames: Annotated[int, typer.Option(help="At most so many frames; 0 for all.")] = 300,
    feature_every: Annotated[
        int, typer.Option(help="Perceptual and identity in every n-th frame only.")
    ] = 1,
    fps: Annotated[str | None, typer.Option(help="Frame grid, as in 'vsr run'.")] = None,
    pipeline: Annotated[str, typer.Option(help="A recipe of 'vsr run'.")] = "restore",
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="TABLE.KEY=VALUE", help="Also of [degrade]; repeat it."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the degradation's noise.")] = 0,
    precision: Annotated[str, typer.Option(help="auto, float32 or bfloat16.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu or gpu.")] = "auto",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing experiment.")
    ] = False,
    report: page.ReportOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON result.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors only.")] = False,
) -> None:
    """Reduce a video, super-resolve it again, and compare with what it was.

    Example: `vsr evaluate talk.mp4 --model srresnet-x2 --model srgan-x2 -o talk-eval`

    The source's own frames are the truth. Faces are found once, in the reduced picture;
    every model gets the same crops, and bicubic is always among them.
    """
    from vsr.core.config import build, parse_set
    from vsr.evaluate.experiment.config import GROUPS, ExperimentConfig, degradation
    from vsr.evaluate.experiment.experiment import run_experiment
    from vsr.evaluate.experiment.files import JSON, write_results
    from vsr.models.upscale import UpscaleConfig, load_upscaler
    from vsr.run.heap import steady_heap
    from vsr.run.output import claim_folder
    from vsr.run.recipe import load_recipe

    names = list(dict.fromkeys(model or ["auto"]))
    factor = comparison_scale(names, scale)
    changes = [parse_set(text) for text in sets or []]
    worse = {key: value for table, key, value in changes if table == "degrade"}
    kept = [change for change in changes if change[0] != "degrade"]
    if any(change[0] == "upscale" for change in kept):
        raise UsageError("--set upscale: use --model, --scale, --precision and --device here")
    if fps is not None:
        kept.append(("decode", "fps", fps))
    recipe, base = load_recipe(pipeline, kept), degradation(degrade, factor)
    cfg = ExperimentConfig(
        scale=factor,
        degrade=degrade + (" (changed)" if worse else ""),
        degradation=build(type(base), worse, "--set [degrade]", base),
        seed=seed,
        start_s=start,
        end_s=end,
        max_frames=max_frames,
        faces=faces,
        measures=GROUPS if measures is None else tuple(m.strip() for m in measures.split(",")),
        required=measures is not None,
        feature_every=feature_every,
    )
    if report is not None and out is None:
        raise UsageError("--report: needs the experiment's folder too; add -o DIR")
    page.claim(report, overwrite=overwrite)
    if out is not None:
        claim_folder(out, JSON, overwrite=overwrite)
    options = {"scale": factor, "precision": precision, "device": device}
    configs = [build(UpscaleConfig, {"model": name, **options}, "options") for name in names]
    steady_heap()
    with show_progress(quiet=quiet or as_json) as progress:
        results, gallery = run_experiment(
            source, map(load_upscaler, configs), recipe, cfg, progress
        )
    if out is not None:
        results = write_results(results, gallery, source, out)
        page.write(report, out, source, overwrite=overwrite, quiet=quiet or as_json)
    _print(results, out, as_json=as_json, quiet=quiet)


def _print(results: Results, out: Path | None, *, as_json: bool, quiet: bool) -> None:
    for text in results.notices[:20]:
        note(text, quiet=quiet)
    for group, why in results.not_measured.items():
        note(f"{group} was not measured: {why}", quiet=quiet)
    if as_json:
        emit_json(results.to_dict(rows=out is None))
    elif not quiet:
        _tables(results)
        if out is not None:
            say(f"{out}: metrics.json, metrics.csv, table.md, faces.png")
    if any(text.startswith("the source breaks off") for text in results.notices):
        raise typer.Exit(BrokenSourceError.exit_code)


def _tables(results: Results) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from vsr.evaluate.experiment import tables

    console = Console()
    console = Console(width=max(console.width, 40 + 36 * len(results.models)))
    for level in tables.levels(results):
        title = Text(one_line(tables.caption(results, level)))
        table = Table(*tables.columns(results), title=title, box=None)
        for row in tables.rows(results, level):
            table.add_row(*row)
        console.print(table)
    for text in (tables.jitter(results), tables.note(results)):
        if text:
            console.print(Text(printable(text)), style="dim", highlight=False)
