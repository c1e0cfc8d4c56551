"""Any folder of faces, to any depth.

Sub-folders called train, val and test are taken as the source's own splits; the sub-folder
below them (or below the root) names the person.
"""

from __future__ import annotations

from pathlib import Path

from vsr.train.prepare.config import PrepareConfig
from vsr.train.prepare.source import (
    Listing,
    SourceImage,
    Split,
    relative,
    stem_of,
    walk_images,
)

_SPLIT_NAMES: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}


def list_folder(root: Path, cfg: PrepareConfig) -> Listing:
    """Every image below ``root``; raises DataError where the folder cannot be read."""
    paths = [(p, relative(p, root)) for p in walk_images(root)]
    tops = {source.split("/")[0].lower() for _, source in paths if "/" in source}
    has_splits = "train" in {_SPLIT_NAMES.get(top) for top in tops}
    images = []
    for path, source in paths:
        parts = source.split("/")[:-1]
        split = _SPLIT_NAMES.get(parts[0].lower()) if has_splits and parts else None
        person = parts[1:] if split else parts
        identity = None if cfg.identity == "file" else (person[0] if person else None)
        images.append(SourceImage(path, source, stem_of(source), identity, split))
    notices = []
    if cfg.identity == "folder" and any(i.identity is None for i in images):
        notices.append("some images lie in no sub-folder: each of them counts as its own person")
    if cfg.identity != "file" and all(i.identity is None for i in images):
        notices.append(
            "no sub-folder names a person: whether one is in two splits cannot be checked"
        )
    return Listing(images=images, notices=notices)
