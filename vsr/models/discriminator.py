"""The SRGAN discriminator (Ledig et al., CVPR 2017, figure 4): is a face a photograph?"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import keras
from keras import layers

# === Layers ===


def _conv_block(config: DiscriminatorConfig, x: Any, index: int) -> Any:
    """3x3 convolution, batch-norm (none in the first block), LeakyReLU 0.2.

    Every second block halves the picture, the one after it doubles the channels.
    """
    filters = config.filters * 2 ** (index // 2)
    strides = 1 + index % 2
    x = layers.Conv2D(filters, 3, strides, padding="same", name=f"block{index}_conv")(x)
    if index and config.batch_norm:
        x = layers.BatchNormalization(momentum=0.8, name=f"block{index}_norm")(x)
    return layers.LeakyReLU(negative_slope=0.2, name=f"block{index}_act")(x)


# === Functional Model ===


def build_discriminator(config: DiscriminatorConfig) -> keras.Model:
    """The network of a configuration, with fresh weights.

    Input ``(B, side, side, 3)`` float RGB in [-1, 1]; output ``(B, 1)`` float32 logits,
    above 0 where the picture is taken for a real one.
    """
    inputs = keras.Input((config.side, config.side, 3), name="hr")
    x = inputs
    for index in range(config.blocks):
        x = _conv_block(config, x, index)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(config.dense, name="dense")(x)
    x = layers.LeakyReLU(negative_slope=0.2, name="dense_act")(x)
    logits = layers.Dense(1, name="logits", dtype="float32")(x)
    return keras.Model(inputs, logits, name="discriminator")


# === Config ===


@dataclass(frozen=True, kw_only=True)
class DiscriminatorConfig:
    """The shape of a discriminator; the defaults are the paper's, for the seed's 64 px faces."""

    side: int = 64
    """HR width and height it judges, pixels; a multiple of 2^(blocks / 2)"""
    filters: int = 64
    """channels of the first convolution"""
    blocks: int = 8
    """convolutions; every second one has stride 2"""
    dense: int = 1024
    """units after flattening"""
    batch_norm: bool = True

    def __post_init__(self) -> None:
        step = 2 ** (self.blocks // 2)
        for name, good, wanted in (
            ("filters", 4 <= self.filters <= 256, "4 to 256"),
            ("blocks", 2 <= self.blocks <= 12 and self.blocks % 2 == 0, "an even number, 2 to 12"),
            ("dense", 1 <= self.dense <= 8192, "1 to 8192"),
            ("side", self.side >= step and self.side % step == 0, f"a multiple of {step} px"),
        ):
            if not good:
                got = getattr(self, name)
                raise ValueError(
                    f"discriminator.{name}: got {got!r}, expected {wanted}; correct the recipe"
                )

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain values, for JSON and TOML."""
        return asdict(self)
