"""How well the evidence check tells right from wrong, and where its limits come from.

  python tests/bench/evidence.py rates --clips DIR --list FILE   a line per condition
  python tests/bench/evidence.py fit --celeba DIR [--write]      vsr/faces/camera_table.py

`rates` films real face clips (FILE: a line "NAME FIRST_FRAME" each) with known cameras and real
encoders and judges, for four frames of each, pictures that are right (the truth; the truth
low-passed; half-way to bicubic; a hand that is there) and wrong ones (`evidence_plants`). Of the
wrong ones those count that change the LR, before noise and coding, by 3 grey levels over 2 % of
the face. `fit` does the same with CelebA's training stills and cameras drawn around the ten, and
fits blur and tolerances to what right pictures show.
Needs `pip install '.[eval]'` (dlib finds the landmarks).
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from evidence_cases import Case, cases, clips, stills
from evidence_footage import CAMERAS
from scipy import optimize, sparse

from vsr.core.geometry import Box, Window
from vsr.core.types import Face, FaceCrop, Frame, FrameCrops
from vsr.faces import camera, consistency
from vsr.faces.mask import feathered_mask
from vsr.faces.working import WorkingConfig, find_working
from vsr.models.spec import SCALES

_TABLE = Path(__file__).parents[2] / "vsr" / "faces" / "camera_table.py"
_COUNTED = 0.02
_QUANTILE, _RAISED = 0.97, 0.98
_NO_BORDER = (False, False, False, False)


def rates(judged: Iterable[Case]) -> None:
    """Print, per condition, how many right pictures pass and how many wrong ones are refused."""
    right: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    wrong: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for case in judged:
        side = _working_px(case.lr, case.scale)
        passed = consistency.contradiction(case.lr, case.sr, working_px=side) <= 1
        if case.right:
            right[case.condition][case.kind].append(passed)
        elif case.changed >= _COUNTED:
            wrong[case.condition][case.kind].append(not passed)
    for name in right:
        print(f"{name:<8} right passed {_share(right[name])} · wrong refused {_share(wrong[name])}")


def _working_px(lr: np.ndarray, scale: int) -> int | None:
    """The side at which the product would show the crop to a network."""
    frame = Frame(index=0, pts=0, time_base=Fraction(1, 25), rgb=lr)
    height, width = lr.shape[:2]
    window = Window(0, 0, width, height)
    crop = FaceCrop(Face(Box(0, 0, width, height), 1.0), window, lr)
    networks = [n for n in SCALES if n >= scale]
    (found,) = find_working([FrameCrops(frame, (crop,))], scale, networks, WorkingConfig())
    working = found.crops[0].working
    return None if working is None else working.side


def _share(by_kind: dict[str, list[bool]]) -> str:
    everything = [v for values in by_kind.values() for v in values]
    kinds = ", ".join(f"{k} {100 * np.mean(v):.0f}" for k, v in by_kind.items())
    return f"{100 * np.mean(everything):.1f} % of {len(everything)} ({kinds})"


def fit(judged: Iterable[Case]) -> str:
    """The text of the table: blur and tolerances as regressions on what the LR shows."""
    kept = [c for c in judged if c.right and c.kind not in ("half bicubic", "bicubic")]
    found = []
    for case in kept:
        lr = camera.planes(case.lr)
        weights = feathered_mask(*lr.shape[:2], 0.35, _NO_BORDER)
        seen = camera.planes(consistency.reduce(case.sr, case.scale))
        found.append((lr, seen, weights, camera.features(lr, weights)))
    shown = np.array([f[3] for f in found])
    low, high = np.quantile(shown, (0.005, 0.995), axis=0)
    rows = np.c_[np.ones(len(shown)), np.clip(shown, low, high)]
    blur = _least_squares(rows, np.array([c.blur for c in kept]))
    widest = np.clip(1.5 * np.maximum(rows @ blur, 0) + camera.MIN_BLUR, None, camera.MAX_BLUR)
    seen = [
        consistency.compare(f[0], f[1], float(w), f[2]) for f, w in zip(found, widest, strict=True)
    ]
    levels = np.log(np.array([(d.fine, d.coarse, d.color) for d in seen]) + camera.FLOOR)
    tolerances = [_upper(rows, levels[:, i]) for i in range(3)]
    inside = (levels <= rows @ np.array(tolerances).T).all(1)
    print(f"{len(kept)} right pictures, within all three: {100 * inside.mean():.1f} %")
    return _text(low, high, blur, tolerances)


def _upper(rows: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Coefficients of what nearly all values lie below.

    Two thirds of a quantile regression, which knows that crops of one kind vary more than of
    another, and one of a least-squares fit raised to a quantile, which is steadier.
    """
    middle = _least_squares(rows, values)
    middle[0] += np.quantile(values - rows @ middle, _RAISED)
    return (2 * _quantile_regression(rows, values, _QUANTILE) + middle) / 3


def _quantile_regression(rows: np.ndarray, values: np.ndarray, share: float) -> np.ndarray:
    """Koenker and Bassett (1978) as a linear programme, slightly damped."""
    count, width = rows.shape
    matrix = sparse.csr_matrix(rows)
    equal = sparse.hstack([matrix, -matrix, sparse.eye(count), -sparse.eye(count)])
    cost = np.r_[
        2e-5 * count * np.ones(2 * width), share * np.ones(count), (1 - share) * np.ones(count)
    ]
    found = optimize.linprog(cost, A_eq=equal, b_eq=values, bounds=(0, None), method="highs").x
    return found[:width] - found[width : 2 * width]


def _least_squares(rows: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Coefficients, slightly damped."""
    damping = 1e-4 * len(rows) * np.eye(rows.shape[1])
    damping[0, 0] = 0
    return np.linalg.solve(rows.T @ rows + damping, rows.T @ values)


def _text(low: np.ndarray, high: np.ndarray, blur: np.ndarray, tolerances: list[np.ndarray]) -> str:
    def row(values: np.ndarray) -> str:
        return "(" + ", ".join(f"{v:.3f}" for v in values) + ")"

    lines = ",\n    ".join(row(t) for t in tolerances)
    return (
        '"""Coefficients of `vsr.faces.camera`, written by ``tests/bench/evidence.py fit``."""\n\n'
        f"LOW = {row(low)}\nHIGH = {row(high)}\n"
        '"""range of the features in the stills: outside of it nothing was learnt"""\n'
        f"BLUR = {row(blur)}\n"
        '"""constant, then one for each feature: low-resolution pixels"""\n'
        f"TOLERANCES = (\n    {lines},\n)\n"
        '"""the same for logarithms of what right pictures keep within: fine, coarse, colour"""\n'
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("do", choices=("rates", "fit"))
    parser.add_argument("--clips", type=Path)
    parser.add_argument("--list", type=Path)
    parser.add_argument("--celeba", type=Path)
    parser.add_argument("--count", type=int, default=48, help="stills")
    parser.add_argument("--seed", type=int, default=1, help="of stills and cameras")
    parser.add_argument("--write", action="store_true", help="write the table")
    parser.add_argument("conditions", nargs="*", help=", ".join(CAMERAS))
    args = parser.parse_intermixed_args()
    cv2.setNumThreads(1)
    conditions = args.conditions or list(CAMERAS)
    if args.clips:
        found, wide = clips(args.clips, args.list), False
    elif args.celeba:
        found, wide = stills(args.celeba, args.count, np.random.default_rng(args.seed)), True
    else:
        parser.error("--clips and --list, or --celeba")
    judged = cases(found, conditions, wide=wide, seed=args.seed)
    if args.do == "rates":
        return rates(judged)
    text = fit(judged)
    print(text)
    if args.write:
        _TABLE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
