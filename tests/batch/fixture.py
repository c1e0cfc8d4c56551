"""Builds a small ChokePoint: sequences of 800x600 JPEGs in the layouts that are in use.

    python tests/batch/fixture.py OUT [--archives] [--labels DIR]

The script draws people's paths of its own, in ChokePoint's schema. With ``--labels`` (a folder of
real label files, ``chokepoint/groundtruth``), each sequence is a stretch cut out of one of them,
so that people move as they did. A portrait (astronaut.png of scikit-image: Eileen Collins,
photographed by NASA, public domain) stands at every labelled pair of eyes, each person in a tint
of their own, on scikit-image's brick and gravel (CC0). Seeded: the same pictures come out each
time.
"""

from __future__ import annotations

import argparse
import colorsys
import random
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import cv2
import numpy as np
import skimage.data

WIDTH, HEIGHT = 800, 600
EYES = ((198.0, 120.0), (245.0, 120.0))
"""centres of the eyes in astronaut.png, left and right in the picture"""
HEAD = ((222, 112), (58, 92))
"""ellipse of the head there: centre, half axes"""
AROUND = (slice(0, 240), slice(130, 314))
"""rows and columns there that hold the head and its soft rim: no more of it is ever seen"""


@dataclass(frozen=True)
class Piece:
    """One sequence to be made."""

    name: str
    folder: str
    """below the root"""
    labels: str | None
    """XML below the root, None for a sequence without labels"""
    source: str
    """real label file the stretch is cut from"""
    first: int
    """number from which frames are taken"""
    frames: int
    add: tuple[str, ...] = ()
    """oddities laid over it"""


PIECES = (
    # layout 1: root/SEQ
    Piece("P1E_S1_C1", "P1E_S1_C1", "groundtruth/P1E_S1_C1.xml", "P1E_S1_C1", 520, 40, ("gap",)),
    Piece("P1L_S1_C1", "P1L_S1_C1", "groundtruth/P1L_S1_C1.xml", "P1L_S1_C1", 640, 24,
          ("unknown", "stray")),
    # layout 2: root/SET/SEQ/SEQ
    Piece("P1E_S1_C2", "P1E_S1/P1E_S1_C2/P1E_S1_C2", "P1E_S1/groundtruth/groundtruth/P1E_S1_C2.xml",
          "P1E_S1_C2", 140, 24, ("one eye", "same point", "background")),
    Piece("P1E_S3_C2", "P1E_S3/P1E_S3_C2", "P1E_S3/groundtruth/P1E_S3_C2.xml", "P1E_S3_C2", 1600,
          24, ("deleted", "no picture")),
    # layout 3: root/SET/SEQ/SEQ.part
    Piece("P2E_S1_C2.1", "P2E_S1/P2E_S1_C2/P2E_S1_C2.1", "groundtruth/P2E_S1_C2.1.xml",
          "P2E_S1_C2.1", 800, 20, ("border",)),
    Piece("P2E_S1_C2.2", "P2E_S1/P2E_S1_C2/P2E_S1_C2.2", "groundtruth/P2E_S1_C2.2.xml",
          "P2E_S1_C2.2", 140, 20),
    Piece("P2E_S3_C1.1", "P2E_S3/P2E_S3_C1/P2E_S3_C1.1", "groundtruth/P2E_S3_C1.1.xml",
          "P2E_S3_C1.1", 1500, 24, ("shared",)),
    # without labels: the detector's work
    Piece("P2L_S2_C1.1", "P2L_S2/P2L_S2_C1/P2L_S2_C1.1", None, "P2L_S2_C1.1", 300, 16),
)  # fmt: skip


def build(
    root: Path,
    *,
    names: tuple[str, ...] = (),
    frames: int | None = None,
    labels: Path | None = None,
) -> Path:
    """Make the sequences (or those named, or of at most ``frames`` frames) below ``root``.

    labels: a folder of real label files to cut the sequences from, else paths are drawn.
    """
    for piece in PIECES:
        if not names or piece.name in names:
            _sequence(root, piece, min(frames or piece.frames, piece.frames), labels)
    return root


def pack(root: Path, out: Path) -> Path:
    """The same data as archives: nested tar.xz, a plain tar and a zip."""
    out.mkdir(parents=True, exist_ok=True)
    inner = out / "P1E_S1_C2.tar.xz"
    with tarfile.open(inner, "w:xz", preset=0) as tar:
        tar.add(root / "P1E_S1/P1E_S1_C2/P1E_S1_C2", "P1E_S1_C2")
    with tarfile.open(out / "P1E_S1.tar.xz", "w:xz", preset=0) as tar:
        tar.add(inner, inner.name)
        tar.add(root / "P1E_S1/groundtruth", "groundtruth")
    inner.unlink()
    with tarfile.open(out / "P2E_S1.tar", "w") as tar:
        tar.add(root / "P2E_S1", "P2E_S1")
    with zipfile.ZipFile(out / "P1E_S1_C1.zip", "w") as archive:
        for path in sorted((root / "P1E_S1_C1").iterdir()):
            archive.write(path, f"P1E_S1_C1/{path.name}")
    with zipfile.ZipFile(out / "groundtruth.zip", "w") as archive:
        for path in sorted((root / "groundtruth").iterdir()):
            archive.write(path, f"groundtruth/{path.name}")
    return out


# === labels ===


def _sequence(root: Path, piece: Piece, count: int, labels: Path | None) -> None:
    frames = (_real(labels, piece, count) if labels else []) or _drawn(piece, count)
    _lay_over(frames, piece.add)
    folder = root / piece.folder
    folder.mkdir(parents=True, exist_ok=True)
    camera = sum(map(ord, piece.name))
    for frame in frames:
        number = int(frame.get("number", "0"))
        gone = frame.get("deleted") == "true" or frame.attrib.pop("gone", "")
        if not gone:
            _write_jpeg(folder / f"{number:08d}.jpg", picture(frame, camera))
    if "background" in piece.add:
        for number in range(90, 94):
            _write_jpeg(folder / f"{number:08d}.jpg", picture(ET.Element("frame"), camera))
    if "stray" in piece.add:
        (folder / ".directory").write_text("[Dolphin]\nSortOrder=1\n")
        (folder / "Thumbs.db").write_bytes(b"\0" * 64)
        (folder / "readme.txt").write_text("not a frame\n")
    if piece.labels:
        path = root / piece.labels
        path.parent.mkdir(parents=True, exist_ok=True)
        tree = ET.Element("dataset", name=piece.name.split(".")[0])
        tree.extend(frames)
        ET.indent(tree)
        path.write_bytes(ET.tostring(tree, encoding="utf-8", xml_declaration=True))


def _real(labels: Path, piece: Piece, count: int) -> list[ET.Element]:
    """A stretch of a real label file with people in it; empty where there is no such file."""
    path = labels / f"{piece.source}.xml"
    if not path.is_file():
        return []
    frames = [f for f in ET.parse(path).getroot() if int(f.get("number", "0")) >= piece.first]
    start = next((i for i, f in enumerate(frames) if f.find("person") is not None), 0)
    start = max(0, start - 3) if "deleted" not in piece.add else start
    taken = frames[start : start + count + 8]
    shift = 0 if "gap" not in piece.add else max(0, _gap_at(frames) - count // 2)
    return (frames[shift : shift + count] if shift else taken[:count]) or []


def _gap_at(frames: list[ET.Element]) -> int:
    """Position of the first gap with people close before or after it."""
    numbers = [int(f.get("number", "0")) for f in frames]
    for at in range(20, len(frames) - 20):
        if numbers[at + 1] != numbers[at] + 1:
            return at
    return 0


def _drawn(piece: Piece, count: int) -> list[ET.Element]:
    """People on paths of our own, in the same schema."""
    rng = random.Random(piece.name)
    walkers = [(f"{rng.randrange(1, 26):04d}", rng.uniform(120, 600), rng.uniform(120, 300),
                rng.uniform(14, 30)) for _ in range(2)]  # fmt: skip
    frames = []
    number = piece.first
    for step in range(count):
        if step == count // 2:
            number += 25
        frame = ET.Element("frame", number=f"{number:08d}")
        for k, (who, x, y, distance) in enumerate(walkers):
            if k == 0 or step > count // 3:
                grown = distance * (1 + 0.5 * step / count)
                _add_person(frame, who, x + 2.5 * step, y + 1.5 * step, grown)
        frames.append(frame)
        number += 1
    return frames


def _add_person(frame: ET.Element, who: str, x: float, y: float, distance: float) -> None:
    person = ET.SubElement(frame, "person", id=who)
    for tag, at in (("leftEye", x - distance / 2), ("rightEye", x + distance / 2)):
        ET.SubElement(person, tag, x=str(round(at)), y=str(round(y)))


def _lay_over(frames: list[ET.Element], add: tuple[str, ...]) -> None:
    """The oddities of real label files, at fixed places, in place."""
    middle = len(frames) // 2
    if "unknown" in add:
        for frame in frames[2:6]:
            _add_person(frame, "Unknown", 700, 420, 18)
    if "one eye" in add:
        for frame in frames[middle : middle + 3]:
            person = ET.SubElement(frame, "person", id="0021")
            ET.SubElement(person, "leftEye", x="640", y="300")
    if "same point" in add:
        _add_person(frames[-2], "0022", 500, 200, 0)
    if "deleted" in add and not any(f.get("deleted") for f in frames):
        for frame in frames[middle : middle + 2]:
            frame.set("deleted", "true")
            for person in list(frame):
                frame.remove(person)
    if "no picture" in add:
        frames[1].set("gone", "yes")
    if "border" in add:
        _add_person(frames[4], "0019", 6, 310, 40)
        _add_person(frames[5], "0019", -4, 310, 40)
        _add_person(frames[6], "0020", 780, 590, 44)
    if "shared" in add and not any(_twice(f) for f in frames):
        _add_person(frames[3], "0009", 200, 200, 20)
        _add_person(frames[3], "0009", 500, 260, 24)


def _twice(frame: ET.Element) -> bool:
    ids = [p.get("id") for p in frame]
    return len(ids) != len(set(ids))


# === pictures ===

_cache: dict[str, np.ndarray] = {}


def _portrait() -> tuple[np.ndarray, np.ndarray]:
    if "portrait" not in _cache:
        picture = skimage.data.astronaut()
        mask = np.zeros(picture.shape[:2], np.float32)
        cv2.ellipse(mask, *HEAD, 0, 0, 360, 1.0, -1)
        _cache["portrait"] = picture[AROUND].astype(np.float32)
        _cache["mask"] = cv2.GaussianBlur(mask, (0, 0), 3.0)[AROUND]
    return _cache["portrait"], _cache["mask"]


def _room() -> np.ndarray:
    if "room" not in _cache:
        brick = cv2.resize(skimage.data.brick(), (400, 300), interpolation=cv2.INTER_AREA)
        gravel = cv2.resize(skimage.data.gravel(), (400, 300), interpolation=cv2.INTER_AREA)
        grey = np.vstack([np.tile(brick, (1, 2)) * 0.5 + 70, np.tile(gravel, (1, 2)) * 0.4 + 40])
        _cache["room"] = (grey[..., None] * np.array([0.98, 0.95, 0.9])).astype(np.float32)
    return _cache["room"]


def picture(frame: ET.Element, camera: int) -> np.ndarray:
    """The frame that the labels describe: uint8 (600, 800, 3) RGB."""
    canvas = _room().copy()
    for person in frame:
        eyes = [person.find(tag) for tag in ("leftEye", "rightEye")]
        points = [(float(e.get("x", 0)), float(e.get("y", 0))) for e in eyes if e is not None]
        if len(points) == 2 and points[0] != points[1]:
            _stand(canvas, person.get("id", ""), points)
    rng = np.random.default_rng(camera * 10007 + int(frame.get("number", "0")))
    canvas += rng.normal(0, 1.5, canvas.shape[:2]).astype(np.float32)[..., None]
    return np.clip(np.rint(canvas), 0, 255).astype(np.uint8)


def _stand(canvas: np.ndarray, who: str, points: list[tuple[float, float]]) -> None:
    """Paste the portrait so that its eyes lie at the labelled points."""
    portrait, mask = _portrait()
    (ax, ay), (bx, by) = EYES
    a, b = complex(ax, ay), complex(bx, by)
    p, q = complex(*points[0]), complex(*points[1])
    turn = (q - p) / (b - a)
    move = p - turn * a
    matrix = np.array([[turn.real, -turn.imag, move.real], [turn.imag, turn.real, move.imag]])
    sigma = max(0.3, 0.4 / abs(turn))
    hue = (sum(map(ord, who)) * 37 % 100) / 100
    tint = np.array(colorsys.hsv_to_rgb(hue, 0.25, 1.0), np.float32)
    soft = cv2.GaussianBlur(portrait, (0, 0), sigma) * tint
    matrix[:, 2] += matrix[:, :2] @ (AROUND[1].start, AROUND[0].start)
    top, left, bottom, right = _covered(matrix, mask.shape, canvas.shape)
    if top >= bottom or left >= right:
        return
    matrix[:, 2] -= left, top
    size = (right - left, bottom - top)
    warped = cv2.warpAffine(soft, matrix, size, flags=cv2.INTER_CUBIC)
    alpha = cv2.warpAffine(mask, matrix, size, flags=cv2.INTER_LINEAR)[..., None]
    part = canvas[top:bottom, left:right]
    part *= 1 - alpha
    part += np.clip(warped, 0, 255) * alpha


def _covered(
    matrix: np.ndarray, mask: tuple[int, ...], canvas: tuple[int, ...]
) -> tuple[int, int, int, int]:
    """Top, left, bottom and right of what the mask covers of the canvas."""
    corners = np.array([(x, y, 1) for x in (0, mask[1]) for y in (0, mask[0])]) @ matrix.T
    (x0, y0), (x1, y1) = np.floor(corners.min(axis=0)) - 2, np.ceil(corners.max(axis=0)) + 2
    return (max(0, int(y0)), max(0, int(x0)),
            min(canvas[0], int(y1)), min(canvas[1], int(x1)))  # fmt: skip


def _write_jpeg(path: Path, rgb: np.ndarray) -> None:
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(path), bgr, [cv2.IMWRITE_JPEG_QUALITY, 88])


def main() -> None:
    """Build the data set into a folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--archives", action="store_true", help="also OUT-archives")
    parser.add_argument("--frames", type=int, help="at most so many per sequence")
    parser.add_argument("--labels", type=Path, help="folder of real label files to cut from")
    args = parser.parse_args()
    print(build(args.out, frames=args.frames, labels=args.labels))
    if args.archives:
        print(pack(args.out, args.out.with_name(args.out.name + "-archives")))


if __name__ == "__main__":
    main()
