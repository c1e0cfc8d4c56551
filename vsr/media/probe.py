"""What is in a video file: header facts and the exact extent of its picture stream."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import ffmpeg

from vsr.core.color import MATRIX_TAGS, ColorSpec, Matrix, usual_matrix
from vsr.core.errors import InputError
from vsr.core.paths import fault_of
from vsr.core.video import StreamInfo, VideoInfo
from vsr.media.banner import Banner, FirstFrame, parse_banner, parse_first_frame
from vsr.media.formats import bit_depth_of, is_rgb
from vsr.media.hdr import parse_hdr10
from vsr.media.images import IMAGE_SUFFIXES
from vsr.media.limits import MAX_PIXELS, MAX_STREAMS, SAFE_INPUT, safe_input_words
from vsr.media.losses import RESERVED_TAGS, lost_data
from vsr.media.packets import PacketScan, packet_times, scan_packets
from vsr.media.process import run_ffmpeg
from vsr.media.timeline import rate_of

__all__ = ["packet_times", "probe"]

_PLAYLISTS = (
    (b"#EXTM3U", "an HLS or M3U playlist"),
    (b"ffconcat version", "an ffconcat playlist"),
    (b"[playlist]", "a PLS playlist"),
)


def probe(path: Path) -> VideoInfo:
    """Header facts, stream list and the timestamps' extent of a video file.

    Reads every packet of the picture stream once (no picture but the first is decoded).
    Raises InputError, in one line, for whatever is not a single file with moving pictures:
    missing, a folder, empty, a playlist, text, sound only, an mp4 without its index.
    """
    path = Path(path)
    _check_file(path)
    banner = _read_banner(path)
    stream = banner.main_video()
    if banner.tiled and (stream is None or banner.is_still(stream.index)):
        raise InputError(
            f"{path}: is a photograph made of tiles (HEIC or AVIF), expected a video; save it as "
            "PNG or JPEG and enlarge it with 'vsr images'"
        )
    if stream is None:
        raise InputError(_no_video(path, banner))
    scan = scan_packets(path, stream.index, str(banner.container))
    first, untag = _first_frame(path, stream)
    if banner.container == "jpeg_pipe" and len(scan.pts) == 1:
        raise InputError(picture_error(path))
    return _assemble(path, banner, stream, first, scan, untag)


def _check_file(path: Path) -> None:
    """Refuse by what the file system and the first bytes say."""
    if fault := fault_of(path):
        raise InputError(f"{path}: {fault}")
    if not path.exists():
        raise InputError(f"{path}: no such file; check the path of the input")
    if path.is_dir():
        raise InputError(f"{path}: is a folder, expected a video file; name a file in it")
    if not path.is_file():
        raise InputError(
            f"{path}: is a pipe or a device, expected a file, which is read more than once; "
            "write it to a file first"
        )
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check its rights") from None
    if not head:
        raise InputError(f"{path}: is empty (0 bytes), expected a video file; fetch it again")
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    for magic, name in _PLAYLISTS:
        if start.startswith(magic):
            raise InputError(f"{path}: is {name}, expected one video file; give a file it lists")
    if start.startswith(b"<") and b"<MPD" in head:
        raise InputError(f"{path}: is a DASH manifest, expected one video file; download it first")


def _read_banner(path: Path) -> Banner:
    lines: list[str] = []

    def build(_: Sequence[int]) -> list[str]:
        source = f"file:{path.absolute()}"
        return ["-copyts", *safe_input_words(), "-i", source, "-loglevel", "level+info"]

    # Without an output ffmpeg prints what it found and ends with an error, which is no news.
    run_ffmpeg(build, on_line=lines.append, timeout_s=120)
    # A line without a level goes on with the one before: a name may hold line breaks.
    begun = [line for line in lines if line.startswith("[info] ")]
    banner = parse_banner([line.removeprefix("[info] ") for line in begun])
    if banner.container is None:
        raise InputError(_unreadable(path, lines))
    _check_limits(path, banner, lines)
    return banner


def _check_limits(path: Path, banner: Banner, lines: Sequence[str]) -> None:
    """Refuse, before a picture is decoded, what would take memory that no honest file needs."""
    if any("exceeds specified max pixel count" in line for line in lines):
        raise InputError(
            f"{path}: its pictures have more than {MAX_PIXELS:,} pixels, which is the limit; "
            "make them smaller first, or raise VSR_MAX_PIXELS"
        )
    if len(banner.streams) > MAX_STREAMS:
        raise InputError(
            f"{path}: has {len(banner.streams)} streams, expected {MAX_STREAMS} at most; copy "
            "those you need into a new file, or raise VSR_MAX_STREAMS"
        )
    for index, (width, height) in banner.sizes.items():
        if width * height > MAX_PIXELS:
            raise InputError(
                f"{path}: its stream {index} has pictures of {width}x{height}, expected at most "
                f"{MAX_PIXELS:,} pixels; make them smaller first, or raise VSR_MAX_PIXELS"
            )


def _unreadable(path: Path, lines: Sequence[str]) -> str:
    text = "\n".join(lines)
    if _is_text(path):
        return f"{path}: is a text file, expected a video; check the name, or fetch the file again"
    if "moov atom not found" in text and _starts_like_mp4(path):
        return (
            f"{path}: the mp4 has no index (moov atom): the recording was cut off before it was "
            "finished; repair it with a recovery tool or record it again"
        )
    if path.suffix.lower() in IMAGE_SUFFIXES or _is_picture(path):
        return picture_error(path)
    if match := re.search(r"[Ff]ormat not on whitelist|not on whitelist", text):
        return f"{path}: is not a video file ({match.group(0)}); convert it to mp4 or mkv first"
    reason = next((s for s in _REASONS if s in text), "ffmpeg does not know its format")
    return f"{path}: is not a video that can be read ({reason}); check that it plays elsewhere"


def picture_error(path: Path) -> str:
    """What to say of a single picture where a video is expected."""
    return (
        f"{path}: is a single picture, expected a video; enlarge pictures with 'vsr images', which "
        "takes a folder of them"
    )


def _is_picture(path: Path) -> bool:
    """Whether the first bytes are those of a JPEG, PNG, WebP, TIFF or BMP."""
    with path.open("rb") as file:
        head = file.read(12)
    return head.startswith(_PICTURES) or (head[:4] == b"RIFF" and head[8:] == b"WEBP")


_PICTURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0*", b"BM")

_REASONS = (
    "Invalid data found when processing input",
    "Permission denied",
    "End of file",
    "Input/output error",
)


def _starts_like_mp4(path: Path) -> bool:
    """Whether the first box is one that QuickTime files begin with (ffmpeg goes by the name)."""
    with path.open("rb") as file:
        return file.read(8)[4:] in (b"ftyp", b"mdat", b"free", b"skip", b"wide", b"pnot")


def _is_text(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(4096)
    return not any(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in head)


def _no_video(path: Path, banner: Banner) -> str:
    if _is_text(path):
        return f"{path}: is a text file, expected a video; check the name, or fetch the file again"
    kinds = sorted({s.kind for s in banner.streams if not s.attached_picture})
    what = f"only {' and '.join(kinds)}" if kinds else "no stream"
    return f"{path}: holds {what}, expected a video stream; give a file with moving pictures"


_TAG_FILTERS = {"mpeg2video": "mpeg2_metadata", "h264": "h264_metadata", "hevc": "hevc_metadata"}
_UNTAGGED = "matrix_coefficients=2"
"""H.273: unspecified"""


def _first_frame(path: Path, stream: StreamInfo) -> tuple[FirstFrame, str | None]:
    """The first picture, and the bitstream filter without which ffmpeg refuses it, if any.

    ffmpeg takes no picture whose matrix has a number without a meaning.
    """
    lines, words = _shown(path, stream.index, None)
    first = parse_first_frame(lines)
    if first is not None:
        return first, None
    if stream.codec in _TAG_FILTERS and any("color space" in line.lower() for line in lines):
        untag = f"{_TAG_FILTERS[stream.codec]}={_UNTAGGED}"
        first = parse_first_frame(_shown(path, stream.index, untag)[0])
        if first is not None:
            return replace(first, reserved_tags=True), untag
    raise InputError(
        f"{path}: its video stream cannot be decoded (ffmpeg, {words}); check that it plays "
        "elsewhere"
    )


def _shown(path: Path, stream_index: int, bsf: str | None) -> tuple[list[str], str]:
    """What ffmpeg says while it shows the first picture, and how it ended."""
    lines: list[str] = []

    def build(_: Sequence[int]) -> list[str]:
        filters = {f"bsf:{stream_index}": bsf} if bsf else {}
        source = ffmpeg.input(f"file:{path.absolute()}", copyts=None, **SAFE_INPUT, **filters)
        out = ffmpeg.output(
            source[str(stream_index)], "-", format="null", vframes=1, vf="showinfo=checksum=0"
        )
        return out.global_args("-loglevel", "info").get_args()

    code, process = run_ffmpeg(build, on_line=lines.append, timeout_s=300)
    return lines, f"exit code {code}: {process.last_words()}"


def _assemble(
    path: Path,
    banner: Banner,
    stream: StreamInfo,
    first: FirstFrame,
    scan: PacketScan,
    untag: str | None,
) -> VideoInfo:
    start, last = int(scan.pts[0]), int(scan.pts[-1])
    rotation_deg = -round(banner.rotations.get(stream.index, 0.0) / 90) * 90 % 360
    return VideoInfo(
        path=path,
        container=str(banner.container),
        codec=stream.codec,
        stream_index=stream.index,
        width=first.width,
        height=first.height,
        rotation_deg=rotation_deg,
        pix_fmt=first.pix_fmt,
        bit_depth=bit_depth_of(first.pix_fmt),
        color=_color(path, first, rotation_deg),
        sample_aspect=first.sample_aspect,
        time_base=scan.time_base,
        frame_rate=_frame_rate(first.frame_rate, scan),
        frame_count=len(scan.pts),
        start_pts=start,
        last_pts=last,
        duration_s=float((scan.end_pts - start) * scan.time_base),
        streams=tuple(banner.streams),
        interlaced=first.interlaced,
        clock=scan.clock,
        untag=untag,
        lost=(
            *lost_data([*banner.notes.get(stream.index, []), *first.side_data]),
            *((RESERVED_TAGS,) if first.reserved_tags else ()),
        ),
    )


_MATRICES: dict[str, Matrix] = {
    "bt709": "bt709",
    "smpte240m": "bt709",
    "bt470bg": "bt601",
    "smpte170m": "bt601",
    "fcc": "bt601",
    "bt2020nc": "bt2020",
    "bt2020c": "bt2020",
    "bt2020": "bt2020",
}


_OTHER_SPACES = frozenset(
    ("ycgco", "ycgco-re", "ycgco-ro", "ictcp", "smpte2085", "ipt-c2")
)  # not Y'CbCr: faces could not be pasted in their colours


def _color(path: Path, first: FirstFrame, rotation_deg: int) -> ColorSpec:
    """The source's tags, and the rule for what it does not tag.

    Untagged material counts as BT.601 in standard definition and as BT.709 in high definition,
    by the size that is coded, as players judge it; no tag is made up from it here (an output
    too large for that gets one, see `vsr.media.codecs.with_matrix_tag`). RGB sources become
    limited-range Y'CbCr by the same rule, and that is tagged, since it is our doing.
    Raises InputError where the colours are neither.
    """
    if first.color_space in _OTHER_SPACES:
        raise InputError(
            f"{path}: its pictures are {first.color_space}, expected Y'CbCr, RGB or grey; "
            "convert it with ffmpeg's zscale first"
        )
    size = first.width, first.height
    by_size = usual_matrix(*(size if rotation_deg % 180 == 0 else size[::-1]))
    if is_rgb(first.pix_fmt):
        return ColorSpec(
            matrix=by_size,
            full_range=False,
            tag_space=MATRIX_TAGS[by_size],
            tag_primaries=first.color_primaries,
            tag_transfer=first.color_trc,
            tag_range="tv",
        )
    mastering, light = parse_hdr10(first.side_data)
    full = first.color_range == "pc" or first.pix_fmt.startswith("yuvj")
    # "derived" from the primaries, which for those in use gives the matrix that goes with them
    derived = first.color_space == "chroma-derived-nc"
    named = first.color_primaries if derived else first.color_space
    return ColorSpec(
        matrix=_MATRICES.get(named or "", by_size),
        full_range=full,
        tag_space=first.color_space,
        tag_primaries=first.color_primaries,
        tag_transfer=first.color_trc,
        tag_range="pc" if full else first.color_range,
        mastering=mastering,
        light=light,
    )


def _frame_rate(nominal: Fraction | None, scan: PacketScan) -> Fraction | None:
    """The nominal rate where the timestamps agree with it, else theirs between the gaps."""
    found = rate_of(scan.pts, scan.time_base)
    if not scan.timed:  # what each frame lasts is all there is
        found = len(scan.pts) / ((scan.end_pts - int(scan.pts[0])) * scan.time_base)
        found = found.limit_denominator(1001)
    if found is None or (nominal is not None and abs(nominal / found - 1) < Fraction(1, 50)):
        return nominal
    return found
