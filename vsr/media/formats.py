"""ffmpeg's pixel format names, read without asking ffmpeg."""

from __future__ import annotations

import re

from vsr.core.color import PIXEL_FORMATS, PixelFormat

_RGB = re.compile(r"^(gbr|0?rgb|0?bgr|argb|abgr|x2rgb|x2bgr|pal8|mono|bayer_|xyz)")
_PLANAR = re.compile(r"^(?:yuva?4\d\dp|gbra?p|gray|ya|xyz)(f)?(9|1[0246]|32)?(?:[lbm]|$)")
_SEMI_PLANAR = re.compile(r"^[py][0-4](1[026])")
_PACKED = (
    (re.compile(r"^(nv20|x2rgb10|x2bgr10|xv30|v30x)"), 10),
    (re.compile(r"^xv36"), 12),
    (re.compile(r"^(xv48|ayuv64|(rgb|bgr)a?(f|48|64|96|128)|bayer_\w+16)"), 16),
)
_CHROMA_NAMES = {(0, 0): "4:4:4", (1, 0): "4:2:2", (1, 1): "4:2:0"}
_CHROMA_444 = re.compile(r"^(yuv[aj]?44|nv24|nv42|p4|vuy|vyu|uyva|ayuv|xv|v30)")
_CHROMA_422 = re.compile(r"^(yuv[aj]?4(22|11)|nv16|nv20|p2|yuyv|yvyu|uyvy|uyyv|y2)")


def is_rgb(pix_fmt: str) -> bool:
    """Whether a source format holds RGB, XYZ or a palette instead of Y'CbCr or grey."""
    return _RGB.match(pix_fmt) is not None


def bit_depth_of(pix_fmt: str) -> int:
    """Bits of one sample of an ffmpeg pixel format, e.g. 10 for "yuv420p10le".

    Never less than 8, and 16 for everything deeper than that.
    """
    if match := _PLANAR.match(pix_fmt):
        return 16 if match.group(1) else min(16, int(match.group(2) or 8))
    if match := _SEMI_PLANAR.match(pix_fmt):
        return int(match.group(1))
    return next((depth for pattern, depth in _PACKED if pattern.match(pix_fmt)), 8)


def chroma_of(pix_fmt: str) -> str:
    """The usual name of a source format's chroma resolution, e.g. "4:1:1"; RGB's is "4:4:4".

    4:1:0 has a quarter of the columns and of the lines (ffmpeg's yuv410p), 4:4:0 half the lines.
    """
    if match := re.match(r"^(?:yuv[aj]?|uyyvyy)4([14])([014])", pix_fmt):
        return f"4:{match[1]}:{match[2]}"
    format = nearest_format(pix_fmt)
    return _CHROMA_NAMES[format.log2_chroma_w, format.log2_chroma_h]


def nearest_format(pix_fmt: str) -> PixelFormat:
    """The planar Y'CbCr format that keeps a source's chroma resolution and depth (8 or 10)."""
    if is_rgb(pix_fmt) or _CHROMA_444.match(pix_fmt):
        layout = "yuv444p"
    elif _CHROMA_422.match(pix_fmt):
        layout = "yuv422p"
    else:
        layout = "yuv420p"
    return PIXEL_FORMATS[layout + ("10le" if bit_depth_of(pix_fmt) > 8 else "")]
