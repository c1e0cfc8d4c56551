"""The data set card: ``dataset.json`` for programs, ``CARD.md`` for people, and two lists."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import vsr
from vsr.run.output import write_atomically
from vsr.train.prepare.config import PrepareConfig
from vsr.train.prepare.pairs import HR_FOLDER, MadePair, lr_folder
from vsr.train.prepare.source import SPLITS, Listing, Skipped
from vsr.train.prepare.workspace import CARD_FILE

KIND = "vsr-dataset"
FORMAT = 1
"""version of the layout of ``dataset.json``"""
INDEX_FILE = "index.csv"
SKIPPED_FILE = "skipped.csv"
CARD_TEXT = "CARD.md"


def split_hash(rows: list[tuple[str, dict[str, str]]]) -> str:
    """SHA-256 over the files of a split: (name, folder -> SHA-256), in name order."""
    digest = hashlib.sha256()
    for name, hashes in sorted(rows):
        for folder in sorted(hashes):
            digest.update(f"{folder}/{name} {hashes[folder]}\n".encode())
    return digest.hexdigest()


def make_card(
    *,
    listing: Listing,
    settings: dict[str, Any],
    cfg: PrepareConfig,
    made: list[MadePair],
    skipped: list[Skipped],
    notices: list[str],
    source: Path,
    plan: str,
    command: str,
) -> dict[str, Any]:
    """Everything that is known of a finished data set, as JSON values."""
    splits = {}
    for split in SPLITS:
        pairs = [m for m in made if m.pair.split == split]
        persons = {m.pair.image.identity for m in pairs} - {None}
        splits[split] = {
            "pairs": len(pairs),
            "identities": len(persons),
            "without_identity": sum(m.pair.image.identity is None for m in pairs),
            "sha256": split_hash([(m.pair.name, m.hashes) for m in pairs]),
        }
    reasons = Counter(s.reason for s in skipped)
    return {
        "kind": KIND,
        "format": FORMAT,
        "vsr": vsr.__version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "source": {"name": source.name, "images": len(listing.images)},
        "terms": cfg.terms or listing.terms,
        "cut": listing.cut or f"crop {settings['crop']} of the source",
        "hr_size": cfg.hr,
        "scales": list(cfg.scales),
        "settings": settings,
        "splits": splits,
        "skipped": {"count": len(skipped), "reasons": dict(reasons.most_common())},
        "annotations": listing.annotations,
        "notices": notices,
        "plan_sha256": plan,
    }


def write_card(
    folder: Path, card: dict[str, Any], made: list[MadePair], skipped: list[Skipped]
) -> None:
    """Write the lists, the text and, last, ``dataset.json``; raises OutputError."""
    names = [HR_FOLDER, *(lr_folder(s) for s in card["scales"])]
    index = [["split", "name", "source", "identity", *(f"{n}_sha256" for n in names)]]
    for m in made:
        row = [m.pair.split, m.pair.name, m.pair.image.source, m.pair.image.identity or ""]
        index.append([*row, *(m.hashes[n] for n in names)])
    write_atomically(folder / INDEX_FILE, _csv(index))
    rows = [["source", "reason", "detail"], *([s.source, s.reason, s.detail] for s in skipped)]
    write_atomically(folder / SKIPPED_FILE, _csv(rows))
    write_atomically(folder / CARD_TEXT, card_text(card))
    write_atomically(folder / CARD_FILE, json.dumps(card, indent=2, ensure_ascii=False) + "\n")


def card_text(card: dict[str, Any]) -> str:
    """The card for people, in Markdown."""
    sizes = ", ".join(f"x{s}: {card['hr_size'] // s}" for s in card["scales"])
    settings = card["settings"]
    lines = [
        f"# Data set: {card['source']['name']} ({settings['layout']})",
        "",
        f"Pairs of face images for super-resolution, made {card['created']} by vsr {card['vsr']}.",
        "",
        f"- **Terms of the source:** {card['terms']}",
        f"- **HR:** {card['hr_size']}x{card['hr_size']} px, {card['cut']}, reduced by area",
        f"- **LR:** {sizes} px, reduced from HR by {_REDUCE[settings['reduce']]}",
        f"- **Source images:** {card['source']['images']}; "
        f"**skipped:** {card['skipped']['count']} (see `{SKIPPED_FILE}`)",
        f"- **Command:** `{card['command']}`" if card["command"] else "",
        "",
        "| split | pairs | persons | images without a person | SHA-256 of the files |",
        "|---|---|---|---|---|",
    ]
    for name, split in card["splits"].items():
        lines.append(
            f"| {name} | {split['pairs']} | {split['identities']} | {split['without_identity']} "
            f"| `{split['sha256']}` |"
        )
    lines += ["", "No person is in two splits, as far as the source says who is on an image.", ""]
    if card["skipped"]["reasons"]:
        lines += ["## Skipped", "", "| reason | images |", "|---|---|"]
        lines += [f"| {reason} | {n} |" for reason, n in card["skipped"]["reasons"].items()]
        lines.append("")
    if card["annotations"]:
        lines += ["## Annotations of the source", "", "| column | images |", "|---|---|"]
        for column, words in card["annotations"].items():
            counts = ", ".join(f"{word} {n}" for word, n in words.items())
            lines.append(f"| {column} | {counts} |")
        lines.append("")
    if card["notices"]:
        lines += ["## Notices", "", *(f"- {notice}" for notice in card["notices"]), ""]
    lines += ["## Settings", "", "| setting | value |", "|---|---|"]
    lines += [f"| {key} | {_plain(value)} |" for key, value in settings.items()]
    lines += [
        "",
        f"`{INDEX_FILE}` names source, person and hash of every file. A split's hash is that of "
        "the lines `FOLDER/NAME SHA256`, by name and folder.",
        "",
    ]
    return "\n".join(lines)


_REDUCE = {"bicubic": "Pillow's bicubic (a = -0.5, antialiased)", "area": "area"}


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _csv(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
