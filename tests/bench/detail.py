"""How many pixels of detail do crops hold? By condition, from videos or from degraded stills.

    python -m tests.bench.detail videos DIR [NAME …]     every NAME.mp4 of a folder (default: all)
    python -m tests.bench.detail stills DIR [--limit N]  portraits, degraded here

``videos``: faces are found, followed and cut out as ``vsr run`` does it with the default recipe; a
line for each video with the crops' width over their detail (median of the tracks), how many tracks
are reduced at ``--scale`` (default 2), and each track's width and detail. ``stills``: the middle of
each picture, brought to 256 pixels, is the truth; a line for each degradation.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from vsr.faces.crop import crop
from vsr.faces.spectrum import detail_of
from vsr.faces.tracklog import TrackLog
from vsr.faces.working import find_working
from vsr.media.images import list_images, read_image
from vsr.run.recipe import load_recipe
from vsr.run.restore import face_finder
from vsr.run.source import open_source

NETWORKS = (2, 4, 8)
SIDE = 128
Degradation = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def _small(rgb: np.ndarray, side: int) -> np.ndarray:
    return cv2.resize(rgb, (side, side), interpolation=cv2.INTER_AREA)


def _noisy(rgb: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    return np.clip(np.rint(rgb + rng.normal(0, sigma, rgb.shape)), 0, 255).astype(np.uint8)


def _jpeg(rgb: np.ndarray, quality: int) -> np.ndarray:
    _, data = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]


def _blurred(rgb: np.ndarray, sigma: float) -> np.ndarray:
    return _small(cv2.GaussianBlur(rgb, (0, 0), sigma), SIDE)


def _enlarged(rgb: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    held = _jpeg(_noisy(_small(rgb, side), 4, rng), 60)
    return _jpeg(cv2.resize(held, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC), 70)


DEGRADATIONS: dict[str, Degradation] = {
    "clean": lambda hr, _: _small(hr, SIDE),
    "noise 6": lambda hr, rng: _noisy(_small(hr, SIDE), 6, rng),
    "noise 6, JPEG 50": lambda hr, rng: _jpeg(_noisy(_small(hr, SIDE), 6, rng), 50),
    "blur 1.5, noise 3": lambda hr, rng: _noisy(_blurred(hr, 1.5), 3, rng),
    "blur 3, noise 3": lambda hr, rng: _noisy(_blurred(hr, 3), 3, rng),
    "blur 4.5, noise 3": lambda hr, rng: _noisy(_blurred(hr, 4.5), 3, rng),
    "64 enlarged": lambda hr, rng: _enlarged(hr, 64, rng),
    "48 enlarged": lambda hr, rng: _enlarged(hr, 48, rng),
    "32 enlarged": lambda hr, rng: _enlarged(hr, 32, rng),
    "24 enlarged": lambda hr, rng: _enlarged(hr, 24, rng),
}


def stills(folder: Path, limit: int) -> Iterator[str]:
    """A line for each degradation of the folder's portraits."""
    paths = list_images(folder)
    paths = paths[:: max(1, len(paths) // limit)][:limit]
    truths = []
    for path in paths:
        rgb = read_image(path)
        height, width = rgb.shape[:2]
        side = min(height, width)
        y, x = (height - side) // 2, (width - side) // 2
        square = rgb[y : y + side, x : x + side]
        way = cv2.INTER_AREA if side > 256 else cv2.INTER_CUBIC
        truths.append(cv2.resize(square, (256, 256), interpolation=way))
    for name, degrade in DEGRADATIONS.items():
        rng = np.random.default_rng(7)
        found = [detail_of(degrade(hr, rng)) for hr in truths]
        low, middle, high = np.percentile(found, (10, 50, 90))
        yield f"{name:18} detail of {middle:5.1f} of {SIDE} ({low:.1f} to {high:.1f} in 80 %)"


def videos(folder: Path, names: list[str], scale: int) -> Iterator[str]:
    """A line for each video of the folder."""
    recipe = load_recipe("restore")
    for path in sorted(folder.glob("*.mp4")):
        if (names and path.stem not in names) or path.stem.startswith("out_"):
            continue
        log = TrackLog()
        followed = log.faces(face_finder(recipe)(open_source(path, cfg=recipe.decode)))
        cut = crop(followed, recipe.crop)
        for _ in log.crops(find_working(cut, scale, NETWORKS, recipe.working)):
            pass
        tracks = [(t.window_px, t.detail_px, t.working_scale) for t in log.tracks]
        ratios = sorted(w / d for w, d, _ in tracks if w and d)
        reduced = sum(s is not None for *_, s in tracks)
        middle = f"{np.median(ratios):.2f}" if ratios else "none"
        each = " ".join(f"{w}:{d}" for w, d, _ in tracks)
        share = f"{reduced} of {len(tracks)} reduced"
        yield f"{path.stem:10} pixels per pixel of detail {middle}, {share}; {each}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("kind", choices=("videos", "stills"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--scale", type=int, default=2)
    args = parser.parse_args()
    if args.kind == "stills":
        lines = stills(args.folder, args.limit)
    else:
        lines = videos(args.folder, args.names, args.scale)
    for line in lines:
        print(line, flush=True)


if __name__ == "__main__":
    main()
