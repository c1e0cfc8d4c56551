from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import pytest

from vsr.core.errors import DataError, ModelError, UsageError
from vsr.core.progress import Progress
from vsr.models.recogniser import build_recogniser, load_recogniser
from vsr.train.losses import identity_loss
from vsr.train.phases import build_phase
from vsr.train.recogniser import (
    RecogniserConfig,
    contrastive_loss,
    train_recogniser,
    verification,
    views,
)

QUICK = RecogniserConfig(steps=6, persons=4, seed=3)


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten 'persons', each a smooth pattern of its own, two pictures and noise on them."""
    root, rng = tmp_path_factory.mktemp("people"), np.random.default_rng(0)
    for split, count in (("train", 6), ("val", 4)):
        for person in range(count):
            folder = root / split / f"{split}-{person}"
            folder.mkdir(parents=True)
            face = cv2.GaussianBlur(rng.uniform(0, 255, (128, 128, 3)), (0, 0), 9) * 6 - 640
            for index in range(2):
                shown = np.clip(face + rng.normal(0, 4, face.shape), 0, 255)
                cv2.imwrite(str(folder / f"{index}.png"), shown.astype(np.uint8))
    (root / "train" / "train-0" / "2.png").write_bytes(b"no picture")
    return root


@pytest.fixture(scope="module")
def made(people: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    policy = keras.config.dtype_policy()  # which training sets for the whole process
    out = tmp_path_factory.mktemp("made") / "r.weights.h5"
    record = train_recogniser(people, out, QUICK, command="vsr train-recogniser …")
    keras.config.set_dtype_policy(policy)
    return out, record


def test_it_writes_weights_and_what_they_are_made_of(made) -> None:
    out, record = made
    assert record == json.loads((out.parent / "r.json").read_text())
    assert (record["steps"], record["persons"], record["verification_persons"]) == (6, 6, 4)
    assert 0 <= record["verification"] <= 1
    assert record["terms"] == "not stated"
    assert sorted(p.name for p in out.parent.iterdir()) == ["r.json", "r.weights.h5"]
    fresh, trained = build_recogniser(), load_recogniser(out)
    assert not trained.trainable_variables
    assert any(
        not np.array_equal(a, b)
        for a, b in zip(fresh.get_weights(), trained.get_weights(), strict=True)
    )


def test_a_stopped_run_goes_on_to_equal_weights(people, tmp_path, monkeypatch) -> None:
    out = tmp_path / "r.weights.h5"

    class Stop(Exception):
        pass

    def stop(p: Progress) -> None:
        if p.unit == "steps" and p.done == 10:
            raise Stop

    long = replace(QUICK, steps=12)
    whole = train_recogniser(people, tmp_path / "whole.weights.h5", long)
    monkeypatch.setattr("vsr.train.recogniser._SAVE_EVERY", 5)
    with pytest.raises(Stop):
        train_recogniser(people, out, long, progress=stop)
    assert (tmp_path / "r.checkpoint.npz").is_file()
    assert not out.exists()
    with pytest.raises(UsageError, match="begun with other settings"):
        train_recogniser(people, out, replace(long, rate=0.1))
    again = train_recogniser(people, out, long)
    assert again["steps"] == 12
    assert not (tmp_path / "r.checkpoint.npz").exists()
    left, right = (load_recogniser(tmp_path / f"{n}.weights.h5") for n in ("whole", "r"))
    for a, b in zip(left.get_weights(), right.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert whole["verification"] == again["verification"]


def test_it_needs_as_many_persons_as_a_step_takes(people, tmp_path) -> None:
    with pytest.raises(DataError, match=r"6 persons with two pictures.*expected at least 96"):
        train_recogniser(people, tmp_path / "r.weights.h5", RecogniserConfig())
    with pytest.raises(UsageError, match=r"ends in \.weights\.h5"):
        train_recogniser(people, tmp_path / "r.h5", QUICK)
    assert not list(tmp_path.iterdir())


def test_views_are_two_of_each_person_and_follow_the_seed() -> None:
    pictures = np.zeros((5, 2, 128, 128, 3), np.uint8)
    pictures[:] = (np.arange(5) * 50 + 20).reshape(5, 1, 1, 1, 1)
    batch = views(pictures, 4, [1, 7])
    assert batch.shape == (8, 96, 96, 3)
    assert np.abs(batch).max() <= 1
    np.testing.assert_array_equal(batch, views(pictures, 4, [1, 7]))
    assert not np.array_equal(batch, views(pictures, 4, [1, 8]))


def test_the_contrastive_loss_is_the_papers() -> None:
    rng = np.random.default_rng(0)
    e = rng.normal(size=(6, 5)).astype("float32")
    e /= np.linalg.norm(e, axis=1, keepdims=True)
    terms = []
    for k in range(6):
        logits = e @ e[k] / 0.07
        others = np.delete(np.arange(6), k)
        terms.append(-logits[(k + 3) % 6] + np.log(np.exp(logits[others]).sum()))
    loss, _ = contrastive_loss(e)
    assert float(loss) == pytest.approx(np.mean(terms), rel=1e-4)
    same = np.eye(3, 5, dtype="float32")
    loss, right = contrastive_loss(np.concatenate([same, same]))
    assert float(loss) < 1e-4
    assert float(right) == 1


def test_verification_is_the_area_under_the_roc_curve() -> None:
    class Mean(keras.Model):
        """Embeds a picture by its colour."""

        def call(self, inputs: Any, training: bool = False) -> list[Any]:
            return [keras.ops.mean(inputs, axis=(1, 2))]

    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, (8, 1, 1, 1, 3))
    alike = np.broadcast_to(colours, (8, 2, 128, 128, 3)).astype(np.uint8)
    assert verification(Mean(), alike) == 1
    unlike = np.stack([alike[:, 0], np.roll(alike[:, 1], 1, axis=0)], axis=1)
    assert verification(Mean(), unlike) < 0.6


def test_identity_loss_is_zero_for_the_same_face_and_moves_the_generator(
    made, tiny, tmp_path
) -> None:
    network, rng = load_recogniser(made[0]), np.random.default_rng(0)
    a, b = rng.uniform(-1, 1, (2, 2, 32, 32, 3)).astype("float32")
    assert float(identity_loss(network(a), network(a))) == pytest.approx(0, abs=1e-4)
    assert 0 < float(identity_loss(network(a), network(b))) <= 2
    phase = build_phase(tiny(loss={"identity": 2.0, "recogniser": str(made[0])}))
    small = a.reshape(2, 16, 2, 16, 2, 3).mean((2, 4))
    parts = phase.step(small, a, rate=1.0, index=0)
    assert parts.keys() == {"pixel", "identity", "loss"}
    wanted = float(parts["pixel"]) + 2 * float(parts["identity"])
    assert float(parts["loss"]) == pytest.approx(wanted, rel=1e-5)
    with pytest.raises(ModelError, match=r"no such file.*train-recogniser"):
        build_phase(tiny(loss={"identity": 2.0, "recogniser": str(tmp_path / "none")}))
    damaged = tmp_path / "bad.weights.h5"
    damaged.write_bytes(made[0].read_bytes()[:5000])
    with pytest.raises(ModelError, match="could not be read"):
        load_recogniser(damaged)


def test_a_weight_needs_its_recogniser(tiny) -> None:
    with pytest.raises(UsageError, match=r"recogniser.*which loss.identity needs"):
        tiny(loss={"identity": 1.0})
