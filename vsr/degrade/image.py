"""The reference degradations, one picture at a time: PIL's filters and real JPEG."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

from vsr.core.errors import DataError
from vsr.degrade.kernels import Reduction, dct_matrix, h264_step, motion_kernel
from vsr.degrade.recipe import Degradation


def degrade_image(
    hr: np.ndarray, scale: int, how: Degradation, rng: np.random.Generator
) -> np.ndarray:
    """Blur, reduce, add noise, compress: the LR picture of an HR one.

    Args:
        hr: uint8 RGB ``(H, W, 3)``, H and W multiples of ``scale``.
        scale: 1 or more.
        how: the numbers.
        rng: source of the noise.

    Returns:
        uint8 RGB ``(H / scale, W / scale, 3)``.
    """
    if how.blur_sigma > 0:
        hr = cv2.GaussianBlur(hr, (0, 0), how.blur_sigma)
    if how.motion_px > 1:
        size = 2 * int(np.ceil(how.motion_px / 2)) + 1
        kernel = motion_kernel(how.motion_px, how.motion_angle, size)
        hr = cv2.filter2D(hr, -1, kernel, borderType=cv2.BORDER_REPLICATE)
    lr = reduce_image(hr, scale, how.reduction)
    if how.noise_sigma > 0:
        noisy = lr + rng.normal(0.0, how.noise_sigma, lr.shape)
        lr = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    if how.jpeg_quality is not None:
        lr = jpeg(lr, how.jpeg_quality)
    if how.h264_qp is not None:
        lr = h264_like(lr, how.h264_qp)
    return lr


def reduce_image(hr: np.ndarray, scale: int, kind: Reduction) -> np.ndarray:
    """The picture made ``scale`` times smaller.

    Args:
        hr: uint8 RGB ``(H, W, 3)``, H and W multiples of ``scale``.
        kind: "bicubic" is PIL's, "area" OpenCV's INTER_AREA.

    Raises:
        DataError: the size is no multiple of the scale.
    """
    height, width = hr.shape[:2]
    if height % scale or width % scale:
        raise DataError(
            f"HR picture: got {width}x{height}, wanted a multiple of {scale} px; crop it first"
        )
    return resize_image(hr, width // scale, height // scale, kind)


def resize_image(picture: np.ndarray, width: int, height: int, kind: Reduction) -> np.ndarray:
    """uint8 RGB ``(H, W, 3)`` at another size; "area" only makes sense when it gets smaller."""
    if picture.shape[:2] == (height, width):
        return picture
    if kind == "area":
        return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    resized = Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(resized)


def enlarge_image(lr: np.ndarray, scale: int) -> np.ndarray:
    """PIL's bicubic enlargement (a = -0.5): the baseline every figure is compared with."""
    return resize_image(lr, lr.shape[1] * scale, lr.shape[0] * scale, "bicubic")


def jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    """uint8 RGB through libjpeg and back (4:2:0, OpenCV's default)."""
    options = [cv2.IMWRITE_JPEG_QUALITY, int(quality)]
    ok, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)
    if not ok:
        raise DataError(f"JPEG encoder refused a picture of shape {picture.shape}; wanted RGB")
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    if decoded is None:
        raise DataError("JPEG decoder refused what the encoder wrote; reinstall OpenCV")
    return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)


def h264_like(picture: np.ndarray, qp: float) -> np.ndarray:
    """uint8 RGB with the losses of an H.264 intra picture, without an encoder.

    4:2:0 chroma, 4x4 transform with one flat step and H.264's intra dead zone (rounding
    offset 1/3). Prediction and deblocking are left out: it is a training augmentation.
    """
    height, width = picture.shape[:2]
    padded = np.pad(picture, ((0, -height % 8), (0, -width % 8), (0, 0)), mode="edge")
    ycc = cv2.cvtColor(padded, cv2.COLOR_RGB2YCrCb).astype(np.float32)
    step = float(h264_step(qp))
    luma = _code(ycc[..., :1], step)
    half = (ycc.shape[1] // 2, ycc.shape[0] // 2)
    chroma = _code(cv2.resize(ycc[..., 1:], half, interpolation=cv2.INTER_AREA), step)
    chroma = cv2.resize(chroma, (ycc.shape[1], ycc.shape[0]), interpolation=cv2.INTER_LINEAR)
    coded = np.clip(np.rint(np.concatenate([luma, chroma], axis=-1)), 0, 255).astype(np.uint8)
    return cv2.cvtColor(coded, cv2.COLOR_YCrCb2RGB)[:height, :width]


def _code(plane: np.ndarray, step: float) -> np.ndarray:
    """Transform, quantise with a dead zone, and back; float32 ``(H, W, C)``, sides of 4n."""
    height, width, channels = plane.shape
    transform = dct_matrix(4)
    blocks = plane.reshape(height // 4, 4, width // 4, 4, channels)
    coefficients = np.einsum("ui,aibjc,vj->aubvc", transform, blocks, transform, optimize=True)
    levels = np.sign(coefficients) * np.floor(np.abs(coefficients) / step + 1 / 3)
    blocks = np.einsum("ui,aubvc,vj->aibjc", transform, levels * step, transform, optimize=True)
    return blocks.reshape(height, width, channels)
