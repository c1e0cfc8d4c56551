"""One picture to look at: each track's best faces, low-resolution, bicubic and super-resolved."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

_CELL_PX = 192
_GAP_PX = 6
TEXT_PX = 15
_FACES = 3
"""of each track"""
_TRACKS = 40
"""most tracks on a sheet: those with the most and largest faces"""
INK, PAPER, FAINT = (20, 20, 20), (250, 250, 250), (105, 105, 105)


def best_rows(rows: Iterable[dict[str, Any]], most: int = _FACES) -> list[dict[str, Any]]:
    """The clearest faces of one track, from all over it, by time."""
    rows = list(rows)
    best = []
    for part in range(most):
        stretch = rows[part * len(rows) // most : (part + 1) * len(rows) // most]
        if stretch:
            best.append(max(stretch, key=_clearness))
    return best


def write_contact_sheet(folder: Path, faces: list[dict[str, Any]], title: str) -> Path | None:
    """Write ``contact_sheet.png`` into an export from its face pictures; None without faces.

    faces: rows of `ExportIndex.faces`, whose lr, bicubic and sr name pictures in ``folder``.
    """
    tracks: dict[int, list[dict[str, Any]]] = {}
    for row in faces:
        tracks.setdefault(row["track"], []).append(row)
    if not tracks:
        return None
    shown = sorted(tracks, key=lambda t: -sum(r["face_width_px"] for r in tracks[t]))[:_TRACKS]
    if len(shown) < len(tracks):
        title += f" · {len(shown)} of {len(tracks)} tracks"
    block = 3 * _CELL_PX + 2 * 2
    width = _FACES * block + (_FACES + 1) * 3 * _GAP_PX
    row_height = _CELL_PX + 2 * (TEXT_PX + 8) + 2 * _GAP_PX
    head = 3 * TEXT_PX + 2 * _GAP_PX
    sheet = Image.new("RGB", (width, head + len(shown) * row_height), PAPER)
    draw = ImageDraw.Draw(sheet)
    write_text(draw, (3 * _GAP_PX, _GAP_PX), title, INK)
    hint = "each face: low resolution · bicubic · super-resolved, which is inferred detail"
    write_text(draw, (3 * _GAP_PX, _GAP_PX + TEXT_PX + 6), hint, FAINT)
    for line, track in enumerate(sorted(shown)):
        _draw_track(sheet, draw, head + line * row_height, folder, track, tracks[track], block)
    path = folder / "contact_sheet.png"
    sheet.save(path)
    return path


def _draw_track(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    top: int,
    folder: Path,
    track: int,
    rows: list[dict[str, Any]],
    block: int,
) -> None:
    widths = sorted(r["face_width_px"] for r in rows)
    name = f" ({rows[0]['label']})" if rows[0]["label"] else ""
    words = f"track {track}{name} · {len(rows)} faces · {widths[len(widths) // 2]:.0f} px wide"
    write_text(draw, (3 * _GAP_PX, top), words, INK)
    for place, row in enumerate(best_rows(rows)):
        left = 3 * _GAP_PX + place * (block + 3 * _GAP_PX)
        y = top + TEXT_PX + 8
        for part, kind in enumerate(("lr", "bicubic", "sr")):
            with Image.open(folder / row[kind]) as picture:
                # enlarged in whole pixels where it is the source's own
                how = Image.Resampling.NEAREST if kind == "lr" else Image.Resampling.BICUBIC
                cell = fitted(picture, _CELL_PX, how)
                sheet.paste(cell, (left + part * (_CELL_PX + 2), y))
        notes = [
            f"frame {row['frame']}",
            f"{row['seconds']:.2f} s",
            f"{row['face_width_px']:.0f} px",
        ]
        if row["filled"]:
            notes.append("filled in")
        if row["outcome"] == "plain":
            notes.append("refused: the video keeps plain pixels")
        write_text(draw, (left, y + _CELL_PX + 3), " · ".join(notes), FAINT)


def fitted(picture: Image.Image, side: int, how: Image.Resampling) -> Image.Image:
    """A face as large as a square cell of so many pixels takes it."""
    scale = side / max(picture.size)
    width, height = (max(1, round(s * scale)) for s in picture.size)
    cell = Image.new("RGB", (side, side), (225, 225, 225))
    face = picture.convert("RGB").resize((width, height), how)
    cell.paste(face, ((side - width) // 2, (side - height) // 2))
    return cell


def write_text(
    draw: ImageDraw.ImageDraw, at: tuple[int, int], words: str, fill: tuple[int, int, int]
) -> None:
    """Words in the sheets' letters; those it lacks become question marks."""
    plain = words.encode("latin-1", "replace").decode("latin-1")
    draw.text(at, plain, fill=fill, font=ImageFont.load_default(TEXT_PX))


def _clearness(row: dict[str, Any]) -> float:
    """Large, surely detected, super-resolved faces first."""
    trusted = 0.5 if row["filled"] or row["outcome"] != "super-resolved" else 1.0
    return row["face_width_px"] * row["confidence"] * trusted
