"""Builds labelled passages: people walk by again and again, a photograph of them each time.

    python tests/evaluate/passages.py OUT [--persons 250] [--data DIR]

Four sequences in ChokePoint's layout, 800x600 JPEGs and XML labels. With ``--data``, a folder that
holds ``celeba/`` and ``chokepoint/groundtruth/``, the persons are CelebA's validation identities
(no model was trained on them), another photograph in every sequence, and eyes lie where, and as
far apart as, real labels say. The photograph is brought to that size through a blur, a sensor's
noise and JPEG. Else the persons are distortions of astronaut.png (Eileen Collins, NASA, public
domain) on places drawn at random: enough for tests, no faces to measure anything on. Seeded: the
same pictures come out each time.
"""

from __future__ import annotations

import argparse
import colorsys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import cv2
import numpy as np
import skimage.data

SEQUENCES = ("P1E_S1_C1", "P1E_S3_C2", "P1L_S1_C1", "P2L_S2_C1.1")
WIDTH, HEIGHT = 800, 600
BLUR, NOISE, QUALITY = 0.6, 4.0, 70
"""blur in frame pixels, standard deviation in levels, JPEG quality"""
FIRST = 120
"""number of the first frame with a person"""

Eyes = tuple[tuple[float, float], tuple[float, float]]
Photo = tuple[np.ndarray, Eyes, tuple[tuple[int, int], tuple[int, int]]]
"""uint8 RGB, its eyes, and the ellipse of the head: centre, half axes"""


def build(root: Path, persons: int, empty: int = 10, data: Path | None = None) -> Path:
    """Make the sequences below ``root``, each with ``empty`` frames without anybody first.

    data: real photographs and labels, else both are drawn.
    """
    people = list(_celeba(data / "celeba", persons)) if data else list(_tinted(persons))
    for index, name in enumerate(SEQUENCES):
        rng = np.random.default_rng([7, index])
        places = (_real_places(data, name) if data else []) or _drawn_places(rng)
        folder = root / name
        folder.mkdir(parents=True)
        labels = ET.Element("dataset", name=name.split(".")[0])
        for number in range(empty):
            _write(folder / f"{number:08d}.jpg", _room(), rng)
        for number, person in enumerate(rng.permutation(len(people)), start=FIRST):
            eyes = places[rng.integers(len(places))]
            canvas = _room()
            _stand(canvas, people[person][index], eyes)
            _write(folder / f"{number:08d}.jpg", canvas, rng)
            frame = ET.SubElement(labels, "frame", number=f"{number:08d}")
            one = ET.SubElement(frame, "person", id=f"{person + 1:04d}")
            for tag, (x, y) in zip(("leftEye", "rightEye"), eyes, strict=True):
                ET.SubElement(one, tag, x=f"{x:g}", y=f"{y:g}")
        (root / "groundtruth").mkdir(exist_ok=True)
        ET.indent(labels)
        (root / f"groundtruth/{name}.xml").write_bytes(ET.tostring(labels, encoding="utf-8"))
    return root


# === people ===


def _celeba(folder: Path, count: int) -> Iterator[list[Photo]]:
    """Validation identities with a photograph for each sequence."""
    parts = dict(line.split() for line in (folder / "list_eval_partition.txt").open())
    photos: dict[str, list[str]] = {}
    for line in (folder / "identity_CelebA.txt").open():
        name, identity = line.split()
        if parts.get(name) == "1":
            photos.setdefault(identity, []).append(name)
    enough = [names for names in photos.values() if len(names) >= len(SEQUENCES)]
    for names in enough[:count]:
        bgr = [cv2.imread(str(folder / "img_align_celeba" / n)) for n in sorted(names)]
        yield [
            (cv2.cvtColor(p, cv2.COLOR_BGR2RGB), ((69.5, 112.0), (107.5, 112.0)),
             ((89, 118), (62, 88)))
            for p in bgr
        ]  # fmt: skip


def _tinted(count: int) -> Iterator[list[Photo]]:
    """Astronauts of other proportions: longer or shorter faces, every second one mirrored."""
    for index in range(count):
        tint = np.array(colorsys.hsv_to_rgb(index / count, 0.6, 1.0)) * 255
        rgb = np.clip(skimage.data.astronaut() * 0.75 + tint * 0.25, 0, 255).astype(np.uint8)
        length = 0.7 + 0.8 * index / max(1, count - 1)
        size = (512, round(512 * length))
        rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
        left, right, middle = 198.0, 245.0, 222
        if index % 2:
            rgb = np.ascontiguousarray(rgb[:, ::-1])
            left, right, middle = 511 - right, 511 - left, 511 - middle
        y = 120.0 * length
        head = (middle, round(112 * length)), (58, round(92 * length))
        yield [(rgb, ((left, y), (right, y)), head)] * len(SEQUENCES)


# === places ===


def _real_places(data: Path, name: str) -> list[Eyes]:
    path = data / f"chokepoint/groundtruth/{name}.xml"
    if not path.is_file():
        return []
    places = []
    for person in ET.parse(path).getroot().iter("person"):
        left, right = person.find("leftEye"), person.find("rightEye")
        if left is None or right is None:
            continue
        points = [(float(e.get("x", 0)), float(e.get("y", 0))) for e in (left, right)]
        a, b = sorted(points)
        level = abs(b[1] - a[1]) < 0.4 * (b[0] - a[0])
        if level and a[0] > 40 and b[0] < WIDTH - 40 and 40 < a[1] < HEIGHT - 60:
            places.append((a, b))
    return places


def _drawn_places(rng: np.random.Generator) -> list[Eyes]:
    places = []
    for distance in rng.uniform(24, 60, 60):
        x, y = rng.uniform(100, 650), rng.uniform(100, 450)
        places.append(((round(x), round(y)), (round(x + distance), round(y))))
    return places


# === pictures ===


def _room() -> np.ndarray:
    brick = cv2.resize(skimage.data.brick(), (400, 300), interpolation=cv2.INTER_AREA)
    gravel = cv2.resize(skimage.data.gravel(), (400, 300), interpolation=cv2.INTER_AREA)
    grey = np.vstack([np.tile(brick, (1, 2)) * 0.5 + 70, np.tile(gravel, (1, 2)) * 0.4 + 40])
    return (grey[..., None] * np.array([0.98, 0.95, 0.9])).astype(np.float32)


def _stand(canvas: np.ndarray, photo: Photo, eyes: Eyes) -> None:
    """Paste a photograph so that its eyes lie at ``eyes``, as sharp as a lens would show it."""
    rgb, (a, b), (centre, axes) = photo
    turn = (complex(*eyes[1]) - complex(*eyes[0])) / (complex(*b) - complex(*a))
    move = complex(*eyes[0]) - turn * complex(*a)
    matrix = np.array([[turn.real, -turn.imag, move.real], [turn.imag, turn.real, move.imag]])
    mask = np.zeros(rgb.shape[:2], np.float32)
    cv2.ellipse(mask, centre, axes, 0, 0, 360, 1.0, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), 4.0)
    soft = cv2.GaussianBlur(rgb.astype(np.float32), (0, 0), max(0.3, BLUR / abs(turn)))
    size = (WIDTH, HEIGHT)
    warped = cv2.warpAffine(soft, matrix, size, flags=cv2.INTER_CUBIC)
    alpha = cv2.warpAffine(mask, matrix, size, flags=cv2.INTER_LINEAR)[..., None]
    canvas *= 1 - alpha
    canvas += np.clip(warped, 0, 255) * alpha


def _write(path: Path, canvas: np.ndarray, rng: np.random.Generator) -> None:
    noisy = canvas + rng.normal(0, NOISE, canvas.shape)
    rgb = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(path), bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])


def main() -> None:
    """Build the passages into a folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--persons", type=int, default=250)
    parser.add_argument("--data", type=Path, help="real photographs and labels")
    args = parser.parse_args()
    print(build(args.out, args.persons, data=args.data))


if __name__ == "__main__":
    main()
