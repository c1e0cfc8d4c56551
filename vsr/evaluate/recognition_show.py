"""A study of recognition for people: tables, and the ROC as a drawing."""

from __future__ import annotations

import math
from html import escape

from vsr.evaluate.recognition import STATISTICS, Interval
from vsr.evaluate.recognition_study import BASELINE, Bin, Study

_TITLES = {
    "eer": "EER ↓",
    "tar@far=0.01": "TAR at FAR 1e-2 ↑",
    "tar@far=0.001": "TAR at FAR 1e-3 ↑",
    "auc": "AUC ↑",
}
_COLOURS = {"hr": "#777777", "lr": "#d95f02", "bicubic": "#1b9e77"}
_MORE = ("#1f78b4", "#e7298a", "#7570b3", "#666600")
_WIDTH, _HEIGHT, _LEFT, _TOP, _RIGHT, _BOTTOM = 640, 480, 64, 24, 20, 56
_LOWEST_FAR = 1e-4

NOTE = (
    "Value [95 % interval, persons drawn again]; after the semicolon the change over bicubic in "
    "percentage points, with the interval of the paired difference: where that holds 0, no "
    "difference is shown. –: too few pairs. EER: equal error rate; TAR at FAR: share of genuine "
    "pairs accepted where that share of impostors is."
)


def columns() -> list[str]:
    """The headings."""
    return ["faces", *(_TITLES[name] for name in STATISTICS)]


def caption(study: Study, part: Bin) -> str:
    """What a table shows, in one line."""
    size = "all eye distances" if part.name == "all" else f"eyes {part.name} apart"
    return (
        f"{study.data['name']}, {size}: {part.persons} persons, {part.faces} faces, "
        f"{part.genuine} genuine and {part.impostor} impostor pairs"
    )


def rows(study: Study, part: Bin) -> list[list[str]]:
    """The cells of a range of eye distances: a row per variant."""
    if not part.results:
        return []
    return [[v, *(_cell(part.results[v][s]) for s in STATISTICS)] for v in study.variants]


def _cell(x: Interval) -> str:
    if x.value is None:
        return "–"
    text = f"{x.value:.1%}"
    if x.low is not None and x.high is not None:
        text += f" [{100 * x.low:.1f}, {100 * x.high:.1f}]"
    if x.change is not None and x.change_low is not None and x.change_high is not None:
        span = f"[{100 * x.change_low:+.1f}, {100 * x.change_high:+.1f}]"
        text += f"; {100 * x.change:+.1f} {span}"
    return text


def verdict(study: Study) -> list[str]:
    """For every model, whether it changed recognition over bicubic, in a sentence."""
    whole, texts = study.bins[0], []
    for model in study.models:
        name = model["name"]
        found = whole.results[name]["eer"]
        if found.change is None:
            continue
        change = f"{100 * found.change:+.2f} points of EER"
        if found.change_low is None or found.change_high is None:
            texts.append(f"{name}: {change} over {BASELINE}, too few persons to say more")
        elif found.change_low > 0:
            texts.append(f"{name}: worse than {BASELINE}, {change}")
        elif found.change_high < 0:
            texts.append(f"{name}: better than {BASELINE}, {change}")
        else:
            texts.append(f"{name}: no difference to {BASELINE} can be shown ({change})")
    return texts


def background(study: Study) -> str:
    """The false faces in one line; empty where they were not looked for."""
    found = study.false_faces
    if found is None:
        return ""
    if not found.frames:
        return "False faces: there are no empty first frames"
    return (
        f"False faces in {found.frames} empty first frames of {found.sequences} sequences: "
        f"{found.detections} detections, {found.tracked} faces of tracks in "
        f"{found.frames_with} frames"
    )


def markdown(study: Study) -> str:
    """All tables as Markdown."""
    lines: list[str] = []
    for part in study.bins:
        lines += [f"{caption(study, part)}:", ""]
        cells = rows(study, part)
        if cells:
            heads = columns()
            lines += [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
            lines += [f"| {' | '.join(row)} |" for row in cells] + [""]
        else:
            lines += ["Nothing to compare.", ""]
    lines += [f"- {text}" for text in verdict(study)]
    lines += ["", background(study), "", NOTE, ""]
    return "\n".join(lines)


# === drawing ===


def roc_svg(study: Study) -> str:
    """The curves of all variants: TAR over FAR, the latter on a logarithmic axis."""
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        'font-family="sans-serif" font-size="13">',
        f"<title>ROC: {escape(study.data['name'])}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
    ]
    for power in range(round(math.log10(_LOWEST_FAR)), 1):
        x = _x(10.0**power)
        parts.append(f'<path d="M{x:.1f} {_TOP}V{bottom}" stroke="#ddd"/>')
        text = f"1e{power}" if power else "1"
        parts.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{text}</text>')
    for fifth in range(6):
        y = _y(fifth / 5)
        parts.append(f'<path d="M{_LEFT} {y:.1f}H{right}" stroke="#ddd"/>')
        parts.append(
            f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{fifth / 5:g}</text>'
        )
    middle = (_LEFT + right) / 2
    parts.append(
        f'<text x="{middle}" y="{_HEIGHT - 12}" text-anchor="middle">false acceptance rate</text>'
    )
    high = (_TOP + bottom) / 2
    parts.append(
        f'<text transform="translate(18 {high}) rotate(-90)" text-anchor="middle">'
        "true acceptance rate</text>"
    )
    for index, variant in enumerate(study.variants):
        others = [v for v in study.variants if v not in _COLOURS]
        colour = _COLOURS.get(variant) or _MORE[others.index(variant) % len(_MORE)]
        parts.append(_path(study.curves[variant], colour))
        y = bottom - 14 - 20 * (len(study.variants) - 1 - index)
        parts.append(
            f'<path d="M{right - 150} {y - 4}h24" stroke="{colour}" stroke-width="3"/>'
            f'<text x="{right - 120}" y="{y}">{escape(variant)}</text>'
        )
    return "\n".join([*parts, "</svg>", ""])


def _path(points: list[tuple[float, float]], colour: str) -> str:
    """A step curve from the left border on."""
    at_left = max((tar for far, tar in points if far <= _LOWEST_FAR), default=0.0)
    text = f"M{_LEFT} {_y(at_left):.1f}"
    for far, tar in points:
        if far > _LOWEST_FAR:
            text += f"H{_x(far):.1f}V{_y(tar):.1f}"
    return f'<path d="{text}" fill="none" stroke="{colour}" stroke-width="2"/>'


def _x(far: float) -> float:
    share = 1 - math.log10(max(far, _LOWEST_FAR)) / math.log10(_LOWEST_FAR)
    return _LEFT + share * (_WIDTH - _RIGHT - _LEFT)


def _y(tar: float) -> float:
    return _TOP + (1 - tar) * (_HEIGHT - _BOTTOM - _TOP)
