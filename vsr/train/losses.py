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


def pixel_loss(sr: Any, hr: Any, luma_share: float = 0.5, distance: str = "absolute") -> Any:
    """Difference of the pixels, a share of it measured on BT.601 luma.

    Luma is what PSNR is judged on and what the eye resolves.

    Args:
        sr: the generator's pictures; ``hr``: the real ones.
        luma_share: 0..1.
        distance: "absolute" is the mean absolute difference: sharper and more stable than
            SRGAN's square at equal PSNR (Lim et al., CVPRW 2017). "psnr" is the mean over the
            pictures of minus their PSNR, in bel (HINet: Chen et al., CVPRW 2021).
    """
    measure = _minus_psnr if distance == "psnr" else _mean_absolute
    difference = ops.cast(sr, "float32") - ops.cast(hr, "float32")
    colour = measure(difference)
    if luma_share == 0:
        return colour
    luma = measure(ops.matmul(difference, ops.convert_to_tensor(_LUMA)))
    return (1 - luma_share) * colour + luma_share * luma


def _mean_absolute(difference: Any) -> Any:
    return ops.mean(ops.abs(difference))


def _minus_psnr(difference: Any) -> Any:
    # of a range of 2; the small number keeps a perfect picture's slope finite
    squares = ops.mean(ops.square(difference), axis=(1, 2, 3)) / 4
    return ops.mean(ops.log10(squares + 1e-6))


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


def identity_loss(sr: Sequence[Any], hr: Sequence[Any]) -> Any:
    """How far the made face is from the real one to a face recogniser: 0 (the same) to 2.

    The mean of two parts: one minus the cosine of the embeddings, and of the activations at each
    place of the two deepest stages.

    Args:
        sr: outputs of `vsr.models.recogniser.build_recogniser` for the made pictures;
            ``hr``: the same for the real ones.
    """
    made = ops.cast(sr[-1], "float32")
    real = ops.cast(ops.stop_gradient(hr[-1]), "float32")
    embedding = ops.mean(1.0 - ops.sum(made * real, axis=-1))
    return (embedding + content_loss(sr[-3:-1], hr[-3:-1])) / 2


def generator_loss(fake: Any) -> Any:
    """Non-saturating adversarial loss from logits ``(B, 1)``: -log sigmoid(D(G(x)))."""
    return ops.mean(ops.softplus(-ops.cast(fake, "float32")))


def discriminator_loss(real: Any, fake: Any) -> Any:
    """Binary cross-entropy from logits ``(B, 1)``: real ones towards 1, made ones towards 0."""
    real, fake = ops.cast(real, "float32"), ops.cast(fake, "float32")
    return ops.mean(ops.softplus(-real)) + ops.mean(ops.softplus(fake))
