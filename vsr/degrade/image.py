"""The reference degradations, one picture at a time: PIL's filters and real JPEG."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

from vsr.core.errors import DataError
from vsr.degrade.kernels import Resizing, disc_kernel, motion_kernel
from vsr.degrade.recipe import Degradation

_FILTERS = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "lanczos": Image.Resampling.LANCZOS,
}


def degrade_image(
    hr: np.ndarray, scale: int, how: Degradation, rng: np.random.Generator
) -> np.ndarray:
    """Blur, reduce, add noise, sharpen, compress, enlarge: the LR image of an HR one.

    Video encoders (``how.coding``) need a whole clip: `vsr.run.recode` runs them on the result.

    Args:
        hr: uint8 RGB ``(H, W, 3)``, H and W multiples of ``scale``.
        scale: 1 or more.
        how: the numbers.
        rng: source of the noise.

    Returns:
        uint8 RGB ``(H / scale, W / scale, 3)``.
    """
    lr = _resample(_blur(hr, how), scale, how)
    lr = _expose(lr, how, rng)
    if how.sharpen > 0:
        soft = cv2.GaussianBlur(lr, (0, 0), 1.0)
        lr = cv2.addWeighted(lr, 1 + how.sharpen, soft, -how.sharpen, 0)
    if how.jpeg_quality is not None:
        lr = jpeg(lr, how.jpeg_quality)
    if how.shrink > 1:
        lr = resize_image(lr, hr.shape[1] // scale, hr.shape[0] // scale, how.enlarge)
    return lr


def _blur(hr: np.ndarray, how: Degradation) -> np.ndarray:
    """The lens and the movement during the exposure; uint8 ``(H, W, 3)`` both ways."""
    if how.blur_sigma > 0:
        hr = cv2.GaussianBlur(hr, (0, 0), how.blur_sigma)
    if how.defocus_px > 0.5:
        kernel = disc_kernel(how.defocus_px)
        hr = cv2.filter2D(hr, -1, kernel, borderType=cv2.BORDER_REPLICATE)
    if how.motion_px > 1:
        size = 2 * int(np.ceil(how.motion_px / 2)) + 1
        kernel = motion_kernel(how.motion_px, how.motion_angle, size)
        hr = cv2.filter2D(hr, -1, kernel, borderType=cv2.BORDER_REPLICATE)
    return hr


def _resample(hr: np.ndarray, scale: int, how: Degradation) -> np.ndarray:
    """The sensor's size: once or twice resized; uint8 ``(h, w, 3)``."""
    if how.shrink == 1 and how.via == 1:
        return reduce_image(hr, scale, how.reduction)
    height, width = hr.shape[:2]

    def side(length: int, factor: float) -> int:
        return max(4, round(length / scale / how.shrink * factor))

    if how.via != 1:
        # area and the like only make sense downwards: enlarging on the way is bilinear
        first = side(width, how.via), side(height, how.via)
        down = first[0] <= width and first[1] <= height
        hr = resize_image(hr, *first, how.reduction if down else "bilinear")
    last = side(width, 1.0), side(height, 1.0)
    down = last[0] <= hr.shape[1] and last[1] <= hr.shape[0]
    return resize_image(hr, *last, how.reduction if down else "bilinear")


def _expose(lr: np.ndarray, how: Degradation, rng: np.random.Generator) -> np.ndarray:
    """Photon and read noise; uint8 ``(h, w, 3)`` both ways."""
    if how.noise_sigma == 0 and how.shot_noise == 0:
        return lr
    sigma: np.ndarray | float = how.noise_sigma
    if how.shot_noise > 0:
        sigma = np.sqrt(sigma**2 + how.shot_noise * lr.astype(np.float64))
    noisy = lr + rng.normal(0.0, 1.0, lr.shape) * sigma
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def reduce_image(hr: np.ndarray, scale: int, kind: Resizing) -> np.ndarray:
    """The picture made ``scale`` times smaller.

    Args:
        hr: uint8 RGB ``(H, W, 3)``, H and W multiples of ``scale``.
        kind: "area" is OpenCV's INTER_AREA, the others are PIL's.

    Raises:
        DataError: the size is no multiple of the scale.
    """
    height, width = hr.shape[:2]
    if height % scale or width % scale:
        raise DataError(
            f"HR picture: got {width}x{height}, expected a multiple of {scale} px; crop it first"
        )
    return resize_image(hr, width // scale, height // scale, kind)


def resize_image(picture: np.ndarray, width: int, height: int, kind: Resizing) -> np.ndarray:
    """uint8 RGB ``(H, W, 3)`` at another size; "area" only makes sense when it gets smaller."""
    if picture.shape[:2] == (height, width):
        return picture
    if kind == "area":
        return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    resized = Image.fromarray(picture).resize((width, height), _FILTERS[kind])
    return np.asarray(resized)


def enlarge_image(lr: np.ndarray, scale: int) -> np.ndarray:
    """PIL's bicubic enlargement (a = -0.5): the baseline every figure is compared with."""
    return resize_image(lr, lr.shape[1] * scale, lr.shape[0] * scale, "bicubic")


def jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    """uint8 RGB through libjpeg and back (4:2:0, OpenCV's default)."""
    options = [cv2.IMWRITE_JPEG_QUALITY, int(quality)]
    ok, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)
    if not ok:
        raise DataError(f"JPEG encoder refused a picture of shape {picture.shape}; expected RGB")
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    if decoded is None:
        raise DataError("JPEG decoder refused what the encoder wrote; reinstall OpenCV")
    return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)
