"""The whole experiment on a small film: from its files to its files."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from vsr.core.errors import DataError, InputError, MissingDependencyError, UsageError
from vsr.core.progress import Progress
from vsr.degrade.image import enlarge_image
from vsr.degrade.presets import JPEG, PRESETS
from vsr.evaluate.experiment import experiment
from vsr.evaluate.experiment.config import ExperimentConfig, degradation
from vsr.evaluate.experiment.experiment import run_experiment
from vsr.evaluate.experiment.render import find_trials, pending_frames, render_each
from vsr.evaluate.experiment.results import Results
from vsr.evaluate.experiment.truth import TruthSource
from vsr.faces.working import WorkingConfig
from vsr.models.interpolate import InterpolationUpscaler
from vsr.models.registry import get_spec
from vsr.models.upscale import UpscaleConfig, Upscaler, load_upscaler
from vsr.run.recipe import Recipe, load_recipe

PLAIN = ("fidelity", "stability")


class _Seer:
    """Knows the film: finds the place of an LR crop in it and hands out the truth there."""

    name, scale, sha256 = "seer", 2, ""

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        self._truths = list(TruthSource(folder, ExperimentConfig(), recipe.decode))

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        return np.stack([self._find(crop) for crop in batch])

    def _find(self, crop: np.ndarray) -> np.ndarray:
        for truth in self._truths:
            match = cv2.matchTemplate(truth.lr.rgb, crop, cv2.TM_SQDIFF)
            y, x = np.unravel_index(match.argmin(), match.shape)
            height, width = crop.shape[:2]
            if np.array_equal(truth.lr.rgb[y : y + height, x : x + width], crop):
                return truth.rgb[2 * y : 2 * (y + height), 2 * x : 2 * (x + width)]
        raise AssertionError("a crop that is not of the film")


class _Dimmed:
    """Leaves the evidence: a third darker than what was filmed."""

    name, scale, sha256 = "dimmed", 2, ""

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        return np.stack([(enlarge_image(p, 2) * 0.66).astype(np.uint8) for p in batch])


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return load_recipe("restore", [("paste", "correct_drift", False)])


def _run(folder: Path, recipe: Recipe, *upscalers: Upscaler, **options: object) -> Results:
    cfg = ExperimentConfig(**{"measures": PLAIN, **options})  # type: ignore[arg-type]
    return run_experiment(folder, upscalers, recipe, cfg)[0]


def test_who_knows_the_truth_wins(folder: Path, recipe: Recipe) -> None:
    results = _run(folder, recipe, _Seer(folder, recipe), InterpolationUpscaler("lanczos", 2))
    assert [model["name"] for model in results.models] == ["bicubic", "seer", "lanczos"]
    for measure, better in (
        ("psnr_y", 1), ("ssim_y", 1), ("psnr_rgb", 1), ("ssim_rgb", 1), ("haarpsi", 1),
        ("flicker", -1),
    ):  # fmt: skip
        seer = results.find("seer", "face", measure)
        assert seer is not None
        assert seer.gain is not None
        assert seer.gain_low is None or seer.gain_low <= seer.gain
        assert better * seer.gain > 0, measure
    psnr = results.find("seer", "face", "psnr_y")
    assert psnr is not None
    assert psnr.mean > 45  # where the feather begins, Lanczos shines through
    assert results.tracks[0]["models"]["seer"]["plain"] == 0
    assert results.tracks[0]["box_jitter"] < 0.05


def test_what_leaves_its_evidence_is_not_pasted(folder: Path, recipe: Recipe) -> None:
    results = _run(folder, recipe, _Dimmed())
    assert results.tracks[0]["models"]["dimmed"]["plain"] == results.tracks[0]["frames"]
    assert {r.outcome for r in results.faces if r.model == "dimmed"} == {"plain"}


def test_faces_are_found_once_and_in_the_reduced_picture(folder: Path, recipe: Recipe) -> None:
    results = _run(folder, recipe, InterpolationUpscaler("lanczos", 2))
    ours = [(r.frame, r.track, r.box, r.window) for r in results.faces if r.model == "bicubic"]
    theirs = [(r.frame, r.track, r.box, r.window) for r in results.faces if r.model == "lanczos"]
    assert ours == theirs
    assert len(ours) == 8
    assert 30 < results.tracks[0]["median_width_px"] < 60  # 89 pixels in the truth
    assert {row.faces for row in results.frames} == {1}


def test_outside_its_faces_a_frame_is_plain(folder: Path, recipe: Recipe) -> None:
    cfg = ExperimentConfig()
    truths = TruthSource(folder, cfg, recipe.decode)
    trials = find_trials(truths, recipe, whole=False)
    for trial, (made,) in render_each(trials, [_Seer(folder, recipe)], recipe, whole=False):
        changed = np.any(made.rgb != trial.truth.plain, axis=-1)
        window = trial.crops[0].window.scaled(2)
        assert changed[window.slices].mean() > 0.3
        changed[window.slices] = False
        assert not changed.any()


def test_results_are_the_same_every_time(folder: Path, recipe: Recipe) -> None:
    options = {"degrade": "jpeg", "degradation": JPEG}
    one, two = (_run(folder, recipe, **options).to_json() for _ in range(2))
    assert one == two
    assert one != _run(folder, recipe, **options, seed=1).to_json()


def test_degradation_makes_it_harder_and_is_recorded(folder: Path, recipe: Recipe) -> None:
    worse = degradation("jpeg", 2)
    clean, bad = (
        _run(folder, recipe),
        _run(folder, recipe, degrade="jpeg", degradation=worse),
    )
    for measure in ("psnr_y", "ssim_rgb", "haarpsi"):
        a, b = (r.find("bicubic", "face", measure) for r in (clean, bad))
        assert a is not None
        assert b is not None
        assert a.mean > b.mean
    assert bad.settings["degradation"]["noise_sigma"] == 6.0
    assert bad.settings["degradation"]["name"] == "jpeg"


def test_frames_go_through_a_real_encoder(folder: Path, recipe: Recipe) -> None:
    """The whole clip: later frames are predicted from earlier ones, so that still ones agree."""
    coded = ExperimentConfig(degradation=degradation("codec", 2))
    plain = ExperimentConfig()
    with_codec, without = (list(TruthSource(folder, cfg, recipe.decode)) for cfg in (coded, plain))
    assert [t.lr.pts for t in with_codec] == [t.lr.pts for t in without]
    for a, b in zip(with_codec, without, strict=True):
        np.testing.assert_array_equal(a.rgb, b.rgb)
        error = a.lr.rgb.astype(float) - b.lr.rgb
        assert 0.3 < np.abs(error).mean() < 8  # crf 30 costs something, but it is the same frame
    record = coded.to_dict()["degradation"]
    assert record["coding"] == {"codec": "x264", "quality": 30, "preset": "medium", "gop": 250}
    assert json.loads(json.dumps(record)) == record


def test_every_preset_has_a_name_for_the_command(folder: Path, recipe: Recipe) -> None:
    assert {
        "clean",
        "jpeg",
        "codec",
        "surveillance",
        "mjpeg",
        "soft",
        "motion",
        "heavy",
        "tiny",
    } == set(PRESETS)
    assert degradation("surveillance", 4).reduction == "area"
    assert degradation("heavy", 2) == PRESETS["heavy"]


def test_noise_depends_on_the_time_and_not_on_where_one_begins(
    folder: Path, recipe: Recipe
) -> None:
    cfg = {"degradation": JPEG}
    all_of_it = list(TruthSource(folder, ExperimentConfig(**cfg), recipe.decode))
    part = list(TruthSource(folder, ExperimentConfig(**cfg, start_s=0.1), recipe.decode))
    assert [t.lr.pts for t in part] == [t.lr.pts for t in all_of_it[3:]]
    np.testing.assert_array_equal(part[0].lr.rgb, all_of_it[3].lr.rgb)
    assert (all_of_it[3].lr.rgb != all_of_it[4].lr.rgb).any()


def test_the_record_is_strict_json_and_complete(folder: Path, recipe: Recipe) -> None:
    results = _run(folder, recipe, InterpolationUpscaler("lanczos", 2))
    text = results.to_json()
    assert "NaN" not in text
    assert "Infinity" not in text
    values = json.loads(text)
    assert values == json.loads(json.dumps(results.to_dict()))
    assert (values["format"], values["kind"], values["source"]["kind"]) == (
        1,
        "evaluation",
        "frames",
    )
    assert len(values["source"]["sha256"]) == 64
    assert (len(values["faces"]), len(values["frames"])) == (16, 16)
    for row in values["faces"]:
        assert set(row) >= {"frame", "pts", "seconds", "track", "model", "box", "window", "outcome"}
        assert set(row) >= {name for name, m in values["measures"].items() if "face" in m["levels"]}
    for row in values["summary"]:
        assert row["measure"] in values["measures"]
        assert row["over"] == "1 stretch of 10 frames" or row["level"] == "face"
    rows = list(csv.DictReader(io.StringIO(results.to_csv())))
    assert [row["level"] for row in rows] == ["frame"] * 16 + ["face"] * 16
    faces = [row for row in rows if row["level"] == "face"]
    assert [float(row["psnr_y"]) for row in faces] == [row["psnr_y"] for row in values["faces"]]


def test_no_more_frames_than_asked_for(folder: Path, recipe: Recipe) -> None:
    told: list[Progress] = []
    cfg = ExperimentConfig(measures=PLAIN, max_frames=6)
    results, _ = run_experiment(folder, [], recipe, cfg, told.append)
    assert (results.source["frames"], len(results.frames)) == (6, 6)
    assert (told[-1].done, told[-1].total, told[-1].faces) == (6, 6, 6)
    assert "only the first 6 frames" in results.notices[-1]
    whole = _run(folder, recipe, max_frames=8)
    assert (whole.source["frames"], whole.notices) == (8, [])


def test_few_large_pictures_wait_at_a_time() -> None:
    def waiting(height: int, width: int) -> int:
        rgb = np.broadcast_to(np.uint8(0), (height, width, 3))
        trial = SimpleNamespace(truth=SimpleNamespace(rgb=rgb))
        return pending_frames(trial, 4)  # type: ignore[arg-type]

    assert (waiting(2160, 3840), waiting(256, 256)) == (1, 8)


def test_faces_of_an_enlarged_clip_are_made_at_their_working_scale(
    folder: Path, recipe: Recipe
) -> None:
    """As `vsr run` makes them, by the networks of the model's family."""
    upscaler = load_upscaler(UpscaleConfig(model="srresnet-x2", scale=2))
    heavy = {"degrade": "heavy", "degradation": degradation("heavy", 2)}
    auto = _run(folder, recipe, upscaler, **heavy)
    crop = _run(folder, replace(recipe, working=WorkingConfig(scale="crop")), upscaler, **heavy)
    for results in (auto, crop):
        assert {r.outcome for r in results.faces if r.model == "srresnet-x2"} == {"super-resolved"}
    one, two, base, same = (
        r.find(model, "face", "psnr_y")
        for model in ("srresnet-x2", "bicubic")
        for r in (auto, crop)
    )
    assert one is not None
    assert two is not None
    assert one.mean != two.mean
    assert base == same


def test_face_pictures(tmp_path: Path, film: list[np.ndarray], recipe: Recipe) -> None:
    faces = tmp_path / "faces"
    faces.mkdir()
    for i, side in enumerate((121, 96, 64)):
        picture = cv2.cvtColor(film[i][20 : 20 + side, 60 : 60 + side], cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(faces / f"{i}.png"), picture)
    (faces / "broken.png").write_bytes(b"x")
    results = _run(faces, recipe, InterpolationUpscaler("lanczos", 2), faces=True)
    assert [r.picture for r in results.faces if r.model == "lanczos"] == ["0.png", "1.png", "2.png"]
    assert results.tracks == []
    assert not {"flicker", "warp_error"} & results.measures.keys()
    assert "broken.png" in results.notices[0]
    gain = results.find("lanczos", "face", "psnr_y")
    assert gain is not None
    assert gain.gain is not None
    assert gain.gain > 0
    assert gain.over == "3 pictures"
    assert len(results.notices) == 1
    fewer = _run(faces, recipe, faces=True, max_frames=2)
    assert "only the first 2 frames" in fewer.notices[-1]


def test_a_model_by_its_path_does_not_borrow_the_terms_of_its_namesake() -> None:
    own = get_spec("srgan-x2")
    upscaler = InterpolationUpscaler("lanczos", 2)
    upscaler.name, upscaler.sha256 = own.name, own.weights_sha256
    assert experiment._describe(upscaler)["terms"] == own.terms
    upscaler.sha256 = "0" * 64
    assert experiment._describe(upscaler)["terms"] is None


def test_missing_packages_are_said(
    folder: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = experiment.importlib.util.find_spec
    monkeypatch.setattr(
        experiment.importlib.util, "find_spec", lambda n: None if n == "dlib" else find(n)
    )
    results = _run(folder, recipe, measures=("fidelity", "identity"), max_frames=6)
    assert "pip install" in results.not_measured["identity"]
    assert "identity" not in results.measures
    with pytest.raises(MissingDependencyError, match="'dlib' is not installed"):
        _run(folder, recipe, measures=("identity",), required=True)


def test_sources_that_have_nothing_to_measure(tmp_path: Path, folder: Path, recipe: Recipe) -> None:
    with pytest.raises(InputError, match="no such file or folder"):
        _run(tmp_path / "gone.mp4", recipe)
    with pytest.raises(UsageError, match=r"no frame between .* from 0\.00 to 0\.23 s"):
        _run(folder, recipe, start_s=100.0)
    empty = tmp_path / "grey"
    empty.mkdir()
    for i in range(3):
        cv2.imwrite(str(empty / f"{i}.png"), np.full((64, 64, 3), 90, np.uint8))
    with pytest.raises(DataError, match="no face was found in 3 LR frames"):
        _run(empty, recipe)
    small = tmp_path / "small"
    small.mkdir()
    cv2.imwrite(str(small / "0.png"), np.zeros((24, 24, 3), np.uint8))
    with pytest.raises(DataError, match=r"no frame to measure; .*0\.png: is 24x24"):
        _run(small, recipe, faces=True)
    tiny = tmp_path / "tiny"
    tiny.mkdir()
    cv2.imwrite(str(tiny / "0.png"), np.zeros((20, 20, 3), np.uint8))
    with pytest.raises(InputError, match="expected at least 32 pixels"):
        _run(tiny, recipe)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"scale": 3}, "--scale: got 3"),
        ({"measures": ("fidelty",)}, "did you mean 'fidelity'"),
        ({"measures": ()}, "--measures: got none"),
        ({"measures": ("stability",), "faces": True}, "face pictures have no motion"),
        ({"max_frames": -1}, "--max-frames: got -1"),
        ({"feature_every": 0}, "--feature-every: got 0"),
        ({"seed": -1}, "--seed: got -1"),
        ({"start_s": 3.0, "end_s": 2.0}, "--end: got 2 s, expected more than --start 3 s"),
        ({"start_s": 3.0, "faces": True}, "--start: face pictures have no time"),
        ({"end_s": 3.0, "faces": True}, "--end: face pictures have no time"),
    ],
)
def test_a_wrong_request(values: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        ExperimentConfig(**values)  # type: ignore[arg-type]


def test_models_that_do_not_go_together(folder: Path, recipe: Recipe) -> None:
    with pytest.raises(UsageError, match="enlarges by 4, the comparison is at 2"):
        _run(folder, recipe, InterpolationUpscaler("lanczos", 4))
    lanczos = InterpolationUpscaler("lanczos", 2)
    with pytest.raises(UsageError, match="lanczos: two models have this name"):
        _run(folder, recipe, lanczos, lanczos)
    with pytest.raises(UsageError, match="did you mean 'surveillance'"):
        degradation("surveilance", 2)
