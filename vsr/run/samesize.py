"""An output of the source's own size (``--scale 1``): what is another way there."""

from __future__ import annotations

from dataclasses import replace

from vsr.core.color import PIXEL_FORMATS, PixelFormat
from vsr.core.errors import UsageError
from vsr.core.video import VideoInfo
from vsr.faces.crop import CropConfig
from vsr.media.codecs import CODECS, choose_format
from vsr.run.recipe import Recipe

_EVEN_ONLY = ("h264", "hevc", "av1")
"""codecs whose encoders take no odd sizes where chroma is halved"""


def frame_format(info: VideoInfo, recipe: Recipe) -> PixelFormat:
    """The pixel format in which a source's frames will be encoded.

    What `choose_format` says, but full chroma for an output of odd size where the encoder needs
    that. Raises UsageError where there is no such format.
    """
    format = choose_format(info, recipe.encode)
    codec, scale = recipe.encode.codec, recipe.upscale.scale
    odd = (info.width * scale % 2 and format.log2_chroma_w) or (
        info.height * scale % 2 and format.log2_chroma_h
    )
    if not odd or codec not in _EVEN_ONLY:
        return format
    full = "yuv444p10le" if format.bit_depth > 8 else "yuv444p"
    if full not in CODECS[codec].formats or recipe.encode.pix_fmt not in ("auto", "source"):
        raise UsageError(
            f"--scale {scale}: got a picture of {info.width}x{info.height} for {codec} in "
            f"{format.name}, which takes even sizes only; use --codec h264 with "
            "--set encode.pix_fmt=auto, or --scale 2"
        )
    return PIXEL_FORMATS[full]


def format_notices(info: VideoInfo, recipe: Recipe) -> list[str]:
    """What to tell of `frame_format`."""
    chosen, usual = frame_format(info, recipe), choose_format(info, recipe.encode)
    if chosen == usual:
        return []
    return [
        f"{info.width}x{info.height} is an odd size, which {usual.name} cannot have; encoded in "
        f"{chosen.name}, which some players do not take"
    ]


def kept_notices(recipe: Recipe, kept: int, faces: int) -> list[str]:
    """What to tell of faces that stay as they are. kept: how many of the ``faces``."""
    if not kept:
        return []
    return [
        f"{kept} of {faces} faces stay as they are: they are as sharp as their pixels "
        f"(fewer than {recipe.working.same_enter:g} pixels for each of detail)"
    ]


def crop_config(recipe: Recipe) -> CropConfig:
    """How faces are cut out: twice as wide where they are reduced before the network."""
    cfg = recipe.crop
    if recipe.upscale.scale > 1:
        return cfg
    wider = {2 * side for side in cfg.sides if 2 * side > cfg.max_side}
    return replace(cfg, max_side=2 * cfg.max_side, sides=tuple(sorted({*cfg.sides, *wider})))


def crop_grid(recipe: Recipe) -> int:
    """Pixels of which places and sides of windows are multiples: of halved chroma at odd scales."""
    return 2 if recipe.upscale.scale % 2 else 1
