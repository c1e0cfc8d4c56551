"""Cutting faces out of a run's source and result, in one pass over each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vsr.core.geometry import Box, Window
from vsr.core.progress import Progress, ProgressHook
from vsr.core.types import FaceSample, Track
from vsr.evaluate.report.document import Overview, Pair
from vsr.evaluate.report.pictures import (
    LOSSLESS,
    OVERVIEW_PX,
    Budget,
    bicubic,
    encode,
    frames_at,
    region_of,
)

_FACE_FILE = re.compile(r"(?:^|\.)face_(\d+)(?:_\d+)?$")
"""stem of a face video (`vsr.run.facefiles`)"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A face to be cut out."""

    track_id: int
    sample: FaceSample


class Cutter:
    """Cuts pairs of pictures out of source and result, in one pass over each."""

    def __init__(
        self, values: Mapping[str, Any], source: Path, outputs: list[Path], progress: ProgressHook
    ) -> None:
        self.budget = Budget()
        self._faces = values["recipe"].get("output") == "faces"
        self._scale = int(values["model"].get("scale") or values["recipe"]["upscale"]["scale"])
        self._source = source
        self._folder_fps = str(values["recipe"].get("decode", {}).get("folder_fps", "30"))
        self._outputs = outputs
        self._progress = progress

    def cut(
        self, wanted: list[Wanted], overview_at: float | None, tracks: list[Track]
    ) -> tuple[dict[tuple[int, int], Pair], Overview | None]:
        """Pairs by (track, frame), those named first have the first claim to the room."""
        times = {w.sample.seconds for w in wanted}
        before: dict[tuple[int, int], np.ndarray] = {}
        regions: dict[tuple[int, int], Window] = {}
        overview = None
        moments = times | _maybe(overview_at)
        for second, rgb in frames_at(self._source, moments, self._folder_fps):
            for w in (w for w in wanted if w.sample.seconds == second):
                height, width = rgb.shape[:2]
                box = w.sample.box
                region = w.sample.window if self._faces else region_of(box, width, height)
                regions[_key(w)] = region
                before[_key(w)] = rgb[region.slices].copy()
            if second == overview_at:
                overview = _overview(rgb, second, tracks)
                self.budget.take(overview.picture)
            self._progress(Progress("reading the source", len(before), len(wanted), 0, "pictures"))
        after = self._results(wanted, regions)
        pairs = {}
        for w in wanted:
            key = _key(w)
            if key in before and key in after and key not in pairs:
                pair = _pair(w.sample, before[key], after[key])
                if all(map(self.budget.take, (pair.before, pair.after))):
                    pairs[key] = pair
        return pairs, overview

    def _results(
        self, wanted: list[Wanted], regions: dict[tuple[int, int], Window]
    ) -> dict[tuple[int, int], np.ndarray]:
        """The same faces in the result."""
        found: dict[tuple[int, int], np.ndarray] = {}
        for path in self._outputs:
            track_id = _track_of(path) if self._faces else None
            here = [w for w in wanted if track_id in (None, w.track_id) and _key(w) in regions]
            if not here or (self._faces and track_id is None):
                continue
            for second, rgb in frames_at(path, {w.sample.seconds for w in here}):
                for w in (w for w in here if w.sample.seconds == second):
                    if self._faces:
                        found[_key(w)] = rgb.copy()
                    else:
                        found[_key(w)] = rgb[regions[_key(w)].scaled(self._scale).slices].copy()
                done = len(found)
                self._progress(Progress("reading the result", done, len(wanted), 0, "pictures"))
        return found


_RIGHT = {"plain": "Left plain", "kept": "Kept as it is"}
"""outcome -> what stands beside the result, where it is not super-resolved"""


def _pair(sample: FaceSample, source: np.ndarray, after: np.ndarray) -> Pair:
    height, width = after.shape[:2]
    return Pair(
        frame=sample.frame,
        seconds=sample.seconds,
        width_px=sample.box.width,
        before=encode(bicubic(source, width, height)),
        after=encode(after),
        source=encode(source) if max(source.shape) <= LOSSLESS else None,
        filled=sample.filled,
        outcome=sample.outcome,
        deviation=sample.deviation,
        right=_RIGHT.get(sample.outcome, "Super-resolved"),
    )


def _overview(rgb: np.ndarray, second: float, tracks: list[Track]) -> Overview:
    height, width = rgb.shape[:2]
    here = [(t, p) for t in tracks for p in t.timeline if p.seconds == second]
    return Overview(
        picture=encode(rgb, most=OVERVIEW_PX),
        seconds=second,
        frame=here[0][1].frame,
        marks=tuple((str(t.track_id), _part_of(p.box, width, height)) for t, p in here),
    )


def _part_of(box: Box, width: int, height: int) -> Box:
    return Box(box.x / width, box.y / height, box.width / width, box.height / height)


def _key(wanted: Wanted) -> tuple[int, int]:
    return wanted.track_id, wanted.sample.frame


def _maybe(value: float | None) -> set[float]:
    return set() if value is None else {value}


def _track_of(path: Path) -> int | None:
    found = _FACE_FILE.search(path.stem)
    return int(found[1]) if found else None
