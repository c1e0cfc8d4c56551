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


def content_loss(sr: Sequence[Any], hr: Sequence[Any]) -> Any:
    """Squared difference of features relative to the real picture's, mean over the layers.

    SRGAN's VGG loss (equation 5) with each layer divided by its own energy: weights then mean
    the same for every feature network and every layer.
    """
    total = 0.0
    for made, real in zip(sr, hr, strict=True):
        made, real = ops.cast(made, "float32"), ops.cast(ops.stop_gradient(real), "float32")
        total += ops.mean(ops.square(made - real)) / (ops.mean(ops.square(real)) + 1e-6)
    return total / len(sr)


def generator_loss(fake: Any) -> Any:
    """Non-saturating adversarial loss from logits ``(B, 1)``: -log sigmoid(D(G(x)))."""
    return ops.mean(ops.softplus(-ops.cast(fake, "float32")))


def discriminator_loss(real: Any, fake: Any) -> Any:
    """Binary cross-entropy from logits ``(B, 1)``: real ones towards 1, made ones towards 0."""
    real, fake = ops.cast(real, "float32"), ops.cast(fake, "float32")
    return ops.mean(ops.softplus(-real)) + ops.mean(ops.softplus(fake))
