"""The networks that vsr knows: one module each, its name is the architecture's.

A module defines its config, how to build it, and ``ARCHITECTURE``, what the rest of vsr needs to
know of it (`vsr.models.architecture`). A new network is one more module; nothing else names it.
"""

from __future__ import annotations

import importlib
import pkgutil

from vsr.core.config import near
from vsr.core.errors import ModelError
from vsr.models.architecture import Architecture


def architectures() -> tuple[str, ...]:
    """Names of all architectures, sorted. Imports none of them."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def load_architecture(name: str) -> Architecture:
    """An architecture by its name; imports Keras.

    Raises:
        ModelError: there is none of this name.
    """
    known = architectures()
    if name not in known:
        raise ModelError(f"unknown architecture {name!r}; {near(str(name), known)}")
    return importlib.import_module(f"{__name__}.{name}").ARCHITECTURE
