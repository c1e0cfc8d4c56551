"""The measured verdicts as a page of the docs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from tests.conformance.verdict import Verdict

_TITLES = {
    "codec": "Codecs",
    "container": "Containers",
    "pixels": "Depth and chroma",
    "colour": "Colour",
    "geometry": "Shape",
    "time": "Time",
    "streams": "What comes along",
    "trouble": "Trouble",
}
_HEAD = """# What becomes of every sort of video

Written by `python -m tests.conformance`, which makes each clip with ffmpeg, runs it through
`vsr run`, and reads both files with PyAV. Don't edit it by hand: a test compares it with what it
measures.

Measured are: the number and the timestamps of the pictures, their size (twice the upright
source's), luma against an independent enlargement, bit depth, chroma, colour tags and range, the
matrix by which players read the pictures, HDR10 numbers, pixel aspect, every packet of sound by its
hash, languages, lip sync, subtitles, chapters, covers, titles and timecode.

- **exact**: all of that is the source's own. (The pictures are re-encoded, of course.)
- **converted**: something is not, and vsr says so, in the words of the last column.
- **refused**: one line, an exit code of its own, and nothing under the output's name.

No row may be silently wrong. 10 bit stay 10 bit, also in H.264, which not every player takes:
choose `--codec hevc` for televisions and phones.
"""


def render(verdicts: Sequence[Verdict]) -> str:
    """The page."""
    parts = [_HEAD, _totals(verdicts)]
    for group, rows in groupby(verdicts, key=lambda v: v.row.group):
        lines = [f"## {_TITLES[group]}", "", "| source | result | verdict | vsr says |",
                 "|---|---|---|---|"]  # fmt: skip
        parts.append("\n".join([*lines, *(line(v) for v in rows)]) + "\n")
    return "\n".join(parts)


def line(verdict: Verdict) -> str:
    """One row."""
    row = verdict.row
    options = f" `{' '.join(row.options)}`" if row.options else ""
    suffix = row.source[row.source.rindex(".") :]
    said = verdict.said.replace("|", "\\|") or " ".join(verdict.differences.values())
    return f"| {row.name} ({suffix}) | {row.out}{options} | {verdict.word} | {said} |"


def _totals(verdicts: Sequence[Verdict]) -> str:
    counts = {w: sum(v.word == w for v in verdicts) for w in ("exact", "converted", "refused")}
    words = ", ".join(f"{n} {w}" for w, n in counts.items())
    wrong = len(verdicts) - sum(counts.values())
    return f"{len(verdicts)} rows: {words}, {wrong} silently wrong.\n"
