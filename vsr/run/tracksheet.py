"""One picture of all face tracks, each by its number, to choose from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from vsr.core.types import Track
from vsr.run.contactsheet import FAINT, INK, PAPER, TEXT_PX, fitted, write_text

_CELL_PX = 160
_GAP_PX = 10
_COLUMNS = 6
_TRACKS = 600
"""most on a sheet: those that are longest to be seen"""
_LINES = 3
"""of words below each face"""


@dataclass(frozen=True, slots=True)
class Portrait:
    """A track's clearest face."""

    rgb: np.ndarray
    """uint8 (h, w, 3), as the source shows it"""
    seconds: float
    """when"""


def track_sheet(
    tracks: Sequence[tuple[Track, tuple[float, float], Portrait | None]], name: str
) -> Image.Image:
    """A cell for each track: its number, clearest face, times, width and detail.

    tracks: with the seconds of its first and last frame; without a portrait where it is nowhere
    wide enough. name: of the video.
    """
    shown = sorted(tracks, key=lambda t: -t[0].frames)[:_TRACKS]
    shown.sort(key=lambda t: t[0].track_id)
    columns = max(1, min(_COLUMNS, len(shown)))
    cell, row = _CELL_PX + 2 * _GAP_PX, _CELL_PX + (_LINES + 1) * (TEXT_PX + 4) + 2 * _GAP_PX
    head = TEXT_PX + 2 * _GAP_PX
    size = max(columns, 3) * cell + _GAP_PX, head + -(-len(shown) // columns) * row
    sheet = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(sheet)
    count = f"{len(tracks)} face tracks" if len(tracks) != 1 else "1 face track"
    less = f", the {len(shown)} longest" if len(shown) < len(tracks) else ""
    write_text(draw, (2 * _GAP_PX, _GAP_PX), f"{name} · {count}{less}", INK)
    for place, (track, seconds, portrait) in enumerate(shown):
        left = _GAP_PX + (place % columns) * cell + _GAP_PX
        top = head + (place // columns) * row
        write_text(draw, (left, top), f"track {track.track_id}", INK)
        top += TEXT_PX + 4
        if portrait is not None:
            face = Image.fromarray(portrait.rgb)
            sheet.paste(fitted(face, _CELL_PX, Image.Resampling.BICUBIC), (left, top))
        for line, words in enumerate(_told(track, seconds, portrait)):
            write_text(draw, (left, top + _CELL_PX + 2 + line * (TEXT_PX + 3)), words, FAINT)
    return sheet


def _told(track: Track, seconds: tuple[float, float], portrait: Portrait | None) -> list[str]:
    frames = f"{track.frames} frames" if track.frames != 1 else "1 frame"
    width = f"{track.median_width_px:.0f} px wide"
    if track.detail_px is not None and track.window_px:
        # of the face, as its width is, not of the window around it
        width += f", detail {track.detail_px * track.median_width_px / track.window_px:.0f}"
    if portrait is None:
        width += ", too small"
    return [f"{_clock(seconds[0])} - {_clock(seconds[1])}", frames, width]


def _clock(seconds: float) -> str:
    minutes, rest = divmod(abs(seconds), 60)
    return f"{'-' if seconds < 0 else ''}{int(minutes)}:{rest:04.1f}"
