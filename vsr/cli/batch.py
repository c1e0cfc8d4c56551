"""``vsr batch``: every sequence or video below a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vsr.cli import batch_options as opts
from vsr.cli import report as page
from vsr.cli.common import fail, note, show_progress, state
from vsr.cli.interrupted import kept_if_interrupted
from vsr.core.errors import BrokenSourceError, DataError, UsageError

if TYPE_CHECKING:
    from vsr.run.recipe import Recipe

_HELP = """Super-resolve every sequence of a data set, or every video below a folder.

- `vsr batch ChokePoint/ --dataset chokepoint --list`
- `vsr batch ChokePoint/ -o out/ --dataset chokepoint --workers 4`
- `vsr batch videos/ -o out/ --dataset videos`
- `vsr batch s3://bucket/ChokePoint -o s3://bucket/out --engine ray --gpus 0.5 --workers 8`

Run it again after an interruption: finished sequences are skipped, the rest is made.
`out/summary.csv` has a row per sequence; a failed one has its reason there and does not stop
the others, but the exit code is not 0 then.
"""

_RECIPES = {"chokepoint": "chokepoint", "videos": "restore"}
_GROUP_SHOW = "What is shown"


def register(app: typer.Typer) -> None:
    """Add the command to the root application."""
    app.command("batch", help=_HELP)(batch)


def batch(
    root: Annotated[str, typer.Argument(metavar="ROOT", help="Where the data lies.")],
    out: Annotated[
        str | None, typer.Option("-o", "--out", metavar="OUT", help="Folder for the results.")
    ] = None,
    dataset: Annotated[str, typer.Option(help="chokepoint or videos.")] = "chokepoint",
    listing: Annotated[
        bool, typer.Option("--list", help="Show what there is and what is missing; no work.")
    ] = False,
    only: Annotated[
        list[str] | None, typer.Option(metavar="PATTERN", help="Names to take, e.g. 'P1E_*_C1'.")
    ] = None,
    pipeline: Annotated[
        str | None, typer.Option(help="Recipe; 'chokepoint' or 'restore' by default.")
    ] = None,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="TABLE.KEY=VALUE", help="Change one key of the recipe."),
    ] = None,
    model: Annotated[str | None, typer.Option(help="A name of 'vsr models list'.")] = None,
    scale: Annotated[int | None, typer.Option(help="2 or 4 (the model's own).")] = None,
    faces: Annotated[
        str, typer.Option(help="truth: labelled eyes where there are labels; detect: never.")
    ] = "truth",
    background: Annotated[
        int, typer.Option(help="No faces are searched in frames with a smaller number.")
    ] = 100,
    protocol: Annotated[
        str, typer.Option(help="frames: videos and faces; seed: 128/64 pairs and PSNR, no videos.")
    ] = "frames",
    labels: Annotated[
        str | None, typer.Option(help="Where the label files lie, if not below ROOT.")
    ] = None,
    unpack: Annotated[
        Path | None, typer.Option(help="Unpack ROOT's archives there first; else read in place.")
    ] = None,
    engine: opts.Engine = "local",
    address: opts.Address = None,
    workers: opts.Workers = None,
    cpus: opts.Cpus = None,
    gpus: opts.Gpus = None,
    retries: opts.Retries = 1,
    overwrite: opts.Overwrite = False,
    split: opts.Split = True,
    report: page.ReportOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON result.", rich_help_panel=_GROUP_SHOW)
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Print errors only.", rich_help_panel=_GROUP_SHOW)
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks.", rich_help_panel=_GROUP_SHOW)
    ] = False,
) -> None:
    state.debug = state.debug or debug
    if out is None and not listing:
        raise UsageError("-o: missing, expected a folder for the results (or --list)")
    if report is not None and out is not None and "://" in out:
        raise UsageError("--report: needs the results in a folder; copy them, then 'vsr report'")
    from vsr.batch.driver import WorkOptions, do_jobs
    from vsr.batch.plan import BatchConfig, BatchRequest, plan, unpack_archives
    from vsr.batch.storage import open_storage
    from vsr.cli.batch_show import show_listing, show_summary, write_tables
    from vsr.core.config import build

    recipe = _recipe(pipeline or _RECIPES.get(dataset, "restore"), sets or [], model, scale)
    with show_progress(quiet=quiet or as_json) as progress:
        data = open_storage(root)
        request = BatchRequest(
            dataset=dataset,
            root=data,
            unpacked=unpack_archives(data, unpack, progress) if unpack else None,
            out=out or "",
            recipe=recipe,
            batch=build(
                BatchConfig,
                {"faces": faces, "background": background, "protocol": protocol},
                "options",
            ),
            only=tuple(only or ()),
            labels=open_storage(labels) if labels else None,
        )
        found, jobs = plan(request, progress)
    if out is None or listing:
        show_listing(found, jobs, as_json=as_json, quiet=quiet)
        return
    for text in found.notices:
        note(text, quiet=quiet)
    work = WorkOptions(engine, workers, retries, overwrite, split, address, cpus, gpus)
    renew = overwrite or page.renewable(report)
    page.claim(report, overwrite=renew)
    with kept_if_interrupted(out), show_progress(quiet=quiet or as_json) as progress:
        summary = do_jobs(jobs, out, work, found.notices, progress)
    page.write(report, Path(out), None, overwrite=renew, quiet=quiet or as_json)
    table = write_tables(summary, out) if protocol == "seed" else None
    show_summary(summary, out, as_json=as_json, quiet=quiet, protocol=table)
    if summary.failed:
        fail(f"{len(summary.failed)} of {len(summary.rows)} failed; see {out}/summary.csv")
        raise typer.Exit(DataError.exit_code)
    if lost := sum(row.skipped for row in summary.incomplete):
        some = f"{len(summary.incomplete)} of {len(summary.rows)}"
        fail(f"{lost} frames in {some} could not be read or fitted; see {out}/summary.csv")
        raise typer.Exit(BrokenSourceError.exit_code)


def _recipe(name: str, sets: list[str], model: str | None, scale: int | None) -> Recipe:
    """The recipe with the options laid over it; a named model brings its own scale."""
    from vsr.models.registry import get_spec
    from vsr.run.recipe import load_recipe, parse_overrides

    if model not in (None, "auto") and scale is None:
        scale = get_spec(model).scale
    options = {"model": model, "scale": scale}
    changes = [("upscale", key, value) for key, value in options.items() if value is not None]
    return load_recipe(name, [*parse_overrides(sets), *changes])
