"""Each stage alone: fed from memory, with the machine to itself.

What a stage needs is made beforehand and lies in memory, its input is not computed while the
clock runs, and its output is thrown away. Decoding reads the real file, encoding writes a real
one. So a stage's wall time is what it could do at best, and its processor time is its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from vsr.bench.measure import Pass, timed
from vsr.core.errors import InputError
from vsr.core.types import Frame, FrameCrops, FrameFaces
from vsr.core.video import VideoInfo
from vsr.faces.clip import with_clips
from vsr.faces.crop import crop
from vsr.faces.detect import detect
from vsr.faces.detector import FaceDetector
from vsr.faces.fuse import fuse
from vsr.faces.paste import paste, verify
from vsr.faces.track import track
from vsr.faces.working import find_working
from vsr.models.networks import Networks
from vsr.models.upscale import Upscaler, upscale
from vsr.run.recipe import Recipe
from vsr.run.samesize import crop_config, crop_grid
from vsr.run.sinks import canvas_format, open_sink
from vsr.run.source import Source, open_source

STAGES = ("decode", "detect", "track", "crop", "fuse", "upscale", "paste", "encode")


@dataclass(slots=True)
class Prepared:
    """Everything a stage may need, in memory: one list per arrow of the flow."""

    info: VideoInfo
    recipe: Recipe
    detector: FaceDetector
    upscaler: Upscaler
    frames: list[Frame]
    """with their canvases, into which faces are pasted"""
    detected: list[FrameFaces]
    tracked: list[FrameFaces]
    cut: list[FrameCrops]
    fused: list[FrameCrops]
    sharp: list[FrameCrops]
    judged: list[FrameCrops]

    @property
    def faces(self) -> int:
        """Crops of all frames."""
        return sum(len(item.crops) for item in self.cut)

    @property
    def shapes(self) -> set[tuple[int, ...]]:
        """Shapes of the crops that go to the network."""
        return {c.lr.shape for item in self.cut for c in item.crops}


def open_frames(info: VideoInfo, recipe: Recipe) -> Source:
    """The frames of a source as ``vsr run`` reads them."""
    canvas = canvas_format(info, recipe)
    return open_source(info, scale=recipe.upscale.scale, canvas=canvas, cfg=recipe.decode)


def prepare(
    info: VideoInfo,
    recipe: Recipe,
    detector: FaceDetector,
    upscaler: Upscaler,
    on_step: Callable[[str, int], None] = lambda name, frames: None,
) -> Prepared:
    """Run the stages one after another, keeping what each hands on.

    on_step: called with a stage's name and the frames it has done.
    Raises InputError where the source has no frame, or breaks off.
    """

    def kept(name: str, items: Iterable) -> list:
        made = []
        for item in items:
            made.append(item)
            on_step(name, len(made))
        return made

    reader = open_frames(info, recipe)
    frames: list[Frame] = kept("decode", reader)
    if reader.report.broken_at_s is not None:
        raise InputError(
            f"{info.path}: breaks off at {reader.report.broken_at_s:.2f} s; "
            "give the benchmark a whole video"
        )
    if not frames:
        raise InputError(f"{info.path}: has no frame to measure with")
    scale = recipe.upscale.scale
    detected = kept("detect", detect(frames, detector, recipe.detect))
    tracked = kept("track", track(detected, recipe.track))
    networks = Networks(upscaler, recipe.upscale)
    cut = kept("crop", _cut(tracked, recipe, networks))
    fused = kept("fuse", _fused(cut, recipe))
    sharp = kept("upscale", upscale(fused, upscaler, recipe.upscale, networks.at))
    judged = kept("paste", verify(sharp, scale, recipe.paste))
    return Prepared(
        info, recipe, detector, upscaler, frames, detected, tracked, cut, fused, sharp, judged
    )


def measure_stage(name: str, made: Prepared, folder: Path) -> Pass:
    """One pass of one stage over all frames. folder: for what "encode" writes."""
    recipe, scale = made.recipe, made.recipe.upscale.scale
    networks = Networks(made.upscaler, recipe.upscale)
    makers: dict[str, Callable[[], Iterable[object]]] = {
        "decode": lambda: open_frames(made.info, recipe),
        "detect": lambda: detect(made.frames, made.detector, recipe.detect),
        "track": lambda: track(made.detected, recipe.track),
        "crop": lambda: _cut(made.tracked, recipe, networks),
        "fuse": lambda: _fused(made.cut, recipe),
        "upscale": lambda: upscale(made.fused, made.upscaler, recipe.upscale, networks.at),
        "paste": lambda: _pasted(made, scale),
        "encode": lambda: encoded(made, recipe, folder / f"stage{suffix_of(recipe)}"),
    }
    found = timed(makers[name])
    if found.items != len(made.frames):
        raise RuntimeError(f"stage {name}: {found.items} of {len(made.frames)} frames came out")
    return found


def _cut(tracked: Iterable[FrameFaces], recipe: Recipe, networks: Networks) -> Iterator[FrameCrops]:
    """Crops with the working scale that their detail asks for."""
    cut = crop(tracked, crop_config(recipe), grid=crop_grid(recipe))
    return find_working(cut, recipe.upscale.scale, networks.scales, recipe.working)


def _fused(cut: Iterable[FrameCrops], recipe: Recipe) -> Iterator[FrameCrops]:
    """What the faces' other views add: looking for them, and averaging."""
    return fuse(with_clips(cut, crop_config(recipe), recipe.fuse.span))


def _pasted(made: Prepared, scale: int) -> Iterable[object]:
    """Judging and, where the whole picture is the output, blending into the canvases.

    Faces that a pass before has blended in are blended in again: the work is the same.
    """
    judged = verify(made.sharp, scale, made.recipe.paste)
    whole = made.recipe.output == "frame"
    return paste(judged, scale, made.recipe.paste) if whole else judged


def suffix_of(recipe: Recipe) -> str:
    """Of an output that can hold what the recipe encodes."""
    return ".mkv" if recipe.encode.codec == "ffv1" else ".mp4"


def encoded(made: Prepared, recipe: Recipe, out: Path) -> Iterator[int]:
    """Encode the prepared pictures as ``vsr run`` does; the last frame comes once it is closed."""
    whole = recipe.output == "frame"
    ready = [FrameCrops(item.frame) for item in made.judged] if whole else made.judged
    target = out if whole else out.with_suffix("")
    with open_sink(target, made.info, recipe) as sink:
        last: int | None = None
        for count in sink.run(ready):
            if last is not None:
                yield last
            last = count
        sink.finish(None)
        if last is not None:
            yield last
