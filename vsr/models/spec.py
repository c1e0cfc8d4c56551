"""What is known of a model besides its weights: the spec that is checked before use.

A model is a spec (``NAME.json``), its weights (``NAME.weights.h5``) and a card for the reader
(``NAME.md``) side by side in one folder. Nothing here imports Keras, so listing is cheap.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from vsr.core.config import near
from vsr.core.errors import ModelError
from vsr.core.jsontext import parse_json
from vsr.models.architecture import SCALES

Family = Literal["srresnet", "srgan", "vdsr", "interpolation"]

FAMILIES: dict[Family, str] = {
    "srresnet": "trained with a pixel loss: the most faithful to the input",
    "srgan": "trained with content and adversarial losses: the most natural to the eye",
    "vdsr": "trained with a pixel loss on the enlarged picture: the baseline of 2016",
    "interpolation": "no weights",
}
"""what each family is, in words"""
TRAINED = tuple(family for family in FAMILIES if family != "interpolation")
"""those with weights"""

OUTPUT_SCALES = (1, *SCALES)
"""by which a video's picture grows; at 1 faces are reduced first, then brought back"""
FORMAT = 2
"""Version of the file format; a reader refuses a newer one. 1 knew one architecture only."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Training:
    """Where weights come from: enough to make them again."""

    command: str
    """the command line that trained them"""
    data: str
    """the data sets and their splits, in words"""
    seed: int
    """of initialisation, shuffling and degradation"""
    hardware: str = ""
    """what it ran on, in words"""
    duration_s: float | None = None
    """wall time, seconds"""

    def __post_init__(self) -> None:
        _check("training.command", self.command, _text(self.command), "a command line")
        _check("training.data", self.data, _text(self.data), "the data sets in words")
        _check("training.seed", self.seed, _whole(self.seed), "a whole number")
        _check("training.hardware", self.hardware, isinstance(self.hardware, str), "text")
        seconds = self.duration_s
        good = seconds is None or (_number(seconds) and seconds >= 0)
        _check("training.duration_s", seconds, good, "seconds or null")


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """A model's descriptor. Construction validates; errors are `ModelError`."""

    name: str
    """lower case, as given to ``--model``"""
    family: Family
    """how it was trained: see `FAMILIES`"""
    scale: int | None
    """2, 4 or 8; None: any of them (interpolation)"""
    architecture: str = "srresnet"
    """the network's module in `vsr.models.architectures`"""
    generator: Mapping[str, Any] = field(default_factory=dict)
    """the fields of the architecture's config; empty for interpolation"""
    value_range: tuple[float, float] = (-1.0, 1.0)
    """of the network's input and output: black and white"""
    min_side: int = 8
    """smallest LR width and height, pixels"""
    mirror: bool = False
    """enlarge the mirrored picture too and take the mean (self-ensemble, Lim et al., CVPRW 2017,
    section 3.4, of the one symmetry that faces have): twice the work"""
    multiple_of: int = 1
    """LR width and height are padded to a multiple of this, pixels"""
    face_width_px: tuple[int, int] = (16, 200)
    """widths of LR faces the model was trained on, pixels"""
    parameters: int = 0
    """number of weights"""
    weights_file: str = ""
    """file name beside the spec; empty for interpolation"""
    weights_sha256: str = ""
    """of that file, hexadecimal; checked before the file is opened"""
    bfloat16_error: float | None = None
    """99.9th percentile of |bfloat16 - float32| in 8-bit grey levels; None where not measured"""
    training: Training | None = None
    figures: Mapping[str, float] = field(default_factory=dict)
    """measured qualities, e.g. "psnr_gain_db" (over bicubic) """
    licence: str = "Apache-2.0"
    """of the weights, an SPDX expression or words"""
    terms: str = ""
    """what a user must know before using them, e.g. "research only" """
    vsr_version: str = ""
    """that wrote the spec"""

    def __post_init__(self) -> None:
        families = get_args(Family)
        good_name = isinstance(self.name, str) and _NAME.fullmatch(self.name) is not None
        _check("name", self.name, good_name, "lower-case letters, digits, '.', '_' and '-'")
        _check("family", self.family, self.family in families, f"one of {families}")
        _check("generator", self.generator, isinstance(self.generator, Mapping), "a table")
        low, high = _pair("value_range", self.value_range)
        _check("value_range", (low, high), low < high, "two rising numbers")
        small, large = _pair("face_width_px", self.face_width_px)
        _check("face_width_px", (small, large), 0 < small <= large, "two rising sizes")
        for name, least in (("min_side", 1), ("multiple_of", 1), ("parameters", 0)):
            value = getattr(self, name)
            _check(name, value, _whole(value) and value >= least, f"a whole number from {least}")
        _check("mirror", self.mirror, isinstance(self.mirror, bool), "true or false")
        error = self.bfloat16_error
        _check("bfloat16_error", error, error is None or _number(error), "grey levels or null")
        for name in (
            "architecture", "weights_file", "weights_sha256", "licence", "terms", "vsr_version",
        ):  # fmt: skip
            _check(name, getattr(self, name), isinstance(getattr(self, name), str), "text")
        _check("figures", self.figures, _is_figures(self.figures), "a table of numbers")
        if self.family == "interpolation":
            _check("scale", self.scale, self.scale is None, "null for interpolation")
            return
        _check("scale", self.scale, self.scale in SCALES, f"one of {SCALES}")
        told = self.generator.get("scale")
        _check("generator.scale", told, told == self.scale, f"the model's scale, {self.scale}")
        plain = Path(self.weights_file).name == self.weights_file
        named = self.weights_file.endswith(".weights.h5")
        _check("weights_file", self.weights_file, plain and named, "a NAME.weights.h5, no folder")
        good_hash = _SHA256.fullmatch(self.weights_sha256) is not None
        _check("weights_sha256", self.weights_sha256, good_hash, "64 hexadecimal digits")

    def runs_at(self, scale: int) -> bool:
        """Whether the model can make an output ``scale`` times as large; 1: every one."""
        return self.scale is None or scale in (1, self.scale)

    def to_dict(self) -> dict[str, Any]:
        """All fields as JSON values."""
        values = asdict(self)
        return {"format": FORMAT, **values}


def spec_from_dict(values: Any, source: str) -> ModelSpec:
    """A spec out of parsed JSON.

    Args:
        values: what the JSON reader gave.
        source: the file's name, for messages.

    Raises:
        ModelError: an unknown key (with its near match), a missing one, or a wrong value.
    """
    if not isinstance(values, dict):
        raise ModelError(f"{source}: got a {type(values).__name__}, expected a JSON object; "
                         "write the spec with 'vsr models add'")  # fmt: skip
    version = values.get("format")
    if version not in range(1, FORMAT + 1):
        raise ModelError(f"{source}: format is {version!r}, expected 1 to {FORMAT}; "
                         "use the vsr version that wrote the file, or write it again")  # fmt: skip
    values = {key: value for key, value in values.items() if key != "format"}
    try:
        _check_keys(values, ModelSpec, "")
        training = values.get("training")
        if isinstance(training, dict):
            _check_keys(training, Training, "training.")
            values["training"] = Training(**training)
        elif training is not None:
            _check("training", training, False, "a table or null")
        for name in ("value_range", "face_width_px"):
            if isinstance(values.get(name), list):
                values[name] = tuple(values[name])
        return ModelSpec(**values)
    except ModelError as error:
        raise ModelError(f"{source}: {error}") from None


def read_spec(path: Path) -> ModelSpec:
    """The spec of a ``NAME.json``.

    Raises:
        ModelError: unreadable, not JSON, or not a valid spec.
    """
    try:
        values = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ModelError(
            f"{path}: not a readable model spec ({reason}); "
            "give a NAME.json as 'vsr models add' writes it"
        ) from None
    return spec_from_dict(values, str(path))


def write_spec(spec: ModelSpec, path: Path) -> None:
    """Writes ``path`` so that it is complete or absent."""
    text = json.dumps(spec.to_dict(), indent=2, ensure_ascii=False) + "\n"
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _check_keys(values: Mapping[str, Any], cls: type, prefix: str) -> None:
    known = {f.name for f in fields(cls)}
    for key in values:
        if key not in known:
            raise ModelError(
                f"unknown key '{prefix}{key}'; {near(key, known)} Correct or delete it"
            )
    needed = ("command", "data", "seed") if cls is Training else ("name", "family", "scale")
    for key in needed:
        if key not in values:
            raise ModelError(f"key '{prefix}{key}' is missing; add it")


def _check(name: str, got: Any, good: bool, wanted: str) -> None:
    if not good:
        raise ModelError(f"{name}: got {got!r}, expected {wanted}; correct the model's spec")


def _pair(name: str, value: Any) -> tuple[float, float]:
    good = isinstance(value, tuple) and len(value) == 2 and all(_number(v) for v in value)
    _check(name, value, good, "two numbers")
    return value


def _is_figures(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(k, str) and _number(v) for k, v in value.items()
    )


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
