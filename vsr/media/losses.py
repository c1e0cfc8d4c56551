"""What of a source's pictures the result does not have: told in a line each, never kept quiet."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from vsr.core.color import ColorSpec, PixelFormat, usual_matrix
from vsr.core.video import VideoInfo
from vsr.media.codecs import CODECS, EncodeConfig, encoder_options
from vsr.media.containers import Container
from vsr.media.formats import chroma_of, is_rgb, nearest_format
from vsr.media.hdr import hdr10_options, parse_hdr10
from vsr.media.packets import packet_times

_ALPHA = re.compile(r"^(yuva|gbrap|rgba|bgra|argb|abgr|ya\d|ayuv|vuya|uyva|pal8)")
TRANSPARENCY = "transparency"
"""in a stream of its own beside VP8 or VP9, which ffmpeg's decoders pass over"""
RESERVED_TAGS = "reserved colour tags"
_KEEP = "encode.pix_fmt=source keeps"
_LOST_DATA = {
    r"dolby vision|dovi configuration": "Dolby Vision data",
    r"hdr dynamic metadata|smpte2094|hdr10\+": "HDR10+ data",
    r"closed captions": "closed captions",
    r"stereo ?3d": "the 3D layout",
    r"spherical": "the 360 degree projection",
    r"^(?!.* : ).*ambient viewing environment": "the ambient viewing environment",
    r"^(?!.* : ).*icc profile": "the ICC profile",
    r"^ +alpha_mode +: 1": TRANSPARENCY,
}
"""what ffmpeg calls data that travel inside the pictures' stream -> our words"""


def lost_data(lines: Sequence[str]) -> tuple[str, ...]:
    """Names of what pictures carry beside themselves and no encoder here can write again."""
    text = "\n".join(lines).lower()
    found = [name for k, name in _LOST_DATA.items() if re.search(k, text, re.MULTILINE)]
    if "side data - mastering display" in text and parse_hdr10(lines)[0] is None:
        found.append("HDR10's mastering display (its numbers are out of range)")
    return tuple(found)


def picture_notices(
    info: VideoInfo, container: Container, format: PixelFormat, cfg: EncodeConfig
) -> list[str]:
    """A notice for everything in which the pictures written are less than the source's.

    container, format, cfg: of the result.
    """
    notices = [*_pixel_notices(info, format, cfg)]
    if info.interlaced:
        notices.append(
            "the source is interlaced: the two fields of each frame were made one full picture"
        )
    if RESERVED_TAGS in info.lost:
        notices.append("the source's colour tags have reserved values: they count as untagged")
    lost = [name for name in info.lost if name not in (TRANSPARENCY, RESERVED_TAGS)]
    notices += [f"{name} of the source cannot be written again" for name in lost]
    color = info.color
    if color.mastering or color.light:
        options = encoder_options(cfg)
        if not hdr10_options(options, color):
            notices.append(
                f"the HDR10 numbers (mastering display, light level) were left out: {cfg.codec} "
                "cannot write them here (hevc can); the colour tags are kept"
            )
    if _rounds(info, container):
        notices.append(
            f"{container.muxer} counts in milliseconds: timestamps were rounded by up to half of "
            "one (.mp4 keeps them)"
        )
    return notices


def tag_notices(color: ColorSpec, written: ColorSpec, width: int, height: int) -> list[str]:
    """What to tell where an output of a size is tagged and its source, of ``color``, is not."""
    if written == color:
        return []
    return [
        f"the source has no colour tag: by its size it was read as {color.matrix}, and the output "
        f"is tagged so, since players would take {width}x{height} for "
        f"{usual_matrix(width, height)}"
    ]


def _pixel_notices(info: VideoInfo, format: PixelFormat, cfg: EncodeConfig) -> list[str]:
    notices: list[str] = []
    source = nearest_format(info.pix_fmt)
    fitting = source.name in CODECS[cfg.codec].formats
    remedy = f"; {_KEEP} it" if fitting else ""
    chroma, was = chroma_of(format.name), chroma_of(info.pix_fmt)
    finer = (source.log2_chroma_w, source.log2_chroma_h) < (
        format.log2_chroma_w,
        format.log2_chroma_h,
    )
    if is_rgb(info.pix_fmt):
        keeps = f"; {_KEEP} all of its chroma" if fitting and chroma != "4:4:4" else ""
        notices.append(f"the source's RGB was converted to Y'CbCr {chroma}{keeps}")
    elif finer:
        notices.append(f"chroma was reduced from {was} to {chroma}{remedy}")
    if info.bit_depth > format.bit_depth:
        keeps = f"; {_KEEP} 10 bit" if fitting and format.bit_depth < 10 else ""
        notices.append(f"{info.bit_depth} bit a sample became {format.bit_depth} bit{keeps}")
    if _ALPHA.match(info.pix_fmt) or TRANSPARENCY in info.lost:
        notices.append("transparency was left out")
    return notices


def _rounds(info: VideoInfo, container: Container) -> bool:
    """Whether timestamps lie between the milliseconds that Matroska counts in."""
    if container.is_mov:
        return False
    thousandths = 1000 * info.time_base
    if thousandths.denominator == 1 or not info.path.is_file():
        return False
    times = packet_times(info) * thousandths.numerator
    return bool(np.any(times % thousandths.denominator))
