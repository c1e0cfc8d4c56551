"""Video encoders: names, what they can take, and the options that carry quality and speed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from vsr.core.color import (
    MATRIX_TAGS,
    PIXEL_FORMATS,
    ColorSpec,
    PixelFormat,
    usual_matrix,
)
from vsr.core.errors import UsageError
from vsr.core.video import VideoInfo
from vsr.media.formats import nearest_format
from vsr.media.hwaccel import HwAccel, check_hwaccel, hardware_encoder, hardware_options

PRESETS = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow",
)  # fmt: skip
"""speed of the encoder, fastest first; translated for the encoders that count instead"""

SUPERFAST_LOOKAHEAD = 10
"""pictures over which x264's "superfast" propagates quality here"""

ALIASES = {"h265": "hevc", "x264": "h264", "x265": "hevc", "avc": "h264"}


@dataclass(frozen=True, slots=True)
class Codec:
    """One choice of `EncodeConfig.codec`."""

    encoder: str
    """ffmpeg encoder name"""
    crf_max: int | None
    """largest CRF; None for lossless codecs, which take none"""
    formats: tuple[str, ...] = tuple(PIXEL_FORMATS)
    """pixel formats it takes"""
    even_420: bool = True
    """whether subsampled pictures need even sides"""
    takes_range: bool = True
    """whether the encoder may be told of full range; ffmpeg's FFV1 claims to know the limited one
    alone (its stream has no place for it) and would get the picture converted"""


CODECS: dict[str, Codec] = {
    "h264": Codec("libx264", 51),
    "hevc": Codec("libx265", 51),
    "av1": Codec("libsvtav1", 63, ("yuv420p", "yuv420p10le")),
    "vp9": Codec("libvpx-vp9", 63, even_420=False),
    "ffv1": Codec("ffv1", None, even_420=False, takes_range=False),
}


@dataclass(frozen=True, kw_only=True)
class EncodeConfig:
    """How the result is encoded."""

    codec: str = "h264"
    """h264, hevc, av1, vp9 or ffv1 (lossless, .mkv only)"""
    crf: int = 17
    """constant quality: lower is better and larger; 0..51 (h264, hevc), 0..63 (av1, vp9)"""
    preset: str = "medium"
    """speed against size, x264's names: ultrafast … veryslow; "superfast" for h264 with the
    macroblock tree over ten pictures, which x264's own lacks"""
    pix_fmt: str = "auto"
    """pixel format; "auto": 4:2:0, which every player takes, in the source's depth (8 or 10 bit);
    "source": its chroma resolution too"""
    part_frames: int = 250
    """frames of one part of the video, 1 or more: what an interrupted run does again at most.
    Detection and the batches of the network begin anew with each part too"""
    hwaccel: HwAccel = "none"
    """"auto": by the graphics card where it can (crf becomes its own quality scale), else by the
    processor, with a notice"""
    watermark: bool = False
    """write "super-resolved", the model and its scale into a corner of every picture"""

    def __post_init__(self) -> None:
        object.__setattr__(self, "codec", ALIASES.get(self.codec, self.codec))
        if self.codec not in CODECS:
            raise UsageError(f"codec: got '{self.codec}', expected one of {', '.join(CODECS)}")
        check_hwaccel("encode.hwaccel", self.hwaccel)
        limit = CODECS[self.codec].crf_max
        if limit is not None and not 0 <= self.crf <= limit:
            raise UsageError(f"crf: got {self.crf}, expected 0 to {limit} for {self.codec}")
        if self.preset not in PRESETS:
            raise UsageError(f"preset: got '{self.preset}', expected one of {', '.join(PRESETS)}")
        if self.part_frames < 1:
            raise UsageError(f"part_frames: got {self.part_frames}, expected 1 or more")
        by_source = self.pix_fmt in ("auto", "source")
        if not by_source and self.pix_fmt not in CODECS[self.codec].formats:
            known = ", ".join(("source", "auto", *CODECS[self.codec].formats))
            raise UsageError(
                f"pix_fmt: got '{self.pix_fmt}', expected one of {known} for {self.codec}"
            )


def choose_format(info: VideoInfo, cfg: EncodeConfig) -> PixelFormat:
    """The pixel format in which a source will be encoded."""
    if cfg.pix_fmt not in ("auto", "source"):
        return PIXEL_FORMATS[cfg.pix_fmt]
    nearest = nearest_format(info.pix_fmt)
    if cfg.pix_fmt == "source" and nearest.name in CODECS[cfg.codec].formats:
        return nearest
    return PIXEL_FORMATS["yuv420p10le" if nearest.bit_depth > 8 else "yuv420p"]


def encoder_options(cfg: EncodeConfig) -> dict[str, str | int]:
    """ffmpeg's output options for the encoder."""
    options: dict[str, str | int] = {"c:v:0": CODECS[cfg.codec].encoder}
    speed = PRESETS.index(cfg.preset)
    if card := card_encoder(cfg):
        options = hardware_options(card, cfg.crf, speed)
    elif cfg.codec in ("h264", "hevc"):
        options |= {"crf": cfg.crf, "preset": cfg.preset}
        if cfg.codec == "hevc":
            options["x265-params"] = "log-level=error"
        elif cfg.preset == "superfast":
            # As x264 has it, files are 1.5 to 3.6 times as large as with "veryfast" at one crf.
            # With these two 1.0 to 1.1 times, at the same speed.
            options |= {"mbtree": 1, "rc-lookahead": SUPERFAST_LOOKAHEAD}
    elif cfg.codec == "av1":
        options |= {"crf": cfg.crf, "preset": 12 - speed}
    elif cfg.codec == "vp9":
        options |= {"crf": cfg.crf, "b:v:0": 0, "cpu-used": max(0, 6 - speed), "row-mt": 1}
        if cfg.crf == 0:
            options["lossless"] = 1
    else:
        options |= {"level": 3, "slicecrc": 1, "g": 1}
    return options


def card_encoder(cfg: EncodeConfig) -> str | None:
    """ffmpeg's name of the graphics card's encoder that a configuration asks for and gets.

    A configuration that leaves the pixel format to the source is tried with 8 bit, 4:2:0.
    """
    if cfg.hwaccel == "none":
        return None
    by_source = cfg.pix_fmt in ("auto", "source")
    return hardware_encoder(cfg.codec, "yuv420p" if by_source else cfg.pix_fmt)


def encoder_name(cfg: EncodeConfig) -> str:
    """ffmpeg's name of the encoder that a configuration gets here."""
    return card_encoder(cfg) or CODECS[cfg.codec].encoder


def card_notices(cfg: EncodeConfig) -> list[str]:
    """What to tell where the card was asked for and the processor encodes."""
    if cfg.hwaccel == "none" or card_encoder(cfg):
        return []
    return [f"no GPU that encodes {cfg.codec} in {cfg.pix_fmt} was found; encoded on the CPU"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# The tags that ffmpeg's setparams knows under these names.
_SPACES = _words(
    "bt709 fcc bt470bg smpte170m smpte240m bt2020nc bt2020c chroma-derived-nc chroma-derived-c"
)
_PRIMARIES = _words(
    "bt709 bt470m bt470bg smpte170m smpte240m film bt2020 smpte428 smpte431 smpte432 "
    "jedec-p22 ebu3213"
)
_TRANSFERS = _words(
    "bt709 bt470m bt470bg smpte170m smpte240m linear log100 log316 iec61966-2-4 bt1361e "
    "iec61966-2-1 bt2020-10 bt2020-12 smpte2084 smpte428 arib-std-b67"
)


# What ffmpeg's output options call differently.
_OPTION_NAMES = {"bt470m": "gamma22", "bt470bg": "gamma28"}


def tag_filter(color: ColorSpec, cfg: EncodeConfig) -> str | None:
    """The filter that writes the source's colour tags and converts nothing; None: no tags.

    (As output options of an encoder the same tags would make ffmpeg convert the picture.) The
    range is left to the container where the encoder has no place for it.
    """
    tags = _tags(color)
    if not CODECS[cfg.codec].takes_range:
        tags.pop("range", None)
    given = [f"{name}={value}" for name, value in tags.items()]
    return "setparams=" + ":".join(given) if given else None


def tag_options(color: ColorSpec) -> dict[str, str]:
    """The same tags as output options of a copied stream, for the container's own fields."""
    options = {}
    for name, value in _tags(color).items():
        if name == "color_trc":
            value = _OPTION_NAMES.get(value, value)
        options["color_range" if name == "range" else name] = value
    return options


def with_matrix_tag(color: ColorSpec, width: int, height: int) -> ColorSpec:
    """The colour of an output of a size, its matrix tagged where players would guess another.

    An untagged film in standard definition has become one in high definition.
    """
    if "colorspace" in _tags(color) or color.matrix == usual_matrix(width, height):
        return color
    return replace(color, tag_space=MATRIX_TAGS[color.matrix])


def _tags(color: ColorSpec) -> dict[str, str]:
    """The tags that are set and known, by their names in the filter."""
    tags = {
        "range": color.tag_range if color.tag_range in ("tv", "pc") else None,
        "colorspace": color.tag_space if color.tag_space in _SPACES else None,
        "color_primaries": color.tag_primaries if color.tag_primaries in _PRIMARIES else None,
        "color_trc": color.tag_transfer if color.tag_transfer in _TRANSFERS else None,
    }
    return {name: value for name, value in tags.items() if value is not None}
