"""What the 128/64 protocol came to: PSNR and SSIM by person, sequence, camera and portal."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

import vsr
from vsr.batch.job import Row
from vsr.batch.persons import INDEX_FILE
from vsr.batch.storage import Storage
from vsr.batch.summary import TABLES
from vsr.core.errors import DataError
from vsr.evaluate.experiment.interval import bootstrap

CSV_FILE, JSON_FILE, TABLE_FILE = TABLES
_BINS = (15.0, 20.0, 30.0, 45.0)
"""eye distances in the frame, pixels"""

NOTE = (
    "Means over faces, on BT.601 luma, beside PIL's bicubic; gain with its 95 % interval, persons "
    "drawn again. HR pictures of faces whose square is smaller than 128 pixels in the frame (eyes "
    "less than 43 apart) were enlarged themselves."
)


@dataclass(frozen=True, slots=True)
class _Face:
    sequence: str
    person: str
    eye_distance_px: float
    psnr_db: float
    ssim: float
    bicubic_psnr_db: float
    bicubic_ssim: float


@dataclass(frozen=True, slots=True)
class ProtocolRow:
    """The figures of some faces."""

    by: str
    """"all", "portal", "camera", "sequence", "person" or "eyes" """
    name: str
    faces: int
    persons: int
    psnr_db: float
    bicubic_psnr_db: float
    gain_db: float
    gain_low_db: float | None
    """None where there is only one person"""
    gain_high_db: float | None
    ssim: float
    bicubic_ssim: float


def _part(pattern: str) -> Callable[[_Face], str]:
    def name(face: _Face) -> str:
        found = re.search(pattern, face.sequence)
        return found.group(0) if found else "other"

    return name


def _eyes(face: _Face) -> str:
    limits = [0.0, *_BINS]
    k = max(i for i, low in enumerate(limits) if face.eye_distance_px >= low)
    return f"{limits[k]:g}-{limits[k + 1]:g} px" if k + 1 < len(limits) else f"{limits[k]:g} px +"


GROUPS: dict[str, Callable[[_Face], str]] = {
    "all": lambda _: "all",
    "portal": _part(r"^P\d(?=[EL]_)"),
    "camera": _part(r"C\d"),
    "eyes": _eyes,
    "sequence": lambda face: face.sequence,
    "person": lambda face: face.person,
}
"""how faces are put together: kind to a face's group"""


def protocol_rows(storage: Storage, rows: Iterable[Row]) -> list[ProtocolRow]:
    """Sum up the ``faces.csv`` of all finished sequences. Raises DataError on a damaged one."""
    faces = [f for r in rows if r.status == "ok" and r.faces for f in _read(storage, r.sequence)]
    table = []
    for by, name_of in GROUPS.items():
        groups: dict[str, list[_Face]] = {}
        for face in faces:
            groups.setdefault(name_of(face), []).append(face)
        order = sorted(groups, key=_natural)
        table += [_row(by, name, groups[name]) for name in order]
    return table


def _natural(name: str) -> list[str | int]:
    """Text, number, text, …: "15-20 px" comes after "0-15 px"."""
    return [int(t) if i % 2 else t for i, t in enumerate(re.split(r"(\d+)", name))]


def _read(storage: Storage, sequence: str) -> list[_Face]:
    path = f"{sequence}/{INDEX_FILE}"
    measures = [f.name for f in fields(_Face)][2:]
    try:
        lines = csv.DictReader(io.StringIO(storage.read_text(path) or ""))
        found = [
            _Face(sequence, line["person"], *(float(line[m]) for m in measures)) for line in lines
        ]
    except (KeyError, ValueError, TypeError) as error:
        raise DataError(
            f"{storage.where(path)}: is damaged ({error!r}); delete it and run again"
        ) from None
    return found


def _row(by: str, name: str, faces: list[_Face]) -> ProtocolRow:
    persons = [f.person for f in faces]
    gain = bootstrap([f.psnr_db - f.bicubic_psnr_db for f in faces], persons)
    means = {
        m: float(np.mean([getattr(f, m) for f in faces]))
        for m in ("psnr_db", "bicubic_psnr_db", "ssim", "bicubic_ssim")
    }
    return ProtocolRow(
        by=by,
        name=name,
        faces=len(faces),
        persons=len(set(persons)),
        gain_db=gain.mean,
        gain_low_db=gain.low,
        gain_high_db=gain.high,
        **means,
    )


COLUMNS = ("by", "name", "faces", "persons", "PSNR", "bicubic", "gain (dB)", "SSIM", "bicubic")


def cells(row: ProtocolRow) -> list[str]:
    """A row's texts, one per heading of ``COLUMNS``."""
    gain = f"{row.gain_db:+.2f}"
    if row.gain_low_db is not None and row.gain_high_db is not None:
        gain += f" [{row.gain_low_db:+.2f}, {row.gain_high_db:+.2f}]"
    return [
        row.by, row.name, str(row.faces), str(row.persons), f"{row.psnr_db:.2f}",
        f"{row.bicubic_psnr_db:.2f}", gain, f"{row.ssim:.4f}", f"{row.bicubic_ssim:.4f}",
    ]  # fmt: skip


def write_protocol(
    storage: Storage, table: list[ProtocolRow], settings: dict[str, Any]
) -> dict[str, Any]:
    """Write ``protocol.csv``, ``.md`` and ``.json``; gives what the last one holds."""
    columns = [f.name for f in fields(ProtocolRow)]
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    for row in table:
        values = [getattr(row, c) for c in columns]
        writer.writerow(
            ["" if v is None else f"{v:.5f}" if isinstance(v, float) else v for v in values]
        )
    lines = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    lines += [f"| {' | '.join(c.replace('|', ' ') for c in cells(row))} |" for row in table]
    values = {
        "format": 1,
        "kind": "protocol",
        "vsr": vsr.__version__,
        "settings": settings,
        "rows": [asdict(row) for row in table],
    }
    storage.write_text(CSV_FILE, file.getvalue())
    storage.write_text(TABLE_FILE, "\n".join([*lines, "", NOTE, ""]))
    storage.write_text(JSON_FILE, json.dumps(values, indent=1, ensure_ascii=False))
    return values
