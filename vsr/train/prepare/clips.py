"""``vsr prepare clips``: stills and videos to short face clips, degraded by real encoders.

A shard is a group of clips of one split. Its draws depend on the seed and its number alone, so
that a run that was stopped goes on with the same data set.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import vsr
from vsr.core.errors import DataError, InputError, OutputError
from vsr.core.hashing import file_sha256
from vsr.core.jsontext import parse_json
from vsr.core.progress import Progress, ProgressHook, silent
from vsr.degrade.image import degrade_image, resize_image
from vsr.degrade.motion import moving
from vsr.degrade.presets import MIXES, draw, draw_codings
from vsr.degrade.recipe import Degradation
from vsr.run.flow import Flow
from vsr.run.output import write_atomically
from vsr.run.recode import recode
from vsr.train.prepare.card import CARD_TEXT, INDEX_FILE, SKIPPED_FILE
from vsr.train.prepare.celeba import is_celeba, list_celeba
from vsr.train.prepare.clipconfig import ClipConfig
from vsr.train.prepare.clipset import CLIP_FORMAT, CLIP_KIND, read_clip_card, shard_name
from vsr.train.prepare.config import CropRule
from vsr.train.prepare.folder import list_folder
from vsr.train.prepare.pairs import HR_FOLDER, decode_rgb, lr_folder, square_of
from vsr.train.prepare.plan import PlannedPair, make_plan
from vsr.train.prepare.source import SPLITS, Listing, Skipped, Split, Unusable
from vsr.train.prepare.videoclips import clips_of_video, is_video, list_videos
from vsr.train.prepare.workspace import CARD_FILE, Workspace, difference


@dataclass(frozen=True, slots=True)
class _Group:
    """The sources of one shard."""

    split: Split
    index: int
    sources: Sequence[PlannedPair]


@dataclass(frozen=True, slots=True)
class _Made:
    """What a shard's own JSON says of it."""

    rows: list[dict[str, Any]]
    skipped: list[dict[str, str]]
    hashes: dict[str, str]
    kept: bool


def prepare_clips(
    source: Path,
    out: Path,
    cfg: ClipConfig,
    *,
    overwrite: bool = False,
    command: str = "",
    progress: ProgressHook = silent,
) -> dict[str, Any]:
    """Make the data set ``out`` of the stills and videos in ``source``, or finish one begun.

    Returns:
        The content of its ``dataset.json``.

    Raises:
        InputError, DataError: nothing usable in the source.
        OutputError: not writable, disk full, or made with other settings.
    """
    if not source.is_dir():
        what = "is a file, expected a folder" if source.exists() else "no such folder"
        raise InputError(f"{source}: {what}; check the path of the source")
    source = source.resolve()
    space = Workspace.at(out)
    space.check(source)
    progress(Progress("reading the source", 0, None))
    listing = _listing(source, cfg)
    if not listing.images:
        raise DataError(f"{source}: no image and no video in it; check the path")
    crop = CropRule.parse(listing.crop if cfg.crop == "auto" else cfg.crop)
    settings = {"layout": "clips", **cfg.settings(), "crop": str(crop)}
    plan = make_plan(listing, cfg)
    settings["plan_sha256"] = plan.fingerprint()
    if space.is_complete() and not overwrite:
        card = read_clip_card(space.final)
        if card["settings"] != settings:
            raise OutputError(
                f"{out}: exists with other settings ({difference(card['settings'], settings)}); "
                "choose another folder or add --overwrite"
            )
        return card
    space.begin(settings, cfg.scales, overwrite=overwrite)
    groups = _groups(plan.pairs, cfg.group)
    made = []
    results = _work(groups, space.partial, cfg, crop)
    for done, (group, result) in enumerate(zip(groups, results, strict=True), 1):
        made.append((group, result))
        clips = sum(len(m.rows) for _, m in made)
        progress(Progress("making shards", done, len(groups), faces=clips, unit="shards"))
    if not any(m.rows for _, m in made):
        space.discard()
        first = next((s for _, m in made for s in m.skipped), None)
        detail = f" ({first['source']}: {first['reason']} {first['detail']})" if first else ""
        raise DataError(f"{source}: not one clip could be made of it{detail}; try a smaller --hr")
    skipped = [*plan.skipped, *(Skipped(**s) for _, m in made for s in m.skipped)]
    card = _card(source, listing, settings, cfg, made, skipped, plan.notices, command)
    _write_lists(space.partial, card, made, skipped)
    space.finish()
    return card


def _listing(source: Path, cfg: ClipConfig) -> Listing:
    """CelebA in its own layout, else any folder; videos below it as further sources."""
    celeba = is_celeba(source)
    listing = list_celeba(source, cfg) if celeba else list_folder(source, cfg)
    videos = [] if celeba else list_videos(source, cfg)
    return replace(listing, images=[*listing.images, *videos])


def _groups(plan: Sequence[PlannedPair], size: int) -> list[_Group]:
    groups = []
    for split in SPLITS:
        chosen = [pair for pair in plan if pair.split == split]
        # neighbours in the list are often alike: each shard gets some of everywhere
        count = -(-len(chosen) // size)
        groups += [_Group(split, k, chosen[k::count]) for k in range(count)]
    return groups


def _work(
    groups: Sequence[_Group], folder: Path, cfg: ClipConfig, crop: CropRule
) -> Iterator[_Made]:
    jobs = max(1, min(cfg.jobs or os.cpu_count() or 1, len(groups)))
    with Flow() as flow:
        streams = [
            flow.stage(
                f"clips-{k}", (_shard(g, folder, cfg, crop) for g in groups[k::jobs]), size=1
            )
            for k in range(jobs)
        ]
        for k in range(len(groups)):
            yield next(streams[k % jobs])


def _shard(group: _Group, folder: Path, cfg: ClipConfig, crop: CropRule) -> _Made:
    """Makes a shard, or takes one that stands already."""
    note = folder / group.split / HR_FOLDER / f"{group.index:05d}.json"
    kept = _standing(note, group)
    if kept is not None:
        return kept
    rng = np.random.default_rng([cfg.seed, SPLITS.index(group.split), group.index])
    rows, skipped, clips = [], [], []
    for pair in group.sources:
        try:
            for clip, place in _clips_of(pair, cfg, crop, rng):
                clips.append(clip)
                name, who = pair.image.source, pair.image.identity or ""
                rows.append({"source": name, "identity": who, "place": place})
        except Unusable as fault:
            skipped.append(asdict(Skipped(pair.image.source, fault.reason, fault.detail)))
    hashes = {}
    if clips:
        hr = np.stack(clips)
        for scale in cfg.scales:
            lr, told = _degraded(hr, scale, cfg, rng)
            for row, how in zip(rows, told, strict=True):
                row[lr_folder(scale)] = how
            hashes[lr_folder(scale)] = _save(folder, group, lr_folder(scale), lr)
        hashes[HR_FOLDER] = _save(folder, group, HR_FOLDER, hr)
    made = {"sources": _sources(group), "rows": rows, "skipped": skipped, "hashes": hashes}
    write_atomically(note, json.dumps(made) + "\n")
    return _Made(rows, skipped, hashes, False)


def _sources(group: _Group) -> list[str]:
    return [pair.image.source for pair in group.sources]


def _standing(note: Path, group: _Group) -> _Made | None:
    try:
        made = parse_json(note.read_text(encoding="utf-8"))
        if made["sources"] != _sources(group):
            return None
        for name, sha256 in made["hashes"].items():
            if file_sha256(note.parent.parent / name / shard_name(group.index)) != sha256:
                return None
        return _Made(made["rows"], made["skipped"], made["hashes"], True)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _clips_of(
    pair: PlannedPair, cfg: ClipConfig, crop: CropRule, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, str]]:
    """The HR clips ``(T, S, S, 3)`` of one source, and where in it they are."""
    path = pair.image.path
    if is_video(path):
        yield from clips_of_video(path, cfg)
        return
    try:
        rgb = decode_rgb(path.read_bytes())
    except OSError as error:
        raise Unusable("unreadable", error.strerror or str(error)) from error
    square = np.ascontiguousarray(rgb[square_of(rgb, pair.image.box, crop).slices])
    full, least = square.shape[0], round(cfg.hr * cfg.smallest)
    if full < least:
        if not cfg.allow_upscale:
            raise Unusable("too small", f"{full} px, clips need {least}")
        square, full = resize_image(square, least, least, "bicubic"), least
    side = int(rng.integers(least, full + 1))
    still = np.ascontiguousarray(resize_image(square, side, side, "area"))
    yield moving(still, cfg.hr, cfg.frames, rng), ""


def _degraded(
    hr: np.ndarray, scale: int, cfg: ClipConfig, rng: np.random.Generator
) -> tuple[np.ndarray, list[list[dict[str, Any]]]]:
    """LR versions ``(N, V, T, s, s, 3)`` of clips ``(N, T, S, S, 3)``, and the numbers of each."""
    names, weights = zip(*MIXES[scale].items(), strict=True)
    shares = np.array(weights, np.float64) / sum(weights)
    versions, told = [], [[] for _ in hr]
    for _ in range(cfg.versions):
        name = str(rng.choice(names, p=shares))
        coding, second = draw_codings(name, rng)
        lr = []
        for clip, notes in zip(hr, told, strict=True):
            how = replace(draw(name, rng), coding=coding, second=second)
            lr.append([degrade_image(frame, scale, how, rng) for frame in clip])
            notes.append({"preset": name, **_plain(how)})
        shape = (len(hr), cfg.frames, hr.shape[2] // scale, hr.shape[3] // scale, 3)
        frames = np.asarray(lr, np.uint8).reshape(-1, *shape[2:])
        versions.append(recode(frames, coding, second).reshape(shape))
    return np.stack(versions, axis=1), told


def _plain(how: Degradation) -> dict[str, Any]:
    """The numbers that differ from none."""
    none = asdict(Degradation())
    values = {k: v for k, v in asdict(how).items() if v != none[k]}
    return {k: round(v, 3) if isinstance(v, float) else v for k, v in values.items()}


def _save(folder: Path, group: _Group, name: str, array: np.ndarray) -> str:
    path = folder / group.split / name / shard_name(group.index)
    part = path.with_name(f".{path.name}.partial")
    try:
        with part.open("wb") as file:
            np.save(file, array, allow_pickle=False)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OutputError(
            f"{path}: cannot be written ({error.strerror or error}); free some space and run the "
            "same command again: it resumes"
        ) from error
    return file_sha256(path)


def _card(
    source: Path,
    listing: Listing,
    settings: dict[str, Any],
    cfg: ClipConfig,
    made: list[tuple[_Group, _Made]],
    skipped: list[Skipped],
    notices: list[str],
    command: str,
) -> dict[str, Any]:
    splits = {}
    for split in SPLITS:
        mine = [(g, m) for g, m in made if g.split == split]
        rows = [row for _, m in mine for row in m.rows]
        digest = hashlib.sha256()
        for g, m in mine:
            for name, sha256 in sorted(m.hashes.items()):
                digest.update(f"{name}/{shard_name(g.index)} {sha256}\n".encode())
        splits[split] = {
            "clips": len(rows),
            "shards": len(mine),
            "identities": len({row["identity"] for row in rows} - {""}),
            "sha256": digest.hexdigest(),
        }
    presets = Counter(
        how["preset"] for _, m in made for row in m.rows for how in row[lr_folder(cfg.scales[0])]
    )
    return {
        "kind": CLIP_KIND,
        "format": CLIP_FORMAT,
        "vsr": vsr.__version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "source": {"name": source.name, "files": len(listing.images)},
        "terms": cfg.terms or listing.terms,
        "hr_size": cfg.hr,
        "scales": list(cfg.scales),
        "frames": cfg.frames,
        "versions": cfg.versions,
        "settings": settings,
        "splits": splits,
        "presets": dict(presets.most_common()),
        "skipped": {
            "count": len(skipped),
            "reasons": dict(Counter(s.reason for s in skipped).most_common()),
        },
        "notices": notices,
    }


def _write_lists(
    folder: Path,
    card: dict[str, Any],
    made: list[tuple[_Group, _Made]],
    skipped: list[Skipped],
) -> None:
    """The lists, the card for people and, last, ``dataset.json``."""
    index = [["split", "shard", "clip", "source", "identity", "place", "degradations"]]
    for group, result in made:
        for number, row in enumerate(result.rows):
            how = {k: v for k, v in row.items() if k.startswith("lr_")}
            where = [group.split, str(group.index), str(number)]
            index.append([*where, row["source"], row["identity"], row["place"], json.dumps(how)])
    rows = [["source", "reason", "detail"], *([s.source, s.reason, s.detail] for s in skipped)]
    write_atomically(folder / INDEX_FILE, _csv(index))
    write_atomically(folder / SKIPPED_FILE, _csv(rows))
    write_atomically(folder / CARD_TEXT, _card_text(card))
    write_atomically(folder / CARD_FILE, json.dumps(card, indent=2, ensure_ascii=False) + "\n")


def _card_text(card: dict[str, Any]) -> str:
    sizes = ", ".join(f"x{s}: {card['hr_size'] // s}" for s in card["scales"])
    lines = [
        f"# Clips: {card['source']['name']}",
        "",
        f"Short face clips for super-resolution, made {card['created']} by vsr {card['vsr']}.",
        "",
        f"- **Terms of the source:** {card['terms']}",
        f"- **Clips:** {card['frames']} frames of {card['hr_size']} px a side; LR {sizes} px, "
        f"{card['versions']} degraded version(s) each, by real encoders",
        f"- **Skipped:** {card['skipped']['count']} (see `{SKIPPED_FILE}`)",
        f"- **Command:** `{card['command']}`" if card["command"] else "",
        "",
        "| split | clips | persons | SHA-256 of the shards |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {s['clips']} | {s['identities']} | `{s['sha256']}` |"
        for name, s in card["splits"].items()
    ]
    lines += ["", "| degradation | versions |", "|---|---|"]
    lines += [f"| {name} | {count} |" for name, count in card["presets"].items()]
    lines += ["", *(f"- {notice}" for notice in card["notices"]), ""]
    lines += [f"`{INDEX_FILE}` names the source and every number of each clip's degradations.", ""]
    return "\n".join(lines)


def _csv(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
