"""What a network's file tells the rest of vsr: the contract of `vsr.models.architectures`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Self

from vsr.core.errors import ModelError

if TYPE_CHECKING:
    import keras

SCALES = (2, 4, 8)
"""by which a network enlarges"""


@dataclass(frozen=True, kw_only=True)
class ArchitectureConfig:
    """The shape of a network: the ``generator`` table of specs and training recipes.

    Subclasses add their own keys, check them after ``super().__post_init__()``, and say what
    the network needs of its input.
    """

    architecture: ClassVar[str]
    """name of the module in `vsr.models.architectures`"""

    scale: int = 2
    """2, 4 or 8"""

    def __post_init__(self) -> None:
        check_field("scale", self.scale, self.scale in SCALES, f"one of {SCALES}")

    @property
    def multiple_of(self) -> int:
        """What LR sides must be multiples of, pixels."""
        return 1

    @property
    def reach(self) -> int:
        """LR pixels around one on which its result depends at most, a multiple of `multiple_of`."""
        raise NotImplementedError

    @property
    def flops_per_pixel(self) -> float:
        """Floating point operations per LR pixel of one forward pass (2 per multiply-add)."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain values, for JSON and TOML."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The reverse of `to_dict`; fields left out take their defaults.

        Raises:
            ModelError: a key is unknown or a value does not fit.
        """
        known = {f.name for f in fields(cls)}
        try:
            for key in values:
                check_field(key, values[key], key in known, f"only the keys {sorted(known)}")
            return cls(**values)
        except (ValueError, TypeError) as error:
            raise ModelError(str(error)) from None


Build = Callable[[Any], "keras.Model"]
"""A config to the network with fresh weights. Input ``(B, H, W, 3)`` float RGB in [-1, 1], H and
W multiples of ``multiple_of``; output ``(B, s*H, s*W, 3)`` float32 in [-1, 1] (up to overshoot)"""


def _as_it_is(model: keras.Model, _config: Any, _build: Build) -> keras.Model:
    return model


def _none(_path: str) -> bool:
    return False


@dataclass(frozen=True, kw_only=True, slots=True)
class Architecture:
    """One kind of network, as its module's ``ARCHITECTURE`` describes it."""

    config: type[ArchitectureConfig]
    build: Build
    fold: Callable[[keras.Model, Any, Build], keras.Model] = _as_it_is
    """(trained model, its config, how to build another) -> the same function with fewer steps,
    for running; the model itself where there is nothing to fold"""
    is_branch: Callable[[str], bool] = _none
    """path of a variable -> whether a trained network may lack it (`vsr train --init`)"""
    is_branch_end: Callable[[str], bool] = _none
    """path of a variable -> whether it is the last of such a branch, which starts at zero"""


def is_whole(value: Any) -> bool:
    """Whether it is a whole number; true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def check_field(name: str, got: Any, good: bool, expected: str) -> None:
    """Raises ValueError naming a wrong key of the ``generator`` table."""
    if not good:
        raise ValueError(
            f"generator.{name}: got {got!r}, expected {expected}; correct the recipe or spec"
        )
