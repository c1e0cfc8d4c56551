"""IMFDB, the Indian Movie Face Database (Setty et al., NCVPRIPG 2013).

``ACTOR/FILM/images/*.jpg`` with a headless text file of tab- or space-separated columns in each
film's folder; one column names the image, others hold words such as MALE, HAPPINESS, FRONTAL.
Columns differ between films, so rows are read by their words, not by their places. Also read:
images directly in the film's or the actor's folder, one more folder around it all, and films
without annotations.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from vsr.train.prepare.config import PrepareConfig
from vsr.train.prepare.source import (
    SUFFIXES,
    Listing,
    Skipped,
    SourceImage,
    read_text,
    relative,
    stem_of,
    walk_images,
)

TERMS = "IMFDB (Setty et al., NCVPRIPG 2013): research use; film stills remain their owners'"

# Only words that belong to one column: "none" and "others" occur in several.
_WORDS = {
    "gender": ("male", "female"),
    "expression": ("neutral", "anger", "happiness", "sadness", "surprise", "fear", "disgust"),
    "illumination": ("bad", "medium", "high"),
    "pose": ("frontal", "left", "right", "up", "down"),
    "age": ("child", "young", "middle", "old"),
}
_COLUMN = {word: column for column, words in _WORDS.items() for word in words}


def list_imfdb(root: Path, cfg: PrepareConfig) -> Listing:
    """The images of an IMFDB folder, the actor as identity; no official splits exist.

    Raises DataError where a folder or an annotation file cannot be read.
    """
    images: list[SourceImage] = []
    films: dict[Path, dict[str, Path]] = {}
    actors: dict[Path, str] = {}
    for path in walk_images(root):
        inside = path.parent.name.lower() == "images" and path.parent != root
        film = path.parent.parent if inside else path.parent
        if film not in films:
            films[film] = {}
            actors[film] = _actor(film, root, certain=inside or bool(_text_files(film)))
        films[film][path.name.lower()] = path
        source = relative(path, root)
        images.append(SourceImage(path, source, _stem(source), actors[film]))
    skipped: list[Skipped] = []
    counts: dict[str, Counter[str]] = {column: Counter() for column in _WORDS}
    annotated = 0
    for film, files in films.items():
        named = _annotated_rows(film)
        annotated += len(named.keys() & files.keys())
        for name, words in named.items():
            if name in files:
                for word in words:
                    counts[_COLUMN[word]][word] += 1
            else:
                where = relative(film, root) if film != root else "."
                skipped.append(Skipped(f"{where}/{name}", "annotated but missing"))
    notices = []
    if annotated < len(images):
        notices.append(f"{len(images) - annotated} of {len(images)} images have no annotation")
    return Listing(
        images=images,
        skipped=skipped,
        notices=notices,
        terms=TERMS,
        annotations={c: dict(sorted(n.items())) for c, n in counts.items() if n},
    )


def _actor(film: Path, root: Path, *, certain: bool) -> str:
    """Who is on the images of a folder; names that differ in case or marks only are one person.

    certain: the folder is known to be a film's, so the one around it is the actor's. Otherwise
    the topmost folder counts: rather two persons taken for one than one for two.
    """
    parts = film.relative_to(root).parts
    if certain:
        name = film.parent.name if parts else root.parent.name
    else:
        name = parts[0] if parts else root.name
    return "".join(c for c in name.casefold() if c.isalnum()) or name


def _annotated_rows(film: Path) -> dict[str, list[str]]:
    """Image name (lower case) to the known words of its row, of all text files of a film."""
    rows: dict[str, list[str]] = {}
    for path in _text_files(film):
        for line in read_text(path).splitlines():
            fields = [f.strip(",;\"'").lower() for f in line.split()]
            names = [f for f in fields if Path(f).suffix in SUFFIXES]
            if names:
                rows[Path(names[0]).name] = [f for f in fields if f in _COLUMN]
    return rows


def _text_files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.glob("*.txt") if not p.name.startswith("."))


def _stem(source: str) -> str:
    """Without the "images" level, which says nothing."""
    return stem_of("/".join(p for p in source.split("/") if p.lower() != "images"))
