"""``vsr run``: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vsr.cli.common import emit_json, fail, note, show_progress, state
from vsr.core.errors import BrokenSourceError, UsageError

if TYPE_CHECKING:
    from vsr.run.manifest import Manifest

_HELP = """Super-resolve the faces of a video and keep its timing, sound and colours.

- `vsr run input.mp4 -o out.mp4`
- `vsr run input.mp4 -o out.mp4 --fps source --crf 12`
- `vsr run input.mp4 -o faces/ --pipeline crops`

Beside the output lies its manifest (`out.mp4.json`): settings, versions, tracks, timings.
"""

_GROUP_VIDEO = "Video"
_GROUP_FACES = "Faces"
_GROUP_SHOW = "What is shown"


def register(app: typer.Typer) -> None:
    """Add the command to the root application."""
    app.command("run", help=_HELP)(run)


def run(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="The video to restore.")],
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="OUTPUT", help="The video (or folder) to write.")
    ],
    pipeline: Annotated[
        str, typer.Option(help="Recipe: a name of 'vsr pipelines list', or a TOML file.")
    ] = "restore",
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="TABLE.KEY=VALUE", help="Change one key of the recipe."),
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace an existing output.")] = False,
    model: Annotated[
        str | None, typer.Option(help="A name of 'vsr models list'.", rich_help_panel=_GROUP_FACES)
    ] = None,
    scale: Annotated[
        int | None, typer.Option(help="2 or 4 (the model's own).", rich_help_panel=_GROUP_FACES)
    ] = None,
    crop: Annotated[
        str | None, typer.Option(help="native or canonical.", rich_help_panel=_GROUP_FACES)
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(help="Side of canonical crops, pixels.", rich_help_panel=_GROUP_FACES),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            help="frame: faces pasted back; faces: one video per face track.",
            rich_help_panel=_GROUP_FACES,
        ),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Faces per generator call.", rich_help_panel=_GROUP_FACES)
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="auto, cpu or gpu.", rich_help_panel=_GROUP_FACES)
    ] = None,
    fps: Annotated[
        str | None,
        typer.Option(
            help="Grid that faster sources are thinned to (30), or 'source' for every frame.",
            rich_help_panel=_GROUP_VIDEO,
        ),
    ] = None,
    codec: Annotated[
        str | None, typer.Option(help="h264, hevc, av1, ffv1.", rich_help_panel=_GROUP_VIDEO)
    ] = None,
    crf: Annotated[
        int | None,
        typer.Option(help="Quality, lower is better (default 17).", rich_help_panel=_GROUP_VIDEO),
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help="Encoder preset.", rich_help_panel=_GROUP_VIDEO)
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the manifest.", rich_help_panel=_GROUP_SHOW)
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Print errors only.", rich_help_panel=_GROUP_SHOW)
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks.", rich_help_panel=_GROUP_SHOW)
    ] = False,
) -> None:
    state.debug = state.debug or debug
    options: dict[tuple[str, str], Any] = {
        ("upscale", "model"): model,
        ("upscale", "scale"): scale,
        ("upscale", "batch_size"): batch_size,
        ("upscale", "device"): device,
        ("crop", "mode"): crop,
        ("crop", "size"): size,
        ("decode", "fps"): fps,
        ("encode", "codec"): codec,
        ("encode", "crf"): crf,
        ("encode", "preset"): preset,
    }
    from vsr.models.registry import get_spec
    from vsr.run.heap import steady_heap
    from vsr.run.recipe import load_recipe, parse_overrides, with_output
    from vsr.run.restore import restore

    if model not in (None, "auto") and scale is None:  # a named model brings its own scale
        options["upscale", "scale"] = get_spec(model).scale
    changes: list[tuple[str, str, Any]] = [(*k, v) for k, v in options.items() if v is not None]
    recipe = load_recipe(pipeline, [*parse_overrides(sets or []), *changes])
    if output is not None:
        if output not in ("frame", "faces"):
            raise UsageError(f"--output: got '{output}', wanted 'frame' or 'faces'")
        recipe = with_output(recipe, output)
    steady_heap()
    with show_progress(quiet=quiet or as_json) as progress:
        manifest = restore(source, out, recipe, overwrite=overwrite, progress=progress)
    _report(manifest, out, as_json=as_json, quiet=quiet)


def _report(manifest: Manifest, out: Path, *, as_json: bool, quiet: bool) -> None:
    """Notes, the result, and the special ending of a source that broke off."""
    for text in manifest.notices:
        note(text, quiet=quiet)
    if as_json:
        emit_json(manifest.to_dict())
    elif not quiet:
        written = manifest.frames["written"] or 0
        rate = written / max(manifest.seconds, 1e-6)
        typer.echo(
            f"{out}: {written} frames, {len(manifest.tracks)} face tracks, {manifest.faces} faces "
            f"by {manifest.model['name']} in {manifest.seconds:.1f} s ({rate:.1f} fps)"
        )
    if manifest.broken_at_s is not None:
        fail(
            f"the source breaks off at {manifest.broken_at_s:.2f} s; "
            f"{out} holds everything up to there and is playable"
        )
        raise typer.Exit(BrokenSourceError.exit_code)
