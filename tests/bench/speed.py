"""How fast vsr is beside public peers: one run, in turns, medians of five rounds.

    python tests/bench/clips.py CLIPS
    python tests/bench/speed.py --clip CLIPS/one_face.mp4 --peers PEERS --json speed.json
    python tests/bench/speed_table.py --speed speed.json --svg speed.svg

Three questions, all on the processor:

- ``frame``: seconds for a frame of the clip, enlarged twice. vsr once as a user runs it (file to
  file, decoding and encoding included), once in memory (find, follow, cut, super-resolve, paste),
  once the network alone. Peers enlarge the whole picture, which is all they do; they get it from
  memory and hand it back there, so decoding and encoding are not on their bill.
- ``face-x2`` and ``face-x4``: seconds for one face of 64x64.

The whole picture goes through a peer in tiles of 200x200 (the size that Real-ESRGAN's own
program takes) without the overlap it would need: this favours the peer. ``--share 0.25`` runs a
quarter of the tiles and multiplies; without it every tile is run. Where to get the peers: see
peers/README.md. Written after every round: what is there when it is stopped counts.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE / "peers")]

from compare import peers  # noqa: E402

from vsr.bench.benchmark import processor  # noqa: E402
from vsr.bench.clip import Clip, take_clip  # noqa: E402
from vsr.bench.measure import busy_share, core_count, cpu_seconds, timed  # noqa: E402
from vsr.bench.stages import Prepared, measure_stage, prepare  # noqa: E402
from vsr.bench.whole import run_whole  # noqa: E402
from vsr.core.progress import silent  # noqa: E402
from vsr.faces.crop import crop  # noqa: E402
from vsr.faces.detect import detect, make_detector  # noqa: E402
from vsr.faces.paste import paste, verify  # noqa: E402
from vsr.faces.track import track  # noqa: E402
from vsr.models.registry import list_models  # noqa: E402
from vsr.models.upscale import UpscaleConfig, Upscaler, load_upscaler, upscale  # noqa: E402
from vsr.run.recipe import load_recipe  # noqa: E402

TILE = 200
FACE = 64
_SHORT_S = 1.0
"""a call that is quicker is repeated until it has taken this long"""
WHOLE_FRAME = ("realesrgan-x4plus", "esrgan-thick", "realesr-animevideov3")


@dataclass
class Contender:
    """One thing that is timed in every round."""

    group: str
    """"frame", "face-x2" or "face-x4" """
    name: str
    """of the network, as in the model cards"""
    part: str
    """what is counted"""
    call: Callable[[], float] = field(repr=False)
    """does the work and returns for how many frames or faces"""
    vsr: bool = False
    precision: str = "float32"
    seconds: list[float] = field(default_factory=list)
    """for one frame or face, a figure for each round"""
    cpu_s: list[float] = field(default_factory=list)
    """processor seconds for the same; with noise from others they are the steadier figure"""

    def measure(self) -> None:
        """One round."""
        cpu, start, count = cpu_seconds(), time.perf_counter(), 0.0
        while time.perf_counter() - start < _SHORT_S:
            count += self.call()
        self.seconds.append((time.perf_counter() - start) / count)
        self.cpu_s.append((cpu_seconds() - cpu) / count)

    def to_dict(self) -> dict[str, object]:
        """For the JSON."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        del values["call"]
        return {**values, "median_s": statistics.median(self.seconds)}


# === vsr


def our_frames(pipeline: str, model: str, source: Path, options: Options) -> Iterator[Contender]:
    """The whole, in memory, and the network alone; on the first seconds of the clip."""
    settings = [("upscale", "model", model), ("upscale", "scale", 2)]
    recipe = load_recipe(pipeline, settings)
    folder = options.folder / f"{pipeline}-{model}".replace("/", "_")
    folder.mkdir()
    clip = take_clip(source, recipe, folder, silent, seconds=options.seconds)
    upscaler = load_upscaler(recipe.upscale)
    made = prepare(clip.info, recipe, make_detector(recipe.detect), upscaler)
    common = {"vsr": True, "precision": str(getattr(upscaler, "precision", "float32"))}
    parts: dict[str, Callable[[], float]] = {
        f"{pipeline}, file to file": lambda: _whole(clip, made, folder),
        f"{pipeline}, in memory": lambda: float(timed(lambda: _in_memory(made)).items),
        f"{pipeline}, network alone": lambda: float(measure_stage("upscale", made, folder).items),
    }
    for part, call in parts.items():
        yield Contender("frame", upscaler.name, part, call, **common)  # type: ignore[arg-type]


def _whole(clip: Clip, made: Prepared, folder: Path) -> float:
    return float(run_whole(clip.path, made.recipe, made.upscaler, folder).items)


def _in_memory(made: Prepared) -> Iterator[object]:
    """Everything between decoding and encoding, one stage drawing on the other, in one thread."""
    recipe = made.recipe
    scale = recipe.upscale.scale
    found = track(detect(made.frames, made.detector, recipe.detect), recipe.track)
    sharp = upscale(crop(found, recipe.crop), made.upscaler, recipe.upscale)
    return paste(verify(sharp, scale, recipe.paste), scale, recipe.paste)


def our_faces(names: list[str], face: np.ndarray) -> Iterator[Contender]:
    """Faces of 64x64 in batches of 8, in the precision that "auto" chooses and in float32."""
    for model in list_models():
        if model.name not in names or model.scale is None:
            continue
        chosen = load_upscaler(UpscaleConfig(model=model.name, scale=model.scale))
        precisions = {str(getattr(chosen, "precision", "float32")): chosen}
        if "float32" not in precisions:
            cfg = UpscaleConfig(model=model.name, scale=model.scale, precision="float32")
            precisions["float32"] = load_upscaler(cfg)
        for precision, upscaler in precisions.items():
            call = _faces(upscaler, face, 8)
            group = f"face-x{model.scale}"
            yield Contender(group, model.name, "network", call, True, precision)


# === Peers


def peer_frames(folder: Path, picture: np.ndarray, share: float) -> Iterator[Contender]:
    """The peers on the whole picture; one that only knows x4 is run at x4, as its users do."""
    made = dict(peers(folder, 4)) | dict(peers(folder, 2))
    for name in WHOLE_FRAME:
        if name in made:
            upscaler = made[name]()
            part = "whole picture" if upscaler.scale == 2 else "whole picture, at x4"
            yield Contender("frame", name, part, _tiles(upscaler, picture, share))


def peer_faces(folder: Path, face: np.ndarray) -> Iterator[Contender]:
    """The peers on faces of 64x64."""
    for scale in (2, 4):
        for name, make in peers(folder, scale):
            count = 1 if name in WHOLE_FRAME else 8
            yield Contender(f"face-x{scale}", name, "network", _faces(make(), face, count))


def _tiles(upscaler: Upscaler, picture: np.ndarray, share: float) -> Callable[[], float]:
    height, width = picture.shape[:2]
    tiles = [
        picture[None, y : y + TILE, x : x + TILE]
        for y in range(0, height, TILE)
        for x in range(0, width, TILE)
    ]
    taken = tiles[: max(1, round(share * len(tiles)))]
    pixels = sum(t.shape[1] * t.shape[2] for t in taken)

    def call() -> float:
        for tile in taken:
            upscaler(tile)
        return pixels / (width * height)

    return call


def _faces(upscaler: Upscaler, face: np.ndarray, count: int) -> Callable[[], float]:
    batch = np.repeat(face[None], count, axis=0)

    def call() -> float:
        upscaler(batch)
        return float(count)

    upscaler(batch)  # traced, memory touched
    return call


# === The run


@dataclass(frozen=True)
class Options:
    """What is measured, and where files may lie."""

    folder: Path
    seconds: float


def main() -> None:
    """Measure, and write JSON after every round."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clip", type=Path, required=True)
    parser.add_argument("--peers", type=Path, required=True)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6.0, help="of the clip, for vsr")
    parser.add_argument("--share", type=float, default=1.0, help="of the tiles, for peers")
    parser.add_argument("--only", action="append", help="frame, face-x2, face-x4 (repeatable)")
    parser.add_argument("--run", action="append", help="PIPELINE:MODEL (repeatable)")
    args = parser.parse_args()
    logging.getLogger("tensorflow").setLevel("ERROR")  # a graph for each peer is no retracing
    groups = args.only or ["frame", "face-x2", "face-x4"]
    with tempfile.TemporaryDirectory(prefix="vsr-speed-") as name:
        options = Options(Path(name), args.seconds)
        entries = list(_contenders(args, groups, options))
        busy = []
        for number in range(args.repeats):
            busy.append(busy_share())
            for entry in entries:
                entry.measure()
                print(f"{number + 1}/{args.repeats} {entry.name} ({entry.part}): "
                      f"{entry.seconds[-1]:.4g} s", file=sys.stderr)  # fmt: skip
            result = {
                "machine": {"processor": processor(), "cores": core_count()},
                "clip": args.clip.name,
                "seconds": args.seconds,
                "share": args.share,
                "rounds": number + 1,
                "others_busy": busy,
                "rows": [entry.to_dict() for entry in entries],
            }
            args.json.write_text(json.dumps(result, indent=1) + "\n")


def _contenders(
    args: argparse.Namespace, groups: list[str], options: Options
) -> Iterator[Contender]:
    known = [spec.name for spec in list_models()]
    lean = next(n for n in ("srgan-x2-fast", "srresnet-x2-fast") if n in known)
    runs = args.run or ["restore:srgan-x2", f"restore-fast:{lean}"]
    picture, face = _picture(args.clip)
    if "frame" in groups:
        for run in runs:
            yield from our_frames(*run.split(":", 1), args.clip, options)
        yield from peer_frames(args.peers, picture, args.share)
    faces = [g for g in groups if g.startswith("face")]
    models = ["srgan-x4", "srresnet-x4", "srresnet-x2", *(run.split(":", 1)[1] for run in runs)]
    models += [n for n in known if n.endswith("-fast")]
    if faces:
        for entry in (*our_faces(models, face), *peer_faces(args.peers, face)):
            if entry.group in faces:
                yield entry


def _picture(clip: Path) -> tuple[np.ndarray, np.ndarray]:
    """The clip's first frame, and 64x64 of its middle: what is in them does not matter here."""
    import cv2

    reader = cv2.VideoCapture(str(clip))
    good, frame = reader.read()
    if not good:
        raise SystemExit(f"{clip}: no frame could be read")
    rgb = np.ascontiguousarray(frame[..., ::-1])
    y, x = (rgb.shape[0] - FACE) // 2, (rgb.shape[1] - FACE) // 2
    return rgb, np.ascontiguousarray(rgb[y : y + FACE, x : x + FACE])


if __name__ == "__main__":
    main()
