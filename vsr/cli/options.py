"""Options that several commands share, and the recipe they make together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from vsr.run.recipe import OutputKind, Recipe

_VIDEO, _FACES, _SHOW = "Video", "Faces", "What is shown"

Pipeline = Annotated[
    str, typer.Option(help="Recipe: a name of 'vsr pipelines list', or a TOML file.")
]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="TABLE.KEY=VALUE", help="Change one key of the recipe."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing output.")]
Model = Annotated[
    str | None, typer.Option(help="A name of 'vsr models list'.", rich_help_panel=_FACES)
]
Scale = Annotated[
    int | None,
    typer.Option(
        help="2, 4 or 8 (the model's own); 1: the source's size, faces cleared.",
        rich_help_panel=_FACES,
    ),
]
Track = Annotated[
    list[str] | None,
    typer.Option(
        metavar="N or N-M",
        help="Only these face tracks (may be repeated).",
        rich_help_panel=_FACES,
    ),
]
SkipTrack = Annotated[
    list[str] | None,
    typer.Option(
        metavar="N or N-M",
        help="Not these face tracks: they stay as they are.",
        rich_help_panel=_FACES,
    ),
]
FacesOption = Annotated[
    Path | None,
    typer.Option(
        "--faces-file",
        metavar="FILE",
        help="Faces of 'vsr faces', as you edited them, in place of the detector.",
        rich_help_panel=_FACES,
    ),
]
Strength = Annotated[
    float | None,
    typer.Option(
        help="0..1: how much of the super-resolved face is blended in.", rich_help_panel=_FACES
    ),
]
Crop = Annotated[str | None, typer.Option(help="native or canonical.", rich_help_panel=_FACES)]
Size = Annotated[
    int | None, typer.Option(help="Side of canonical crops, pixels.", rich_help_panel=_FACES)
]
BatchSize = Annotated[
    int | None, typer.Option(help="Faces per generator call.", rich_help_panel=_FACES)
]
Device = Annotated[str | None, typer.Option(help="auto, cpu or gpu.", rich_help_panel=_FACES)]
Fps = Annotated[
    str | None,
    typer.Option(
        help="Grid that faster sources are thinned to (30), or 'source' for every frame.",
        rich_help_panel=_VIDEO,
    ),
]
Codec = Annotated[
    str | None, typer.Option(help="h264, hevc, av1, vp9, ffv1.", rich_help_panel=_VIDEO)
]
Crf = Annotated[
    int | None,
    typer.Option(help="Quality, lower is better (default 17).", rich_help_panel=_VIDEO),
]
Preset = Annotated[str | None, typer.Option(help="Encoder preset.", rich_help_panel=_VIDEO)]
HwAccel = Annotated[
    str | None,
    typer.Option(
        help="auto: decode and encode by the graphics card where it can; none.",
        rich_help_panel=_VIDEO,
    ),
]
WatermarkOption = Annotated[
    bool,
    typer.Option(
        "--watermark",
        help="Write 'super-resolved', model and scale into a corner.",
        rich_help_panel=_VIDEO,
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON result.", rich_help_panel=_SHOW)
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print errors only.", rich_help_panel=_SHOW)]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.", rich_help_panel=_SHOW)]


def comparison_scale(names: list[str], scale: int | None) -> int:
    """The scale at which models are compared: as asked for, else that of the first with one.

    Raises UsageError for 1, at which networks cannot be compared, and ModelError on unknown models.
    """
    from vsr.core.errors import UsageError
    from vsr.models.registry import get_spec

    if scale == 1:
        raise UsageError("--scale: got 1, expected 2, 4 or 8; only 'vsr run', 'frames' and 'batch' "
                         "make outputs of the source's size")  # fmt: skip
    scales = (get_spec(name).scale for name in names if name != "auto")
    return scale or next((s for s in scales if s is not None), 2)


def resolve_recipe(
    pipeline: str,
    sets: list[str] | None,
    options: dict[str, Any],
    output: OutputKind | None = None,
) -> Recipe:
    """The recipe of a command line: a named one, ``--set`` laid over it, then the options.

    options: ``table.key`` to value, None where the option was not given. A named model brings
    its own scale. output: instead of the recipe's. Raises UsageError.
    """
    from vsr.models.registry import get_spec
    from vsr.run.recipe import load_recipe, parse_overrides

    model, scale = options.get("upscale.model"), options.get("upscale.scale")
    if model not in (None, "auto") and scale is None:
        options = {**options, "upscale.scale": get_spec(model).scale}
    given = {name: value for name, value in options.items() if value is not None}
    changes = [(*name.split(".", 1), value) for name, value in given.items()]
    overrides = [*parse_overrides(sets or []), *changes]
    return load_recipe(pipeline, overrides, output)  # type: ignore[list-item]
