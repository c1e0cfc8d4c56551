"""``vsr evaluate chokepoint``: does super-resolution help to recognise persons?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vsr.cli.common import emit_json, note, show_progress
from vsr.cli.options import comparison_scale

if TYPE_CHECKING:
    from vsr.evaluate.recognition_study import Study


def chokepoint(
    root: Annotated[
        Path, typer.Argument(metavar="ROOT", help="ChokePoint's frames and labels, unpacked.")
    ],
    model: Annotated[
        list[str] | None, typer.Option(help="A name of 'vsr models list'; repeat it.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="DIR", help="For figures, table and ROC drawing."),
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="Where the label files lie, if not below ROOT.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="PATTERN", help="Sequences to take.")
    ] = None,
    protocol: Annotated[
        str, typer.Option(help="frames: faces as filmed; seed: brought to 128, reduced to 64.")
    ] = "frames",
    across: Annotated[
        str, typer.Option(help="Pairs between: sequence, or passage (no two cameras of one walk).")
    ] = "sequence",
    scale: Annotated[
        int | None, typer.Option(help="2 or 4; that of the first model by default.")
    ] = None,
    per_person: Annotated[int, typer.Option(help="Faces of a person in a sequence.")] = 5,
    max_pairs: Annotated[
        int, typer.Option(help="Genuine and impostor pairs, at most, each.")
    ] = 200_000,
    resamples: Annotated[int, typer.Option(help="Bootstrap resamples of the intervals.")] = 1000,
    background: Annotated[
        int, typer.Option(help="Search frames below this number for false faces; 0: none.")
    ] = 100,
    seed: Annotated[int, typer.Option(help="Of what is drawn.")] = 0,
    precision: Annotated[str, typer.Option(help="auto, float32 or bfloat16.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu or gpu.")] = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace former results.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON result.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors only.")] = False,
) -> None:
    """Tell persons apart between sequences by dlib's face network, with and without a model.

    Example: `vsr evaluate chokepoint ChokePoint/ --model srresnet-x2 -o recognition`

    Faces are cut at the labelled eyes. ROC, EER and TAR at fixed FAR, for the faces as they are
    (lr), enlarged by bicubic and by each model, in ranges of eye distance, with intervals over
    persons; and how many faces the detector finds in the empty first frames.
    """
    from vsr.core.config import build
    from vsr.evaluate.recognition_files import JSON, write_study
    from vsr.evaluate.recognition_study import StudyConfig, run_study
    from vsr.models.upscale import UpscaleConfig, load_upscaler
    from vsr.run.output import claim_folder

    names = list(dict.fromkeys(model or ["auto"]))
    factor = comparison_scale(names, scale)
    settings = {
        "protocol": protocol,
        "across": across,
        "per_person": per_person,
        "max_pairs": max_pairs,
        "resamples": resamples,
        "background": background,
        "seed": seed,
    }
    cfg = build(StudyConfig, settings, "options")
    if out is not None:
        claim_folder(out, JSON, overwrite=overwrite)
    options = {"scale": factor, "precision": precision, "device": device}
    configs = [build(UpscaleConfig, {"model": name, **options}, "options") for name in names]
    upscalers = [u for u in map(load_upscaler, configs) if u.name != "bicubic"]
    with show_progress(quiet=quiet or as_json) as progress:
        study = run_study(
            root, upscalers, cfg, labels=labels, only=tuple(only or ()), progress=progress
        )
    if out is not None:
        write_study(study, out)
    _print(study, out, as_json=as_json, quiet=quiet)


def _print(study: Study, out: Path | None, *, as_json: bool, quiet: bool) -> None:
    for text in study.notices[:20]:
        note(text, quiet=quiet)
    if as_json:
        emit_json(study.to_dict())
    if as_json or quiet:
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from vsr.evaluate import recognition_show as show

    console = Console()
    console = Console(width=max(console.width, 150))  # the tables in one piece, even in a pipe
    for part in study.bins:
        cells = show.rows(study, part)
        if cells:
            table = Table(*show.columns(), title=Text(show.caption(study, part)), box=None)
            for row in cells:
                table.add_row(*map(Text, row))
            console.print(table)
    for text in (*show.verdict(study), show.background(study)):
        console.print(Text(text))
    console.print(show.NOTE, style="dim", highlight=False)
    if out is not None:
        console.print(Text(f"{out}: recognition.json, table.md, roc.svg"))
