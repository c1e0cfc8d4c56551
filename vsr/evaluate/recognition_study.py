"""Does super-resolution help recognition? The whole study of a labelled data set."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

import vsr
from vsr.core.errors import DataError, InputError, UsageError
from vsr.core.progress import Progress, ProgressHook, silent
from vsr.core.types import Frame, FrameFaces
from vsr.evaluate.recognition import (
    FAR_TARGETS,
    LEVEL,
    Curve,
    Float,
    Interval,
    Pairs,
    compare,
    distances,
    make_pairs,
    roc,
    thinned,
)
from vsr.evaluate.recognition_faces import (
    Across,
    Described,
    Protocol,
    choose_samples,
    describe,
    sequences_of,
)
from vsr.faces.annotations import SequenceFolder, read_annotations
from vsr.faces.detect import DetectConfig, detect, make_detector
from vsr.faces.detector import FaceDetector
from vsr.faces.track import TrackConfig, track
from vsr.media.images import read_image
from vsr.models.upscale import Upscaler

FORMAT = 1
BASELINE = "bicubic"
BINS = (0.0, 15.0, 20.0, 30.0, 45.0, float("inf"))
"""eye distance in the frame, pixels: of the smaller face of a pair"""


@dataclass(frozen=True, kw_only=True)
class StudyConfig:
    """What is compared."""

    protocol: Protocol = "frames"
    """"frames": faces at the size they were filmed; "seed": brought to 128, reduced to 64"""
    across: Across = "sequence"
    """pairs between "sequence" (cameras of one walk are compared too) or between "passage" only
    (portal, direction and session: another walk, at another time)"""
    per_person: int = 5
    """faces of a person in a sequence, 1 or more"""
    max_pairs: int = 200_000
    """of either kind, drawn where there are more"""
    resamples: int = 1000
    """for the intervals"""
    background: int = 100
    """frames with a smaller number are searched for faces that are not there; 0: none"""
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value, known in (
            ("--protocol", self.protocol, ("frames", "seed")),
            ("--across", self.across, ("sequence", "passage")),
        ):
            if value not in known:
                raise UsageError(f"{name}: got '{value}', expected {' or '.join(known)}")
        for name, value, least in (
            ("--per-person", self.per_person, 1),
            ("--max-pairs", self.max_pairs, 1),
            ("--resamples", self.resamples, 100),
            ("--background", self.background, 0),
        ):
            if value < least:
                raise UsageError(f"{name}: got {value}, expected {least} or more")


@dataclass(frozen=True, slots=True)
class Bin:
    """The figures of pairs of one range of eye distances."""

    name: str
    """"all", or e.g. "15-20 px" """
    persons: int
    faces: int
    genuine: int
    """pairs"""
    impostor: int
    """pairs"""
    results: dict[str, dict[str, Interval]]
    """variant, statistic; empty where a kind of pair is missing"""


@dataclass(frozen=True, slots=True)
class FalseFaces:
    """What the detector finds where nobody is."""

    sequences: int
    frames: int
    detections: int
    """by the detector alone"""
    tracked: int
    """that became faces of a track, which would be super-resolved"""
    frames_with: int
    """frames with at least one tracked face"""


@dataclass(frozen=True, slots=True)
class Study:
    """Everything that came out."""

    data: dict[str, Any]
    settings: dict[str, Any]
    variants: list[str]
    models: list[dict[str, Any]]
    refused: dict[str, int]
    """model to faces that stayed plain"""
    bins: list[Bin]
    curves: dict[str, list[tuple[float, float]]]
    """variant to (far, tar), all eye distances"""
    false_faces: FalseFaces | None
    notices: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {"format": FORMAT, "kind": "recognition", "vsr": vsr.__version__, **asdict(self)}


def run_study(
    root: Path,
    upscalers: Sequence[Upscaler],
    cfg: StudyConfig,
    *,
    labels: Path | None = None,
    only: Sequence[str] = (),
    progress: ProgressHook = silent,
) -> Study:
    """Compare persons between the sequences below ``root``, in every variant of their faces.

    Raises InputError where there is nothing labelled, DataError where no person can be compared,
    MissingDependencyError without dlib, UsageError where models do not fit.
    """
    if len({u.scale for u in upscalers}) > 1 or len({u.name for u in upscalers}) < len(upscalers):
        raise UsageError("--model: expected different models of one scale")
    sequences = sequences_of(root, labels, only)
    samples = choose_samples(sequences, cfg.per_person, cfg.across)
    described = describe(samples, upscalers, cfg.protocol, progress)
    people = [s.person.person_id for s in described.samples]
    groups = [s.group for s in described.samples]
    pairs = make_pairs(people, groups, cfg.max_pairs, cfg.seed)
    if not len(pairs.genuine) or not len(pairs.impostor):
        raise DataError(
            f"{root}: got {len(pairs.genuine)} pairs of one person, {len(pairs.impostor)} of two, "
            f"between {len(set(groups))} {cfg.across}s, expected some of both; give more sequences"
        )
    names = [n for n in ("hr", "lr", BASELINE) if n in described.descriptors]
    variants = names + [u.name for u in upscalers if u.name not in names]
    table = {v: np.array(described.descriptors[v]) for v in variants}
    false = None
    if cfg.background:
        false = false_faces(sequences, cfg.background, make_detector(DetectConfig()), progress)
    return Study(
        data=_data(root, sequences, described),
        settings={**asdict(cfg), "level": LEVEL, "far_targets": list(FAR_TARGETS)},
        variants=variants,
        models=[{"name": u.name, "scale": u.scale, "sha256": u.sha256} for u in upscalers],
        refused=described.refused if cfg.protocol == "frames" else {},
        bins=list(_bins(table, described, pairs, cfg, progress)),
        curves={v: thinned(_curve(d, pairs)) for v, d in table.items()},
        false_faces=false,
        notices=described.notices[:50],
    )


def _data(root: Path, sequences: Sequence[SequenceFolder], described: Described) -> dict[str, Any]:
    used = described.samples
    eyes = np.array([s.eye_distance_px for s in used])
    return {
        "name": root.resolve().name,
        "sequences": [s.name for s in sequences],
        "groups": len({s.group for s in used}),
        "persons": len({s.person.person_id for s in used}),
        "faces": len(used),
        "eye_distance_px": {
            f"{share}%": round(float(np.percentile(eyes, share)), 1) for share in (5, 50, 95)
        },
    }


def _curve(descriptors: Float, pairs: Pairs) -> Curve:
    return roc(distances(descriptors, pairs.genuine), distances(descriptors, pairs.impostor))


def _bins(
    table: dict[str, Float], described: Described, pairs: Pairs, cfg: StudyConfig,
    progress: ProgressHook,
) -> Iterator[Bin]:  # fmt: skip
    people = [s.person.person_id for s in described.samples]
    eyes = np.array([s.eye_distance_px for s in described.samples])
    ranges = [(0.0, float("inf")), *itertools.pairwise(BINS)]
    for index, (low, high) in enumerate(ranges):
        genuine, impostor = (
            p[(eyes[p].min(axis=1) >= low) & (eyes[p].min(axis=1) < high)]
            for p in (pairs.genuine, pairs.impostor)
        )
        if len(genuine) or len(impostor):
            here = Pairs(genuine, impostor)
            used = np.unique(np.concatenate([genuine.ravel(), impostor.ravel()]))
            yield Bin(
                "all" if index == 0 else _name(low, high),
                len({people[i] for i in used}),
                len(used),
                len(genuine),
                len(impostor),
                compare(table, people, here, BASELINE, cfg.resamples, cfg.seed),
            )
        progress(Progress("comparing persons", index + 1, len(ranges), unit="ranges"))


def _name(low: float, high: float) -> str:
    return f"{low:g} px and more" if high == float("inf") else f"{low:g}-{high:g} px"


def false_faces(
    sequences: Sequence[SequenceFolder],
    background: int,
    detector: FaceDetector,
    progress: ProgressHook = silent,
) -> FalseFaces:
    """Search the empty first frames of sequences (not of second and third parts).

    Frames in which somebody is labelled are not empty and left out. Somebody far away whom
    nobody has labelled counts as false.
    """
    used = frames = detections = tracked = frames_with = 0
    for done, sequence in enumerate(sequences):
        empty = _empty_frames(sequence, background)
        used += bool(empty)

        def seen(items: Iterator[FrameFaces]) -> Iterator[FrameFaces]:
            nonlocal detections
            for item in items:
                detections += len(item.faces)
                yield item

        found = seen(detect(_read(empty), detector, DetectConfig()))
        for item in track(found, TrackConfig()):
            frames += 1
            tracked += len(item.faces)
            frames_with += bool(item.faces)
        progress(Progress("looking at empty frames", done + 1, len(sequences), unit="sequences"))
    return FalseFaces(used, frames, detections, tracked, frames_with)


def _empty_frames(sequence: SequenceFolder, background: int) -> list[tuple[int, Path]]:
    if re.search(r"\.[2-9]$", sequence.name) or sequence.labels is None:
        return []
    labelled = {f.number for f in read_annotations(sequence.labels).frames if f.persons}
    return [(n, p) for n, p in sequence.frames if n < background and n not in labelled]


def _read(files: Sequence[tuple[int, Path]]) -> Iterator[Frame]:
    for index, (number, path) in enumerate(files):
        try:
            yield Frame(index, number, Fraction(1, 30), read_image(path))
        except InputError:  # a frame that cannot be read says nothing
            continue
