"""VDSR (Kim, Lee, Lee, CVPR 2016): the baseline that SRResNet measures itself by.

Convolutions at HR size on the bicubically enlarged picture, whose output is added to it. The paper
trains luma alone; here all three colours go through, as in the other networks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import keras
from keras import layers

from vsr.models.architecture import Architecture, ArchitectureConfig, check_field, is_whole
from vsr.models.layers import BicubicUpsample

_BICUBIC_REACH = 2
"""LR pixels to each side of which an enlarged pixel is made"""


def build_vdsr(config: VDSRConfig) -> keras.Model:
    """The network with fresh weights: bicubic enlargement, until it is trained."""
    inputs = keras.Input((None, None, 3), name="lr")
    skip = x = BicubicUpsample(config.scale, name="image_skip")(inputs)
    for index in range(config.depth - 1):
        x = layers.Conv2D(
            config.filters, 3, padding="same", activation="relu",
            kernel_initializer="he_normal", name=f"conv{index}",
        )(x)  # fmt: skip
    x = layers.Conv2D(3, 3, padding="same", kernel_initializer="zeros", name="out_conv")(x)
    outputs = layers.Add(name="sr", dtype="float32")([x, skip])
    return keras.Model(inputs, outputs, name=f"vdsr_x{config.scale}")


@dataclass(frozen=True, kw_only=True)
class VDSRConfig(ArchitectureConfig):
    """The shape of a VDSR; the defaults are the paper's."""

    architecture: ClassVar[str] = "vdsr"

    depth: int = 20
    """3x3 convolutions, the last one included"""
    filters: int = 64
    """channels between them"""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, low, high in (("depth", 2, 64), ("filters", 4, 512)):
            value = getattr(self, name)
            check_field(name, value, is_whole(value) and low <= value <= high, f"{low} to {high}")

    @property
    def reach(self) -> int:
        """LR pixels around one on which its result depends at most."""
        return -(-self.depth // self.scale) + _BICUBIC_REACH

    @property
    def flops_per_pixel(self) -> float:
        """Floating point operations per LR pixel of one forward pass (2 per multiply-add)."""
        macs = 9 * (2 * 3 * self.filters + (self.depth - 2) * self.filters**2)
        return 2.0 * self.scale**2 * macs


ARCHITECTURE = Architecture(config=VDSRConfig, build=build_vdsr)
