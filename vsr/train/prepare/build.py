"""``vsr prepare``: from a source folder to a data set of LR/HR pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vsr.core.config import near
from vsr.core.errors import DataError, InputError, OutputError, UsageError
from vsr.core.progress import Progress, ProgressHook, silent
from vsr.train.prepare.card import make_card, write_card
from vsr.train.prepare.celeba import list_celeba
from vsr.train.prepare.chokepoint import list_chokepoint
from vsr.train.prepare.config import CropRule, PrepareConfig
from vsr.train.prepare.dataset import open_dataset, read_card
from vsr.train.prepare.folder import list_folder
from vsr.train.prepare.imfdb import list_imfdb
from vsr.train.prepare.pairs import MadePair, make_pairs
from vsr.train.prepare.plan import Plan, make_plan
from vsr.train.prepare.source import SPLITS, Listing, Skipped
from vsr.train.prepare.workspace import Workspace, difference

LAYOUTS: dict[str, Callable[[Path, PrepareConfig], Listing]] = {
    "celeba": list_celeba,
    "imfdb": list_imfdb,
    "chokepoint": list_chokepoint,
    "folder": list_folder,
}


@dataclass(frozen=True, kw_only=True)
class PrepareResult:
    """What a run did."""

    folder: Path
    card: dict[str, Any]
    """content of ``dataset.json``"""
    made: int
    """pairs made by this run"""
    kept: int
    """pairs an earlier run had made"""

    @property
    def skipped(self) -> int:
        """Images in the reject report."""
        return int(self.card["skipped"]["count"])


def prepare(
    layout: str,
    source: Path,
    out: Path,
    cfg: PrepareConfig,
    *,
    overwrite: bool = False,
    command: str = "",
    progress: ProgressHook = silent,
) -> PrepareResult:
    """Make the data set ``out`` of the images in ``source``, or finish one that was begun.

    layout: a key of `LAYOUTS`. command: what the card calls the command. The data set grows in
    ``OUT.partial`` and gets its name when it is whole; a whole one with the same settings and an
    unchanged source is left as it is. Raises UsageError, InputError, DataError (nothing usable in
    the source, broken lists) and OutputError (not writable, disk full, other settings).
    """
    if layout not in LAYOUTS:
        raise UsageError(f"layout: unknown '{layout}'; {near(layout, LAYOUTS)}")
    if not source.is_dir():
        what = "is a file, expected a folder" if source.exists() else "no such folder"
        raise InputError(f"{source}: {what}; check the path of the source")
    source = source.resolve()
    space = Workspace.at(out)
    space.check(source)
    progress(Progress("reading the source", 0, None))
    listing = LAYOUTS[layout](source, cfg)
    if not listing.images:
        raise DataError(f"{source}: {_nothing(listing.skipped)}")
    crop = CropRule.parse(listing.crop if cfg.crop == "auto" else cfg.crop)
    settings = {"layout": layout, **cfg.settings(), "crop": str(crop)}
    plan = make_plan(listing, cfg)
    fingerprint = plan.fingerprint()
    if space.is_complete() and not overwrite:
        card = read_card(space.final)
        if card["settings"] != settings:
            raise OutputError(
                f"{out}: stands with other settings ({difference(card['settings'], settings)}); "
                "choose another folder or add --overwrite"
            )
        if card["plan_sha256"] == fingerprint and _stands(space.final):
            kept = sum(card["splits"][s]["pairs"] for s in SPLITS)
            return PrepareResult(folder=space.final, card=card, made=0, kept=kept)
        space.reopen(settings)
    space.begin(settings, cfg.scales, overwrite=overwrite)
    space.drop_strays(plan.pairs)
    made, skipped = _work(plan, space, cfg, crop, progress)
    if not made:
        space.discard()
        raise DataError(f"{source}: {_nothing(skipped)}")
    card = make_card(
        listing=listing,
        settings=settings,
        cfg=cfg,
        made=made,
        skipped=skipped,
        notices=plan.notices + _empty_splits(made, cfg),
        source=source,
        plan=fingerprint,
        command=command,
    )
    write_card(space.partial, card, made, skipped)
    space.finish()
    kept = sum(m.kept for m in made)
    return PrepareResult(folder=space.final, card=card, made=len(made) - kept, kept=kept)


def _work(
    plan: Plan, space: Workspace, cfg: PrepareConfig, crop: CropRule, progress: ProgressHook
) -> tuple[list[MadePair], list[Skipped]]:
    made: list[MadePair] = []
    skipped = list(plan.skipped)
    total = len(plan.pairs)
    results = make_pairs(plan.pairs, space.partial, cfg, crop)
    for done, (pair, result) in enumerate(zip(plan.pairs, results, strict=True), 1):
        if isinstance(result, Skipped):
            skipped.append(result)
            space.drop(pair)
        else:
            made.append(result)
        progress(Progress("making pairs", done, total, faces=len(made), unit="pairs"))
    return made, skipped


def _stands(folder: Path) -> bool:
    """Whether every pair of a whole data set is still there."""
    try:
        open_dataset(folder)
    except DataError:
        return False
    return True


def _nothing(skipped: list[Skipped]) -> str:
    """Why a source gives no pair, with the remedy."""
    if not skipped:
        return "no image in it; check the path and the layout"
    reasons = Counter(s.reason for s in skipped).most_common(3)
    text = ", ".join(f"{reason}: {n}" for reason, n in reasons)
    first = next(s for s in skipped if s.reason == reasons[0][0])
    detail = f", e.g. {first.source}: {first.detail}" if first.detail else ""
    remedy = "; try a smaller --hr, or --allow-upscale" if reasons[0][0] == "too small" else ""
    return f"none of its images can be used ({text}{detail}){remedy}"


def _empty_splits(made: list[MadePair], cfg: PrepareConfig) -> list[str]:
    present = {m.pair.split for m in made}
    wanted = {"train": 1.0, "val": cfg.val, "test": cfg.test}
    return [
        f"split {split} is empty: the source holds no image (or no further person) for it"
        for split in SPLITS
        if split not in present and wanted[split] > 0
    ]
