"""How many faces of a clear video are still found once it is degraded.

  python tests/bench/recall.py VIDEO… [--frames N]

Each video is reduced by 2 and degraded by each preset of `vsr evaluate --degrade`, real encoders
included. The faces that are followed in the merely reduced video ("clean") count; found is one
of the same frame that overlaps it by 30 % (intersection over union).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from vsr.core.types import Face
from vsr.degrade.presets import PRESETS
from vsr.evaluate.experiment.config import ExperimentConfig, degradation
from vsr.evaluate.experiment.truth import TruthSource
from vsr.run.recipe import Recipe, load_recipe
from vsr.run.restore import face_finder

_SCALE = 2
_OVERLAP = 0.3


def faces_of(video: Path, preset: str, frames: int, recipe: Recipe) -> list[tuple[Face, ...]]:
    """The faces of each frame, as `vsr run` finds and follows them."""
    how = degradation(preset, _SCALE)
    cfg = ExperimentConfig(scale=_SCALE, degrade=preset, degradation=how, max_frames=frames)
    truths = TruthSource(video, cfg, recipe.decode)
    return [item.faces for item in face_finder(recipe)(t.lr for t in truths)]


def recall(wanted: list[tuple[Face, ...]], found: list[tuple[Face, ...]]) -> tuple[int, int]:
    """How many faces there are, and how many of them were found."""
    pairs = [(face, there) for faces, there in zip(wanted, found, strict=True) for face in faces]
    hits = sum(any(face.box.iou(f.box) >= _OVERLAP for f in there) for face, there in pairs)
    return len(pairs), hits


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("videos", nargs="+", type=Path)
    parser.add_argument("--frames", type=int, default=60, help="of each video, from its beginning")
    args = parser.parse_args()
    recipe = load_recipe("restore")
    clean = {v: faces_of(v, "clean", args.frames, recipe) for v in args.videos}
    count = sum(len(faces) for frames in clean.values() for faces in frames)
    print(f"{count} faces in {len(args.videos)} videos, reduced by {_SCALE}")
    for preset in PRESETS:
        if preset == "clean":
            continue
        each = [recall(clean[v], faces_of(v, preset, args.frames, recipe)) for v in args.videos]
        shares = " ".join(f"{100 * hits / max(1, n):4.0f}" for n, hits in each)
        total = 100 * float(np.sum([h for _, h in each])) / max(1, count)
        print(f"{preset:<13} {total:5.1f} %  (each video: {shares})", flush=True)


if __name__ == "__main__":
    main()
