"""Models against each other on the same faces: mean, standard error, gain over bicubic."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from vsr.core.errors import DataError, UsageError
from vsr.core.progress import Progress, ProgressHook, silent
from vsr.degrade.kernels import Reduction
from vsr.evaluate.identity import SAME_PERSON, IdentityDistance
from vsr.evaluate.metrics import haarpsi_y, psnr_y, ssim_y
from vsr.evaluate.named import BASELINE, by_name
from vsr.evaluate.perceptual import PerceptualDistance
from vsr.evaluate.validation import (
    CONDITIONS,
    PROTOCOLS,
    Condition,
    FacePair,
    Protocol,
    batches,
    find_faces,
)
from vsr.models.upscale import Upscaler

MEASURES = ("psnr", "ssim", "haarpsi", "perceptual", "identity")
BATCH = 8


@dataclass(frozen=True, kw_only=True)
class CompareConfig:
    """What is measured, and on how many faces."""

    scale: int = 2
    """2, 4 or 8: decides the protocol"""
    reduction: Reduction | None = None
    """of the faces to LR; None: the protocol's own"""
    measures: tuple[str, ...] = MEASURES
    limit: int | None = None
    """faces in all, evenly spaced over the data set; None: every one"""
    feature_faces: int = 250
    """about how many of them also for "perceptual" and "identity", which cost most (whole
    batches, evenly spaced); 0 for all"""
    seed: int = 0
    """of the noise on degraded faces"""

    def __post_init__(self) -> None:
        if self.scale not in PROTOCOLS:
            raise UsageError(f"--scale: got {self.scale}, expected one of {tuple(PROTOCOLS)}")
        if self.reduction not in (None, *get_args(Reduction)):
            wanted = " or ".join(get_args(Reduction))
            raise UsageError(f"--reduction: got {self.reduction!r}, expected {wanted}")
        for name in self.measures:
            if name not in MEASURES:
                raise UsageError(
                    f"--measures: got {name!r}, expected some of {', '.join(MEASURES)}"
                )
        if self.limit is not None and self.limit < 1:
            raise UsageError(f"--limit: got {self.limit}, expected 1 or more")
        if self.feature_faces < 0:
            raise UsageError(f"--feature-faces: got {self.feature_faces}, expected 0 or more")

    @property
    def protocol(self) -> Protocol:
        """How faces become pairs."""
        own = PROTOCOLS[self.scale]
        return own if self.reduction is None else replace(own, reduction=self.reduction)


@dataclass(frozen=True, slots=True)
class Score:
    """A mean over faces."""

    mean: float
    error: float
    """standard error of the mean"""
    count: int
    """faces"""

    @classmethod
    def of(cls, values: Sequence[float] | np.ndarray) -> Score:
        """Mean and standard error of one value per face."""
        array = np.asarray(values, np.float64)
        spread = float(array.std(ddof=1)) if len(array) > 1 else 0.0
        return cls(float(array.mean()), spread / len(array) ** 0.5, len(array))


@dataclass(frozen=True, slots=True)
class Row:
    """One model under one condition."""

    model: str
    condition: Condition
    scores: dict[str, Score]
    """by measure: dB, 0..1, 0..1, 0..1, distance"""
    gains: dict[str, Score]
    """the same minus bicubic's, face by face"""
    same_person: float | None
    """share of faces whose identity distance stays under dlib's limit; None: not measured"""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Every model under every condition."""

    scale: int
    faces: int
    reduction: Reduction
    """by which the faces were made small"""
    rows: tuple[Row, ...]
    skipped: tuple[str, ...] = ()
    """a message for every picture that could not be used"""

    def row(self, model: str, condition: Condition) -> Row:
        """One row; KeyError where it was not compared."""
        for row in self.rows:
            if (row.model, row.condition) == (model, condition):
                return row
        raise KeyError((model, condition))

    def share_of_baseline(self, row: Row, measure: str) -> float | None:
        """A score over bicubic's under the same condition; None where that is 0."""
        base = self.row(BASELINE, row.condition).scores[measure].mean
        return row.scores[measure].mean / base if base else None

    def figures(self, model: str) -> dict[str, float]:
        """What a spec keeps of a model: "psnr_gain_db", "degraded_psnr_gain_db", …

        Raises:
            UsageError: the model was not compared.
        """
        kept: dict[str, float] = {}
        for row in (row for row in self.rows if row.model == model):
            prefix = "" if row.condition == "clean" else f"{row.condition}_"
            for measure, score in row.scores.items():
                kept[f"{prefix}{measure}"] = round(score.mean, 4)
            if "psnr" in row.gains:
                kept[f"{prefix}psnr_gain_db"] = round(row.gains["psnr"].mean, 3)
            if "perceptual" in row.scores:
                share = self.share_of_baseline(row, "perceptual")
                if share is not None:
                    kept[f"{prefix}perceptual_of_bicubic"] = round(share, 3)
        if not kept:
            compared = ", ".join(sorted({row.model for row in self.rows}))
            raise UsageError(f"comparison: holds {compared}, not '{model}'; compare it first")
        return kept

    def joined(self, other: Comparison) -> Comparison:
        """Both tables in one, a model that stands in both as it stands here.

        Raises:
            UsageError: they were not made on the same faces.
        """
        mine = {(row.model, row.condition) for row in self.rows}
        alike = all(
            _alike(row, self.row(BASELINE, row.condition))
            for row in other.rows
            if row.model == BASELINE
        )
        own, others = (f"x{c.scale} by {c.reduction} on {c.faces} faces" for c in (self, other))
        if own != others or not alike:
            raise UsageError(
                f"comparison: {own} and {others} do not go together; make both with the same "
                "options"
            )
        more = tuple(row for row in other.rows if (row.model, row.condition) not in mine)
        return replace(self, rows=self.rows + more)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Any) -> Comparison:
        """The reverse of `to_dict`.

        Raises:
            DataError: these are not its values.
        """
        try:
            rows = tuple(
                Row(
                    model=row["model"],
                    condition=row["condition"],
                    scores={k: Score(**v) for k, v in row["scores"].items()},
                    gains={k: Score(**v) for k, v in row["gains"].items()},
                    same_person=row["same_person"],
                )
                for row in values["rows"]
            )
            scale = values["scale"]
            # records of before it could be chosen do not name it
            reduction = values.get("reduction", PROTOCOLS[scale].reduction)
            return cls(scale, values["faces"], reduction, rows, tuple(values["skipped"]))
        except (KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"comparison: is not what 'vsr evaluate models --json' prints ({error!r}); "
                "make it again"
            ) from None


def _alike(a: Row, b: Row) -> bool:
    """Same measures of the same pictures; float32 features may differ in their last digits."""
    return a.scores.keys() == b.scores.keys() and all(
        a.scores[m].count == b.scores[m].count
        and abs(a.scores[m].mean - b.scores[m].mean) < 1e-4 * max(1.0, abs(a.scores[m].mean))
        for m in a.scores
    )


def compare_on(
    data: Path,
    upscalers: Iterable[Upscaler],
    cfg: CompareConfig,
    progress: ProgressHook = silent,
) -> Comparison:
    """Runs every upscaler over a data set's validation faces; bicubic is always among them.

    Raises:
        DataError: no usable face.
        UsageError: an upscaler of another scale, or two of one name.
        MissingDependencyError: a measure's package is not installed.
    """
    table = by_name(upscalers, cfg.scale)
    paths = find_faces(data, cfg.limit)
    protocol, skipped = cfg.protocol, []
    judge = _Judge(cfg, protocol, list(table.values()))
    done = 0
    every = max(1, round(len(paths) / (cfg.feature_faces or len(paths))))
    for index, batch in enumerate(batches(paths, protocol, BATCH, skipped, cfg.seed)):
        judge.add(batch, with_features=index % every == 0)
        done += len(batch)
        progress(Progress("comparing", done + len(skipped), len(paths), done, "images"))
    if done == 0:
        raise DataError(f"--data {data}: no usable face; first: {skipped[0]}")
    return Comparison(cfg.scale, done, protocol.reduction, judge.rows(), tuple(skipped))


@dataclass(slots=True)
class _Judge:
    """Collects one value per model, condition, measure and face."""

    cfg: CompareConfig
    protocol: Protocol
    upscalers: list[Upscaler]
    perceptual: PerceptualDistance | None = None
    identity: IdentityDistance | None = None
    values: dict[tuple[str, Condition, str], list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if "perceptual" in self.cfg.measures:
            self.perceptual = PerceptualDistance(BATCH)
        if "identity" in self.cfg.measures:
            self.identity = IdentityDistance()

    def add(self, batch: list[FacePair], *, with_features: bool) -> None:
        """Measures a batch, by features too where asked for."""
        hr = np.stack([pair.hr for pair in batch])
        perceptual = self.perceptual if with_features else None
        identity = self.identity if with_features else None
        seen = perceptual.features(hr) if perceptual else []
        faces = [identity.locate(picture) for picture in hr] if identity else []
        persons = identity.describe(hr, faces) if identity else None
        for condition in CONDITIONS:
            lr = np.stack([pair.lr[condition] for pair in batch])
            for upscaler in self.upscalers:
                sr = upscaler(lr)
                note = (upscaler.name, condition)
                self._fidelity(note, sr, hr)
                if perceptual:
                    found = perceptual.between(perceptual.features(sr), seen)
                    self._note(note, "perceptual", found)
                if identity:
                    shift = identity.describe(sr, faces) - persons
                    self._note(note, "identity", np.linalg.norm(shift, axis=1))

    def _fidelity(self, note: tuple[str, Condition], sr: np.ndarray, hr: np.ndarray) -> None:
        metrics = {"psnr": psnr_y, "ssim": ssim_y, "haarpsi": haarpsi_y}
        for name, metric in metrics.items():
            if name in self.cfg.measures:
                border = self.protocol.border
                self._note(note, name, [metric(s, h, border) for s, h in zip(sr, hr, strict=True)])

    def _note(
        self, note: tuple[str, Condition], measure: str, found: Sequence[float] | np.ndarray
    ) -> None:
        self.values.setdefault((*note, measure), []).extend(float(v) for v in found)

    def rows(self) -> tuple[Row, ...]:
        """The finished table, condition by condition."""
        return tuple(self._row(u.name, c) for c in CONDITIONS for u in self.upscalers)

    def _row(self, model: str, condition: Condition) -> Row:
        scores, gains = {}, {}
        for measure in self.cfg.measures:
            values = np.array(self.values[model, condition, measure])
            base = np.array(self.values[BASELINE, condition, measure])
            scores[measure], gains[measure] = Score.of(values), Score.of(values - base)
        distances = self.values.get((model, condition, "identity"))
        same = None if distances is None else float(np.mean(np.array(distances) < SAME_PERSON))
        return Row(model, condition, scores, gains, same)
