"""``vsr run --dry-run``: what the run would take."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vsr.cli.common import emit_json, say, show_progress

if TYPE_CHECKING:
    from vsr.run.estimate import Estimate
    from vsr.run.recipe import Recipe


def show_estimate(
    source: Path, out: Path, recipe: Recipe, *, overwrite: bool, as_json: bool, quiet: bool
) -> None:
    """Try parts of the source and print what all of it would take."""
    from vsr.run.estimate import estimate

    with show_progress(quiet=quiet or as_json) as progress:
        found = estimate(source, out, recipe, overwrite=overwrite, progress=progress)
    if as_json:
        emit_json(found.to_dict())
    else:
        for line in _lines(found, out):
            say(line)


def _lines(found: Estimate, out: Path) -> list[str]:
    memory = "not known" if found.memory_mb is None else f"{found.memory_mb:,.0f} MiB"
    rows = {
        "output": f"{out}, {found.width}x{found.height}",
        "frames": f"{found.frames:,}, {found.faces_per_frame:g} faces in each, by {found.model}",
        "time": f"about {_duration(found.seconds)} ({found.fps:.3g} frames/s)",
        "memory": memory,
        "disk": f"about {found.disk_mb:,.1f} MiB, sound and subtitles not counted",
        "measured on": f"{found.trial_frames} frames; nothing was written",
    }
    width = max(len(name) for name in rows)
    return [f"{name:<{width}}  {text}" for name, text in rows.items()]


def _duration(seconds: float) -> str:
    """ "42 s", "12 min 30 s" or "3 h 5 min"."""
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
