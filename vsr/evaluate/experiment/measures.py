"""Every figure an experiment tells: its name, unit, direction and meaning, in table order."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from vsr.evaluate.experiment.config import Group
from vsr.evaluate.experiment.results import Level


@dataclass(frozen=True, slots=True)
class Measure:
    """What a figure is."""

    name: str
    group: Group
    title: str
    unit: str
    better: Literal["higher", "lower"] | None
    levels: tuple[Level, ...]
    text: str

    def to_dict(self) -> dict[str, Any]:
        """As in ``metrics.json``."""
        values = asdict(self) | {"levels": list(self.levels)}
        del values["name"]
        return values


_FACE: tuple[Level, ...] = ("face",)
_BOTH: tuple[Level, ...] = ("face", "frame")

MEASURES: tuple[Measure, ...] = (
    Measure("psnr_y", "fidelity", "PSNR Y", "dB", "higher", _BOTH,
            "peak signal-to-noise ratio of BT.601 luma (limited range, peak 255); at most 100"),
    Measure("ssim_y", "fidelity", "SSIM Y", "", "higher", _BOTH,
            "structural similarity of BT.601 luma (Gaussian window 11x11, sigma 1.5)"),
    Measure("psnr_rgb", "fidelity", "PSNR RGB", "dB", "higher", _BOTH,
            "the same over the three channels"),
    Measure("ssim_rgb", "fidelity", "SSIM RGB", "", "higher", _BOTH,
            "the same, mean of the three channels"),
    Measure("haarpsi", "fidelity", "HaarPSI", "", "higher", _FACE,
            "Haar wavelet perceptual similarity of luma: perceptual, without learnt features"),
    Measure("consistency", "fidelity", "consistency", "", "lower", _BOTH,
            "how far the result contradicts the LR picture; 1: as far as noise and coding explain"),
    Measure("perceptual", "perceptual", "perceptual", "", "lower", _FACE,
            "distance of VGG16-HED features (LPIPS-like, not LPIPS), which srgan is trained on"),
    Measure("identity", "identity", "identity", "", "lower", _FACE,
            "distance of dlib's face descriptors to the truth; one person under 0.6"),
    Measure("identity_from_lr", "identity", "identity, from LR", "", None, _FACE,
            "the same, to the LR face enlarged by bicubic: how far the model moved it"),
    Measure("identity_spread", "identity", "identity, spread", "", None, _FACE,
            "the same, to the mean descriptor of the model's own track"),
    Measure("identity_excess", "identity", "identity, spread over truth's", "", None, _FACE,
            "identity spread minus the truth's own: above 0 the face wanders more than it did"),
    Measure("warp_error", "stability", "warping error", "levels", "lower", _BOTH,
            "RMS of what the truth's motion does not explain of the change since the last frame"),
    Measure("warp_excess", "stability", "warping error over truth's", "levels", None, _BOTH,
            "warping error minus the truth's own: above 0 less calm, below 0 smoother than life"),
    Measure("flicker", "stability", "flicker", "levels", "lower", _BOTH,
            "mean absolute difference of the luma's frame-to-frame change to the truth's"),
)  # fmt: skip

BY_NAME = {m.name: m for m in MEASURES}


def measured(groups: set[str], found: set[str]) -> dict[str, dict[str, Any]]:
    """The measures of some groups that have a value, in table order, as in ``metrics.json``."""
    return {m.name: m.to_dict() for m in MEASURES if m.group in groups and m.name in found}
