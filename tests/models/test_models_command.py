"""``vsr models``: list, show, add."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vsr.cli.models import app
from vsr.core.errors import InputError, ModelError
from vsr.models.registry import STORE, default_model


def _run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_list_as_json(user_models: Path) -> None:
    rows = {row["name"]: row for row in json.loads(_run("list", "--json"))}
    assert {"bicubic", "lanczos", *(p.stem for p in STORE.glob("*.json"))} == set(rows)
    assert rows[default_model(2)]["default"] is True
    assert rows["lanczos"]["default"] is False


def test_list_for_people(user_models: Path) -> None:
    user_models.mkdir()
    (user_models / "broken.json").write_text("{")
    text = _run("list")
    for words in ("srresnet-x2", "bicubic", "x2 x4 x8", "family"):
        assert words in text


def test_show(user_models: Path) -> None:
    assert json.loads(_run("show", "srresnet-x2", "--json"))["scale"] == 2
    assert "Training" in _run("show", "srresnet-x2")
    assert "interpolation" in _run("show", "bicubic", "--json")
    assert "Lanczos" in _run("show", "lanczos")
    with pytest.raises(ModelError, match="unknown model 'srresnet'"):
        _run("show", "srresnet")


def test_add(user_models: Path, run_folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.md"
    table.write_text("| a | b |\n")
    text = _run("add", str(run_folder), "--comparison", str(table))
    assert "--model tiny-x2 --scale 2" in text
    assert "| a | b |" in (user_models / "tiny-x2.md").read_text()
    added = json.loads(_run("add", str(run_folder), "--name", "b", "--to", str(tmp_path), "--json"))
    assert (added["name"], (tmp_path / "b.weights.h5").exists()) == ("b", True)
    with pytest.raises(ModelError, match="the name is taken"):
        _run("add", str(run_folder))
    with pytest.raises(InputError, match="--comparison"):
        _run("add", str(run_folder), "--name", "c", "--comparison", str(tmp_path / "none.md"))
    assert not (user_models / "c.json").exists()
