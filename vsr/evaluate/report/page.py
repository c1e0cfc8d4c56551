"""A `Document` as one HTML page that needs nothing else: styles, script and pictures inside."""

from __future__ import annotations

import base64
import datetime
import hashlib
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

import vsr
from vsr.evaluate.report import plots
from vsr.evaluate.report.document import Chart, Document, Line, TrackPart
from vsr.evaluate.report.words import clock, number, width

_ASSETS = Path(__file__).parent / "assets"
_TONES = {"stop": 0, "caution": 1, "note": 2}
_KEYS = {
    "sr": "super-resolved",
    "filled": "filled in by the tracker",
    "plain": "left plain",
    "seen": "seen, not enlarged by the model",
}


def render(document: Document) -> str:
    """The page of a document.

    Whatever came from files is escaped. A content security policy lets the page load nothing:
    only its own style and script, named by their hashes, and pictures of data URIs.
    """
    style = _asset("report.css")
    script = _asset("report.js")
    environment = Environment(
        loader=FileSystemLoader(_ASSETS),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(clock=clock, number=number, width=width, card=_card)
    charts = [plots.draw(chart, document.duration) for chart in document.charts]
    return environment.get_template("report.html.jinja").render(
        doc=document,
        notices=sorted(document.notices, key=lambda n: _TONES[n.tone]),
        keys=_keys(document),
        bars={t.key: plots.bar(t.moments, document.duration) for t in document.tracks},
        track_plots={t.key: _track_plots(t, document) for t in document.tracks if t.pairs},
        charts=[c for c in charts if c is not None],
        style=style,
        script=script,
        policy=_policy(style, script),
        version=vsr.__version__,
        made=datetime.datetime.now(datetime.UTC).strftime("%d %B %Y, %H:%M UTC").lstrip("0"),
    )


def _keys(document: Document) -> list[tuple[str, str]]:
    """The legend of the timelines: what occurs in them."""
    found = plots.states(t.moments for t in document.tracks)
    return [(name, text) for name, text in _KEYS.items() if name in found]


def _visible(value: object) -> object:
    """Text with invisible characters spelt out: a file name must not turn a line around."""
    if not isinstance(value, str) or isinstance(value, Markup) or value.isprintable():
        return value
    return "".join(c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1] for c in value)


def _asset(name: str) -> Markup:
    return Markup((_ASSETS / name).read_text(encoding="utf-8"))


def _policy(style: str, script: str) -> str:
    def digest(text: str) -> str:
        raw = hashlib.sha256(text.encode("utf-8")).digest()
        return f"'sha256-{base64.b64encode(raw).decode('ascii')}'"

    return (
        f"default-src 'none'; img-src data:; style-src {digest(style)}; "
        f"script-src {digest(script)}; base-uri 'none'; form-action 'none'"
    )


def _track_plots(track: TrackPart, document: Document) -> list[plots.Plot]:
    span = (track.start_s, track.end_s)
    widths = tuple((m.seconds, m.width_px) for m in track.moments)
    charts = [
        Chart(
            title="Width of the face",
            unit="px",
            lines=(Line(name="width", points=widths),),
            limits=document.width_limits,
            from_zero=True,
        )
    ]
    limits = () if document.deviation_limit is None else (
        (document.deviation_limit, f"{document.deviation_limit:g}: left plain from here"),
    )  # fmt: skip
    apart = tuple((m.seconds, m.deviation) for m in track.moments)
    if any(value is not None for _, value in apart):
        charts.append(
            Chart(
                title="Distance from the source",
                unit=document.deviation_unit,
                lines=(Line(name="distance", points=apart),),
                limits=limits,
                from_zero=True,
            )
        )
    if len(track.moments) < 2:
        return []
    drawn = [plots.draw(chart, span) for chart in charts]
    return [p for p in drawn if p is not None]


def _without_empty_heads(tokens: list[Token]) -> list[Token]:
    """Leave out the heads of tables that have nothing in them."""
    kept: list[Token] = []
    head: list[Token] | None = None
    for token in tokens:
        if token.type == "thead_open":
            head = []
        if head is None:
            kept.append(token)
            continue
        head.append(token)
        if token.type == "thead_close":
            kept += head if any(t.content for t in head) else []
            head = None
    return kept


def _card(text: str) -> Markup:
    """A model card's Markdown as HTML without raw HTML or pictures; headings start at h4."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    tokens = _without_empty_heads(markdown.parse(text))
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 3)}"
    return Markup(markdown.renderer.render(tokens, markdown.options, {}))
