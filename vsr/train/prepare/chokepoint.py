"""ChokePoint (Wong et al., CVPRW 2011): faces cut out of the frames at the labelled eyes, or the
released crops.

Only faces whose person is certain are taken, because persons must stay apart between the
splits: not "Unknown", not one of two persons who carry the same id in one frame.
"""

from __future__ import annotations

import re
from pathlib import Path

from vsr.core.errors import DataError
from vsr.faces.annotations import AnnotatedFrame, Person, find_sequences, read_annotations
from vsr.train.prepare.config import PrepareConfig
from vsr.train.prepare.source import Listing, Skipped, SourceImage, relative, walk_images

TERMS = (
    "ChokePoint (Wong, Chen, Mau, Sanderson, Lovell, CVPRW 2011): non-commercial research only, "
    "no redistribution"
)
EYE_LINE = 0.51
"""height of the eyes in the square, 0 (top) to 1: that of CelebA's 178 px crop"""

_SEQUENCE = re.compile(r"P\d[EL]_S\d_C\d(?:\.\d)?")
_PERSON = re.compile(r"\d{4}")


def list_chokepoint(root: Path, cfg: PrepareConfig) -> Listing:
    """Labelled faces of every sequence below ``root``, else the released crops.

    Raises DataError where neither is found or a label file is broken.
    """
    sequences = find_sequences(root)
    labelled = [(s, s.labels) for s in sequences if s.labels is not None]
    if not labelled:
        crops = _released_crops(root, cfg)
        if crops.images:
            return crops
        raise DataError(
            f"{root}: {len(sequences)} frame folders without XML of the same name, and no released "
            "crops (SEQ/PERSON/FRAME.pgm); put groundtruth/ beside the sequences"
        )
    images: list[SourceImage] = []
    skipped: list[Skipped] = []
    notices = [f"{s.name}: no labels, left out" for s in sequences if s.labels is None]
    for sequence, labels in labelled:
        frames = read_annotations(labels).by_number()
        for number, path in sequence.frames[:: cfg.every]:
            if number in frames:
                stem = f"{sequence.name}_{number:08d}"
                _take(frames[number], path, relative(path, root), stem, cfg, images, skipped)
        absent = len(frames.keys() - {n for n, _ in sequence.frames})
        if absent:
            notices.append(f"{sequence.name}: {absent} labelled frames have no picture")
    cut = f"squares of {cfg.face_side:g} eye distances around the labelled eyes"
    return Listing(images=images, skipped=skipped, notices=notices, cut=cut, terms=TERMS)


def _take(
    frame: AnnotatedFrame,
    path: Path,
    source: str,
    stem: str,
    cfg: PrepareConfig,
    images: list[SourceImage],
    skipped: list[Skipped],
) -> None:
    """Add the faces of one frame to the images, or to the reject report with their reason."""
    if frame.deleted:
        skipped.append(Skipped(source, "frame marked deleted"))
        return
    shared = frame.shared_ids()
    for person in frame.persons:
        name = f"{source}#{person.person_id}"
        if person.person_id in shared:
            skipped.append(Skipped(name, "one id for two persons", _where(person)))
        elif not person.known:
            skipped.append(Skipped(name, "unknown person", _where(person)))
        elif person.eye_distance_px is None:
            skipped.append(Skipped(name, "one eye only", _where(person)))
        elif (box := person.box(cfg.face_side, EYE_LINE)) is None:
            skipped.append(Skipped(name, "eyes at one point", _where(person)))
        else:
            images.append(
                SourceImage(
                    path, name, f"{stem}_{person.person_id}", identity=person.person_id, box=box
                )
            )


def _where(person: Person) -> str:
    eye = person.left_eye or person.right_eye
    return f"eye at {eye.x:g},{eye.y:g}" if eye else ""


def _released_crops(root: Path, cfg: PrepareConfig) -> Listing:
    """``SEQ/PERSON/FRAME.pgm``: 96x96 grey faces; the person's folder is the identity."""
    images: list[SourceImage] = []
    per_folder: dict[Path, int] = {}
    for path in walk_images(root):
        person, sequence = path.parent.name, path.parent.parent.name
        if not (_PERSON.fullmatch(person) and _SEQUENCE.fullmatch(sequence)):
            continue
        nth = per_folder.get(path.parent, 0)
        per_folder[path.parent] = nth + 1
        if nth % cfg.every == 0:
            stem = f"{sequence}_{path.stem}_{person}"
            images.append(SourceImage(path, relative(path, root), stem, person))
    notices = ["released crops: grey, 96x96"] if images else []
    return Listing(images=images, notices=notices, terms=TERMS)
