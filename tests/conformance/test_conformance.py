"""No row of the conformance table is silently wrong, and the table says what is measured.

Some rows here; all of them with VSR_CONFORMANCE=all, or by `python -m tests.conformance`.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.conformance.clips import ROOT, Row, ffmpeg, pictures
from tests.conformance.facts import read
from tests.conformance.rows import ROWS
from tests.conformance.table import line
from tests.conformance.verdict import NOTICES, compare, judge, picture_error

TABLE = ROOT / "docs" / "conformance.md"
EVERY = os.environ.get("VSR_CONFORMANCE") == "all"


@pytest.mark.parametrize("row", [r for r in ROWS if EVERY or r.quick], ids=lambda r: r.name)
def test_a_row_is_what_the_table_says(row, tmp_path, here):
    verdict = judge(row, tmp_path, here)
    assert verdict.word != "WRONG", (verdict.differences, verdict.said)
    rows = [x for x in TABLE.read_text(encoding="utf-8").splitlines() if x.startswith("| ")]
    assert _steady(line(verdict)) in [_steady(x) for x in rows]


def _steady(text: str) -> str:
    """Without what depends on where a damage strikes, which another processor's encoder moves.

    That is what ffmpeg counts in a damaged stream, whether a timestamp is hit, and whether the
    frames ahead of the last one are there.
    """
    text = re.sub(r"the source breaks off before \d+ of the frames that belong [^;|]*; ", "", text)
    text = re.sub(r"all but \d+ frames up to there", "everything up to there", text)
    if "the source is damaged" in text:
        text = re.sub(r"\d+ timestamps of the source ran backwards[^;|]*; [^;|]*; ", "", text)
    text = re.sub(r"the other \d+", "the other N", text)
    return re.sub(r"\d+(\.\d+)?( s\b| of | errors| pictures| timestamps)", "N", text)


def test_the_table_has_every_row_and_no_wrong_one():
    text = TABLE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| .* \| (exact|converted|refused|WRONG) \| .* \|$", text, re.MULTILINE)
    assert len(rows) == len(ROWS)
    assert "WRONG" not in rows
    assert len({(r.name, r.out) for r in ROWS}) == len(ROWS)


@pytest.fixture(scope="module")
def twice(tmp_path_factory):
    """A clip and its honest enlargement, made by ffmpeg alone."""
    folder = tmp_path_factory.mktemp("twice")
    source, out = folder / "in.mkv", folder / "out.mkv"
    sound = ("-f", "lavfi", "-i", "sine=440:d=0.4", "-c:a", "flac")
    ffmpeg(*pictures(), *sound, "-c:v", "ffv1", "-pix_fmt", "yuv420p", source)
    ffmpeg("-i", source, "-vf", "scale=192:128:flags=lanczos", "-c:v", "ffv1", "-c:a", "copy", out)
    return folder, source, out


ROW = Row("a test", "test", "in.mkv", lambda _: None)


def test_the_referee_finds_nothing_wrong_with_an_honest_copy(twice):
    _, source, out = twice
    before, after = read(source), read(out)
    assert compare(before, after, ROW) == {}
    assert picture_error(before, after) < 2


@pytest.mark.parametrize(
    ("words", "aspect"),
    [
        (("-vf", "scale=192:128,setpts=PTS+1/(25*TB)", "-c:a", "copy"), "times"),
        (("-vf", "scale=192:128", "-c:a", "copy", "-frames:v", "9"), "frames"),
        (("-vf", "scale=192:130", "-c:a", "copy"), "size"),
        (("-vf", "scale=192:128,format=yuv422p", "-c:a", "copy"), "chroma"),
        (("-vf", "scale=192:128,format=yuv420p10le", "-c:a", "copy"), "depth"),
        (("-vf", "scale=192:128,setparams=color_trc=smpte2084", "-c:a", "copy"), "tags"),
        (("-vf", "scale=1280:720", "-c:a", "copy"), "matrix"),
        (("-vf", "scale=192:128,setparams=colorspace=bt709", "-c:a", "copy"), "matrix"),
        (("-vf", "scale=192:128,setsar=2", "-c:a", "copy"), "pixel aspect"),
        (("-vf", "scale=192:128", "-an"), "sound"),
        (("-vf", "scale=192:128", "-c:a", "aac"), "sound"),
        (("-vf", "scale=192:128", "-c:a", "copy", "-metadata:s:a", "language=fre"), "sound"),
    ],
)
def test_the_referee_sees_what_is_wrong(twice, words, aspect):
    """Else every verdict here would be worth nothing."""
    folder, source, _ = twice
    bad = folder / f"bad-{abs(hash(words))}.mkv"
    ffmpeg("-i", source, "-c:v", "ffv1", *words, "-fps_mode", "passthrough", bad)
    assert aspect in compare(read(source), read(bad), ROW)
    assert aspect in NOTICES


@pytest.mark.parametrize(
    "filters",
    ["hflip", "vflip", "scale=192:128:in_range=tv:out_range=pc,setparams=range=tv", "negate"],
)
def test_the_referee_sees_wrong_pictures(twice, filters):
    folder, source, _ = twice
    bad = folder / f"bad-{abs(hash(filters))}.mkv"
    ffmpeg("-i", source, "-c:v", "ffv1", "-vf", f"{filters},scale=192:128:flags=lanczos", bad)
    assert picture_error(read(source), read(bad)) > 4
