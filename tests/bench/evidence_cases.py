"""Cases for the evidence check: LR that a camera left, and pictures that claim to be the face."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import evidence_plants as plants
import numpy as np
from evidence_footage import CAMERAS, Camera, drawn, filmed, still_clip, video_clip

from vsr.models.interpolate import InterpolationUpscaler

_LEVELS = 3.0
"""8-bit grey levels by which a plant must change the LR"""
_CONTEXT = 1.6
"""side of a crop over the face's, as the product cuts it"""


@dataclass(frozen=True, slots=True)
class Case:
    """One picture to judge."""

    condition: str
    kind: str
    right: bool
    lr: np.ndarray
    sr: np.ndarray
    scale: int
    face: int
    """number of the face, which several cases share"""
    blur: float
    """standard deviation in LR pixels, known"""
    changed: float = 0.0
    """share of the face where the plant changes the LR, without noise and coding, by 3 levels"""


@dataclass(slots=True)
class Source:
    """A clip and its landmarks in the scored frames."""

    clip: np.ndarray
    scored: tuple[int, ...]
    points: dict[int, np.ndarray]


def stills(folder: Path, count: int, rng: np.random.Generator) -> list[Source]:
    """Training stills of CelebA in its own layout."""
    lines = (folder / "list_eval_partition.txt").read_text().split("\n")
    names = sorted(line.split()[0] for line in lines if line.endswith(" 0"))
    chosen = rng.choice(names, count, replace=False)
    pictures = folder / "img_align_celeba"
    clips = (still_clip(pictures / n, rng) for n in chosen)
    return _located(clips, (4,))


def clips(folder: Path, listed: Path) -> list[Source]:
    """Face clips; listed: a line "NAME FIRST_FRAME" each."""
    rows = [line.split() for line in listed.read_text().splitlines() if line.strip()]
    return _located((video_clip(folder / n, int(s)) for n, s in rows), (3, 9, 15, 21))


def _located(found: Iterator[np.ndarray], scored: tuple[int, ...]) -> list[Source]:
    landmarks = _Landmarks()
    made: list[Source] = []
    for clip in found:
        points = {i: landmarks(clip[i]) for i in range(len(clip))}
        known = {i: p for i, p in points.items() if p is not None}
        if set(scored) <= set(known):
            made.append(Source(clip, scored, known))
    return made


def cases(
    sources: list[Source], conditions: list[str], *, wide: bool, seed: int = 7
) -> Iterator[Case]:
    """Right and wrong pictures for every scored frame; wide: each clip has a camera of its own."""
    handed = [_with_hand(s) for s in sources]
    for name in conditions:
        rng = np.random.default_rng((seed, list(CAMERAS).index(name)))
        cameras = [drawn(name, rng) if wide else CAMERAS[name] for _ in sources]
        plain = filmed([s.clip for s in sources], lambda i: cameras[i], seed)  # noqa: B023
        hands = filmed([h.clip for h in handed], lambda i: cameras[i], seed)  # noqa: B023
        for number, source in enumerate(sources):
            donor = sources[(number + 1 + number % 3) % len(sources)]
            for at in source.scored:
                face = _Face(name, number, cameras[number], source.points[at])
                yield from face.rights(source.clip[at], plain[number][at])
                yield from face.wrongs(source.clip[at], plain[number][at], donor, rng)
                yield from face.hands(source.clip[at], handed[number].clip[at], hands[number][at])


def _with_hand(source: Source) -> Source:
    frames = [
        plants.hand_over_mouth(f, source.points[i]) if i in source.points else f
        for i, f in enumerate(source.clip)
    ]
    return Source(np.stack(frames), source.scored, source.points)


@dataclass(frozen=True, slots=True)
class _Face:
    condition: str
    number: int
    camera: Camera
    points: np.ndarray

    def rights(self, hr: np.ndarray, lr: np.ndarray) -> Iterator[Case]:
        """The truth, what a cautious network makes of it, and the plain enlargement."""
        bicubic = InterpolationUpscaler("bicubic", self.camera.scale)(lr[None])[0]
        for share in (0.5, 1.0):
            sigma = share * self.camera.scale
            yield self._case(f"low-pass {share:g}", True, lr, cv2.GaussianBlur(hr, (0, 0), sigma))
        yield self._case("truth", True, lr, hr)
        half = cv2.addWeighted(hr, 0.5, bicubic, 0.5, 0)
        yield self._case("half bicubic", True, lr, half)
        yield self._case("bicubic", True, lr, bicubic)

    def wrongs(
        self, hr: np.ndarray, lr: np.ndarray, donor: Source, rng: np.random.Generator
    ) -> Iterator[Case]:
        """Plants that the LR should show."""
        their = donor.scored[0]
        planted = {
            "another person": plants.another_person(
                hr, self.points, donor.clip[their], donor.points[their]
            ),
            "closed eyes": plants.closed_eyes(hr, self.points),
            "moved eyes": plants.moved_eyes(hr, self.points),
            "other skin": plants.other_skin(hr, self.points, rng),
            "glasses": plants.glasses(hr, self.points),
        }
        for kind, sr in planted.items():
            yield self._case(kind, False, lr, sr, self._changed(hr, sr))

    def hands(self, hr: np.ndarray, hand: np.ndarray, lr: np.ndarray) -> Iterator[Case]:
        """A hand before the mouth, as it is and with the mouth that it hides."""
        yield self._case("hand", True, lr, hand)
        yield self._case("mouth over a hand", False, lr, hr, self._changed(hand, hr))

    def _changed(self, hr: np.ndarray, sr: np.ndarray) -> float:
        change = np.abs(self.camera.optics(sr) - self.camera.optics(hr)).mean(-1)
        low, high = self.points.min(0) / self.camera.scale, self.points.max(0) / self.camera.scale
        face = float(np.prod(high - low))
        return float((change >= _LEVELS).sum()) / face

    def _case(
        self, kind: str, right: bool, lr: np.ndarray, sr: np.ndarray, changed: float = 0.0
    ) -> Case:
        scale = self.camera.scale
        low, high = self.points.min(0) / scale, self.points.max(0) / scale
        side = int(min(lr.shape[0], round(_CONTEXT * float((high - low).max()) / 8) * 8))
        x, y = (np.clip((low + high) / 2 - side / 2, 0, lr.shape[0] - side)).astype(int)
        cut = lr[y : y + side, x : x + side]
        wide = sr[y * scale : (y + side) * scale, x * scale : (x + side) * scale]
        return Case(
            self.condition,
            kind,
            right,
            cut.copy(),
            wide.copy(),
            scale,
            self.number,
            self.camera.spread,
            changed,
        )


class _Landmarks:
    """dlib's 68 points of the largest face."""

    def __init__(self) -> None:
        import dlib
        import face_recognition_models as files

        api: Any = dlib
        self._dlib = api
        self._detect: Any = api.get_frontal_face_detector()
        self._predict: Any = api.shape_predictor(files.pose_predictor_model_location())
        self._last: Any = None

    def __call__(self, rgb: np.ndarray) -> np.ndarray | None:
        rgb = np.ascontiguousarray(rgb)
        found = self._detect(rgb, 0)
        if not found:
            return None
        box = max(found, key=lambda r: r.area())
        shape = self._predict(rgb, box)
        return np.array([(p.x, p.y) for p in shape.parts()], np.float32)
