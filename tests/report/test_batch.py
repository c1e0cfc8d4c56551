"""The page on a batch, from the summary that the batch itself writes."""

from __future__ import annotations

import json

import pytest

from vsr.batch.job import Row
from vsr.batch.summary import Summary
from vsr.core.errors import DataError
from vsr.evaluate.report.build import build_report


@pytest.fixture
def folder(tmp_path):
    """A batch of three sequences, one of which failed."""
    summary = Summary(
        rows=(
            Row(
                sequence="P1E_S1_C1",
                status="ok",
                frames=2292,
                persons=25,
                faces=1480,
                seconds=61.25,
                plain=3,
            ),
            Row(
                sequence="<i>odd</i>",
                status="ok",
                frames=12,
                notes=("2 frames are truncated & skipped",),
            ),
            Row(sequence="P2L_S5_C3", status="failed", reason="frame 00000017.jpg is no picture"),
        ),
        settings={"model": "srresnet-x2", "upscale": {"scale": 2, "device": None}},
        engine="local",
        seconds=70.0,
        notices=("no ground truth for <i>odd</i>",),
    )
    out = tmp_path / "batch"
    out.mkdir()
    (out / "summary.json").write_text(json.dumps(summary.to_dict()))
    return out


def test_failures_come_first_and_rows_follow(folder, tmp_path, show):
    made = build_report(folder, tmp_path / "r.html")
    titles = [n.title for n in made.document.notices]
    assert titles.index("P2L_S5_C3 failed") == 1
    opened = show(made.path, width=390)
    assert (opened.complaints, opened.foreign, opened.overhang()) == ([], [], 0)
    rows = opened.page.locator("table tbody tr")
    assert rows.nth(0).locator("th").inner_text() == "P1E_S1_C1"
    assert rows.nth(0).locator("td").all_inner_texts()[:3] == ["2,292", "25", "1,480"]
    assert rows.nth(1).locator("th").inner_text() == "<i>odd</i>"
    assert opened.page.locator(".notice i").count() == 0
    assert opened.page.get_by_text("frame 00000017.jpg is no picture").is_visible()
    assert opened.page.get_by_text("1 failed.").is_visible()


@pytest.mark.parametrize("key", ["rows", "settings", "vsr", "notices"])
def test_a_damaged_summary_is_one_line(folder, tmp_path, key):
    path = folder / "summary.json"
    values = json.loads(path.read_text())
    del values[key]
    path.write_text(json.dumps(values))
    with pytest.raises(DataError, match=r"summary\.json"):
        build_report(folder, tmp_path / "r.html")
    assert not (tmp_path / "r.html").exists()
