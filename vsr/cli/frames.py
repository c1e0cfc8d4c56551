"""``vsr frames``: frames and faces as pictures to be inspected."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vsr.cli import options as opt
from vsr.cli import report as page
from vsr.cli.common import counted, emit_json, fail, note, say, show_progress, state
from vsr.core.errors import BrokenSourceError

if TYPE_CHECKING:
    from vsr.run.exportindex import ExportIndex

_HELP = """Export super-resolved frames and faces as pictures, with an index and a contact sheet.

- `vsr frames input.mp4 -o look/ --every 10 --source`
- `vsr frames input.mp4 -o look/ --start 12.5 --end 20 --track 3`
- `vsr frames input.mp4 -o look/ --fused` (and each person's clearest moment: `keys/`)
- `vsr frames P1E_S1_C1/ -o look/ --labels P1E_S1_C1.xml`

In the folder: `frames/`, `faces/TRACK/FRAME_{lr,bicubic,sr}.png`, `index.csv`, `index.json`,
`contact_sheet.png`, and `pictures.mkv`, from which `vsr assemble` makes a video without loss.
"""

_SELECT = "Which frames"


def register(app: typer.Typer) -> None:
    """Add the command to the root application."""
    app.command("frames", help=_HELP)(frames)


def frames(
    source: Annotated[
        Path, typer.Argument(metavar="INPUT", help="A video, or a folder of numbered pictures.")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="The folder to make.")],
    start: Annotated[
        float | None, typer.Option(help="First second.", rich_help_panel=_SELECT)
    ] = None,
    end: Annotated[
        float | None, typer.Option(help="Second before which it ends.", rich_help_panel=_SELECT)
    ] = None,
    every: Annotated[int, typer.Option(help="Every n-th frame.", rich_help_panel=_SELECT)] = 1,
    track: opt.Track = None,
    skip_track: opt.SkipTrack = None,
    faces_file: opt.FacesOption = None,
    max_frames: Annotated[
        int | None, typer.Option(help="Stop after so many.", rich_help_panel=_SELECT)
    ] = None,
    format: Annotated[str, typer.Option(help="png, jpg or webp.")] = "png",
    with_source: Annotated[
        bool, typer.Option("--source", help="Also write the source's own frames.")
    ] = False,
    exact: Annotated[
        bool, typer.Option(help="Keep pictures.mkv, from which assembling loses nothing.")
    ] = True,
    fused: Annotated[
        bool,
        typer.Option(
            "--fused",
            help="Also write each track's clearest frame, averaged over its views: keys/.",
        ),
    ] = False,
    labels: Annotated[
        Path | None,
        typer.Option(metavar="XML", help="ChokePoint eye positions, in place of the detector."),
    ] = None,
    pipeline: opt.Pipeline = "restore",
    sets: opt.Sets = None,
    overwrite: opt.Overwrite = False,
    model: opt.Model = None,
    scale: opt.Scale = None,
    crop: opt.Crop = None,
    size: opt.Size = None,
    device: opt.Device = None,
    fps: opt.Fps = None,
    watermark: opt.WatermarkOption = False,
    report: page.ReportOption = None,
    as_json: opt.AsJson = False,
    quiet: opt.Quiet = False,
    debug: opt.Debug = False,
) -> None:
    state.debug = state.debug or debug
    options = {
        "upscale.model": model,
        "upscale.scale": scale,
        "upscale.device": device,
        "choose.skip": skip_track,
        "choose.file": None if faces_file is None else str(faces_file),
        "crop.mode": crop,
        "crop.size": size,
        "decode.fps": fps,
        "encode.watermark": watermark or None,
    }
    recipe = opt.resolve_recipe(pipeline, sets, options)
    from vsr.faces.choose import track_range
    from vsr.run.export import ExportConfig, export
    from vsr.run.heap import steady_heap

    cfg = ExportConfig(
        start_s=start,
        end_s=end,
        every=every,
        tracks=tuple(n for text in track or () for n in track_range(text, "--track")),
        max_frames=max_frames,
        format=format,  # type: ignore[arg-type]
        with_source=with_source,
        exact=exact,
        fused=fused,
    )
    page.claim(report, overwrite=overwrite)
    given = {} if labels is None else _given(source, labels)
    steady_heap()
    with show_progress(quiet=quiet or as_json) as progress:
        index = export(source, out, recipe, cfg, overwrite=overwrite, progress=progress, **given)
    page.write(report, out, source, overwrite=overwrite, quiet=quiet or as_json)
    _report(index, out, as_json=as_json, quiet=quiet)


def _given(source: Path, labels: Path) -> dict[str, Any]:
    """The labelled faces of a sequence, in place of detector and tracker."""
    from vsr.batch.persons import labelled_finder
    from vsr.batch.plan import BatchConfig

    cfg = BatchConfig()
    find = labelled_finder(source, labels, cfg.face_side, cfg.eye_line)
    return {"find": find, "face_per_eye_distance": cfg.face_side}


def _report(index: ExportIndex, out: Path, *, as_json: bool, quiet: bool) -> None:
    for text in index.notices:
        note(text, quiet=quiet)
    if as_json:
        emit_json(index.to_dict())
    elif not quiet:
        seen = len({row["track"] for row in index.faces})
        say(
            f"{out}: {counted(len(index.frames), 'frame')}, {counted(len(index.faces), 'face')} of "
            f"{counted(seen, 'track')} "
            f"by {index.model['name']} in {index.seconds:.1f} s"
        )
    video = index.video or {}
    if video.get("broken_at_s") is not None:
        earlier = video.get("lost_before")
        held = f"all but {earlier} frames" if earlier else "everything"
        at = f"{video['broken_at_s']:.2f} s"
        fail(f"the source breaks off at {at}; {out} holds {held} up to there")
    elif video.get("lost"):
        fail(f"{video['lost']} frames could not be decoded; {out} holds the others")
    else:
        return
    raise typer.Exit(BrokenSourceError.exit_code)
