"""Which models there are, and a checked generator by its name.

Shipped models lie in the package (``vsr/models/store``); a user's own in a folder of theirs
(``VSR_MODELS``, else ``$XDG_DATA_HOME/vsr/models``) or anywhere, named by the path of the spec.
Nothing here imports Keras until a generator is loaded.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vsr.core.config import near
from vsr.core.errors import ModelError, UsageError
from vsr.models.backend import start_backend
from vsr.models.spec import OUTPUT_SCALES, SCALES, ModelSpec, read_spec
from vsr.models.weights import check_plain, check_sha256, load_weights

if TYPE_CHECKING:
    import keras

    from vsr.models.architecture import Architecture, ArchitectureConfig

Dtype = Literal["float32", "bfloat16"]

STORE = Path(__file__).parent / "store"
"""The shipped models."""

INTERPOLATIONS = tuple(
    ModelSpec(name=name, family="interpolation", scale=None, min_side=1, terms=terms)
    for name, terms in (
        ("bicubic", "PIL's bicubic (Keys, a = -0.5)"),
        ("lanczos", "PIL's Lanczos (three lobes)"),
    )
)
"""Models without weights."""

_DEFAULT_ORDER = ("srgan", "srresnet")


def user_folder() -> Path:
    """Where ``vsr models add`` puts a user's models; may not exist yet."""
    own = os.environ.get("VSR_MODELS")
    if own:
        return Path(own).expanduser()
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(data).expanduser() / "vsr" / "models"


def list_models(on_damaged: Callable[[ModelError], None] | None = None) -> list[ModelSpec]:
    """Every model that can be named: interpolation, shipped, the user's own; by name.

    Args:
        on_damaged: called with the error of each spec that cannot be read; without it the
            first such error is raised.

    Raises:
        ModelError: a spec is damaged and ``on_damaged`` is None.
    """
    found = {spec.name: spec for spec in INTERPOLATIONS}
    for folder in (user_folder(), STORE):
        for path in sorted(folder.glob("*.json")):
            try:
                spec = _read_named(path)
            except ModelError as error:
                if on_damaged is None:
                    raise
                on_damaged(error)
            else:
                found[spec.name] = spec
    return sorted(found.values(), key=lambda s: (s.family == "interpolation", s.name))


def get_spec(name_or_path: str | Path) -> ModelSpec:
    """The spec of a model.

    Args:
        name_or_path: a name of `list_models`, or the path of a ``NAME.json``.

    Raises:
        ModelError: unknown (with the near match) or damaged.
    """
    return _find(name_or_path)[0]


def find_card(name_or_path: str | Path) -> str | None:
    """The text of a model's card, None where it has none.

    Raises:
        ModelError: unknown or damaged model.
    """
    spec, folder = _find(name_or_path)
    path = folder / f"{spec.name}.md"
    return path.read_text(encoding="utf-8") if path.is_file() else None


def verify(name_or_path: str | Path) -> None:
    """Checks that a model's weights are there, are the ones of its spec, and nothing but numbers.

    Takes no backend, whose start takes seconds: a damaged model is told at once.

    Raises:
        ModelError: unknown, missing, another hash, or no plain arrays.
    """
    spec, folder = _find(name_or_path)
    if spec.family != "interpolation":
        check_sha256(folder / spec.weights_file, spec.weights_sha256)
        check_plain(folder / spec.weights_file)


def load_generator(name_or_path: str | Path, dtype: Dtype = "float32") -> keras.Model:
    """The generator of a model, weights checked and loaded.

    Args:
        name_or_path: a name of `list_models`, or the path of a ``NAME.json``.
        dtype: what convolutions compute in; weights, input and output stay float32.

    Returns:
        A model from ``(B, H, W, 3)`` float32 in the spec's value range to
        ``(B, s*H, s*W, 3)`` float32.

    Raises:
        ModelError: unknown, no generator (interpolation), wrong hash, or weights that do not fit.
    """
    spec, folder = _find(name_or_path)
    if spec.family == "interpolation":
        raise ModelError(
            f"model '{spec.name}': is interpolation and has no generator; "
            "choose one of the srresnet or srgan models of 'vsr models list'"
        )
    weights = folder / spec.weights_file
    check_sha256(weights, spec.weights_sha256)
    model = build(spec, dtype)
    load_weights(model, weights)
    return model


def build(spec: ModelSpec, dtype: Dtype = "float32") -> keras.Model:
    """The network of a spec with fresh weights.

    Raises:
        ModelError: its ``generator`` table does not make a generator.
    """
    architecture, config = architecture_of(spec)
    if spec.multiple_of % config.multiple_of:
        raise ModelError(
            f"model '{spec.name}': multiple_of is {spec.multiple_of}, its generator wants a "
            f"multiple of {config.multiple_of}; write the spec with 'vsr models add'"
        )
    with _dtype(dtype):
        return architecture.build(config)


def fold(model: keras.Model, spec: ModelSpec, dtype: Dtype = "float32") -> keras.Model:
    """The same function with fewer steps: for running, not for training on.

    Args:
        model: the spec's network with its weights, as `load_generator` gives it.
        dtype: what the result computes in.

    Returns:
        ``model`` itself where there is nothing to fold; else a new one whose float32 result
        differs by rounding only.
    """
    architecture, config = architecture_of(spec)
    with _dtype(dtype):
        return architecture.fold(model, config, architecture.build)


def architecture_of(spec: ModelSpec) -> tuple[Architecture, ArchitectureConfig]:
    """What a spec's network is, and its shape; imports Keras.

    Raises:
        ModelError: no such architecture, or a ``generator`` table that is none of it.
    """
    start_backend()
    from vsr.models.architectures import load_architecture

    try:
        architecture = load_architecture(spec.architecture)
        return architecture, architecture.config.from_dict(dict(spec.generator))
    except ModelError as error:
        raise ModelError(f"model '{spec.name}': {error}") from None


@contextlib.contextmanager
def _dtype(dtype: Dtype) -> Iterator[None]:
    """What the layers that are built within compute in."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16" if dtype == "bfloat16" else "float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def default_model(scale: int, family: str | None = None) -> str:
    """The name that ``--model auto`` stands for.

    Args:
        scale: of the output: 1, 2, 4 or 8. At 1 it is the model for 2.
        family: one of `vsr.models.spec.FAMILIES`; None: "srgan", else "srresnet".

    Returns:
        ``srgan-xS`` where it is shipped, else ``srresnet-xS``, else ``bicubic``.

    Raises:
        UsageError: no such scale.
        ModelError: the family was asked for and has no model of this scale.
    """
    if scale not in OUTPUT_SCALES:
        known = ", ".join(map(str, OUTPUT_SCALES))
        raise UsageError(f"--scale: got {scale}, expected one of {known}")
    scale = max(scale, SCALES[0])
    for kind in _DEFAULT_ORDER if family is None else (family,):
        if (STORE / f"{kind}-x{scale}.json").is_file():
            return f"{kind}-x{scale}"
    if family in (None, "interpolation"):
        return "bicubic"
    raise ModelError(
        f"--family: no shipped {family} model enlarges by {scale}; see 'vsr models list'"
    )


def resolve_model(name: str, scale: int) -> ModelSpec:
    """The spec that ``--model`` and ``--scale`` ask for together.

    Raises:
        UsageError: the model enlarges by another factor.
        ModelError: unknown or damaged.
    """
    spec = get_spec(default_model(scale) if name == "auto" else name)
    if spec.runs_at(scale):
        return spec
    fitting = sorted(s.name for s in list_models(lambda _: None) if s.runs_at(scale))
    raise UsageError(
        f"--scale: got {scale}, but model '{spec.name}' enlarges by {spec.scale}; "
        f"give --scale {spec.scale}, or for {scale} one of: {', '.join(fitting)}"
    )


def networks_beside(spec: ModelSpec) -> dict[int, ModelSpec]:
    """The networks that take a crop where ``spec`` alone is at the wrong working scale.

    Returns:
        By scale, ascending: the model itself and, beside a shipped ``FAMILY-xS``, those of its
        family that enlarge more (as faithful ones stand for natural ones at x8). Empty for
        interpolation.

    Raises:
        ModelError: a shipped spec is damaged.
    """
    if spec.scale is None:
        return {}
    found = {spec.scale: spec}
    own = STORE / f"{spec.family}-x{spec.scale}.json"
    if spec.name != own.stem or not own.is_file():
        return found
    for scale in SCALES:
        for family in (spec.family, "srresnet"):
            path = STORE / f"{family}-x{scale}.json"
            if scale > spec.scale and path.is_file():
                found[scale] = _read_named(path)
                break
    return found


def weights_beside(spec: ModelSpec) -> dict[str, str]:
    """Name to SHA-256 of the weights of the other `networks_beside` a model."""
    found = networks_beside(spec).values()
    return {s.name: s.weights_sha256 for s in found if s.name != spec.name}


def _find(name_or_path: str | Path) -> tuple[ModelSpec, Path]:
    """A spec and the folder its weights lie in."""
    text = str(name_or_path)
    if text.endswith(".json") or os.sep in text:
        path = Path(text)
        return read_spec(path), path.parent
    for spec in INTERPOLATIONS:
        if spec.name == text:
            return spec, STORE
    for folder in (STORE, user_folder()):
        path = folder / f"{text}.json"
        if path.is_file():
            return _read_named(path), folder
    names = [s.name for s in list_models(lambda _: None)]
    raise ModelError(
        f"unknown model '{text}': {near(text, names)} ('vsr models list' shows them all; "
        "a model of your own is named by the path of its .json)"
    )


def _read_named(path: Path) -> ModelSpec:
    spec = read_spec(path)
    if spec.name != path.stem:
        raise ModelError(
            f"{path}: holds the spec of '{spec.name}'; rename the file to {spec.name}.json"
        )
    return spec
