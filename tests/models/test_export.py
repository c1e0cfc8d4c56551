"""From a training run to a registered model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vsr.core.errors import ModelError
from vsr.models.card import render_card
from vsr.models.export import add_model, bfloat16_error, probe_pictures, write_export
from vsr.models.registry import find_card, get_spec, load_generator
from vsr.models.spec import spec_from_dict


def test_one_step_makes_a_usable_model(
    user_models: Path, run_folder: Path, tiny_model: Any, face: np.ndarray
) -> None:
    spec = add_model(run_folder, comparison="| model | dB |\n|---|---|\n| tiny | 1 |")
    assert sorted(p.name for p in user_models.iterdir()) == [
        "tiny-x2.json",
        "tiny-x2.md",
        "tiny-x2.weights.h5",
    ]
    assert get_spec("tiny-x2") == spec
    assert spec.parameters == tiny_model.count_params()
    assert spec.vsr_version
    x = face[None].astype(np.float32) / 127.5 - 1
    stored = load_generator("tiny-x2")
    assert np.abs(np.asarray(stored(x)) - np.asarray(tiny_model(x))).max() * 127.5 < 0.25
    card = find_card("tiny-x2")
    assert card is not None
    for words in ("vsr train FACES -o RUN", "tests only", "| tiny | 1 |", "3.5", "Seed 3"):
        assert words in card


@pytest.mark.parametrize(
    ("hardware", "seconds", "words"),
    [
        ("", None, "Seed 3.\n"),
        ("two CPU cores", None, "Seed 3. two CPU cores.\n"),
        ("", 720.4, "Seed 3. 12 minutes.\n"),
        ("one H100", 7200, "Seed 3. one H100, 120 minutes.\n"),
    ],
)
def test_the_card_says_how_it_was_trained(
    values: dict[str, Any], hardware: str, seconds: float | None, words: str
) -> None:
    values["training"] |= {"hardware": hardware, "duration_s": seconds}
    assert words in render_card(spec_from_dict(values, "test"))


def test_the_error_of_bfloat16_is_measured(
    user_models: Path, run_folder: Path, tiny_model: Any
) -> None:
    spec = add_model(run_folder)
    measured = bfloat16_error(tiny_model, spec)
    assert 0 < measured < 5
    assert spec.bfloat16_error == pytest.approx(measured, abs=0.05)


def test_probe_pictures_are_fixed() -> None:
    pictures = probe_pictures()
    assert pictures.shape == (8, 48, 48, 3)
    assert pictures.min() >= 0
    assert pictures.max() <= 255
    np.testing.assert_array_equal(pictures, probe_pictures())


def test_names_are_not_taken_twice(user_models: Path, run_folder: Path) -> None:
    add_model(run_folder)
    with pytest.raises(ModelError, match=r"'tiny-x2': the name is taken; .*--overwrite"):
        add_model(run_folder)
    add_model(run_folder, overwrite=True)
    for taken in ("bicubic", "srresnet-x2"):
        with pytest.raises(
            ModelError, match=f"'{taken}': the name is taken; choose another --name"
        ):
            add_model(run_folder, changes={"name": taken}, overwrite=True)
    assert len(list(user_models.iterdir())) == 3


def test_where_an_export_may_lie(user_models: Path, run_folder: Path, tmp_path: Path) -> None:
    (run_folder / "state.json").write_text("{}")
    deeper = tmp_path / "deeper"
    deeper.mkdir()
    run_folder.rename(deeper / "export")
    assert add_model(deeper).name == "tiny-x2"
    assert add_model(deeper / "export" / "tiny-x2.json", changes={"name": "b"}).name == "b"


def test_no_export_or_too_many(run_folder: Path, tiny_model: Any, values: dict[str, Any]) -> None:
    write_export(run_folder, tiny_model, {**values, "name": "second"})
    with pytest.raises(ModelError, match=r"holds 2 exports, .*name its \.json"):
        add_model(run_folder)
    with pytest.raises(ModelError, match=r"holds no export, .*'vsr train'"):
        add_model(run_folder / "nothing")


def test_a_bad_export_writes_nothing(
    user_models: Path, run_folder: Path, tiny_model: Any, values: dict[str, Any], tmp_path: Path
) -> None:
    path = run_folder / "tiny-x2.json"
    good = json.loads(path.read_text())
    for change, words in (
        ({"generator": {**good["generator"], "filters": 9}}, "arrays, the generator wants"),
        ({"generator": {**good["generator"], "filtr": 9}}, "filtr"),
        ({"familly": "srgan"}, "unknown key 'familly'; did you mean 'family'"),
    ):
        path.write_text(json.dumps({**good, **change}))
        with pytest.raises(ModelError, match=words):
            add_model(run_folder)
    path.write_text("{")
    with pytest.raises(ModelError, match="not a readable export"):
        add_model(run_folder)
    assert not user_models.exists()
    with pytest.raises(ModelError, match="scale: got 3"):
        write_export(tmp_path, tiny_model, {**values, "scale": 3})
    assert not list(tmp_path.glob("*.h5"))
