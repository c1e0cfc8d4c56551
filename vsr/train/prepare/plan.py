"""Which image goes to which split under which name; persons stay apart.

Everything here depends on the names and the seed only: the same source gives the same plan on
every machine and in every run, which is what resuming rests on.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from vsr.train.prepare.config import PrepareConfig
from vsr.train.prepare.source import SPLITS, Listing, Skipped, SourceImage, Split


@dataclass(frozen=True, slots=True)
class PlannedPair:
    """One pair to be made."""

    image: SourceImage
    split: Split
    name: str
    """file name in every folder of the split, e.g. "000017.png"; unique in the data set"""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The pairs to be made, by split and name."""

    pairs: list[PlannedPair]
    skipped: list[Skipped]
    notices: list[str]

    def fingerprint(self) -> str:
        """SHA-256 over what is to be made from which files (by name, size and date)."""
        digest = hashlib.sha256()
        for p in self.pairs:
            try:
                stat = p.image.path.stat()
                state = f"{stat.st_size} {stat.st_mtime_ns}"
            except OSError:
                state = "unreadable"
            line = f"{p.split}/{p.name} {p.image.source} {p.image.identity} {p.image.box} {state}"
            digest.update(line.encode())
        return digest.hexdigest()


def make_plan(listing: Listing, cfg: PrepareConfig) -> Plan:
    """Assign splits and names; see `assign_splits` for the rules."""
    images = _with_unique_names(listing.images)
    assigned, skipped = assign_splits(images, cfg)
    pairs: list[PlannedPair] = []
    for split in SPLITS:
        chosen = [image for image, s in assigned if s == split]
        if cfg.limit is not None and len(chosen) > cfg.limit:
            chosen.sort(key=lambda image: _order(cfg.seed, image.source))
            chosen = chosen[: cfg.limit]
        chosen.sort(key=lambda image: image.name)
        pairs += [PlannedPair(image, split, f"{image.name}.png") for image in chosen]
    return Plan(pairs=pairs, skipped=listing.skipped + skipped, notices=list(listing.notices))


def assign_splits(
    images: Iterable[SourceImage], cfg: PrepareConfig
) -> tuple[list[tuple[SourceImage, Split]], list[Skipped]]:
    """Put every person into one split.

    A split the source names is kept. Where it names two for one person, the one nearer to the
    test counts and the person's other images are left out (a training set must not know its
    judges). Persons without a split are drawn by seed until the shares ``cfg.val`` and
    ``cfg.test`` of the images are reached; an image without identity is a person of its own.
    """
    images = list(images)
    official = _official(images)
    free: dict[str, int] = Counter(
        _person(i) for i in images if i.split is None and _person(i) not in official
    )
    drawn = _draw(free, cfg)
    assigned: list[tuple[SourceImage, Split]] = []
    skipped: list[Skipped] = []
    for image in images:
        person = _person(image)
        split = official.get(person) or drawn[person]
        if image.split in (None, split):
            assigned.append((image, split))
        else:
            detail = f"{image.identity} is in {image.split} and in {split}"
            skipped.append(Skipped(image.source, "person in two splits", detail))
    return assigned, skipped


def _official(images: list[SourceImage]) -> dict[str, Split]:
    named: dict[str, set[Split]] = defaultdict(set)
    for image in images:
        if image.split is not None:
            named[_person(image)].add(image.split)
    return {person: max(splits, key=SPLITS.index) for person, splits in named.items()}


def _draw(persons: dict[str, int], cfg: PrepareConfig) -> dict[str, Split]:
    """Persons (with their number of images) to splits, in an order the seed decides."""
    total = sum(persons.values())
    pool = sorted(persons, key=lambda person: _order(cfg.seed, person))
    drawn: dict[str, Split] = {}
    shares: tuple[tuple[Split, float], ...] = (("test", cfg.test), ("val", cfg.val))
    for split, share in shares:
        room = round(share * total)
        chosen = []
        for person in pool:
            if persons[person] <= room and len(chosen) + 1 < len(pool):
                chosen.append(person)
                room -= persons[person]
        if not chosen and share > 0 and len(pool) > 1:
            # every person has more images than the share: the smallest is better than none
            chosen = [min(pool, key=lambda person: persons[person])]
        taken = set(chosen)
        drawn.update((person, split) for person in chosen)
        pool = [person for person in pool if person not in taken]
    for person in pool:
        drawn[person] = "train"
    return drawn


def _person(image: SourceImage) -> str:
    # the prefix keeps a person called "a.jpg" apart from the image a.jpg
    return f"file:{image.source}" if image.identity is None else f"id:{image.identity}"


def _order(seed: int, text: str) -> bytes:
    return hashlib.sha256(f"{seed}:{text}".encode()).digest()


def _with_unique_names(images: list[SourceImage]) -> list[SourceImage]:
    """Names that occur more than once (whatever the case) get a mark made of their source."""
    count = Counter(image.name.casefold() for image in images)
    return [
        image
        if count[image.name.casefold()] == 1
        else replace(
            image, name=f"{image.name}_{hashlib.sha256(image.source.encode()).hexdigest()[:8]}"
        )
        for image in images
    ]
