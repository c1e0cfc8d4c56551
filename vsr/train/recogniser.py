"""Trains the face recogniser of the identity loss (`vsr.models.recogniser`) from scratch.

Supervised contrastive learning (Khosla et al., NeurIPS 2020): of each step's persons two pictures
each, turned, cut, blurred and toned at random; the embeddings of one person's two are to be
nearer than any other pair (temperature 0.07).
"""

from __future__ import annotations

import itertools
import json
import math
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np

import vsr
from vsr.core.errors import DataError, InputError, OutputError, UsageError
from vsr.core.hashing import file_sha256
from vsr.core.progress import Progress, ProgressHook, silent
from vsr.models.recogniser import build_recogniser
from vsr.models.runtime import current
from vsr.run.flow import Flow
from vsr.run.output import write_atomically
from vsr.train.backend import hardware, prepare_backend
from vsr.train.checkpoint import load_checkpoint, save_checkpoint
from vsr.train.prepare.celeba import is_celeba, list_celeba
from vsr.train.prepare.config import CropRule, PrepareConfig
from vsr.train.prepare.folder import list_folder
from vsr.train.prepare.pairs import cut_hr, decode_rgb, square_of
from vsr.train.prepare.plan import assign_splits
from vsr.train.prepare.source import Listing, SourceImage, Unusable
from vsr.train.stopping import asked_to_stop

ops: Any = keras.ops  # its stubs know tensors of no backend

SIDE = 128
"""pixels of the pictures in memory"""
SEEN = 96
"""pixels of what the network sees of them while it learns"""
_TEMPERATURE = 0.07
_SAVE_EVERY = 200
_ENDING = ".weights.h5"


@dataclass(frozen=True, kw_only=True)
class RecogniserConfig:
    """How long, and on how many at a time."""

    steps: int = 4000
    minutes: float | None = None
    """end after this training time even if steps remain; the rate follows the clock then"""
    persons: int = 96
    """in a step, two pictures each; more are a harder question"""
    rate: float = 1.5e-3
    seed: int = 1

    def __post_init__(self) -> None:
        for name, good, wanted in (
            ("steps", self.steps >= 1, "1 or more"),
            ("minutes", self.minutes is None or self.minutes > 0, "more than 0"),
            ("persons", self.persons >= 2, "2 or more"),
            ("rate", self.rate > 0, "more than 0"),
        ):
            if not good:
                raise ValueError(f"--{name}: got {getattr(self, name)}, expected {wanted}")


@dataclass(frozen=True, slots=True)
class _Persons:
    pictures: np.ndarray
    """uint8 RGB ``(N, 2, SIDE, SIDE, 3)``: two of each person"""
    skipped: int
    """pictures that could not be read"""


def train_recogniser(
    source: Path,
    out: Path,
    config: RecogniserConfig,
    *,
    command: str = "",
    progress: ProgressHook = silent,
) -> dict[str, Any]:
    """Writes ``out`` (``.weights.h5``) and beside it what it was made of (``.json``).

    A run that was stopped goes on from ``out``'s checkpoint, which is removed at the end.

    Args:
        source: CelebA in its official layout, or a folder with a sub-folder for each person.
        out: the weights' file.
        command: the command line, for the record.

    Returns:
        The record: data, terms, steps, seconds, and on persons kept apart ``verification``: how
        often a pair of one person is more alike than a pair of two, 0.5 (guessing) to 1.

    Raises:
        InputError, DataError: no folder, or fewer persons with two pictures than a step needs.
        UsageError: the name's ending, or a checkpoint of other settings.
        OutputError: the file cannot be written.
        KeyboardInterrupt: Ctrl-C or SIGTERM came; the step at work was ended and saved.
    """
    if not out.name.endswith(_ENDING):
        raise UsageError(f"-o: got '{out.name}', expected a name that ends in {_ENDING}")
    if not source.is_dir():
        raise InputError(f"{source}: no such folder; check the path of the faces")
    prepare_backend(config.seed, "auto", "one")
    listing, train, kept = _listed(source, config.seed)
    progress(Progress("reading the faces", 0, None))
    persons, judges = _read(train, listing.crop), _read(kept, listing.crop)
    if len(persons.pictures) < config.persons:
        raise DataError(
            f"{source}: {len(persons.pictures)} persons with two pictures to learn from, expected "
            f"at least {config.persons}, as many as a step takes; give more, or lower --persons"
        )
    learner = _Learner(config, out)
    learner.resume()
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        learner.train(persons.pictures, progress)
        part = out.with_name(f".{out.name.removesuffix(_ENDING)}.part{_ENDING}")
        learner.model.save_weights(part)
        part.replace(out)
    except OSError as error:
        raise OutputError(
            f"{out}: cannot be written ({error.strerror or error}); make room, then run it again"
        ) from None
    record = {
        "vsr_version": vsr.__version__,
        "command": command,
        "source": source.resolve().name,
        "terms": listing.terms,
        "persons": len(persons.pictures),
        "skipped": persons.skipped + judges.skipped,
        "settings": asdict(config),
        "steps": learner.step,
        "seconds": round(learner.seconds, 1),
        "hardware": hardware(),
        "weights_sha256": file_sha256(out),
    }
    if len(judges.pictures) >= 2:
        record["verification"] = round(verification(learner.model, judges.pictures), 4)
        record["verification_persons"] = len(judges.pictures)
    write_atomically(
        out.with_name(out.name.removesuffix(_ENDING) + ".json"), json.dumps(record, indent=2) + "\n"
    )
    learner.checkpoint.unlink(missing_ok=True)
    return record


def _listed(
    source: Path, seed: int
) -> tuple[Listing, list[list[SourceImage]], list[list[SourceImage]]]:
    """What the folder holds: the pictures by person, to learn from and kept apart."""
    celeba = is_celeba(source)
    config = PrepareConfig(hr=SIDE, seed=seed, identity="auto" if celeba else "folder")
    listing = (list_celeba if celeba else list_folder)(source, config)
    persons: dict[bool, dict[str, list[SourceImage]]] = {
        True: defaultdict(list),
        False: defaultdict(list),
    }
    for image, split in assign_splits(listing.images, config)[0]:
        if image.identity is not None:
            persons[split == "train"][image.identity].append(image)
    train, kept = (
        [images for _, images in sorted(found.items()) if len(images) >= 2]
        for found in (persons[True], persons[False])
    )
    return listing, train, kept


def _read(persons: list[list[SourceImage]], crop: str) -> _Persons:
    rule, read, skipped = CropRule.parse(crop), [], 0
    for images in persons:
        pair = []
        for image in images:
            try:
                rgb = decode_rgb(image.path.read_bytes())
                pair.append(cut_hr(rgb, square_of(rgb, image.box, rule), SIDE, allow_upscale=True))
            except (OSError, Unusable):
                skipped += 1
            if len(pair) == 2:
                read.append(np.stack(pair))
                break
    pictures = np.stack(read) if read else np.empty((0, 2, SIDE, SIDE, 3), np.uint8)
    return _Persons(pictures, skipped)


class _Learner:
    """The network, its optimiser, and where they stand."""

    def __init__(self, config: RecogniserConfig, out: Path) -> None:
        self.config = config
        self.checkpoint = out.with_name(out.name.removesuffix(_ENDING) + ".checkpoint.npz")
        self.model = build_recogniser()
        self.variables = self.model.trainable_variables
        self.optimiser: Any = keras.optimizers.AdamW(
            config.rate, weight_decay=0.05, global_clipnorm=1.0
        )
        self.optimiser.build(self.variables)
        self.step, self.seconds = 0, 0.0
        self._state = {f"model/{w.path}": w for w in self.model.weights} | {
            f"optimiser/{i}": v for i, v in enumerate(self.optimiser.variables)
        }
        self._update = current().compile_step(self._step, list(self._state.values()))

    def resume(self) -> None:
        """Takes up the checkpoint, where there is one.

        Raises UsageError where it is of other settings, DataError where it is damaged.
        """
        if not self.checkpoint.is_file():
            return
        meta = load_checkpoint(self.checkpoint, self._state)
        if meta["settings"] != asdict(self.config):
            raise UsageError(
                f"{self.checkpoint}: was begun with other settings, expected this command's; "
                "give the same ones, or delete it to start over"
            )
        self.step, self.seconds = int(meta["step"]), float(meta["seconds"])

    def train(self, pictures: np.ndarray, progress: ProgressHook) -> None:
        """Runs to the end.

        Raises KeyboardInterrupt where it was asked to stop, DataError where the loss became NaN.
        """
        begun, config = time.monotonic() - self.seconds, self.config
        with asked_to_stop() as stopping, Flow() as flow:
            # made while the ones before are learnt
            for batch in flow.stage("views", self._batches(pictures), size=2):
                done = self._done()
                cosine = 0.02 + 0.49 * (1 + math.cos(math.pi * done))
                self.optimiser.learning_rate.assign(
                    config.rate * cosine * min(1, (self.step + 1) / 100)
                )
                parts = self._update(ops.convert_to_tensor(batch))
                self.step += 1
                self.seconds = time.monotonic() - begun
                if self.step % 10 == 0:
                    told = f"loss {float(parts['loss']):.3f}, right {float(parts['right']):.1%}"
                    progress(Progress(told, self.step, config.steps, unit="steps"))
                if stopping() or self.step % _SAVE_EVERY == 0:
                    self._save()
                if stopping():
                    raise KeyboardInterrupt
                if self._done() >= 1:
                    return

    def _done(self) -> float:
        share = self.step / self.config.steps
        minutes = self.config.minutes
        return min(1.0, share if minutes is None else max(share, self.seconds / (60 * minutes)))

    def _batches(self, pictures: np.ndarray) -> Iterator[np.ndarray]:
        """Batches from the step that is next, by its number."""
        for step in itertools.count(self.step):
            yield views(pictures, self.config.persons, [self.config.seed, step])

    def _save(self) -> None:
        meta = {
            "step": self.step,
            "seconds": round(self.seconds, 1),
            "settings": asdict(self.config),
        }
        if not save_checkpoint(self.checkpoint, self._state, meta):
            raise DataError(f"{self.checkpoint}: the loss is NaN; start over with a lower --rate")

    def _step(self, batch: Any) -> dict[str, Any]:
        def loss() -> tuple[Any, dict[str, Any]]:
            total, right = contrastive_loss(self.model(batch, training=True)[-1])
            return total, {"loss": total, "right": right}

        parts, grads = current().value_and_grad(loss, self.variables, list(self._state.values()))
        self.optimiser.apply(grads, self.variables)
        return parts


def contrastive_loss(embeddings: Any) -> tuple[Any, Any]:
    """Khosla et al., equation 2, with two pictures of each person.

    Args:
        embeddings: ``(2 P, C)`` of length 1; rows k and P + k are of one person.

    Returns:
        The loss, and the share of pictures whose nearest other one is of the same person.
    """
    count = embeddings.shape[0]
    embeddings = ops.cast(embeddings, "float32")
    logits = ops.matmul(embeddings, ops.transpose(embeddings)) / _TEMPERATURE
    logits = logits - 1e9 * ops.eye(count)  # not with itself
    partner = ops.convert_to_tensor(np.roll(np.arange(count, dtype=np.int32), count // 2))
    loss = ops.mean(ops.sparse_categorical_crossentropy(partner, logits, from_logits=True))
    right = ops.mean(
        ops.cast(ops.equal(ops.cast(ops.argmax(logits, axis=1), "int32"), partner), "float32")
    )
    return loss, right


def views(pictures: np.ndarray, persons: int, seed: list[int]) -> np.ndarray:
    """A step's pictures: float32 ``(2 * persons, SEEN, SEEN, 3)`` in [-1, 1].

    pictures: uint8 ``(N, 2, SIDE, SIDE, 3)``. The first half are first pictures of ``persons``
    different persons, the second half their second ones.
    """
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(pictures), persons, replace=False)
    return np.stack([_changed(pictures[k, side], rng) for side in (0, 1) for k in chosen])


def _changed(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same person under other circumstances: float32 ``(SEEN, SEEN, 3)`` in [-1, 1]."""
    seen = cv2.warpAffine(
        picture, _placing(rng), (SEEN, SEEN), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    way = rng.random()
    if way < 0.35:
        seen = cv2.GaussianBlur(seen, (0, 0), rng.uniform(0.4, 1.6))
    elif way < 0.5:
        side = int(rng.uniform(20, 60))
        small = cv2.resize(seen, (side, side), interpolation=cv2.INTER_AREA)
        seen = cv2.resize(small, (SEEN, SEEN), interpolation=cv2.INTER_CUBIC)
    seen = (seen.astype(np.float32) - 128) * rng.uniform(0.75, 1.3) + 128 + rng.uniform(-20, 20)
    if rng.random() < 0.4:
        seen += rng.normal(0, rng.uniform(0, 6), seen.shape)
    seen *= rng.uniform(0.9, 1.1, 3)
    if rng.random() < 0.15:
        seen[:] = seen.mean(axis=2, keepdims=True)
    if rng.random() < 0.2:  # something before the face
        (width, height), (x, y) = rng.integers(12, 36, 2), rng.integers(0, SEEN - 12, 2)
        seen[y : y + height, x : x + width] = rng.uniform(0, 255)
    return (np.clip(seen, 0, 255) / 127.5 - 1).astype(np.float32)


def _placing(rng: np.random.Generator) -> np.ndarray:
    """A matrix for OpenCV: part of the picture, turned, half of the time mirrored."""
    zoom = SEEN / (SIDE * rng.uniform(0.62, 1.15))
    angle = np.deg2rad(rng.normal(0, 6))
    centre = SIDE / 2 + rng.normal(0, 5, 2)
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if rng.random() < 0.5:
        turn[0] *= -1
    return np.column_stack([turn, SEEN / 2 - turn @ centre])


def verification(model: keras.Model, pictures: np.ndarray) -> float:
    """How often a pair of one person is more alike than one of two persons: 0.5 to 1 (the area
    under the ROC curve).

    pictures: uint8 ``(N, 2, SIDE, SIDE, 3)``, persons that the network has not seen; each is
    shown as it is and mirrored.
    """
    first, second = (_embedded(model, pictures[:, side]) for side in (0, 1))
    alike = first @ second.T
    same, other = np.diag(alike), np.sort(alike[~np.eye(len(alike), dtype=bool)])
    below = np.searchsorted(other, same, "left") + np.searchsorted(other, same, "right")
    return float(np.mean(below) / (2 * len(other)))


def _embedded(model: keras.Model, pictures: np.ndarray) -> np.ndarray:
    edge = (SIDE - SEEN) // 2 - 4
    inner = pictures[:, edge : SIDE - edge, edge : SIDE - edge].astype(np.float32) / 127.5 - 1
    found = []
    for start in range(0, len(inner), 64):
        some = inner[start : start + 64]
        both = (
            model(ops.convert_to_tensor(x), training=False)[-1] for x in (some, some[:, :, ::-1])
        )
        found.append(sum(ops.convert_to_numpy(ops.cast(e, "float32")) for e in both))
    vectors = np.concatenate(found)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
