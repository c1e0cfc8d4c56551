"""What an input may ask of us: the formats and protocols ffmpeg may open, and sizes.

A file from a stranger must not make ffmpeg open anything but itself, nor make us reserve
memory that no honest picture needs. Environment variables raise the sizes, for files one trusts.
"""

from __future__ import annotations

from vsr.core.limits import limit

MAX_PIXELS = limit("VSR_MAX_PIXELS", 1 << 26)
"""of one picture: 8192 x 8192, twice an 8K frame"""
MAX_STREAMS = limit("VSR_MAX_STREAMS", 256)
"""of one file: several times what a full broadcast multiplex has"""
MAX_PICTURE_BYTES = limit("VSR_MAX_PICTURE_BYTES", 1 << 30)
"""of one picture file: more than MAX_PIXELS take without compression"""

CONTAINERS = (
    "mov,matroska,avi,mpegts,mpeg,mpegvideo,flv,live_flv,asf,ogg,nut,mxf,h264,hevc,vvc,evc,obu,av1,"
    "ivf,m4v,vc1,cavsvideo,mjpeg,jpeg_pipe,gif,apng,webp_anim,jpegxl_anim,yuv4mpegpipe,rm,dv,wtv,swf,3dostr,"
    "nsv,gxf,r3d,lxf,dhav,mpjpeg,ipmovie,ivr,"
    "mp3,wav,w64,flac,aac,ac3,eac3,aiff,amr,caf,dts,truehd,wv,ape,tta,au,"
    "srt,ass,webvtt"
)
"""demuxers that read one file and nothing else: playlists can't be opened through them.
Sound and subtitle formats stand here only so that they are named as such."""

SAFE_INPUT: dict[str, str] = {
    "protocol_whitelist": "file,pipe,fd",
    "format_whitelist": CONTAINERS,
    "max_streams": str(4 * MAX_STREAMS),
    "max_pixels": str(2 * MAX_PIXELS + (1 << 16)),
}
"""options of every ffmpeg input. More streams than MAX_STREAMS are let in so that they can be
counted, and refused with their number; ffmpeg counts the padding of its rows too, so it gets more
than MAX_PIXELS, which we check ourselves."""


def safe_input_words() -> list[str]:
    """The same options as words of a command line."""
    return [word for name, value in SAFE_INPUT.items() for word in (f"-{name}", value)]
