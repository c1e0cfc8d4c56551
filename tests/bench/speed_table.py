r"""The tables and the chart of docs/benchmark.md, from what speed.py measured.

    python tests/bench/speed_table.py --speed speed.json --svg docs/figures/speed.svg \
        --whole one.json --whole seven.json --into docs/benchmark.md

``--whole`` takes what ``vsr benchmark --json`` printed. Prints Markdown, or puts it between the
marks of a page. What each network delivers comes from the comparisons in the model cards
(vsr/models/store/*.md), where ours and the peers were judged on the same faces.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import statistics
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

STORE = Path(__file__).parents[2] / "vsr" / "models" / "store"
CARDS = {2: ("srgan-x2", "srgan-x2-fast", "srresnet-x2-fast"), 4: ("srgan-x4", "srresnet-x4")}
"""whose cards hold a comparison of a scale, the most complete first"""
QUALITY = ("over bicubic (dB)", "SSIM", "perceptual (of bicubic's)", "identity", "faces judged")

Quality = dict[str, dict[str, str]]
"""name of a network -> column -> figure, as it stands in a card"""


def read_quality(scale: int, store: Path = STORE) -> Quality:
    """The first table ("Clean") of every card of a scale; the first card that knows a name wins."""
    found: Quality = {}
    for card in CARDS[scale]:
        path = store / f"{card}.md"
        if path.is_file():
            for name, figures in _first_table(path.read_text(encoding="utf-8")).items():
                found.setdefault(name, figures)
    return found


def _first_table(card: str) -> Quality:
    """Rows of the first table under "## Comparison", and on how many faces it was made."""
    rows: list[list[str]] = []
    count = ""
    for line in card.partition("## Comparison")[2].splitlines():
        if not rows and (said := re.search(r"(\d+) faces:", line)):
            count = said[1]
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
        elif rows:
            break
    if not rows:
        return {}
    head = [*rows[0][1:], "faces judged"]
    return {row[0]: dict(zip(head, [*row[1:], count], strict=True)) for row in rows[2:]}


def tables(result: dict[str, Any], store: Path = STORE) -> str:
    """Markdown: frames, faces at x2, faces at x4."""
    texts = []
    if any(row["group"] == "frame" for row in result["rows"]):
        texts.append(_frames(result, store))
    there = {row["group"] for row in result["rows"]}
    texts += [_faces(result, scale, store) for scale in (2, 4) if f"face-x{scale}" in there]
    return "\n\n".join([_caption(result), *texts])


def _caption(result: dict[str, Any]) -> str:
    """How the figures came about, in a sentence or two."""
    share = f"{result['share']:.0%} of its tiles, times {1 / result['share']:.3g}"
    picture = "the whole picture" if result["share"] == 1 else share
    rounds = f"{result['rounds']} round{'s' if result['rounds'] > 1 else ''}"
    busy = [f"{b:.0%}" for b in result["others_busy"] if b is not None]
    others = f" Before each round others kept {', '.join(busy)} of the cores busy." if busy else ""
    return (
        f"`{result['clip']}`, {rounds}, in turns; vsr on its first {result['seconds']:g} s, peers "
        f'on {picture} of a frame.{others} "Times as long" is against the row where it is 1, '
        "round by round; quality is the model cards'."
    )


def ratio(row: dict[str, Any], reference: dict[str, Any]) -> float:
    """How many times as long: the median over the rounds, each against its own round."""
    pairs = zip(row["seconds"], reference["seconds"], strict=True)
    return statistics.median(a / b for a, b in pairs)


def reference_of(result: dict[str, Any], group: str) -> dict[str, Any]:
    """What others are held against: the full network, from file to file where there are files."""
    rows = [r for r in result["rows"] if r["group"] == group and r["vsr"]]
    good = [r for r in rows if r["name"].startswith("srgan") and not r["name"].endswith("-fast")]
    return (good or rows)[0]


def _frames(result: dict[str, Any], store: Path) -> str:
    reference = reference_of(result, "frame")
    quality = {2: read_quality(2, store), 4: read_quality(4, store)}
    head = ["network", "what is counted", "s a frame", "lowest to highest", "CPU s"]
    lines = []
    for row in _rows(result, "frame"):
        scale = 4 if row["part"].endswith("at x4") else 2
        figures = _quality(quality[scale], row["name"], " (at x4)" if scale == 4 else "")
        cells = [f"`{row['name']}`", row["part"], *_seconds(row), _times(row, reference)]
        lines.append([*cells, *figures])
    return _table([*head, "times as long", *QUALITY], lines)


def _faces(result: dict[str, Any], scale: int, store: Path) -> str:
    group = f"face-x{scale}"
    reference, quality = reference_of(result, group), read_quality(scale, store)
    head = [f"network, 64x64 at x{scale}", "precision", "ms a face", "lowest to highest", "CPU ms"]
    lines = []
    for row in _rows(result, group):
        name, precision = f"`{row['name']}`", row["precision"]
        cells = [name, precision, *_seconds(row, 1000), _times(row, reference)]
        lines.append([*cells, *_quality(quality, row["name"])])
    return _table([*head, "times as long", *QUALITY], lines)


def _rows(result: dict[str, Any], group: str) -> list[dict[str, Any]]:
    rows = [row for row in result["rows"] if row["group"] == group]
    return sorted(rows, key=lambda row: row["median_s"])


def _seconds(row: dict[str, Any], factor: float = 1) -> tuple[str, str, str]:
    values = [factor * value for value in row["seconds"]]
    spread = f"{_digits(min(values))} to {_digits(max(values))}"
    cpu = factor * statistics.median(row["cpu_s"])
    return _digits(factor * row["median_s"]), spread, _digits(cpu)


def _digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _times(row: dict[str, Any], reference: dict[str, Any]) -> str:
    times = ratio(row, reference)
    return f"{times:.0f}" if times >= 10 else f"{times:.2g}"


def _quality(known: Quality, name: str, note: str = "") -> list[str]:
    figures = known.get(name, {})
    return [figures[c] + note if figures.get(c) else "–" for c in QUALITY]


def _table(head: list[str], lines: list[list[str]]) -> str:
    rule = ["---"] * len(head)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, rule, *lines))


# === Chart

_WIDTH, _LEFT, _RIGHT, _ROW, _TOP, _BOTTOM = 860, 330, 90, 30, 64, 44
_OURS, _PEERS, _INK, _GRID = "#0b7285", "#adb5bd", "#212529", "#dee2e6"


def chart(result: dict[str, Any]) -> str:
    """Seconds a frame as bars on a logarithmic axis: an SVG of its own, ours in colour."""
    rows = _rows(result, "frame")
    low = 10 ** math.floor(math.log10(min(r["median_s"] for r in rows)))
    high = 10 ** math.ceil(math.log10(max(r["median_s"] for r in rows)))
    span = _WIDTH - _LEFT - _RIGHT
    height = _TOP + _ROW * len(rows) + _BOTTOM

    def x_of(seconds: float) -> float:
        return _LEFT + span * math.log10(seconds / low) / math.log10(high / low)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="13" fill="{_INK}">',
        f"<title>{escape(_summary(rows))}</title>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        _text(16, 26, "Seconds for one frame, 800x600 to 1600x1200", size=16, weight=600),
        _text(16, 46, "one face of 64 pixels, two processor cores; logarithmic, shorter is better"),
    ]
    bottom = _TOP + _ROW * len(rows)
    for power in range(round(math.log10(low)), round(math.log10(high)) + 1):
        x = x_of(10.0**power)
        parts.append(f'<path d="M{x:.1f} {_TOP}V{bottom + 4}" stroke="{_GRID}"/>')
        parts.append(_text(x, bottom + 20, _rounded(10.0**power), anchor="middle"))
    for index, row in enumerate(rows):
        y = _TOP + _ROW * index
        end, colour = x_of(row["median_s"]), _OURS if row["vsr"] else _PEERS
        part = row["part"].rpartition(", ")[2] if row["vsr"] else row["part"]
        label = f"{'vsr ' if row['vsr'] else ''}{row['name']}: {part}"
        parts.append(_text(_LEFT - 10, y + 20, label, anchor="end"))
        parts.append(
            f'<rect x="{_LEFT}" y="{y + 5}" width="{end - _LEFT:.1f}" height="{_ROW - 9}" '
            f'rx="2" fill="{colour}"/>'
        )
        parts.append(_text(end + 6, y + 20, _rounded(row["median_s"])))
    parts.append(_text(16, height - 8, "coloured: vsr; grey: peers"))
    return "\n".join([*parts, "</svg>", ""])


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", size: int = 13, weight: int = 400
) -> str:
    style = f'text-anchor="{anchor}" font-size="{size}" font-weight="{weight}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(text)}</text>'


def _rounded(seconds: float) -> str:
    if seconds < 0.1:
        return f"{1000 * seconds:.2g} ms"
    return f"{seconds:,.0f} s" if seconds >= 100 else f"{seconds:.3g} s"


def _summary(rows: list[dict[str, Any]]) -> str:
    return "; ".join(f"{r['name']}, {r['part']}: {r['median_s']:.3g} s a frame" for r in rows)


# === What vsr benchmark measured


def wholes(results: list[dict[str, Any]]) -> str:
    """Markdown: a row for each clip and recipe, and the network's share of the peak."""
    head = ["clip", "recipe, model", "faces a frame", "frames/s", "times real time"]
    head += ["whole over bound", "lowest to highest", "bound set by", "others busy"]
    lines = []
    for result in results:
        clip, whole, over = result["clip"], result["whole"], result["whole"]["whole_over_bound"]
        recipe, busy = result["recipe"], result["machine"]["busy_share"]
        lines.append([
            clip["name"], f"{recipe['name']}, `{_model(result)}`",
            f"{clip['faces'] / clip['frames']:.1f}",
            f"{whole['frames_per_s']:.1f}", f"{whole['realtime']:.2f}", f"{over['median']:.2f}",
            f"{over['min']:.2f} to {over['max']:.2f} ({over['count']} rounds)",
            whole["limited_by"], "–" if busy is None else f"{busy:.0%}",
        ])  # fmt: skip
    texts = [_table(head, lines)]
    texts += [_generator(found) for r in results if (found := r["generator"]) is not None]
    return "\n\n".join(texts)


def _model(result: dict[str, Any]) -> str:
    upscale = result["recipe"]["upscale"]
    return upscale["model"] if upscale["model"] != "auto" else f"auto x{upscale['scale']}"


def _generator(found: dict[str, Any]) -> str:
    peaks = {peak["dtype"]: peak["gflop_s"] for peak in found["peaks"]}
    said = ", ".join(f"{name} {rate:.0f} GFLOP/s" for name, rate in peaks.items())
    head = ["precision", "batch", "faces/s", "GFLOP/s", "share of the peak"]
    lines = [
        [r["precision"], str(r["batch"]), f"{r['faces_per_s']:.1f}", f"{r['gflop_s']:.0f}",
         f"{r['share']:.0%}"]
        for r in found["rows"]
    ]  # fmt: skip
    gflop = f"{found['gflop_per_face']:.2f} GFLOP for a face of {found['side']}x{found['side']}"
    title = f"`{found['model']}`, {gflop}; best matrix products: {said}."
    return f"{title}\n\n{_table(head, lines)}"


def put_into(page: str, text: str) -> str:
    """The page with ``text`` between its marks; raises ValueError where it has none."""
    begin, end = "<!-- measured -->", "<!-- end of measured -->"
    before, found, rest = page.partition(begin)
    _, ended, after = rest.partition(end)
    if not (found and ended):
        raise ValueError(f"the page has no '{begin}' and '{end}'")
    return f"{before}{begin}\n\n{text}\n\n{end}{after}"


def main() -> None:
    """Print or put in the tables, write the chart."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--speed", type=Path, action="append", default=[], help="what speed.py measured"
    )
    parser.add_argument("--whole", type=Path, action="append", default=[])
    parser.add_argument("--svg", type=Path, help="where the chart goes")
    parser.add_argument("--into", type=Path, help="the page that takes the tables")
    args = parser.parse_args()
    texts = []
    if args.whole:
        texts.append(wholes([json.loads(p.read_text(encoding="utf-8")) for p in args.whole]))
    for path in args.speed:
        result = json.loads(path.read_text(encoding="utf-8"))
        texts.append(tables(result))
        if args.svg and any(row["group"] == "frame" for row in result["rows"]):
            args.svg.write_text(chart(result), encoding="utf-8")
    text = "\n\n".join(texts)
    if args.into:
        args.into.write_text(put_into(args.into.read_text(encoding="utf-8"), text), "utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
