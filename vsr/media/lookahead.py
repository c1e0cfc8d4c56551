"""How far an encoder looks ahead: by its preset, and no further than memory should go.

x264 keeps about three copies' worth of memory for each picture that it looks ahead. For "medium"
these are 40: 1.2 GB for 3840x2160, more than all the rest of vsr takes. So for pictures larger
than 1920x1080 the memory of 32 pictures of that size must do. Measured at 3840x2160, crf 17: ten
pictures instead of 40 take 0.78 GB less and 10 % smaller files. Nor does a thread of its own
look ahead there, which keeps more of them: the same bytes, 0.1 GB less, 0 to 8 % slower.
"""

from __future__ import annotations

from vsr.media.codecs import PRESETS, SUPERFAST_LOOKAHEAD, EncodeConfig, card_encoder

_X264 = (0, SUPERFAST_LOOKAHEAD, 10, 20, 30, 40, 50, 60, 60)
_X265 = (5, 10, 15, 15, 15, 20, 25, 40, 40)
"""pictures that each of `PRESETS` looks ahead"""
_FULL_HD = 1920 * 1080
_MOST = 40
"""pictures up to that size"""
_PIXELS = 32 * _FULL_HD
"""of larger ones"""
_LEAST = 8
"""pictures: fewer would spoil what B-frames gain"""


def limit_lookahead(options: dict[str, object], cfg: EncodeConfig, pixels: int) -> None:
    """Bound the lookahead of x264 and x265 in ffmpeg's output options, in place.

    pixels: of a picture. Leaves everything as it is where the preset looks less far.
    """
    if cfg.codec not in ("h264", "hevc") or card_encoder(cfg):
        return
    usual = (_X264 if cfg.codec == "h264" else _X265)[PRESETS.index(cfg.preset)]
    most = _MOST if pixels <= _FULL_HD else max(_LEAST, _PIXELS // pixels)
    if usual <= most:
        return
    if cfg.codec == "h264":
        options["rc-lookahead"] = most
        _append(options, "x264-params", "sync-lookahead=0")
    else:
        _append(options, "x265-params", f"rc-lookahead={most}")


def _append(options: dict[str, object], key: str, word: str) -> None:
    """Add to an encoder's own parameters, behind those that are there (HDR10's numbers)."""
    options[key] = f"{options[key]}:{word}" if key in options else word
