"""The models of a comparison by their names, with the base line among them."""

from __future__ import annotations

from collections.abc import Iterable

from vsr.core.errors import ModelError, UsageError
from vsr.models.interpolate import InterpolationUpscaler
from vsr.models.registry import get_spec
from vsr.models.spec import ModelSpec
from vsr.models.upscale import Upscaler

BASELINE = "bicubic"


def by_name(upscalers: Iterable[Upscaler], scale: int) -> dict[str, Upscaler]:
    """Bicubic and every upscaler, in order, each under a name of its own.

    Raises:
        UsageError: an upscaler of another scale, or two of one name: one would stand for both.
    """
    table: dict[str, Upscaler] = {BASELINE: InterpolationUpscaler(BASELINE, scale)}
    for upscaler in upscalers:
        name = upscaler.name
        if upscaler.scale != scale:
            raise UsageError(
                f"--model {name}: enlarges by {upscaler.scale}, the comparison is at {scale}; "
                "compare the scales one after another"
            )
        if name == BASELINE and not upscaler.sha256:
            continue  # asked for by name
        if name in table:
            raise UsageError(
                f"--model {name}: two models have this name; give each once, or one of them "
                "another with 'vsr models add --name'"
            )
        table[name] = upscaler
    return table


def spec_of(upscaler: Upscaler) -> ModelSpec | None:
    """The spec installed under an upscaler's name, where its weights are the upscaler's own.

    A model given by the path of its spec may share its name with another.
    """
    try:
        spec = get_spec(upscaler.name)
    except ModelError:
        return None
    return spec if spec.weights_sha256 == upscaler.sha256 else None
