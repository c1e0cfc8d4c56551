"""``vsr run``: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vsr.cli import options as opt
from vsr.cli import report as page
from vsr.cli.common import counted, emit_json, fail, note, say, show_progress, state
from vsr.cli.dryrun import show_estimate
from vsr.cli.interrupted import told_if_interrupted
from vsr.core.errors import BrokenSourceError, UsageError

if TYPE_CHECKING:
    from vsr.run.manifest import Manifest

_HELP = """Super-resolve the faces of a video and keep its timing, sound and colours.

- `vsr run input.mp4 -o out.mp4`
- `vsr run input.mp4 -o out.mp4 --fps source --crf 12`
- `vsr run input.mp4 -o out.mp4 --track 3 --track 7-9 --strength 0.7`
- `vsr run input.mp4 -o out.mp4 --faces-file faces.jsonl` (chosen by 'vsr faces' and you)
- `vsr run input.mp4 -o faces/ --pipeline crops`
- `vsr run input.mp4 -o out.mp4 --report report.html`
- `vsr run input.mp4 -o out.mp4 --dry-run`

Interrupted, killed, or out of disk space? The same command resumes.

Beside the output lies its manifest (`out.mp4.json`): settings, versions, tracks, timings.
"""


def register(app: typer.Typer) -> None:
    """Add the command to the root application."""
    app.command("run", help=_HELP)(run)


def run(
    source: Annotated[
        Path, typer.Argument(metavar="INPUT", help="A video, or a folder of numbered pictures.")
    ],
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="OUTPUT", help="The video (or folder) to write.")
    ],
    pipeline: opt.Pipeline = "restore",
    sets: opt.Sets = None,
    overwrite: opt.Overwrite = False,
    model: opt.Model = None,
    scale: opt.Scale = None,
    track: opt.Track = None,
    skip_track: opt.SkipTrack = None,
    faces_file: opt.FacesOption = None,
    strength: opt.Strength = None,
    crop: opt.Crop = None,
    size: opt.Size = None,
    output: Annotated[
        str | None,
        typer.Option(
            help="frame: faces pasted back; faces: one video per face track.",
            rich_help_panel="Faces",
        ),
    ] = None,
    batch_size: opt.BatchSize = None,
    device: opt.Device = None,
    fps: opt.Fps = None,
    codec: opt.Codec = None,
    crf: opt.Crf = None,
    preset: opt.Preset = None,
    hwaccel: opt.HwAccel = None,
    watermark: opt.WatermarkOption = False,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume/--restart",
            help="Resume an interrupted run of the same command, or start over.",
        ),
    ] = True,
    report: page.ReportOption = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Estimate frames, time, memory and disk; write nothing."),
    ] = False,
    as_json: opt.AsJson = False,
    quiet: opt.Quiet = False,
    debug: opt.Debug = False,
) -> None:
    state.debug = state.debug or debug
    from vsr.run.complete import complete
    from vsr.run.heap import steady_heap
    from vsr.run.restore import restore

    if output is not None and output not in ("frame", "faces"):
        raise UsageError(f"--output: got '{output}', expected 'frame' or 'faces'")
    recipe = opt.resolve_recipe(
        pipeline,
        sets,
        {
            "upscale.model": model,
            "upscale.scale": scale,
            "upscale.batch_size": batch_size,
            "upscale.device": device,
            "choose.tracks": track,
            "choose.skip": skip_track,
            "choose.file": None if faces_file is None else str(faces_file),
            "paste.strength": strength,
            "crop.mode": crop,
            "crop.size": size,
            "decode.fps": fps,
            "decode.hwaccel": hwaccel,
            "encode.hwaccel": hwaccel,
            "encode.codec": codec,
            "encode.crf": crf,
            "encode.preset": preset,
            "encode.watermark": watermark or None,
        },
        output,
    )
    if dry_run:
        steady_heap()
        show_estimate(source, out, recipe, overwrite=overwrite, as_json=as_json, quiet=quiet)
        return
    done = complete(source, out, recipe) if resume and not overwrite else None
    renew = overwrite or (done is not None and page.renewable(report))
    page.claim(report, overwrite=renew)
    if done is None:
        steady_heap()
        with show_progress(quiet=quiet or as_json) as progress, told_if_interrupted(out):
            manifest = restore(
                source, out, recipe, overwrite=overwrite, restart=not resume, progress=progress
            )
    else:
        manifest = done
        text = f"{out}: is complete already, of the same input, weights and settings"
        note(f"{text}; --overwrite makes it again", quiet=quiet)
    page.write(report, out, source, overwrite=renew, quiet=quiet or as_json)
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
        say(
            f"{out}: {counted(written, 'frame')}, {counted(len(manifest.tracks), 'face track')}, "
            f"{counted(manifest.faces, 'face')} by {manifest.model['name']} in "
            f"{manifest.seconds:.1f} s ({rate:.1f} fps)"
        )
    if manifest.broken_at_s is not None or manifest.lost:
        fail(manifest.loss(out))
        raise typer.Exit(BrokenSourceError.exit_code)
