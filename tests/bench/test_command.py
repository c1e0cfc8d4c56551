"""`vsr benchmark` as a user calls it: its JSON's layout, its table, its refusals."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from vsr.bench.stages import STAGES

ROOT = Path(__file__).resolve().parents[2]
SPREAD = {"min": float, "median": float, "max": float, "count": int}
LAYOUT: dict[str, Any] = {
    "format": int,
    "vsr": str,
    "repeats": int,
    "seconds": float,
    "machine": {
        "processor": str,
        "cores": int,
        "memory_gib": float,
        "system": str,
        "backend": str,
        "device": str,
        "versions": dict,
        "busy_share": (float, type(None)),
    },
    "clip": {
        "name": str,
        "built_in": bool,
        "width": int,
        "height": int,
        "frames": int,
        "fps": float,
        "faces": int,
        "median_face_px": float,
    },
    "recipe": dict,
    "generator": {
        "model": str,
        "side": int,
        "gflop_per_face": float,
        "error_levels": float,
        "peaks": [{"dtype": str, "side": int, "gflop_s": float, "by_side": dict}],
        "rows": [
            {
                "precision": str,
                "batch": int,
                "seconds": SPREAD,
                "faces_per_s": float,
                "gflop_s": float,
                "share": float,
            }
        ],
    },
    "start_up": {
        "first_frame_s": SPREAD,
        "imports_s": SPREAD,
        "backend_s": float,
        "detector_s": float,
        "model_s": float,
        "first_call_s": float,
    },
    "stages": [
        {"name": str, "seconds": SPREAD, "cpu_s": SPREAD, "first_s": float, "frames_per_s": float}
    ],
    "whole": {
        "seconds": SPREAD,
        "cpu_s": SPREAD,
        "first_s": float,
        "frames_per_s": float,
        "realtime": float,
        "bound_s": SPREAD,
        "limited_by": str,
        "whole_over_bound": SPREAD,
        "cpu_over_stages": SPREAD,
        "retraced": int,
    },
    "strides": [{"stride": (int, str), "frames_per_s": float, "recall": float}],
    "presets": [
        {
            "preset": str,
            "frames_per_s": float,
            "cpu_s_per_frame": float,
            "bytes_per_frame": float,
            "psnr_y_db": float,
        }
    ],
    "advice": [{"key": str, "value": (str, int), "now": (str, int), "reason": str}],
    "notices": list,
}


def call(*arguments: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "vsr", "benchmark", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=280)


def check(value: Any, wanted: Any, where: str) -> None:
    if isinstance(wanted, dict):
        assert isinstance(value, dict), where
        assert value.keys() == wanted.keys(), where
        for key, kind in wanted.items():
            check(value[key], kind, f"{where}.{key}")
    elif isinstance(wanted, list):
        assert isinstance(value, list), where
        assert value, where
        for number, item in enumerate(value):
            check(item, wanted[0], f"{where}[{number}]")
    else:
        assert isinstance(value, wanted), f"{where}: {value!r}"


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    quick = ("--pipeline", "restore-fast", "--set", "encode.preset=ultrafast")
    done = call("--seconds", 0.2, "--repeats", 1, *quick, "--json")
    assert done.returncode == 0, done.stderr
    said = [ln for ln in done.stderr.splitlines() if not ln.startswith("note: others kept ")]
    assert said == []
    return json.loads(done.stdout)


def test_the_json_has_its_layout(result: dict[str, Any]):
    check(result, LAYOUT, "result")


def test_every_part_is_there_and_hangs_together(result: dict[str, Any]):
    assert [row["name"] for row in result["stages"]] == list(STAGES)
    clip, whole = result["clip"], result["whole"]
    assert (clip["frames"], clip["faces"], clip["fps"]) == (6, 6, 30.0)
    assert 55 < clip["median_face_px"] < 75
    alone = max(row["seconds"]["median"] for row in result["stages"])
    work = sum(row["cpu_s"]["median"] for row in result["stages"]) / result["machine"]["cores"]
    assert whole["bound_s"]["median"] == pytest.approx(max(alone, work), rel=1e-3)
    ratio = whole["seconds"]["median"] / whole["bound_s"]["median"]
    assert whole["whole_over_bound"]["median"] == pytest.approx(ratio, rel=1e-3)
    start = result["start_up"]
    assert start["first_frame_s"]["median"] > start["imports_s"]["median"] > 0


def test_the_share_is_the_rate_over_the_peak_of_its_precision(result: dict[str, Any]):
    found = result["generator"]
    assert found["gflop_per_face"] == pytest.approx(1.163, rel=0.01)
    best = {peak["dtype"]: peak["gflop_s"] for peak in found["peaks"]}
    assert set(best) == {"float32", "bfloat16"}
    for row in found["rows"]:
        rate = row["batch"] * found["gflop_per_face"] / row["seconds"]["median"]
        assert row["gflop_s"] == pytest.approx(rate, rel=1e-3)
        assert row["share"] == pytest.approx(rate / best[row["precision"]], rel=1e-3)


def test_the_table_is_one_and_names_what_it_shows(clip: Path):
    done = call(clip, "--part", "stages", "--model", "bicubic", "--repeats", 1)
    assert done.returncode == 0, done.stderr
    for words in (*STAGES, "whole over bound", "two.mp4: 800x600, 12 frames, 24 faces of"):
        assert words in done.stdout
    assert "Generator alone" not in done.stdout
    plan = "note: to come: 1 round of each stage alone and the whole over 12 frames"
    assert plan in done.stderr.splitlines()
    assert " to go" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--repeats", 0), 2, "--repeats: got 0, expected 1 or more"),
        (("--part", "speed"), 2, "--part: got 'speed', expected some of generator, stages"),
        (("missing.mp4",), 3, "missing.mp4: no such file"),
        (("--model", "srgan-x3"), 5, "unknown model 'srgan-x3'"),
        (("--faces", 10), 2, "--faces: got 10, expected 0 to 9"),
    ],
)
def test_a_wrong_call_is_one_line(here, arguments: tuple[object, ...], code: int, words: str):
    done = here("benchmark", *arguments)
    assert done.code == code
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not done.stdout


def test_ctrl_c_speaks_of_no_output(here, monkeypatch: pytest.MonkeyPatch):
    def pressed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("vsr.bench.benchmark.benchmark", pressed)
    done = here("benchmark")
    assert (done.code, done.stderr) == (130, "error: interrupted; nothing is kept\n")


def test_help_loads_nothing_heavy():
    code = (
        "import sys\nfrom vsr.cli.app import app\n"
        "app(['benchmark', '--help'], standalone_mode=False)\n"
        "heavy = {'tensorflow', 'keras', 'cv2', 'numpy'} & {m.split('.')[0] for m in sys.modules}\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "--repeats" in done.stdout
