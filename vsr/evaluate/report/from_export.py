"""The report on an export: ``index.json`` and its pictures in, `Document` out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vsr.core.config import to_toml
from vsr.core.errors import DataError
from vsr.core.geometry import Box
from vsr.core.progress import Progress, ProgressHook
from vsr.evaluate.report import trust
from vsr.evaluate.report.document import Document, Facts, Notice, Overview, Pair, Poor
from vsr.evaluate.report.parts import (
    deviation_terms,
    duration,
    model_facts,
    poor_words,
    track_part,
    version_facts,
    width_limits,
)
from vsr.evaluate.report.pictures import LOSSLESS, OVERVIEW_PX, Budget, encode
from vsr.evaluate.report.record import known_model, picture_of, read_tracks
from vsr.run.exportindex import FORMAT
from vsr.run.record import read_record

_KEYS = {"source": dict, "recipe": dict, "model": dict, "versions": dict, "tracks": list,
         "frames": list, "faces": list, "notices": list}  # fmt: skip
_MOST_TRACKS = 24
_MOST_POOR = 8
_MOST_PAIRS = 4
"""pictured moments of a track"""

Row = Mapping[str, Any]


def read_export(path: Path, source: Path | None, progress: ProgressHook) -> Document:
    """The report on an export of frames and faces.

    path: its ``index.json``; the pictures are taken from the folder, so ``source`` is not needed.
    Raises InputError where the index or a picture cannot be read, DataError where the index is
    not what it must be or a picture is missing.
    """
    values = read_record(path, "index of 'vsr frames'", FORMAT, _KEYS)
    if values.get("kind") != "export":
        raise DataError(f"{path}: is no index of 'vsr frames'; give the folder that it made")
    if not values["frames"]:
        raise DataError(f"{path}: the export holds no frame, so there is nothing to report")
    try:
        return _Reader(values, path, progress).document()
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f"{path}: damaged ({error.__class__.__name__}: {error}); run 'vsr frames' again"
        ) from None


_RIGHT = {"plain": "Refused, not pasted", "kept": "Kept as it is"}
"""outcome -> what stands beside the picture, where it is not super-resolved"""


class _Reader:
    """Holds what is read; pictures are taken once, as long as the budget lasts."""

    def __init__(self, values: dict[str, Any], path: Path, progress: ProgressHook) -> None:
        self._values = values
        self._path = path
        self._folder = path.parent
        self._progress = progress
        self._budget = Budget()
        self._rows: dict[int, list[Row]] = defaultdict(list)
        for row in values["faces"]:
            self._rows[row["track"]].append(row)

    def document(self) -> Document:
        """Everything the page shows."""
        values = self._values
        tracks = read_tracks(values, self._path)
        spec, card = known_model(str(values["model"].get("name")), values["model"].get("sha256"))
        chosen = self._chosen()
        poor = self._worst()
        pairs = self._pairs(chosen, poor)
        overview = self._overview()
        parts = tuple(
            track_part(
                t,
                [pairs[k] for r in chosen.get(t.track_id, []) if (k := _key(r)) in pairs],
                spec,
            )
            for t in tracks
        )
        limit, unit = deviation_terms(values["recipe"])
        named = [(f"face {t.track_id}", t) for t in tracks]
        notices = [trust.inferred(spec)] if tracks else []
        notices += trust.size_notices([(n, t.median_width_px) for n, t in named], spec)
        notices += trust.track_notices(named)
        notices += [Notice(tone="note", title="From the run", text=n) for n in values["notices"]]
        name = str(values["source"].get("name"))
        frames = trust.count(len(values["frames"]), "frame")
        return Document(
            kind="Export of frames and faces",
            subject=self._path.resolve().parent.name,
            summary=f"{frames} of {name}: " + (
                f"{trust.count(len(values['faces']), 'face picture')} of "
                f"{trust.count(len(tracks), 'track')}, enlarged {values['model']['scale']} times "
                f"by {values['model']['name']}." if tracks else "no face was found."
            ),
            notices=tuple(notices),
            overview=overview,
            tracks=parts,
            duration=duration(tracks),
            deviation_limit=limit,
            deviation_unit=unit,
            width_limits=width_limits(spec),
            poor=tuple(
                Poor(
                    track=str(r["track"]),
                    frame=r["frame"],
                    seconds=r["seconds"],
                    reason=poor_words(
                        r["deviation"], r["outcome"], r["filled"], values["recipe"]
                    ),
                    pair=pairs.get(_key(r)),
                )
                for r in poor
            ),
            facts=(self._files(), model_facts(values, spec), version_facts(values)),
            card=card,
            settings=to_toml({k: v for k, v in values["recipe"].items() if isinstance(v, dict)}),
            remarks=_remarks(values),
        )  # fmt: skip

    def _chosen(self) -> dict[int, list[Row]]:
        """The rows of each track that are shown, the clearest first, the others by time."""
        tracks = sorted(self._rows, key=lambda t: -sum(r["width"] for r in self._rows[t]))
        found = {}
        for track in tracks[:_MOST_TRACKS]:
            rows = self._rows[track]
            step = max(1, -(-len(rows) // _MOST_PAIRS))
            best = [max(rows[i : i + step], key=_clearness) for i in range(0, len(rows), step)]
            lead = max(best, key=_clearness)
            found[track] = [lead, *(r for r in best if r is not lead)]
        return found

    def _worst(self) -> list[Row]:
        rows = [r for r in self._values["faces"] if r["deviation"] is not None]
        rows.sort(key=lambda r: (r["outcome"] == "plain", r["deviation"]), reverse=True)
        return rows[:_MOST_POOR]

    def _pairs(self, chosen: dict[int, list[Row]], poor: list[Row]) -> dict[tuple[int, int], Pair]:
        first = [rows[0] for rows in chosen.values()]
        others = [r for rows in chosen.values() for r in rows[1:]]
        pairs: dict[tuple[int, int], Pair] = {}
        wanted = {_key(r): r for r in [*first, *poor, *others]}
        for done, (key, row) in enumerate(wanted.items()):
            pair = self._pair(row)
            if self._budget.take(pair.before) and self._budget.take(pair.after):
                pairs[key] = pair
            self._progress(Progress("reading pictures", done + 1, len(wanted), 0, "pictures"))
        return pairs

    def _pair(self, row: Row) -> Pair:
        lr, bicubic, sr = (picture_of(self._folder, row[kind]) for kind in ("lr", "bicubic", "sr"))
        fused = picture_of(self._folder, row["fused"]) if row.get("fused") else None
        return Pair(
            frame=row["frame"],
            seconds=row["seconds"],
            width_px=row["width"],
            before=encode(bicubic),
            after=encode(sr),
            source=encode(lr) if max(lr.shape) <= LOSSLESS else None,
            fused=encode(fused) if fused is not None and max(fused.shape) <= LOSSLESS else None,
            filled=row["filled"],
            outcome=row["outcome"],
            deviation=row["deviation"],
            right=_RIGHT.get(row["outcome"], "Super-resolved"),
        )

    def _overview(self) -> Overview | None:
        """The exported frame with the most faces, the largest ones of equals."""
        at: dict[int, list[Row]] = defaultdict(list)
        for row in self._values["faces"]:
            at[row["frame"]].append(row)
        pictures = {f["frame"]: f for f in self._values["frames"] if f.get("picture")}
        known = [n for n in at if n in pictures]
        if not known:
            return None
        number = max(known, key=lambda n: (len(at[n]), sum(r["width"] for r in at[n])))
        rgb = picture_of(self._folder, pictures[number]["picture"])
        scale = self._values["model"]["scale"]
        height, width = rgb.shape[:2]
        marks = tuple(
            (str(r["track"]), Box(*(scale * r[k] / side for k, side in (
                ("x", width), ("y", height), ("width", width), ("height", height)))))
            for r in at[number]
        )  # fmt: skip
        picture = encode(rgb, most=OVERVIEW_PX)
        self._budget.take(picture)
        return Overview(
            picture=picture,
            seconds=pictures[number]["seconds"],
            frame=number,
            marks=marks,
            shows="The result",
        )

    def _files(self) -> Facts:
        source, chosen = self._values["source"], self._values.get("selection") or {}
        rows = [
            ("Source", str(source.get("name"))),
            ("", f"{source.get('width')} × {source.get('height')} px, {source.get('codec')}"),
            ("SHA-256", str(source.get("sha256"))),
            ("Exported", f"{len(self._values['frames']):,} frames"),
        ]
        picked = ", ".join(f"{k} {v}" for k, v in chosen.items() if v not in (None, [], 1))
        return Facts(title="Files", rows=(*rows, ("Selection", picked or "every frame")))


def _clearness(row: Row) -> tuple[bool, float]:
    sure = not row["filled"] and row["outcome"] == "super-resolved"
    return sure, row["width"] * row["height"] * row["confidence"]


def _key(row: Row) -> tuple[int, int]:
    return row["track"], row["frame"]


def _remarks(values: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        "Every pair is what lies in the export’s folder: left the low-resolution face, enlarged "
        f"{values['model']['scale']} times by bicubic interpolation, right the generator’s own "
        "output. The page shows both enlarged further by the same factor.",
        "Pictures are WebP, without loss up to 256 pixels a side, else at quality 90. They are "
        "made to be looked at; measure on the files.",
        "Frames, counts and timelines are those of the exported stretch.",
    )
