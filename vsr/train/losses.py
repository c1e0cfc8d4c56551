"""What the generator and the discriminator are told to make small.

All pictures are float ``(B, H, W, 3)`` in [-1, 1]; all losses are float32 scalars.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

ops: Any = keras.ops  # its stubs know tensors of no backend

_LUMA = np.array([[0.299], [0.587], [0.114]], np.float32)
"""BT.601 luma of R, G, B"""


def pixel_loss(sr: Any, hr: Any, luma_share: float = 0.5) -> Any:
    """Mean absolute difference, a share of it measured on BT.601 luma.

    The absolute difference instead of SRGAN's square: sharper and more stable at equal PSNR
    (Lim et al., CVPRW 2017). Luma is what PSNR is judged on and what the eye resolves.
    """
    difference = ops.cast(sr, "float32") - ops.cast(hr, "float32")
    colour = ops.mean(ops.abs(difference))
    if luma_share == 0:
        return colour
    luma = ops.mean(ops.abs(ops.matmul(difference, ops.convert_to_tensor(_LUMA))))
    return (1 - luma_share) * colour + luma_share * luma


def content_loss(sr: Sequence[Any], hr: Sequence[Any], distance: str = "cosine") -> Any:
    """Distance of features from the real picture's, mean over the layers.

    Args:
        sr: one tensor ``(B, h, w, C)`` per layer; ``hr``: the same of the real picture.
        distance: "relative" is SRGAN's squared difference (equation 5), each layer divided by
            its own energy, so that weights mean the same for every network and layer; "cosine"
            is one minus the cosine of the channel vectors, mean over places (half of LPIPS'
            unweighted distance, Zhang et al., CVPR 2018): flat regions count like textured ones.
    """
    measure = _cosine if distance == "cosine" else _relative
    total = 0.0
    for made, real in zip(sr, hr, strict=True):
        real = ops.cast(ops.stop_gradient(real), "float32")
        total += measure(ops.cast(made, "float32"), real)
    return total / len(sr)


def _relative(made: Any, real: Any) -> Any:
    return ops.mean(ops.square(made - real)) / (ops.mean(ops.square(real)) + 1e-6)


def _cosine(made: Any, real: Any) -> Any:
    dot = ops.sum(made * real, axis=-1)
    # inside the root: its slope is infinite at 0, where all channels may be switched off
    norms = ops.sqrt(ops.sum(ops.square(made), axis=-1) * ops.sum(ops.square(real), axis=-1) + 1e-4)
    return ops.mean(1.0 - dot / norms)


def generator_loss(fake: Any) -> Any:
    """Non-saturating adversarial loss from logits ``(B, 1)``: -log sigmoid(D(G(x)))."""
    return ops.mean(ops.softplus(-ops.cast(fake, "float32")))


def discriminator_loss(real: Any, fake: Any) -> Any:
    """Binary cross-entropy from logits ``(B, 1)``: real ones towards 1, made ones towards 0."""
    real, fake = ops.cast(real, "float32"), ops.cast(fake, "float32")
    return ops.mean(ops.softplus(-real)) + ops.mean(ops.softplus(fake))
