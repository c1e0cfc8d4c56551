"""The SRGAN generator, SRResNet (Ledig et al., CVPR 2017, figure 4), and its leaner relatives."""

from __future__ import annotations

import dataclasses
import math
import re
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import keras
import numpy as np
from keras import layers

from vsr.models.architecture import Architecture, ArchitectureConfig, Build, check_field, is_whole
from vsr.models.layers import BicubicUpsample, BilinearDouble, PixelShuffle, PixelUnshuffle

_CONTEXT_BLOCKS = 2
"""residual blocks at each size of the hourglass, where the config does not say"""

# === Layers ===


BRANCH_ENDS = ("context0_up_conv", "decoder_out_conv", "polish_out_conv")
"""Last convolutions of branches that are added to a working network: they start at zero"""
_BRANCH_END = re.compile(r"(context\d+_)?block\d+_conv2/|context\d+_up_conv/")
"""those of single blocks and sizes, where a network that is trained on lacked them"""


def _conv(config: SRResNetConfig, filters: int, kernel: int, name: str) -> layers.Conv2D:
    initialiser = config.initialiser
    if (name == "out_conv" and config.image_skip != "none") or name in BRANCH_ENDS:
        initialiser = "zeros"  # an untrained network is then its image skip, not noise
    return layers.Conv2D(filters, kernel, padding="same", kernel_initializer=initialiser, name=name)


def _activation(config: SRResNetConfig, x: Any, name: str) -> Any:
    if config.activation == "prelu":
        return layers.PReLU(shared_axes=[1, 2], name=name)(x)
    if config.activation == "leaky_relu":
        return layers.LeakyReLU(negative_slope=0.2, name=name)(x)
    return layers.ReLU(name=name)(x)


def _normalise(config: SRResNetConfig, x: Any, name: str) -> Any:
    if config.normalisation == "none":
        return x
    return layers.BatchNormalization(momentum=0.8, name=name)(x)


def _block(config: SRResNetConfig, x: Any, name: str, filters: int | None = None) -> Any:
    """conv, norm, activation, conv, norm, added to the block's input."""
    filters = filters or config.filters
    y = _conv(config, filters, config.kernel_size, f"{name}_conv1")(x)
    y = _normalise(config, y, f"{name}_norm1")
    y = _activation(config, y, f"{name}_act")
    y = _conv(config, filters, config.kernel_size, f"{name}_conv2")(y)
    y = _normalise(config, y, f"{name}_norm2")
    if config.residual_scale != 1.0:
        y = layers.Rescaling(config.residual_scale, name=f"{name}_scale")(y)
    return layers.Add(name=f"{name}_add")([x, y])


def _tail(config: SRResNetConfig, x: Any) -> Any:
    """Features at the body's size to three channels at HR size."""
    if config.upsampling == "direct":
        # one shuffle straight to RGB (Shi et al. 2016): no convolution runs at HR size
        x = _conv(config, 3 * config.growth**2, config.kernel_size, "out_conv")(x)
        return PixelShuffle(config.growth, name="out_shuffle")(x)
    for stage in range(int(math.log2(config.growth))):
        x = _conv(config, 4 * config.filters, config.kernel_size, f"up{stage}_conv")(x)
        x = PixelShuffle(2, name=f"up{stage}_shuffle")(x)
        x = _activation(config, x, f"up{stage}_act")
    return _conv(config, 3, config.head_kernel, "out_conv")(x)


def _context(config: SRResNetConfig, x: Any) -> Any:
    """An hourglass (Newell et al., ECCV 2016) beside the body: the whole face at a glance.

    Halved by averaging and doubled bilinearly, so that no place of a 2x2 square is favoured.
    """
    levels = [(config.filters, x)]
    for index, channels in enumerate(config.context):
        y = layers.AveragePooling2D(2, name=f"context{index}_pool")(levels[-1][1])
        y = _conv(config, channels, config.kernel_size, f"context{index}_down_conv")(y)
        y = _activation(config, y, f"context{index}_down_act")
        for block in range(config.context_depths[index]):
            y = _block(config, y, f"context{index}_block{block}", channels)
        levels.append((channels, y))
    y = levels.pop()[1]
    for index in reversed(range(len(config.context))):
        channels, wide = levels.pop()
        y = BilinearDouble(name=f"context{index}_wide")(y)
        y = _conv(config, channels, config.kernel_size, f"context{index}_up_conv")(y)
        y = layers.Add(name=f"context{index}_add")([wide, y])
    return y


def _decoder(config: SRResNetConfig, x: Any) -> Any:
    """Detail that one linear step cannot make: a convolution, shuffle and block per doubling.

    A direct tail draws each LR pixel's s x s square as a linear function of ``filters``
    numbers; at x8 that is 192 values of 64.
    """
    for index, channels in enumerate(config.decoder):
        x = _conv(config, 4 * channels, config.kernel_size, f"decoder{index}_conv")(x)
        x = PixelShuffle(2, name=f"decoder{index}_shuffle")(x)
        x = _activation(config, x, f"decoder{index}_act")
        x = _block(config, x, f"decoder{index}_block", channels)
    left = config.growth // 2 ** len(config.decoder)
    x = _conv(config, 3 * left**2, config.kernel_size, "decoder_out_conv")(x)
    return PixelShuffle(left, name="decoder_out_shuffle")(x) if left > 1 else x


def _polish(config: SRResNetConfig, x: Any) -> Any:
    """Two convolutions at HR size, added to the picture.

    A direct shuffle makes each of the s^2 places of an LR pixel by kernels of its own; trained
    against a critic they drift apart and a grid shows. Here neighbours at HR size meet again.
    """
    y = _conv(config, config.polish, 5, "polish_conv")(x)
    y = _activation(config, y, "polish_act")
    y = _conv(config, 3, 5, "polish_out_conv")(y)
    return layers.Add(name="polish_add", dtype="float32")([x, y])


# === Functional Model ===


def build_srresnet(config: SRResNetConfig) -> keras.Model:
    """The network of a configuration, with fresh weights (seed them by `keras.utils`).

    Input ``(B, H, W, 3)`` float RGB in [-1, 1], H and W multiples of ``config.multiple_of``;
    output ``(B, s*H, s*W, 3)`` float32 in [-1, 1] (up to overshoot where ``activation_out`` is
    "linear": clip it).
    """
    inputs = keras.Input((None, None, 3), name="lr")
    x = inputs
    if config.unshuffle > 1:
        x = PixelUnshuffle(config.unshuffle, name="unshuffle")(x)
    x = _conv(config, config.filters, config.head_kernel, "head_conv")(x)
    x = head = _activation(config, x, "head_act")
    for index in range(config.blocks):
        if config.context and index == config.blocks // 2:
            x = _context(config, x)
        x = _block(config, x, f"block{index}")
    x = _conv(config, config.filters, config.kernel_size, "body_conv")(x)
    x = _normalise(config, x, "body_norm")
    x = layers.Add(name="body_add")([head, x])
    features, x = x, _tail(config, x)
    if config.decoder:
        x = layers.Add(name="decoder_add")([x, _decoder(config, features)])
    if config.image_skip == "bicubic":
        skip = BicubicUpsample(config.scale, name="image_skip")(inputs)
        x = layers.Add(name="image_add", dtype="float32")([x, skip])
    if config.polish:
        x = _polish(config, x)
    outputs = layers.Activation(config.activation_out, name="sr", dtype="float32")(x)
    return keras.Model(inputs, outputs, name=f"generator_x{config.scale}")


# === Config ===


@dataclass(frozen=True, kw_only=True)
class SRResNetConfig(ArchitectureConfig):
    """The shape of a generator; with the weights it makes a model.

    The defaults are those of the SRGAN paper's generator.
    """

    architecture: ClassVar[str] = "srresnet"

    unshuffle: int = 1
    """1, 2 or 4: the body works at 1/unshuffle of the LR size on squares of pixels turned into
    channels, at 1/unshuffle^2 of the cost; LR sides must then be multiples of it"""
    filters: int = 64
    """channels of the body"""
    blocks: int = 16
    """residual blocks"""
    kernel_size: int = 3
    """of the body's convolutions, odd"""
    head_kernel: int = 9
    """of the first convolution and, with "stages", of the last; odd"""
    normalisation: Literal["batch", "none"] = "batch"
    activation: Literal["prelu", "relu", "leaky_relu"] = "prelu"
    upsampling: Literal["stages", "direct"] = "stages"
    """"stages": the paper's convolution + shuffle per factor of two; "direct": one shuffle"""
    image_skip: Literal["none", "bicubic"] = "none"
    """what the network's output is added to"""
    context: tuple[int, ...] = ()
    """channels at 1/2, 1/4, … of the LR size of an hourglass in the middle of the body;
    LR sides must then be multiples of 2, 4, …"""
    context_blocks: tuple[int, ...] = ()
    """residual blocks at each of those sizes; two each where empty. Deep down they are cheap: at
    1/8 of the size sixteen cost what one of the body does"""
    decoder: tuple[int, ...] = ()
    """channels at 2, 4, … times the LR size of a second tail, added to the first"""
    polish: int = 0
    """channels of two 5x5 convolutions at HR size that end the network; 0: none"""
    activation_out: Literal["tanh", "linear"] = "tanh"
    residual_scale: float = 1.0
    """factor on each block's branch (Lim et al., CVPRW 2017)"""
    initialiser: Literal["glorot_uniform", "he_normal", "he_uniform"] = "glorot_uniform"

    def __post_init__(self) -> None:
        super().__post_init__()
        choices = {
            "unshuffle": (1, 2, 4),
            "normalisation": ("batch", "none"),
            "activation": ("prelu", "relu", "leaky_relu"),
            "upsampling": ("stages", "direct"),
            "image_skip": ("none", "bicubic"),
            "activation_out": ("tanh", "linear"),
            "initialiser": ("glorot_uniform", "he_normal", "he_uniform"),
        }
        for name, allowed in choices.items():
            value = getattr(self, name)
            check_field(name, value, value in allowed, f"one of {allowed}")
        for name, low, high in (("filters", 4, 512), ("blocks", 1, 64), ("polish", 0, 256)):
            value = getattr(self, name)
            check_field(name, value, is_whole(value) and low <= value <= high, f"{low} to {high}")
        for name, most in (("context", 3), ("decoder", int(math.log2(self.scale)))):
            value = tuple(getattr(self, name))
            object.__setattr__(self, name, value)  # JSON and TOML bring lists
            good = len(value) <= most and all(is_whole(v) and 4 <= v <= 512 for v in value)
            check_field(name, value, good, f"at most {most} numbers from 4 to 512")
        depths = tuple(self.context_blocks)
        object.__setattr__(self, "context_blocks", depths)
        good = len(depths) in (0, len(self.context))
        good = good and all(is_whole(v) and 1 <= v <= 32 for v in depths)
        check_field("context_blocks", depths, good, "none, or a number from 1 to 32 for each of "
                    f"the {len(self.context)} sizes of context")  # fmt: skip
        for name in ("kernel_size", "head_kernel"):
            value = getattr(self, name)
            good = is_whole(value) and 1 <= value <= 15 and value % 2 == 1
            check_field(name, value, good, "an odd number from 1 to 15")
        scale = self.residual_scale
        check_field("residual_scale", scale, 0 < scale <= 1, "more than 0, at most 1")

    @property
    def multiple_of(self) -> int:
        """What LR sides must be multiples of."""
        return self.unshuffle * 2 ** len(self.context)

    @property
    def context_depths(self) -> tuple[int, ...]:
        """Residual blocks at each size of the hourglass."""
        return self.context_blocks or (_CONTEXT_BLOCKS,) * len(self.context)

    @property
    def growth(self) -> int:
        """How often the output's side holds the body's."""
        return self.scale * self.unshuffle

    @property
    def reach(self) -> int:
        """LR pixels around one on which its result depends at most, a multiple of `multiple_of`."""
        half = self.kernel_size // 2
        polish = 4 if self.polish else 0  # two 5x5 convolutions, HR pixels
        body = self.head_kernel // 2 + (2 * self.blocks + 1) * half + self._context_reach()
        body += max(self._tail_reach(polish), self._decoder_reach(polish))
        lr = self.unshuffle * (body + 1) - 1  # of the body's pixels each is as many
        lr = max(lr, -(-polish // self.scale) + 2)  # the bicubic image skip, two to each side
        return -(-lr // self.multiple_of) * self.multiple_of

    def _tail_reach(self, hr: int) -> int:
        """Pixels of the body on which HR pixels, up to ``hr`` away, depend by the tail."""
        half = self.kernel_size // 2
        if self.upsampling == "direct":
            return -(-hr // self.growth) + half
        reach = hr + self.head_kernel // 2
        for _ in range(int(math.log2(self.growth))):
            reach = -(-reach // 2) + half
        return reach

    def _decoder_reach(self, hr: int) -> int:
        """The same by the decoder; 0 where there is none."""
        if not self.decoder:
            return 0
        half = self.kernel_size // 2
        reach = -(-hr // (self.growth // 2 ** len(self.decoder))) + half
        for _ in self.decoder:
            reach = -(-(reach + 2 * half) // 2) + half
        return reach

    def _context_reach(self) -> int:
        """Pixels of the body on which one depends by the hourglass; 0 where there is none."""
        half, reach = self.kernel_size // 2, 0
        for depth in reversed(self.context_depths):
            # doubling sees the nearer neighbour, too; at twice the size it is two pixels away
            reach = 2 * (reach + (2 * depth + 1) * half + 1) + half
        return reach

    @property
    def flops_per_pixel(self) -> float:
        """Floating point operations per LR pixel of one forward pass (2 per multiply-add)."""
        body = self.kernel_size**2 * self.filters**2
        macs = self.head_kernel**2 * 3 * self.unshuffle**2 * self.filters
        macs += (2 * self.blocks + 1) * body
        if self.upsampling == "direct":
            macs += self.kernel_size**2 * self.filters * 3 * self.growth**2
        else:
            stages = int(math.log2(self.growth))
            macs += sum(4**stage * 4 * body for stage in range(stages))
            macs += self.growth**2 * self.head_kernel**2 * self.filters * 3
        macs += self.kernel_size**2 * (self._context_macs() + self._decoder_macs())
        return 2 * (macs / self.unshuffle**2 + self.scale**2 * 2 * 25 * 3 * self.polish)

    def _context_macs(self) -> float:
        """Multiply-adds per pixel of the body and kernel tap."""
        macs, before = 0.0, self.filters
        for index, channels in enumerate(self.context):
            low = before * channels + 2 * self.context_depths[index] * channels**2
            macs += low / 4 ** (index + 1) + channels * before / 4**index
            before = channels
        return macs

    def _decoder_macs(self) -> float:
        """Multiply-adds per pixel of the body and kernel tap."""
        macs, before = 0.0, self.filters
        for index, channels in enumerate(self.decoder):
            macs += 4**index * before * 4 * channels + 4 ** (index + 1) * 2 * channels**2
            before = channels
        return macs + (before * 3 * self.growth**2 if self.decoder else 0)


# === Growing and folding ===


def is_branch(path: str) -> bool:
    """Whether a variable belongs to a branch that can be added to a trained network."""
    return path.startswith(("block", "context", "decoder", "polish_"))


def is_branch_end(path: str) -> bool:
    """Whether it belongs to the last convolution of a branch that is added to its input."""
    return bool(_BRANCH_END.match(path)) or path.startswith(BRANCH_ENDS)


def fold(model: keras.Model, config: SRResNetConfig, build: Build) -> keras.Model:
    """The same function with fewer layers.

    A batch normalisation after a convolution is, once trained, a factor and an offset per
    channel, and a block's residual scale is one factor: both go into the convolution before.
    """
    plain = dataclasses.replace(config, normalisation="none", residual_scale=1.0)
    if plain == config:
        return model
    folded = build(plain)
    left = {layer.name: layer for layer in model.layers}
    for layer in folded.layers:
        weights = left.pop(layer.name).get_weights()
        if isinstance(layer, layers.Conv2D):
            norm = left.pop(layer.name.replace("_conv", "_norm"), None)
            if norm is not None:
                weights = _normalised(weights, norm)
            if left.pop(layer.name.replace("_conv2", "_scale"), None) is not None:
                weights = [w * config.residual_scale for w in weights]
        layer.set_weights(weights)
    if left:  # a layer whose work would be lost
        raise ValueError(f"fold: {', '.join(left)} follow no convolution")
    return folded


def _normalised(weights: list[np.ndarray], norm: layers.Layer) -> list[np.ndarray]:
    """A convolution's kernel and bias with the normalisation after it in them."""
    kernel, bias = weights
    gamma, beta, mean, variance = (w.astype(np.float64) for w in norm.get_weights())
    factor = gamma / np.sqrt(variance + norm.epsilon)
    return [kernel * factor, (bias - mean) * factor + beta]


ARCHITECTURE = Architecture(
    config=SRResNetConfig,
    build=build_srresnet,
    fold=fold,
    is_branch=is_branch,
    is_branch_end=is_branch_end,
)
