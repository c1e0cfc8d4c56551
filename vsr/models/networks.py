"""The networks of a run: its own, and those of other working scales, loaded when one is needed."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import replace

from vsr.core.errors import ModelError
from vsr.models.registry import get_spec, networks_beside
from vsr.models.spec import ModelSpec
from vsr.models.upscale import UpscaleConfig, Upscaler, load_upscaler


class Networks:
    """Upscalers by scale, beside one that is loaded already.

    upscaler: the run's own. cfg: says how others are loaded.
    """

    def __init__(self, upscaler: Upscaler, cfg: UpscaleConfig) -> None:
        self._upscaler = upscaler
        self._cfg = cfg
        self._specs = _specs_beside(upscaler, cfg)

    @property
    def scales(self) -> tuple[int, ...]:
        """Those for which there is a network, ascending; empty for interpolation."""
        return tuple(self._specs)

    def at(self, scale: int) -> Upscaler:
        """The upscaler of one of `scales`; loads it the first time.

        Raises:
            ModelError: its weights are missing or damaged.
        """
        if scale == self._upscaler.scale:
            return self._upscaler
        return _loaded(replace(self._cfg, model=self._specs[scale].name, scale=scale))

    def hashes(self, scales: Iterable[int]) -> dict[str, str]:
        """Name to SHA-256 of the weights of those of other scales than the upscaler's."""
        specs = [self._specs[s] for s in sorted(set(scales)) if s != self._upscaler.scale]
        return {spec.name: spec.weights_sha256 for spec in specs}


def _specs_beside(upscaler: Upscaler, cfg: UpscaleConfig) -> dict[int, ModelSpec]:
    """The networks beside an upscaler, where it is the installed model of its name."""
    try:
        spec = get_spec(upscaler.name if cfg.model == "auto" else cfg.model)
    except ModelError:
        return {}
    if (spec.name, spec.weights_sha256) != (upscaler.name, upscaler.sha256):
        return {}
    return networks_beside(spec)


@functools.lru_cache(maxsize=4)
def _loaded(cfg: UpscaleConfig) -> Upscaler:
    """Kept between runs, as a batch has them."""
    return load_upscaler(cfg)
