"""CelebA in its official layout (Liu et al., ICCV 2015), whole or in part.

``img_align_celeba/*.jpg`` (178x218, aligned), ``list_eval_partition.txt`` (0 train, 1
validation, 2 test) and ``identity_CelebA.txt``. The lists may lie beside the images, in
``Eval/`` and ``Anno/``, or be CSV with a header.
"""

from __future__ import annotations

from pathlib import Path

from vsr.core.errors import DataError
from vsr.train.prepare.config import PrepareConfig
from vsr.train.prepare.source import (
    Listing,
    Skipped,
    SourceImage,
    Split,
    read_text,
    relative,
    walk_images,
)

TERMS = (
    "CelebA (Liu, Luo, Wang, Tang, ICCV 2015): non-commercial research only; neither the images "
    "nor what is cut from them may be passed on"
)
CROP = "178"
"""centred in 178x218: left 0, top 20"""

_PARTITION: dict[int, Split] = {0: "train", 1: "val", 2: "test"}
_IMAGES = "img_align_celeba"


def is_celeba(root: Path) -> bool:
    """Whether a folder has CelebA's official layout."""
    return any((root / name).exists() for name in ("list_eval_partition.txt", _IMAGES))


def list_celeba(root: Path, cfg: PrepareConfig) -> Listing:
    """The images of a CelebA folder with their official split and identity.

    Raises DataError where there are no images, or a list holds a line that is none.
    """
    folder = _image_folder(root)
    partition = _read_list(_find(root, folder, "list_eval_partition"))
    identities = _read_list(_find(root, folder, "identity_celeba"))
    images: list[SourceImage] = []
    skipped: list[Skipped] = []
    for path in walk_images(folder):
        split: Split | None = None
        if partition:
            code = partition.get(path.name)
            if code not in _PARTITION:
                detail = "" if code is None else f"partition {code}"
                skipped.append(Skipped(relative(path, root), "not in the partition list", detail))
                continue
            split = _PARTITION[code]
        person = identities.get(path.name)
        identity = None if person is None else str(person)
        images.append(SourceImage(path, relative(path, root), path.stem, identity, split))
    notices = _notices(len(images), partition, identities)
    return Listing(images=images, skipped=skipped, notices=notices, crop=CROP, terms=TERMS)


def _notices(count: int, partition: dict[str, int], identities: dict[str, int]) -> list[str]:
    notices = []
    if not partition:
        notices.append("no list_eval_partition.txt: splits are drawn by seed")
    elif count < len(partition):
        notices.append(
            f"a part of CelebA: {count} of the {len(partition)} images in its list are here"
        )
    if not identities:
        notices.append(
            "no identity_CelebA.txt: whether one person is in two splits cannot be checked"
        )
    return notices


def _image_folder(root: Path) -> Path:
    candidates = [root / _IMAGES / _IMAGES, root / _IMAGES, root / "Img" / _IMAGES]
    if root.name == _IMAGES:
        candidates.append(root)
    for folder in candidates:
        if folder.is_dir():
            return folder
    raise DataError(
        f"{root}: no folder {_IMAGES} in it; give the folder that holds {_IMAGES}/ and "
        "list_eval_partition.txt"
    )


def _find(root: Path, images: Path, stem: str) -> Path | None:
    """A list file near the images, whatever its case and ending; None where there is none."""
    for folder in dict.fromkeys(
        (root, root / "Eval", root / "Anno", images, images.parent, root.parent)
    ):
        if folder == root.parent and root.name != _IMAGES:
            continue
        if folder.is_dir():
            for path in sorted(folder.iterdir()):
                if path.stem.lower() == stem and path.suffix.lower() in (".txt", ".csv"):
                    return path
    return None


def _read_list(path: Path | None) -> dict[str, int]:
    """File name to number; a first line that is a heading is passed over."""
    if path is None:
        return {}
    values: dict[str, int] = {}
    for number, line in enumerate(read_text(path).splitlines(), 1):
        fields = line.replace(",", " ").split()
        if not fields:
            continue
        if len(fields) == 2 and fields[1].isascii() and fields[1].isdigit():
            values[fields[0]] = int(fields[1])
        elif number > 1:
            raise DataError(
                f"{path}, line {number}: got '{line[:60]}', expected a file name and a number; "
                "get the list again"
            )
    return values
