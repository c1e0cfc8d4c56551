"""``vsr models``: list, show, add."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vsr.cli.models import app
from vsr.core.errors import DataError, InputError, ModelError, UsageError
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
    text = _run("add", str(run_folder))
    assert "--model tiny-x2 --scale 2" in text
    added = json.loads(
        _run(
            "add",
            str(run_folder),
            "--name",
            "b",
            "--to",
            str(tmp_path),
            "--terms",
            "mine",
            "--licence",
            "MIT",
            "--mirror",
            "--json",
        )
    )
    assert (added["terms"], added["licence"], added["mirror"]) == ("mine", "MIT", True)
    assert "its mirror image" in (tmp_path / "b.md").read_text()
    assert (added["name"], (tmp_path / "b.weights.h5").exists()) == ("b", True)
    with pytest.raises(ModelError, match="the name is taken"):
        _run("add", str(run_folder))


def test_add_with_a_comparison(user_models: Path, run_folder: Path, tmp_path: Path) -> None:
    score = {"mean": 30.0, "error": 0.1, "count": 9}
    rows = [
        {"model": m, "condition": c, "scores": {"psnr": score}, "gains": {"psnr": score}}
        for m in ("bicubic", "tiny-x2")
        for c in ("clean", "degraded")
    ]
    values = {
        "scale": 2,
        "faces": 9,
        "rows": [{**r, "same_person": None} for r in rows],
        "skipped": [],
    }
    file = tmp_path / "c.json"
    file.write_text(json.dumps(values))
    added = json.loads(_run("add", str(run_folder), "--comparison", str(file), "--json"))
    assert added["figures"]["degraded_psnr_gain_db"] == 30.0
    assert "| tiny-x2 | 30.00 | +30.00 ± 0.10 |" in (user_models / "tiny-x2.md").read_text()
    better = tmp_path / "more.json"
    row = {"mean": 31.0, "error": 0.1, "count": 90}
    changed = [{**r, "gains": {"psnr": row}, "same_person": None} for r in rows]
    better.write_text(json.dumps({**values, "faces": 90, "rows": changed}))
    files = ("--comparison", str(file), "--comparison", str(file), "--figures", str(better))
    for row in values["rows"]:
        row["model"] = row["model"].replace("tiny-x2", "b")
    file.write_text(json.dumps(values))
    better.write_text(better.read_text().replace("tiny-x2", "b"))
    added = json.loads(_run("add", str(run_folder), "--name", "b", *files, "--json"))
    assert added["figures"]["psnr_gain_db"] == 31.0
    for text, error, words in (
        ("{", InputError, "cannot be read as JSON"),
        ("[]", DataError, "is not what 'vsr evaluate models --json' prints"),
        (json.dumps({**values, "rows": []}), UsageError, "not 'c'; compare it first"),
    ):
        file.write_text(text)
        with pytest.raises(error, match=words):
            _run("add", str(run_folder), "--name", "c", "--comparison", str(file))
    assert not (user_models / "c.json").exists()
