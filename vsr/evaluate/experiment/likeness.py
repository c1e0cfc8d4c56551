"""Distances that need a network: how a face looks, and whose it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from vsr.core.geometry import Box
from vsr.degrade.image import enlarge_image
from vsr.evaluate.experiment.results import FaceRow
from vsr.evaluate.identity import IdentityDistance
from vsr.evaluate.perceptual import PerceptualDistance

_BATCH = 8
_MIN_SIDE = 16
_MIN_TRACK = 3
"""faces that a track needs to have a mean of its own"""


_MAX_WAITING = 2**28
"""bytes of pictures that may wait for more of their size: in a film hardly two faces share one"""


@dataclass(slots=True)
class _Seen:
    truth: np.ndarray
    results: list[tuple[FaceRow, np.ndarray]]

    @property
    def bytes(self) -> int:
        return self.truth.nbytes * (1 + len(self.results))


@dataclass(slots=True)
class PerceptualQueue:
    """Fills in "perceptual", several faces of one size at a time. Call `flush` at the end."""

    distance: PerceptualDistance = field(default_factory=lambda: PerceptualDistance(_BATCH))
    max_waiting: int = _MAX_WAITING
    """bytes; the size that has waited longest is measured as it is where more would wait"""
    _waiting: dict[tuple[int, ...], list[_Seen]] = field(default_factory=dict)
    """by shape, the one that has waited longest first"""
    _bytes: int = 0

    def add(self, truth: np.ndarray, results: Sequence[tuple[FaceRow, np.ndarray]]) -> None:
        """A face of the truth and what the models made of it, uint8 ``(H, W, 3)`` all."""
        if min(truth.shape[:2]) < _MIN_SIDE:
            return
        group = self._waiting.setdefault(truth.shape, [])
        # copies: a view would keep its whole frame
        group.append(_Seen(truth.copy(), [(row, picture.copy()) for row, picture in results]))
        self._bytes += group[-1].bytes
        if len(group) == _BATCH:
            self._run(truth.shape)
        while self._bytes > self.max_waiting:
            self._run(next(iter(self._waiting)))

    def flush(self) -> None:
        """Everything that waits."""
        for shape in list(self._waiting):
            self._run(shape)

    def _run(self, shape: tuple[int, ...]) -> None:
        group = self._waiting.pop(shape)
        self._bytes -= sum(seen.bytes for seen in group)
        wanted = self.distance.features(np.stack([seen.truth for seen in group]))
        for model in range(len(group[0].results)):
            pairs = [seen.results[model] for seen in group]
            found = self.distance.features(np.stack([picture for _, picture in pairs]))
            for (row, _), value in zip(pairs, self.distance.between(found, wanted), strict=True):
                row.values["perceptual"] = float(value)


@dataclass(slots=True)
class IdentityJudge:
    """Fills in the identity distances; the spread when the whole track is known (`finish`)."""

    distance: IdentityDistance = field(default_factory=IdentityDistance)
    _tracks: dict[tuple[str, int], list[tuple[FaceRow, np.ndarray, np.ndarray]]] = field(
        default_factory=dict
    )
    """per model and track: the row, its descriptor and the truth's"""

    def add(
        self,
        truth: np.ndarray,
        lr: np.ndarray,
        face: Box | None,
        results: Sequence[tuple[FaceRow, np.ndarray]],
    ) -> None:
        """One face: its surroundings in the truth, the LR picture and each model's picture.

        truth and the results are uint8 ``(s*h, s*w, 3)``, lr ``(h, w, 3)``; ``face`` in
        the truth's pixels, relative to the cutting; None: the picture is one face. The
        landmarks are the truth's for all.
        """
        scale = truth.shape[0] // lr.shape[0]
        place = self.distance.locate(truth, face)
        pictures = [truth, enlarge_image(lr, scale), *(p for _, p in results)]
        vectors = self.distance.describe(pictures, [place] * len(pictures))
        for (row, _), vector in zip(results, vectors[2:], strict=True):
            row.values["identity"] = float(np.linalg.norm(vector - vectors[0]))
            row.values["identity_from_lr"] = float(np.linalg.norm(vector - vectors[1]))
            row.values |= {"identity_spread": None, "identity_excess": None}
            if row.track is not None:
                known = self._tracks.setdefault((row.model, row.track), [])
                known.append((row, vector.astype(np.float32), vectors[0].astype(np.float32)))

    def finish(self) -> None:
        """Distances to each track's mean."""
        for known in self._tracks.values():
            if len(known) < _MIN_TRACK:
                continue
            own = _spread([vector for _, vector, _ in known])
            truth = _spread([vector for _, _, vector in known])
            for (row, _, _), spread, floor in zip(known, own, truth, strict=True):
                row.values["identity_spread"] = float(spread)
                row.values["identity_excess"] = float(spread - floor)


def _spread(vectors: Sequence[np.ndarray]) -> np.ndarray:
    """Distance of each to their mean, float64 ``(N,)``."""
    table = np.asarray(vectors, np.float64)
    return np.linalg.norm(table - table.mean(axis=0), axis=1)
