"""Measures each trial of each model. Pictures pass through; only numbers stay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from vsr.core.geometry import Box
from vsr.core.types import FaceCrop, Working
from vsr.evaluate.experiment.likeness import IdentityJudge, PerceptualQueue
from vsr.evaluate.experiment.render import Rendering, Trial
from vsr.evaluate.experiment.results import FaceRow, FrameRow
from vsr.evaluate.experiment.stability import WHOLE, Change, Region, find_motion
from vsr.evaluate.metrics import haarpsi_y, psnr_rgb, psnr_y, ssim_rgb, ssim_y
from vsr.faces.consistency import contradiction
from vsr.faces.cuts import CutFinder

_MIN_SIDE = 11
"""HR pixels: smaller regions are not measured (SSIM's window)"""

Renderings = Mapping[str, Rendering]
"""by model"""


@dataclass(frozen=True, slots=True)
class _Moment:
    """What the next frame is compared with."""

    truth: np.ndarray
    pictures: dict[str, np.ndarray]
    tracks: frozenset[int | None]


@dataclass(frozen=True, slots=True)
class _Look:
    """A face of a trial: where its region stands."""

    crop: FaceCrop
    region: Region
    """in the truth, where faces are measured"""
    lr_region: Region
    """the same in the LR picture"""


@dataclass(slots=True)
class Judge:
    """Takes trials in order; ``faces`` and ``frames`` are complete after `finish`."""

    scale: int
    feather: float
    fidelity: bool
    stability: bool
    perceptual: PerceptualQueue | None
    identity: IdentityJudge | None
    feature_every: int = 1
    faces: list[FaceRow] = field(default_factory=list)
    frames: list[FrameRow] = field(default_factory=list)
    _cuts: CutFinder = field(default_factory=CutFinder)
    _before: _Moment | None = None

    def add(self, trial: Trial, renderings: Renderings) -> None:
        """Measure what every model made of a trial."""
        looks = [self._look(trial, crop) for crop in trial.crops]
        temporal = self.stability and trial.truth.picture is None
        changes = self._changes(trial, renderings) if temporal else {}
        rows: list[list[FaceRow]] = [[] for _ in looks]
        for model, rendering in renderings.items():
            frame = self._frame_row(trial, model)
            self.frames.append(frame)
            if self.fidelity:
                self._fidelity(frame.values, trial, rendering.rgb)
            if temporal:
                _stability(frame.values, changes, model, WHOLE)
            for index, look in enumerate(looks):
                row = self._face_row(trial, model, rendering.crops[index])
                rows[index].append(row)
                if self.fidelity:
                    working = rendering.crops[index].working
                    self._fidelity(row.values, trial, rendering.rgb, look, working)
                if temporal:
                    known = changes if self._was_there(row.track) else {}
                    _stability(row.values, known, model, look.region)
        for look, found in zip(looks, rows, strict=True):
            self.faces += found
            if trial.frame.index % self.feature_every == 0:
                self._features(trial, renderings, look, found)
        if temporal:
            tracks = frozenset(crop.face.track_id for crop in trial.crops)
            pictures = {model: r.rgb for model, r in renderings.items()}
            self._before = _Moment(trial.truth.rgb, pictures, tracks)

    def finish(self) -> None:
        """Fill in what had to wait."""
        if self.perceptual is not None:
            self.perceptual.flush()
        if self.identity is not None:
            self.identity.finish()

    def _look(self, trial: Trial, crop: FaceCrop) -> _Look:
        window = crop.window
        # within the feather the pasted face stands at full strength
        inset = 0 if trial.truth.picture else round(window.width * self.feather / 2)
        rows = slice(window.y + inset, window.y + window.height - inset)
        columns = slice(window.x + inset, window.x + window.width - inset)
        region = tuple(slice(s.start * self.scale, s.stop * self.scale) for s in (rows, columns))
        return _Look(crop, (region[0], region[1]), (rows, columns))

    def _frame_row(self, trial: Trial, model: str) -> FrameRow:
        frame = trial.frame
        return FrameRow(frame.index, frame.pts, frame.seconds, model, {}, len(trial.crops))

    def _face_row(self, trial: Trial, model: str, crop: FaceCrop) -> FaceRow:
        frame = trial.frame
        return FaceRow(
            frame.index,
            frame.pts,
            frame.seconds,
            model,
            track=crop.face.track_id,
            box=crop.face.box,
            window=crop.window,
            filled=crop.face.filled,
            outcome=crop.outcome,
            picture=trial.truth.picture,
        )

    def _fidelity(
        self,
        values: dict[str, float | None],
        trial: Trial,
        picture: np.ndarray,
        look: _Look | None = None,
        working: Working | None = None,
    ) -> None:
        """PSNR, SSIM, HaarPSI and consistency of the frame, or of one face in it."""
        region = look.region if look else WHOLE
        lr_region = look.lr_region if look else WHOLE
        sr, hr = picture[region], trial.truth.rgb[region]
        metrics: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
            "psnr_y": psnr_y,
            "ssim_y": ssim_y,
            "psnr_rgb": psnr_rgb,
            "ssim_rgb": ssim_rgb,
        }
        if look:
            metrics["haarpsi"] = haarpsi_y
        large = min(hr.shape[:2]) >= _MIN_SIDE
        for name, metric in metrics.items():
            values[name] = metric(sr, hr) if large else None
        lr, side = trial.frame.rgb[lr_region], None
        if look and working:
            side = working.side * min(lr.shape[:2]) / min(look.crop.lr.shape[:2])
        values["consistency"] = contradiction(lr, sr, working_px=side)

    def _changes(self, trial: Trial, renderings: Renderings) -> dict[str | None, Change]:
        """Each model's change since the frame before; None is the truth's. Empty at cuts."""
        before, self._before = self._before, None
        if self._cuts.is_cut(trial.frame.rgb) or before is None:
            return {}
        self._before = before
        motion = find_motion(trial.truth.rgb, before.truth)
        changes: dict[str | None, Change] = {
            None: Change.between(trial.truth.rgb, before.truth, motion)
        }
        for model, rendering in renderings.items():
            changes[model] = Change.between(rendering.rgb, before.pictures[model], motion)
        return changes

    def _was_there(self, track: int | None) -> bool:
        return self._before is not None and track in self._before.tracks

    def _features(
        self, trial: Trial, renderings: Renderings, look: _Look, rows: list[FaceRow]
    ) -> None:
        truth = trial.truth.rgb
        if self.perceptual is not None:
            seen = [(row, renderings[row.model].rgb[look.region]) for row in rows]
            self.perceptual.add(truth[look.region], seen)
        if self.identity is not None:
            window = look.crop.window
            wide = window.scaled(self.scale)
            face = look.crop.face.box.scaled(self.scale)
            near = Box(face.x - wide.x, face.y - wide.y, face.width, face.height)
            self.identity.add(
                truth[wide.slices],
                trial.frame.rgb[window.slices],
                None if trial.truth.picture else near,
                [(row, renderings[row.model].rgb[wide.slices]) for row in rows],
            )


def _stability(
    values: dict[str, float | None],
    changes: Mapping[str | None, Change],
    model: str,
    region: Region,
) -> None:
    """Warping error, its excess over the truth's, and flicker; None where there is no before."""
    values |= {"warp_error": None, "warp_excess": None, "flicker": None}
    if not changes:
        return
    own, truth = changes[model], changes[None]
    values["flicker"] = own.flicker(truth, region)
    error, floor = own.warping_error(region), truth.warping_error(region)
    if error is not None and floor is not None:
        values["warp_error"], values["warp_excess"] = error, error - floor
