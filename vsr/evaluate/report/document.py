"""What a report says, before it becomes HTML. Text here is plain: the template escapes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from vsr.core.geometry import Box

Tone = Literal["stop", "caution", "note"]
"""how much a warning matters: results not to be used, to be used with care, to be known"""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture inside the page."""

    uri: str
    """a data URI"""
    width: int
    """stored pixels"""
    height: int


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One face before and after."""

    frame: int
    seconds: float
    width_px: float
    """of the face box, source pixels"""
    before: Picture
    """the source's pixels enlarged by bicubic interpolation"""
    after: Picture
    """the same region of the result"""
    source: Picture | None = None
    """the source's own pixels, not enlarged"""
    fused: Picture | None = None
    """several views of the face averaged, which the network was given in their place"""
    filled: bool = False
    outcome: str | None = None
    """"super-resolved" or "plain"; None where not known"""
    deviation: float | None = None
    """as in `FaceCrop.deviation`, counted in `Document.deviation_unit`"""
    left: str = "Source"
    """what ``before`` is, in a word or two"""
    right: str = "Super-resolved"
    """what ``after`` is"""
    name: str = ""
    """what the pair is chosen by; empty: its time"""


@dataclass(frozen=True, kw_only=True)
class Moment:
    """One recorded point of a track."""

    frame: int
    seconds: float
    width_px: float
    filled: bool = False
    outcome: str | None = None
    """"super-resolved", "plain"; None: not cut out, or not known"""
    deviation: float | None = None
    box: Box | None = None
    """source pixels"""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a face's measured width allows to be said of it."""

    tone: Tone | Literal["fair"]
    word: str
    """for a table, e.g. "too small" """
    text: str
    """a sentence"""


@dataclass(frozen=True, kw_only=True)
class TrackPart:
    """The section on one face."""

    key: str
    """short and unique within the report, as shown: a number or a name"""
    label: str = ""
    """who it is, where annotations say so"""
    first_frame: int
    last_frame: int
    start_s: float
    end_s: float
    frames: int
    filled: int
    plain: int
    median_px: float
    narrowest_px: float
    widest_px: float
    verdict: Verdict
    detail: str = ""
    """in words: how much detail the crops held, and at which working scale they were made"""
    filled_frames: str = ""
    """in words: "33–40, 52" """
    plain_frames: str = ""
    pairs: tuple[Pair, ...] = ()
    moments: tuple[Moment, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Notice:
    """A warning, the most serious first in the page."""

    tone: Tone
    title: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of text under named columns."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    best: tuple[int | None, ...] = ()
    """of each row, which value is to stand out: 0 is the one after the row's name"""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One curve of a plot."""

    name: str
    points: tuple[tuple[float, float | None], ...]
    """(seconds, value); None leaves a hole"""


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A plot over time."""

    title: str
    unit: str
    lines: tuple[Line, ...]
    limits: tuple[tuple[float, str], ...] = ()
    """horizontal lines: (value, what it means)"""
    from_zero: bool = False
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Poor:
    """A frame that deserves a look, the worst first in the page."""

    track: str
    frame: int
    seconds: float
    reason: str
    pair: Pair | None = None


@dataclass(frozen=True, kw_only=True)
class Overview:
    """A whole frame with the faces marked."""

    picture: Picture
    seconds: float
    frame: int
    marks: tuple[tuple[str, Box], ...]
    """(track key, box as parts of the picture's width and height, 0..1)"""
    shows: str = "The source"
    """what the picture is"""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """A titled list of names and values."""

    title: str
    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Document:
    """Everything the page shows, in the order of its fields."""

    kind: str
    """e.g. "Restored video" """
    subject: str
    """name of what the report is about"""
    summary: str
    """one sentence"""
    notices: tuple[Notice, ...] = ()
    overview: Overview | None = None
    tracks: tuple[TrackPart, ...] = ()
    duration: tuple[float, float] = (0.0, 0.0)
    """seconds shown by time axes: start, end"""
    deviation_limit: float | None = None
    """from which a face stays plain"""
    deviation_unit: str = "times what the camera explains"
    """what deviations are counted in; older records: grey levels"""
    width_limits: tuple[tuple[float, str], ...] = ()
    """face widths in pixels that mean something"""
    charts: tuple[Chart, ...] = ()
    poor: tuple[Poor, ...] = ()
    tables: tuple[Table, ...] = ()
    facts: tuple[Facts, ...] = ()
    card: str = ""
    """the model's card, Markdown"""
    settings: str = ""
    """the resolved recipe, TOML"""
    remarks: tuple[str, ...] = field(default_factory=tuple)
    """how pictures and figures of this page were made"""
