"""``vsr evaluate VIDEO``: the command as it is typed, and the folder it leaves."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from vsr.cli.evaluate import app
from vsr.core.errors import InputError, ModelError, OutputError, UsageError
from vsr.evaluate.experiment.results import recorded_path
from vsr.media.images import read_image

FAST = ("--model", "lanczos", "--scale", "2", "--measures", "fidelity,stability")


def _run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_path_is_enough(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "eval"
    text = _run(str(folder), *FAST, "-o", str(out))
    assert "Faces: 8 faces of 1 track of film, x2, clean" in text
    assert "Whole frames: 8 frames" in text
    assert "Box jitter" in text
    names = {"metrics.json", "metrics.csv", "table.md", "faces.png", "pictures"}
    assert {p.name for p in out.iterdir()} == names
    values = json.loads((out / "metrics.json").read_text())
    _look(out, values["pictures"])
    assert values["source"]["path"] == "../film"
    table = (out / "table.md").read_text()
    assert "| PSNR Y (dB) ↑ | " in table
    mean = next(
        e["mean"]
        for e in values["summary"]
        if (e["model"], e["level"], e["measure"]) == ("lanczos", "face", "psnr_y")
    )
    assert f"| {mean:.2f} " in table or f" {mean:.2f} +" in table


def _look(out: Path, pictures: list[dict[str, Any]]) -> None:
    """The pictures of the record are there, and are what they are called."""
    (one,) = pictures
    assert one["track"] == 0
    files = [one["lr"], *one["models"].values(), one["truth"]]
    assert sorted(files) == sorted(f"pictures/{p.name}" for p in (out / "pictures").iterdir())
    lr, bicubic, lanczos, truth = (read_image(out / name) for name in files)
    assert truth.shape == bicubic.shape == (2 * lr.shape[0], 2 * lr.shape[1], 3)
    inner = slice(40, -40)
    error = [np.abs(p.astype(int) - truth)[inner, inner].mean() for p in (bicubic, lanczos)]
    assert 0 < error[1] < error[0] < 10
    assert read_image(out / "faces.png").shape == (24 + 256, 4 * 256, 3)


def test_named_or_not_and_options_first(folder: Path) -> None:
    plain = json.loads(_run(str(folder), *FAST, "--json"))
    assert plain == json.loads(_run("video", str(folder), *FAST, "--json"))
    assert plain == json.loads(_run(*FAST, "--json", str(folder)))
    assert len(plain["faces"]) == 16


def test_help_shows_both_ways() -> None:
    text = _run("--help")
    for words in ("VIDEO|DIR", "video", "models"):
        assert words in text
    assert "--degrade" in _run("video", "--help")
    assert "--feature-faces" in _run("models", "--help")


def test_json_beside_files_is_short(folder: Path, tmp_path: Path) -> None:
    values = json.loads(_run(str(folder), *FAST, "--json", "-o", str(tmp_path / "e")))
    assert "faces" not in values
    assert values["summary"]
    assert _run(str(folder), *FAST, "--quiet") == ""


def test_an_experiment_is_not_lost_by_accident(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "eval"
    _run(str(folder), *FAST, "-o", str(out), "--quiet")
    before = (out / "metrics.json").read_bytes()
    with pytest.raises(OutputError, match="already exists"):
        _run(str(folder), *FAST, "-o", str(out))
    _run(str(folder), *FAST, "-o", str(out), "--overwrite", "--quiet")
    assert (out / "metrics.json").read_bytes() == before
    with pytest.raises(OutputError, match="holds other files"):
        _run(str(folder), *FAST, "-o", str(folder), "--overwrite")
    with pytest.raises(OutputError, match="does not exist"):
        _run(str(folder), *FAST, "-o", str(tmp_path / "no" / "eval"))
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="is not a folder"):
        _run(str(folder), *FAST, "-o", str(tmp_path / "file"))


def test_settings_reach_the_stages(folder: Path) -> None:
    changes = ("--set", "degrade.blur_sigma=1.5", "--set", "crop.margin=0.5", "--fps", "source")
    values = json.loads(_run(str(folder), *FAST, *changes, "--end", "0.2", "--json"))
    assert values["settings"]["degradation"]["name"] == "clean (changed)"
    assert values["settings"]["degradation"]["blur_sigma"] == 1.5
    assert values["settings"]["recipe"]["crop"]["margin"] == 0.5
    assert values["settings"]["recipe"]["decode"]["fps"] == "source"
    assert values["source"]["frames"] == 6


def test_wrong_input_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "eval"
    for arguments, error, words in (
        ((str(tmp_path / "gone.mp4"),), InputError, "no such file"),
        ((str(folder), "--model", "srgan-x3"), ModelError, "unknown model"),
        ((str(folder), "--model", "srgan-x2", "--scale", "4"), UsageError, "enlarges by 2"),
        ((str(folder), "--degrade", "rain"), UsageError, "--degrade: unknown 'rain'"),
        ((str(folder), "--set", "degrade.rain=1"), UsageError, "unknown key 'rain'"),
        ((str(folder), "--set", "degrade.blur_sigma=99"), UsageError, "expected 0 to 10 px"),
        ((str(folder), "--set", "upscale.model=lanczos"), UsageError, "use --model"),
        ((str(folder), "--measures", "psnr"), UsageError, "--measures: unknown 'psnr'"),
    ):
        with pytest.raises(error, match=words):
            _run(*arguments, "-o", str(out))
        assert not out.exists()
        assert not list(tmp_path.glob(".eval*"))


def test_one_line_and_the_code_of_its_cause(tmp_path: Path) -> None:
    call = [sys.executable, "-m", "vsr", "evaluate", str(tmp_path / "gone.mp4")]
    done = subprocess.run(call, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("source", "out", "want"),
    [
        ("a/film.mp4", "a/eval", "../film.mp4"),
        ("a/eval/film.mp4", "a/eval", "film.mp4"),
        ("a/deep/film.mp4", "a/eval", "../deep/film.mp4"),
    ],
)
def test_how_the_source_is_recorded(tmp_path: Path, source: str, out: str, want: str) -> None:
    assert recorded_path(tmp_path / source, tmp_path / out) == want
    assert (tmp_path / out / want).resolve() == (tmp_path / source).resolve()
    assert recorded_path(tmp_path / source, tmp_path / "b" / "c") == str(tmp_path / source)
    assert recorded_path(tmp_path / source, None) == str(tmp_path / source)


def test_a_real_clip(real_data: Path, tmp_path: Path) -> None:
    (clip,) = (real_data / "clips").glob("walk_*")
    values = json.loads(
        _run(
            str(clip),
            "--model",
            "srresnet-x2",
            "--measures",
            "fidelity,stability",
            "--start",
            "1",
            "--max-frames",
            "6",
            "--json",
        )
    )
    gain = {
        e["measure"]: e["gain"]
        for e in values["summary"]
        if e["model"] == "srresnet-x2" and e["level"] == "face"
    }
    assert gain["psnr_y"] > 0
    assert values["frames"][0]["seconds"] >= 1
    assert values["source"]["kind"] == "video"
