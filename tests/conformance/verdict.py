"""Run one row through ``vsr run`` and measure what became of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import cv2
import numpy as np

from tests.conformance.clips import ROOT, Row
from tests.conformance.facts import Facts, read

FAST = ("--model", "bicubic", "--set", "encode.preset=superfast", "--set", "encode.crf=8")
_MOST_ERROR = 4.0
"""mean distance of the picture from OpenCV's enlargement of the source's, 8-bit levels: the
source's own compression, the encoder's, and two kinds of Lanczos filter give 0.5 to 2.5; a
frame too late, a wrong range or a turned picture give more than 8"""
NOTICES = {
    "frames thinned": r"",  # ordered by the default grid, which the README states
    "frames": r"could not be decoded|damaged|breaks off|broke off",
    "times": r"milliseconds|moved by|constant .* fps was taken|timestamps of the source",
    "pixel aspect": r"pixel aspect",
    "size": r"change their size",
    "pictures": r"damaged|interlaced|change their size|breaks off|could not be decoded",
    "chroma": r"chroma",
    "depth": r"\bbit\b",
    "alpha": r"transparency",
    "RGB": r"RGB",
    "interlaced": r"interlaced",
    "HDR10": r"HDR10",
    "tags": r"RGB|colour tags?",
    "matrix": r"(?!)",  # nothing excuses it
    "sound": r"audio stream .* (left out|converted)|breaks off",
    "lip sync": r"audio stream .* (left out|converted)|breaks off|clock jumps back",
    "subtitles": r"subtitle stream .* (left out|converted)",
    "cover": r"(attachment|video) stream .*(left out)",
    "picture streams": r"video stream .* left out",
    "timecode": r"data stream .* left out|timecode",
    "chapters": r"chapters?",
    "titles": r"title",
}
"""what may differ -> the words that a notice about it has"""
_MATRICES = {1: "BT.709", 5: "BT.601", 6: "BT.601", 9: "BT.2020", 10: "BT.2020"}
"""the numbers of the tag, by ITU-T H.273"""


@dataclass
class Verdict:
    """What happened to a row."""

    row: Row
    word: str
    """"exact", "converted", "refused" or "WRONG" """
    differences: dict[str, str] = field(default_factory=dict)
    """aspect -> what differs"""
    notices: list[str] = field(default_factory=list)
    code: int = 0
    error: float = 0.0
    """of the pictures, 8-bit levels"""

    @property
    def said(self) -> str:
        """The notices, for the table."""
        return "; ".join(self.notices)


class Ended(NamedTuple):
    """How a command ended: exit code and what it printed."""

    code: int
    stdout: str
    stderr: str


def in_a_process(*arguments: object) -> Ended:
    """``vsr`` in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "vsr", *map(str, arguments)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def judge(row: Row, folder: Path, vsr: Callable[..., Ended] = in_a_process) -> Verdict:
    """Make the row's clip, run it, and compare both files."""
    source, out = folder / row.source, folder / f"out{row.out}"
    folder.mkdir(parents=True, exist_ok=True)
    row.make(source)
    done = vsr("run", source, "-o", out, *FAST, *row.options)
    lines = [x for x in done.stderr.splitlines() if x.startswith(("note: ", "error: "))]
    said = [_public(x.split(": ", 1)[1], folder) for x in lines]
    if not out.exists():
        one = len(lines) == 1 == len(done.stderr.strip().splitlines())
        good = one and done.code not in (0, 1) and lines[0].startswith("error: ")
        left = [p.name for p in folder.iterdir() if p.name.startswith((out.name, ".out"))]
        return Verdict(row, "refused" if good and not left else "WRONG",
                       {} if good and not left else {"refusal": done.stderr + str(left)},
                       said, done.code)  # fmt: skip
    before, after = read(source), read(out)
    verdict = Verdict(row, "exact", compare(before, after, row), said, done.code)
    verdict.error = picture_error(before, after)
    if verdict.error > _MOST_ERROR:
        verdict.differences["pictures"] = f"off by {verdict.error:.1f} levels"
    told = " | ".join(said)
    silent = [k for k in verdict.differences if not re.search(NOTICES[k], told)]
    if silent or done.code not in (0, 8):
        verdict.word = "WRONG"
    elif verdict.differences or said:
        verdict.word = "converted"
    return verdict


def _public(text: str, folder: Path) -> str:
    return text.replace(f"{folder}/", "")


def compare(before: Facts, after: Facts, row: Row) -> dict[str, str]:
    """Every aspect in which the output is not what the source was."""
    found: dict[str, str] = {}

    def note(aspect: str, was: object, now: object) -> None:
        if was != now:
            found[aspect] = f"{was} -> {now}"

    _compare_times(found, before, after, row)
    note("size", {(2 * w, 2 * h) for w, h in before.sizes}, set(after.sizes))
    note("depth", min(before.depth, 16), after.depth)
    note("chroma", before.chroma if before.chroma != "grey" else "4:2:0", after.chroma)
    note("alpha", before.alpha, after.alpha)
    note("RGB", before.rgb, after.rgb)
    note("interlaced", before.interlaced, after.interlaced)
    if not before.rgb:
        tags = [(f.space, f.primaries, f.transfer) for f in (before, after)]
        note("tags", *tags)
        ranges = [f.range == 2 or f.pix_fmt.startswith("yuvj") for f in (before, after)]
        note("tags", (*tags[0], ranges[0]), (*tags[1], ranges[1]))
        note("matrix", _read_by(before), _read_by(after))
    note("HDR10", before.mastering.decode(), after.mastering.decode())
    note("HDR10", before.light.hex(), after.light.hex())
    turned = before.aspect if before.rotation % 180 == 0 else 1 / before.aspect
    note("pixel aspect", turned, after.aspect)
    _compare_sounds(found, before, after)
    words = [[t for texts in f.texts for t in texts if t] for f in (before, after)]
    note("subtitles", (before.subtitles, words[0]), (after.subtitles, words[1]))
    note("chapters", [t for _, t in before.chapters], [t for _, t in after.chapters])
    note("cover", before.covers, after.covers)
    note("picture streams", before.videos, after.videos)
    note("timecode", before.timecode, after.timecode)
    kept = {k: v for k, v in before.titles.items() if k in ("title", "artist")}
    note("titles", kept, {k: v for k, v in after.titles.items() if k in kept})
    return found


def _read_by(facts: Facts) -> str:
    """The matrix by which players read the pictures: the tag's, else what their size tells.

    That is the size as coded: the players that turn a picture do so behind it.
    """
    if facts.space in _MATRICES or not facts.sizes:
        return _MATRICES.get(facts.space, "")
    width, height = facts.sizes[0] if facts.rotation % 180 == 0 else facts.sizes[0][::-1]
    return "BT.709" if height >= 720 or width >= 1280 else "BT.601"


def _compare_times(found: dict[str, str], before: Facts, after: Facts, row: Row) -> None:
    times, aspect = before.times, "frames"
    if row.name.endswith("thinned to 30"):
        times = times[::2]
        found["frames thinned"] = f"{len(before.times)} -> {len(after.times)} frames"
    same = len(times) == len(after.times)
    worst = max((abs(a - b) for a, b in zip(times, after.times, strict=False)), default=Fraction(0))
    if same and worst <= Fraction(1, 1000):
        if worst:
            found["times"] = f"off by up to {float(worst) * 1000:.2f} ms"
    elif all(_near(t, before.packet_times) for t in after.times):
        found[aspect] = f"{len(after.times)} of {len(before.packet_times)} frames"
    elif not same:
        found[aspect] = f"{len(times)} -> {len(after.times)} frames"
    else:
        found["times"] = f"off by up to {float(worst) * 1000:.2f} ms"


def _near(time: Fraction, times: set[Fraction]) -> bool:
    return any(abs(time - t) <= Fraction(1, 1000) for t in times)


def _compare_sounds(found: dict[str, str], before: Facts, after: Facts) -> None:
    if len(before.sounds) != len(after.sounds):
        found["sound"] = f"{len(before.sounds)} -> {len(after.sounds)} streams"
        return
    for a, b in zip(before.sounds, after.sounds, strict=True):
        if a.codec != b.codec or a.language != b.language:
            found["sound"] = f"{a.codec} {a.language} -> {b.codec} {b.language}"
        elif b"".join(bytes.fromhex(h) for _, h in a.packets) != b"".join(
            bytes.fromhex(h) for _, h in b.packets
        ):
            found["sound"] = f"{a.codec}: other packets"
        else:
            # the first packet may give no sound, and stand wherever a container can hold it
            place = min(1, len(a.packets) - 1, len(b.packets) - 1)
            _compare_lipsync(found, before, after, a.packets[place][0], b.packets[place][0])


def _compare_lipsync(
    found: dict[str, str], before: Facts, after: Facts, was: Fraction, now: Fraction
) -> None:
    """The sound must lie beside the pictures where it lay, to 1 ms (Matroska's own step)."""
    shift = (now - after.times[0]) - (was - before.times[0])
    if abs(shift) > Fraction(1, 1000):
        found["lip sync"] = f"moved by {float(shift) * 1000:.1f} ms against the pictures"


def picture_error(before: Facts, after: Facts) -> float:
    """Mean absolute distance of the outputs' luma from the sources', enlarged by OpenCV."""
    pairs = _pairs(before, after)
    errors = []
    for a, b in pairs:
        height, width = b.shape
        large = cv2.resize(a, (width, height), interpolation=cv2.INTER_LANCZOS4)
        errors.append(float(np.abs(np.clip(large, 0, 255) - b).mean()))
    return max(errors) if errors else 0.0


def _pairs(before: Facts, after: Facts) -> list[tuple[np.ndarray, np.ndarray]]:
    """Each output picture with the source's at that time; RGB has no luma to compare."""
    if before.rgb or not before.times:
        return []
    if len(before.times) == len(after.times):
        return list(zip(before.lumas, after.lumas, strict=True))
    times = np.array([float(t) for t in before.times])
    return [
        (before.lumas[int(np.abs(times - float(t)).argmin())], luma)
        for t, luma in zip(after.times, after.lumas, strict=True)
    ]


__all__ = ["Verdict", "av", "judge"]
