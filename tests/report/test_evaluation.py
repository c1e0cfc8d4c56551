"""The page on a ground-truth experiment, from a record in the layout that is documented."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from vsr.core.errors import DataError, InputError
from vsr.core.geometry import Box, Window
from vsr.core.progress import silent
from vsr.evaluate.experiment.results import Estimate, FaceRow, FrameRow, Results
from vsr.evaluate.report.build import build_report
from vsr.evaluate.report.from_evaluation import read_evaluation
from vsr.media.images import write_image
from vsr.models.registry import get_spec

MODELS = ("bicubic", "srresnet-x2")
MEASURES = {
    "psnr_y": {
        "title": "PSNR (Y)",
        "unit": "dB",
        "better": "higher",
        "levels": ["face", "frame"],
        "text": "On luma, BT.601.",
    },
    "flicker": {
        "title": "Flicker",
        "unit": "grey levels",
        "better": "lower",
        "levels": ["face"],
        "text": "From frame to frame.",
    },
}


def results(frames: int = 40, **changes) -> Results:
    """Two faces over time; the second model is better by 2 dB but worst in frame 7."""

    def values(model: int, frame: int, track: int = 0) -> dict[str, float | None]:
        psnr = 30 + math.sin(frame / 5) + 2 * model - 3 * track
        if model and frame == 7 and track == 0:
            psnr = 19.5
        return {"psnr_y": psnr, "flicker": None if frame == 0 else 1.5 - 0.5 * model}

    def face(model: int, frame: int, track: int) -> FaceRow:
        return FaceRow(
            frame=frame,
            pts=frame,
            seconds=frame / 30,
            model=MODELS[model],
            values=values(model, frame, track),
            track=track,
            box=Box(10, 10, 14.0 if track else 44.0, 50),
            window=Window(0, 0, 64, 64),
            filled=frame in (3, 4),
            outcome="plain" if frame == 9 and model else "super-resolved",
        )

    whole = [
        FrameRow(i, i, i / 30, MODELS[m], {"psnr_y": 35.0 + m}, 2)
        for m in range(2)
        for i in range(frames)
    ]
    estimates = [
        Estimate(MODELS[m], level, measure, mean + 2 * m * sign, mean - 1, mean + 3, 80, "2 tracks")
        for m in range(2)
        for level, measure, mean, sign in (
            ("face", "psnr_y", 30.0, 1),
            ("face", "flicker", 3.5, -1),
            ("frame", "psnr_y", 35.0, 1),
        )
    ]
    fields = {
        "vsr": "0.1.0",
        "versions": {"numpy": "2.0"},
        "source": {
            "name": "talk & <b>.mp4",
            "sha256": "ab" * 32,
            "width": 512,
            "height": 512,
            "time_base": "1/30",
            "frames": frames,
            "kind": "video",
        },
        "settings": {"scale": 2, "degradation": {"name": "clean", "blur": 0.0}, "seed": 1},
        "models": [
            {"name": m, "sha256": get_spec(m).weights_sha256, "licence": "", "terms": ""}
            for m in MODELS
        ],
        "measures": MEASURES,
        "not_measured": {"identity": "needs pip install '.[eval]'"},
        "summary": estimates,
        "same_person": {"srresnet-x2": 0.975},
        "tracks": [
            {
                "track": t,
                "first_frame": 0,
                "last_frame": frames - 1,
                "frames": frames,
                "filled": 2,
                "median_width_px": 14.0 if t else 44.0,
            }
            for t in range(2)
        ],
        "faces": [face(m, i, t) for m in range(2) for i in range(frames) for t in range(2)],
        "frames": whole,
        "notices": [],
        "pictures": [],
    }
    return Results(**{**fields, **changes})


@pytest.fixture
def write(tmp_path):
    """Write an experiment's record and return its folder."""

    def written(found: Results):
        folder = tmp_path / "experiment"
        folder.mkdir(exist_ok=True)
        (folder / "metrics.json").write_text(found.to_json(), encoding="utf-8")
        return folder

    return written


def test_means_with_intervals_and_the_best_in_bold(write, tmp_path, show):
    made = build_report(write(results()), tmp_path / "r.html")
    opened = show(made.path)
    assert opened.complaints == []
    rows = opened.page.locator("table tbody tr")
    psnr = rows.filter(has_text="PSNR (Y), dB ↑").first
    assert psnr.locator("td").all_inner_texts() == ["30.00 [29.00, 33.00]", "32.00 [29.00, 33.00]"]
    assert psnr.locator("strong").all_inner_texts() == ["32.00 [29.00, 33.00]"]
    flicker = rows.filter(has_text="Flicker").first
    assert flicker.locator("strong").inner_text() == "1.500 [2.500, 6.500]"
    assert opened.page.get_by_text("Not measured: identity").is_visible()
    assert opened.page.get_by_text("1 face too small to trust").is_visible()
    assert opened.overhang() <= 0
    assert show(made.path, width=390).overhang() <= 0


def test_a_namesake_of_the_model_lends_no_card(write):
    found = results()
    record = write(found) / "metrics.json"
    assert "# srresnet-x2" in read_evaluation(record, None, silent).card
    found.models[1]["sha256"] = "0" * 64
    document = read_evaluation(write(found) / "metrics.json", None, silent)
    assert document.card == ""
    assert document.kind == "Ground-truth experiment"


def test_curves_of_every_measure_with_both_models(write, tmp_path):
    made = build_report(write(results()), tmp_path / "r.html")
    charts = {c.title: c for c in made.document.charts}
    assert set(charts) == {"PSNR (Y), faces", "Flicker, faces", "PSNR (Y), whole frame"}
    lines = charts["PSNR (Y), faces"].lines
    assert [line.name for line in lines] == list(MODELS)
    second, value = lines[0].points[6]
    assert second == pytest.approx(6 / 30)
    assert value == pytest.approx(30 + math.sin(6 / 5) - 1.5)
    assert len(charts["Flicker, faces"].lines[0].points) == 39


def test_the_worst_face_comes_first(write, tmp_path):
    made = build_report(write(results()), tmp_path / "r.html")
    worst = made.document.poor[0]
    assert (worst.track, worst.frame) == ("0", 7)
    assert worst.reason == "PSNR (Y) 19.5 dB by srresnet-x2"


def test_filled_and_plain_frames_are_named(write, tmp_path):
    track = build_report(write(results()), tmp_path / "r.html").document.tracks[0]
    assert (track.filled_frames, track.plain_frames) == ("3–4", "9")


def test_each_model_is_shown_beside_the_baseline_and_the_truth(write, tmp_path, show):
    entry = {"track": 0, "frame": 5, "seconds": 5 / 30, "width_px": 44.0}
    models = {m: f"pictures/{m}.png" for m in MODELS}
    entry |= {"lr": "pictures/lr.png", "truth": "pictures/truth.png", "models": models}
    folder = write(results(pictures=[entry]))
    with pytest.raises(InputError, match=r"lr\.png: is missing"):
        build_report(folder, tmp_path / "r.html")
    (folder / "pictures").mkdir()
    for value, (name, side) in enumerate(
        (("lr", 40), ("truth", 80), ("bicubic", 80), ("srresnet-x2", 80))
    ):
        picture = np.full((side, side, 3), 50 * value, np.uint8)
        write_image(folder / "pictures" / f"{name}.png", picture)
    made = build_report(folder, tmp_path / "r.html")
    first, second = made.document.tracks[0].pairs
    assert (first.left, first.right) == ("bicubic", "srresnet-x2")
    assert (second.left, second.right) == ("srresnet-x2", "truth")
    assert first.after.uri == second.before.uri != first.before.uri
    opened = show(made.path)
    assert opened.unloaded() == []
    buttons = opened.page.locator("[data-show]")
    assert buttons.all_inner_texts() == ["bicubic | srresnet-x2", "srresnet-x2 | truth"]
    buttons.nth(1).click()
    assert opened.page.locator(".tag.right:visible").all_inner_texts() == ["truth"]


def test_a_long_experiment_gives_a_small_page(write, tmp_path):
    made = build_report(write(results(5000)), tmp_path / "r.html")
    assert made.bytes < 400_000


@pytest.mark.parametrize("key", ["models", "summary", "measures", "faces", "source"])
def test_a_damaged_record_is_one_line(write, tmp_path, key):
    folder = write(results(3))
    path = folder / "metrics.json"
    values = json.loads(path.read_text())
    del values[key]
    path.write_text(json.dumps(values))
    with pytest.raises(DataError, match=r"metrics\.json: damaged"):
        build_report(folder, tmp_path / "r.html")
    assert not (tmp_path / "r.html").exists()


def test_another_version_is_one_line(write, tmp_path):
    folder = write(results(3))
    path = folder / "metrics.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 7}))
    with pytest.raises(DataError, match="format 7, expected 1"):
        build_report(folder, tmp_path / "r.html")
