"""Plots as inline SVG without text: the page sets axis labels in HTML, so that they stay
readable at any width. Colours are classes; the style sheet knows light and dark."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup

from vsr.evaluate.report.document import Chart, Moment
from vsr.evaluate.report.words import clock, number, ticks

_WIDTH, _HEIGHT = 1000, 200
_COLOURS = 6


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A plot ready for the template."""

    title: str
    unit: str
    svg: Markup
    y_labels: tuple[str, ...]
    """from top to bottom, evenly spaced"""
    x_labels: tuple[str, ...]
    """from left to right, evenly spaced"""
    legend: tuple[tuple[str, str], ...]
    """(class of the line, name)"""
    summary: str
    """what a screen reader says"""
    note: str = ""


def draw(chart: Chart, span: tuple[float, float]) -> Plot | None:
    """The plot of a chart over ``span`` seconds; None where it holds no value."""
    values = [v for line in chart.lines for _, v in line.points if v is not None]
    if not values:
        return None
    low, high = min(values), max(values)
    near = [v for v, _ in chart.limits if low - (high - low or 1) <= v <= 3 * max(high, 1e-9)]
    low, high = min([low, *near]), max([high, *near])
    marks = ticks(0.0 if chart.from_zero else low, high)
    start, end = span
    x_of = _scale(start, end, 0, _WIDTH)
    y_of = _scale(marks[0], marks[-1], _HEIGHT, 0)
    parts = [_rule(y_of(m), "grid") for m in marks]
    legend = []
    for index, line in enumerate(chart.lines):
        name = f"line-{index % _COLOURS}"
        parts += [_curve(run, x_of, y_of, name) for run in _runs(line.points)]
        if len(chart.lines) > 1:
            legend.append((name, line.name))
    for index, (value, meaning) in enumerate(chart.limits):
        if marks[0] <= value <= marks[-1]:
            parts.append(_rule(y_of(value), f"limit-{index % 2}"))
            legend.append((f"limit-{index % 2}", meaning))
    return Plot(
        title=chart.title,
        unit=chart.unit,
        svg=_svg(parts),
        y_labels=tuple(f"{round(m, 9):g}".replace("-", "−") for m in reversed(marks)),
        x_labels=_times(start, end),
        legend=tuple(legend),
        summary=_summary(chart),
        note=chart.note,
    )


def bar(moments: tuple[Moment, ...], span: tuple[float, float]) -> Markup:
    """The timeline of one track: when it stands, what was filled in, what stayed plain."""
    x_of = _scale(*span, 0, _WIDTH)
    step = _usual_step(moments)
    parts: list[Markup] = []
    run: list[Moment] = []
    for moment in moments:
        if run and (
            _state(run[-1]) != _state(moment) or moment.seconds - run[-1].seconds > 3 * step
        ):
            parts.append(_block(run, x_of, step))
            run = []
        run.append(moment)
    if run:
        parts.append(_block(run, x_of, step))
    return _svg(parts, height=20)


def _state(moment: Moment) -> str:
    if moment.filled:
        return "filled"
    return {"plain": "plain", "super-resolved": "sr"}.get(moment.outcome or "", "seen")


def _block(run: list[Moment], x_of, step: float) -> Markup:
    left = x_of(run[0].seconds)
    right = max(x_of(run[-1].seconds + step), left + 1.5)
    state = _state(run[0])
    y, height = {"filled": (6, 8), "plain": (2, 16), "seen": (8, 4)}.get(state, (2, 16))
    return Markup('<rect class="{}" x="{:.1f}" y="{}" width="{:.1f}" height="{}"/>').format(
        f"run-{state}", left, y, right - left, height
    )


def states(tracks: Iterable[tuple[Moment, ...]]) -> set[str]:
    """What occurs in the timelines: of "sr", "filled", "plain", "seen"."""
    return {_state(m) for moments in tracks for m in moments}


def _usual_step(moments: tuple[Moment, ...]) -> float:
    gaps = sorted(b.seconds - a.seconds for a, b in itertools.pairwise(moments))
    return max(1e-3, gaps[len(gaps) // 2]) if gaps else 1 / 30


def _runs(points: tuple[tuple[float, float | None], ...]) -> list[list[tuple[float, float]]]:
    """The stretches without holes."""
    runs: list[list[tuple[float, float]]] = [[]]
    for x, y in points:
        if y is None:
            runs.append([])
        else:
            runs[-1].append((x, y))
    return [r for r in runs if r]


def _curve(run: list[tuple[float, float]], x_of, y_of, name: str) -> Markup:
    if len(run) == 1:  # a lone point would be invisible: a short dash
        x, y = x_of(run[0][0]), y_of(run[0][1])
        return Markup('<path class="{}" d="M{:.1f} {:.1f}h4"/>').format(name, x - 2, y)
    path = "L".join(f"{x_of(x):.1f} {y_of(y):.1f}" for x, y in run)
    return Markup('<path class="{}" d="M{}"/>').format(name, path)


def _rule(y: float, name: str) -> Markup:
    return Markup('<path class="{}" d="M0 {:.1f}H{}"/>').format(name, y, _WIDTH)


def _svg(parts: list[Markup], height: int = _HEIGHT) -> Markup:
    return Markup(
        '<svg viewBox="0 0 {} {}" preserveAspectRatio="none" aria-hidden="true" '
        'focusable="false">{}</svg>'
    ).format(_WIDTH, height, Markup("").join(parts))


def _times(start: float, end: float) -> tuple[str, ...]:
    return tuple(clock(start + (end - start) * i / 4) for i in range(5))


def _summary(chart: Chart) -> str:
    parts = []
    for line in chart.lines:
        values = sorted(v for _, v in line.points if v is not None)
        if values:
            middle = values[len(values) // 2]
            words = f"{number(values[0])} to {number(values[-1])} {chart.unit}"
            parts.append(f"{line.name}: {words}, median {number(middle)}")
    return f"{chart.title}. " + "; ".join(parts)


def _scale(low: float, high: float, start: float, end: float):
    """A linear map from low..high to start..end."""
    width = (high - low) or 1.0
    return lambda value: start + (end - start) * (value - low) / width
