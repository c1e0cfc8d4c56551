"""Which models there are, which one is meant, and that a wrong one is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from vsr.core.errors import ModelError, UsageError
from vsr.models import registry
from vsr.models.export import add_model
from vsr.models.registry import (
    STORE,
    default_model,
    find_card,
    get_spec,
    list_models,
    load_generator,
    resolve_model,
    verify,
)

SHIPPED = sorted(path.stem for path in STORE.glob("*.json"))


def test_there_is_a_shipped_default() -> None:
    assert "srresnet-x2" in SHIPPED
    assert default_model(2) in SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_model_is_complete(name: str) -> None:
    spec = get_spec(name)
    verify(name)
    model = load_generator(name)
    assert sum(np.prod(v.shape) for v in model.weights) == spec.parameters
    assert spec.training is not None
    assert spec.terms
    assert spec.bfloat16_error is not None
    assert (STORE / spec.weights_file).stat().st_size < 12e6
    card = find_card(name)
    assert card is not None
    assert spec.weights_sha256 in card


def test_list_has_every_kind(user_models: Path, run_folder: Path) -> None:
    add_model(run_folder, changes={"name": "my-own"})
    names = [spec.name for spec in list_models()]
    assert set(names) == {*SHIPPED, "my-own", "bicubic", "lanczos"}
    assert names[-2:] == ["bicubic", "lanczos"]


def test_an_unknown_model_names_its_neighbour() -> None:
    with pytest.raises(ModelError, match=r"unknown model 'srresnet-2x': did you mean 'srresnet-x"):
        get_spec("srresnet-2x")
    with pytest.raises(ModelError, match="vsr models list"):
        load_generator("qqq")
    with pytest.raises(ModelError, match=r"no/such\.json: not a readable model spec"):
        get_spec("no/such.json")


def test_interpolation_has_no_generator() -> None:
    verify("bicubic")
    assert find_card("bicubic") is None
    with pytest.raises(ModelError, match="'bicubic': is interpolation"):
        load_generator("bicubic")


def test_a_damaged_spec_does_not_hide_the_others(user_models: Path) -> None:
    user_models.mkdir()
    (user_models / "broken.json").write_text("{")
    heard: list[ModelError] = []
    assert "bicubic" in [spec.name for spec in list_models(heard.append)]
    assert len(heard) == 1
    assert "broken.json" in str(heard[0])
    with pytest.raises(ModelError, match=r"broken\.json"):
        list_models()


def test_a_model_by_its_path(user_models: Path, run_folder: Path, tmp_path: Path) -> None:
    spec = add_model(run_folder, folder=tmp_path / "elsewhere")
    path = tmp_path / "elsewhere" / f"{spec.name}.json"
    assert get_spec(path) == spec
    assert load_generator(str(path)).count_params() == spec.parameters


def test_a_spec_under_another_name(user_models: Path, run_folder: Path) -> None:
    spec = add_model(run_folder)
    shutil.copy(user_models / f"{spec.name}.json", user_models / "other.json")
    with pytest.raises(ModelError, match=f"holds the spec of '{spec.name}'; rename"):
        get_spec("other")


def test_tampered_weights_are_not_opened(
    user_models: Path, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = add_model(run_folder)
    with (user_models / spec.weights_file).open("r+b") as file:
        file.seek(2000)
        file.write(b"x")
    monkeypatch.setattr(registry, "load_weights", lambda *_: pytest.fail("the file was opened"))
    for use in (verify, load_generator):
        with pytest.raises(ModelError, match="damaged or belongs to another spec"):
            use(spec.name)


def test_a_spec_for_another_generator(user_models: Path, run_folder: Path) -> None:
    spec = add_model(run_folder)
    path = user_models / f"{spec.name}.json"
    values = json.loads(path.read_text())
    values["generator"]["filters"] = 16
    path.write_text(json.dumps(values))
    with pytest.raises(ModelError, match=r"tiny-x2\.weights\.h5: holds 14 arrays"):
        load_generator(spec.name)
    values["generator"]["filtres"] = 16
    path.write_text(json.dumps(values))
    with pytest.raises(ModelError, match="filtres"):
        load_generator(spec.name)


def test_what_auto_means(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "STORE", tmp_path)
    assert [default_model(scale) for scale in (2, 4, 8)] == ["bicubic"] * 3
    (tmp_path / "srresnet-x2.json").touch()
    assert default_model(2) == "srresnet-x2"
    (tmp_path / "srgan-x2.json").touch()
    assert default_model(2) == "srgan-x2"
    assert default_model(2, "srresnet") == "srresnet-x2"
    assert default_model(2, "interpolation") == "bicubic"
    with pytest.raises(ModelError, match="no shipped srgan model enlarges by 4"):
        default_model(4, "srgan")
    with pytest.raises(UsageError, match="--scale: got 3, expected one of 1, 2, 4, 8"):
        default_model(3)


def test_model_and_scale_must_fit() -> None:
    assert resolve_model("auto", 2).name == default_model(2)
    assert resolve_model("lanczos", 8).name == "lanczos"
    with pytest.raises(
        UsageError, match=r"got 4, but model 'srresnet-x2' enlarges by 2; .*bicubic, lanczos"
    ):
        resolve_model("srresnet-x2", 4)
