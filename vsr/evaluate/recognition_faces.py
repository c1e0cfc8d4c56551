"""The faces that are told apart: chosen from labelled sequences, enlarged, described.

Every face is aligned by its labelled eyes, the same way whatever enlarged it: what is
compared is what the pictures show, not how well a landmark finder does on them.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from vsr.core.errors import DataError, InputError, UsageError
from vsr.core.progress import Progress, ProgressHook, silent
from vsr.core.types import Face, FaceCrop, Frame, FrameCrops, FrameFaces
from vsr.degrade.image import enlarge_image
from vsr.evaluate.identity import IdentityDistance
from vsr.evaluate.seed import cut_pair
from vsr.faces.annotations import Person, SequenceFolder, find_sequences, read_annotations
from vsr.faces.crop import CropConfig, crop
from vsr.faces.detail import enlarged_window
from vsr.faces.paste import PasteConfig, verify
from vsr.media.images import read_image
from vsr.models.upscale import UpscaleConfig, Upscaler, upscale

Protocol = Literal["frames", "seed"]
Across = Literal["sequence", "passage"]

_FACE_SIDE, _EYE_LINE = 2.3, 0.42
"""of the face box that eyes give, as everywhere in the batch"""
_CHIP = 150
"""side of what dlib's network looks at, pixels"""
_CHIP_EYES = ((47.73, 47.14), (100.28, 47.12))
"""where dlib's chips (150 px, padding 0.25) have the middles of the eyes"""
_FRAMES_AT_ONCE = 16
_PASSAGE = re.compile(r"(P\d[EL]_S\d)_C\d")


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled face that takes part."""

    sequence: str
    group: str
    """faces of one group are not compared with each other"""
    number: int
    """of its frame"""
    path: Path
    """of its frame"""
    person: Person

    @property
    def eye_distance_px(self) -> float:
        """In the frame."""
        return self.person.eye_distance_px or 0.0


def sequences_of(root: Path, labels: Path | None, only: Sequence[str]) -> list[SequenceFolder]:
    """The labelled sequences below a folder. Raises InputError where there is none."""
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; give ChokePoint's frames, unpacked")
    found = [s for s in find_sequences(root, labels) if s.labels is not None]
    chosen = [s for s in found if not only or any(fnmatch.fnmatch(s.name, o) for o in only)]
    if not chosen:
        named = f" named like {', '.join(only)}" if only else ""
        raise InputError(
            f"{root}: holds no labelled sequence{named}, expected folders of frames 00000000.jpg "
            "and XML files of the same names (archives: unpack them with 'vsr batch --unpack')"
        )
    return chosen


def group_of(sequence: str, across: Across) -> str:
    """What a sequence is compared under: itself without its part, or its walk past all cameras."""
    if across == "sequence":
        return re.sub(r"\.\d$", "", sequence)
    match = _PASSAGE.match(sequence)
    return match.group(1) if match else sequence


def choose_samples(
    sequences: Iterable[SequenceFolder], per_person: int, across: Across = "sequence"
) -> list[Sample]:
    """Up to ``per_person`` faces of each person in each sequence, evenly over their frames.

    Left out: "Unknown", ids that stand twice in a frame, persons without two distinct eyes,
    frames whose picture is missing. Raises DataError on a broken label file.
    """
    samples: list[Sample] = []
    for sequence in sequences:
        assert sequence.labels is not None
        files = dict(sequence.frames)
        group = group_of(sequence.name, across)
        found: dict[str, list[Sample]] = {}
        for frame in read_annotations(sequence.labels).frames:
            twice = frame.shared_ids()
            for person in frame.persons if frame.number in files else ():
                if person.known and person.eye_distance_px and person.person_id not in twice:
                    sample = Sample(sequence.name, group, frame.number, files[frame.number], person)
                    found.setdefault(person.person_id, []).append(sample)
        for _, faces in sorted(found.items()):
            count = min(per_person, len(faces))
            samples += [faces[int((k + 0.5) * len(faces) / count)] for k in range(count)]
    return samples


@dataclass(slots=True)
class Described:
    """The faces that could be described, and how each variant of them looks to the network."""

    samples: list[Sample] = field(default_factory=list)
    descriptors: dict[str, list[np.ndarray]] = field(default_factory=dict)
    """variant to float64 (128,) per sample"""
    refused: dict[str, int] = field(default_factory=dict)
    """model to faces left plain by the evidence check"""
    notices: list[str] = field(default_factory=list)

    def add(self, sample: Sample, chips: dict[str, np.ndarray], network: EyeAligned) -> None:
        """Describe one face in every variant."""
        self.samples.append(sample)
        for variant, chip in chips.items():
            self.descriptors.setdefault(variant, []).append(network.embed(chip))


class EyeAligned(IdentityDistance):
    """dlib's face network on chips that were cut by known eyes. Raises as `IdentityDistance`."""

    def embed(self, chip: np.ndarray) -> np.ndarray:
        """Descriptor of a chip, uint8 RGB ``(150, 150, 3)``; float64 ``(128,)``."""
        return np.array(self._network.compute_face_descriptor(np.ascontiguousarray(chip)))


def eye_chip(picture: np.ndarray, eyes: Sequence[tuple[float, float]]) -> np.ndarray:
    """A face turned, moved and scaled so that its eyes lie where dlib's network has them.

    picture: uint8 RGB; eyes: (x, y) of the left and right one in it, pixel centres at whole
    numbers. Linear interpolation, blurred before where it gets smaller, replicated borders.
    """
    (ax, ay), (bx, by) = _CHIP_EYES
    source, target = complex(*eyes[1]) - complex(*eyes[0]), complex(bx - ax, by - ay)
    turn = target / source
    move = complex(ax, ay) - turn * complex(*eyes[0])
    if abs(turn) < 1:
        sigma = 0.5 * (1 / abs(turn) ** 2 - 1) ** 0.5
        picture = cv2.GaussianBlur(picture, (0, 0), max(sigma, 1e-2))
    matrix = np.array([[turn.real, -turn.imag, move.real], [turn.imag, turn.real, move.imag]])
    return cv2.warpAffine(
        picture, matrix, (_CHIP, _CHIP), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def describe(
    samples: Sequence[Sample],
    upscalers: Sequence[Upscaler],
    protocol: Protocol,
    progress: ProgressHook = silent,
) -> Described:
    """Cut, enlarge and describe faces; variants: "hr" (seed only), "lr", "bicubic", the models.

    Faces whose middle lies off the frame, and frames that cannot be read, are left out with a
    notice. Raises MissingDependencyError without dlib, UsageError on a model of another scale.
    """
    if protocol == "seed" and any(u.scale != 2 for u in upscalers):
        raise UsageError("--protocol seed: goes from 64 to 128 pixels, expected models of scale 2")
    network, described = EyeAligned(), Described()
    described.refused = {u.name: 0 for u in upscalers}
    frames = _frames(samples, described)
    while chunk := list(islice(frames, _FRAMES_AT_ONCE)):
        work = _seed_chips if protocol == "seed" else _native_chips
        for sample, chips in work(chunk, upscalers, described):
            described.add(sample, chips, network)
        done = len(described.samples)
        progress(Progress("describing faces", done, len(samples), done, "faces"))
    left = len(samples) - len(described.samples)
    if left:
        described.notices.append(f"{left} of {len(samples)} faces lie off their frames or in "
                                 "frames that cannot be read; left out")  # fmt: skip
    if not described.samples:
        raise DataError("not one labelled face could be described; check frames and labels")
    return described


_Item = tuple[Frame, list[Sample]]


def _frames(samples: Sequence[Sample], described: Described) -> Iterator[_Item]:
    """Each frame once, with its samples."""
    by_path: dict[Path, list[Sample]] = {}
    for sample in samples:
        by_path.setdefault(sample.path, []).append(sample)
    for index, (path, members) in enumerate(by_path.items()):
        try:
            rgb = read_image(path)
        except InputError as error:
            described.notices.append(str(error))
            continue
        yield Frame(index, members[0].number, Fraction(1, 30), rgb), members


def _native_chips(
    chunk: list[_Item], upscalers: Sequence[Upscaler], described: Described
) -> Iterator[tuple[Sample, dict[str, np.ndarray]]]:
    """Faces at the size they were filmed, through the product's own stages."""
    found = []
    for frame, samples in chunk:
        boxes = [s.person.box(_FACE_SIDE, _EYE_LINE) for s in samples]
        faces = [Face(b, 1.0, label=str(i)) for i, b in enumerate(boxes) if b is not None]
        found.append(FrameFaces(frame, tuple(faces)))
    cut = list(crop(found, CropConfig(min_face_px=0)))
    chips: dict[tuple[int, str | None], dict[str, np.ndarray]] = {}
    factor = upscalers[0].scale if upscalers else 2
    for item in cut:
        for part in item.crops:
            plain = item.frame.rgb[part.window.slices]
            person = _sample_of(chunk, item, part).person
            chips[item.frame.index, part.face.label] = {
                "lr": _aligned(plain, person, part.window.x, part.window.y, 1.0),
                "bicubic": _aligned(
                    enlarge_image(plain, factor), person, part.window.x, part.window.y, factor
                ),
            }
    for upscaler in upscalers:
        sharp = upscale(cut, upscaler, UpscaleConfig(scale=upscaler.scale))
        for item in verify(sharp, upscaler.scale, PasteConfig()):
            for part in item.crops:
                described.refused[upscaler.name] += part.outcome != "super-resolved"
                person = _sample_of(chunk, item, part).person
                large = enlarged_window(item.frame, part, upscaler.scale)
                chips[item.frame.index, part.face.label][upscaler.name] = _aligned(
                    large, person, part.window.x, part.window.y, upscaler.scale
                )
    for item in cut:
        for part in item.crops:
            yield _sample_of(chunk, item, part), chips[item.frame.index, part.face.label]


def _sample_of(chunk: list[_Item], item: FrameCrops, part: FaceCrop) -> Sample:
    members = next(samples for frame, samples in chunk if frame.index == item.frame.index)
    return members[int(part.face.label or 0)]


def _seed_chips(
    chunk: list[_Item], upscalers: Sequence[Upscaler], _: Described
) -> Iterator[tuple[Sample, dict[str, np.ndarray]]]:
    """Faces brought to 128 pixels, reduced to 64, and enlarged again."""
    pairs = [(s, cut_pair(f.rgb, s.person)) for f, samples in chunk for s in samples]
    good = [(s, p) for s, p in pairs if p is not None]
    if not good:
        return
    batch = np.stack([p.lr for _, p in good])
    sharp = {u.name: u(batch) for u in upscalers}
    for i, (sample, pair) in enumerate(good):
        scale = 128 / pair.side_px
        pictures = {"hr": pair.hr, "bicubic": enlarge_image(pair.lr, 2)}
        pictures.update({name: large[i] for name, large in sharp.items()})
        place = sample.person, pair.left, pair.top
        chips = {name: _aligned(p, *place, scale) for name, p in pictures.items()}
        chips["lr"] = _aligned(pair.lr, *place, scale / 2)
        yield sample, chips


def _aligned(picture: np.ndarray, person: Person, x: int, y: int, scale: float) -> np.ndarray:
    """The chip of a person in a region at (x, y) of the frame, enlarged by ``scale``."""
    assert person.left_eye is not None
    assert person.right_eye is not None
    eyes = [
        ((eye.x - x + 0.5) * scale - 0.5, (eye.y - y + 0.5) * scale - 0.5)
        for eye in sorted((person.left_eye, person.right_eye), key=lambda e: e.x)
    ]
    return eye_chip(picture, eyes)
