"""The clips that speed is told for, and the tables and the chart made from what was measured."""

from __future__ import annotations

import importlib.util
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from vsr.faces.detect import DetectConfig, detect, make_detector
from vsr.media.decode import DecodeConfig
from vsr.run.source import open_source

FOLDER = Path(__file__).parent


def _script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"bench_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def table() -> ModuleType:
    return _script("speed_table")


def _row(group: str, name: str, seconds: list[float], **more: Any) -> dict[str, Any]:
    row = {"group": group, "name": name, "part": "network", "vsr": False, "precision": "float32"}
    return {
        **row,
        "seconds": seconds,
        "cpu_s": seconds,
        "median_s": float(np.median(seconds)),
        **more,
    }


@pytest.fixture
def result() -> dict[str, Any]:
    ours = [1.0, 2.0, 4.0]  # a machine that slows down from round to round
    return {
        "clip": "one_face.mp4", "rounds": 3, "seconds": 6.0, "share": 0.25,
        "others_busy": [0.01, None, 0.5],
        "rows": [
            _row("frame", "esrgan-thick", [100.0, 200.0, 400.0], part="whole picture"),
            _row("frame", "realesrgan-x4plus", [50, 60, 70], part="whole picture, at x4"),
            _row("frame", "srgan-x2", ours, part="restore, file to file", vsr=True),
            _row("face-x4", "srgan-x4", [0.05], vsr=True, precision="bfloat16"),
            _row("face-x4", "krasserm-srgan", [0.3]),
        ]
    }  # fmt: skip


def test_clips_have_the_faces_they_are_named_after(tmp_path: Path):
    pytest.importorskip("av")
    clips = _script("clips").make_clips(tmp_path, seconds=0.2)
    detector = make_detector(DetectConfig())
    for name, count in (("one_face", 1), ("seven_faces", 7)):
        frames = list(open_source(clips[name], cfg=DecodeConfig()))
        assert [f.rgb.shape for f in frames] == [(600, 800, 3)] * 6
        seen = list(detect(frames, detector, DetectConfig()))
        assert [len(item.faces) for item in seen] == [count] * 6
        if name == "one_face":
            assert all(56 <= item.faces[0].box.width <= 72 for item in seen)
            assert np.std(frames[1].rgb.astype(float) - frames[0].rgb) > 0.5, "noise"


def test_ratios_are_taken_round_by_round(table: ModuleType, result: dict[str, Any]):
    text = table.tables(result)
    line = next(ln for ln in text.splitlines() if ln.startswith("| `esrgan-thick"))
    cells = [c.strip() for c in line.split("|")]
    assert cells[3:7] == ["200", "100 to 400", "200", "100"]
    order = [ln.split("`")[1] for ln in text.splitlines() if ln.startswith("| `")]
    assert order == ["srgan-x2", "realesrgan-x4plus", "esrgan-thick", "srgan-x4", "krasserm-srgan"]


def test_the_page_says_how_the_figures_came_about(table: ModuleType, result: dict[str, Any]):
    text = table.tables(result)
    assert "3 rounds" in text
    assert "25% of its tiles, times 4" in text
    assert "others kept 1%, 50% of the cores busy" in text
    page = "# A\n\n<!-- measured -->\nold\n<!-- end of measured -->\n\n# B\n"
    changed = table.put_into(page, text)
    assert "old" not in changed
    assert changed.startswith("# A\n")
    assert changed.endswith("# B\n")
    assert text in changed
    assert table.put_into(changed, text) == changed
    with pytest.raises(ValueError, match="measured"):
        table.put_into("# A\n", text)
    shipped = (FOLDER.parents[1] / "docs" / "benchmark.md").read_text()
    assert table.put_into(shipped, text) != shipped


def test_quality_is_the_cards(table: ModuleType, result: dict[str, Any], tmp_path: Path):
    head = "| model | PSNR (dB) | over bicubic (dB) | SSIM | identity |\n|---|---|---|---|---|\n"
    card = "| a | 1 | 2 | 3 | 4 |\n\n## Comparison\n\nClean: reduced, 123 faces:\n\n"
    card += head + "| srgan-x2 | 37 | +4.00 | 0.97 | 0.1 |\n\nDegraded: 9 faces:\n\n"
    card += head + "| srgan-x2 | 31 | +1.00 | 0.88 | 0.4 |\n"
    (tmp_path / "srgan-x2.md").write_text(card)
    line = next(ln for ln in table.tables(result, tmp_path).splitlines() if "srgan-x2" in ln)
    assert [c.strip() for c in line.split("|")][-6:-1] == ["+4.00", "0.97", "–", "0.1", "123"]
    shipped = table.read_quality(2), table.read_quality(4)
    assert {"srgan-x2", "esrgan-thick", "realesr-animevideov3"} <= set(shipped[0])
    assert {"srgan-x4", "realesrgan-x4plus", "esrgan-thick"} <= set(shipped[1])
    line = next(ln for ln in table.tables(result).splitlines() if "x4plus" in ln)
    assert "(at x4)" in line


def test_bars_are_as_long_as_the_logarithm_says(table: ModuleType, result: dict[str, Any]):
    svg = ElementTree.fromstring(table.chart(result))
    space = "{http://www.w3.org/2000/svg}"
    bars = [r for r in svg.iter(f"{space}rect") if r.get("rx")]
    widths = [float(bar.get("width", "nan")) for bar in bars]
    # 2 s, 60 s and 200 s on an axis from 1 to 1,000 s
    want = [np.log10(s) / 3 * (860 - 330 - 90) for s in (2, 60, 200)]
    np.testing.assert_allclose(widths, want, atol=0.1)
    assert bars[0].get("fill") != bars[1].get("fill")
    texts = [t.text for t in svg.iter(f"{space}text")]
    assert "vsr srgan-x2: file to file" in texts
    assert "1,000 s" in texts
