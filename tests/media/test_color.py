"""What the decoder hands out is the source's picture, and what lies outside faces is ffmpeg's."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest

from vsr.core.color import PIXEL_FORMATS, ColorSpec, rgb_to_yuv
from vsr.media.binary import ffmpeg_exe
from vsr.media.codecs import CODECS, EncodeConfig
from vsr.media.containers import CONTAINERS
from vsr.media.convert import from_rgb
from vsr.media.decode import DecodeConfig, VideoReader
from vsr.media.graph import LANCZOS_FLAGS
from vsr.media.mux import part_arguments
from vsr.media.probe import probe


def psnr(a: np.ndarray, b: np.ndarray, peak: float = 255) -> float:
    error = float(np.mean((a.astype(np.float64) - b) ** 2))
    return np.inf if error == 0 else 10 * np.log10(peak**2 / error)


def luma(samples: np.ndarray, width: int, height: int) -> np.ndarray:
    """Y of flat yuv420p pictures, (N, height, width)."""
    size = PIXEL_FORMATS["yuv420p"].samples(width, height)
    return samples.reshape(-1, size)[:, : width * height].reshape(-1, height, width)


@pytest.mark.parametrize("name", ["r30.mp4", "full.mp4", "odd.mkv", "odd444.mkv", "ten.mp4"])
@pytest.mark.parametrize("scale", [2, 4])
def test_a_job_without_faces_is_ffmpegs_own_lanczos_resize(clips, referee, tmp_path, name, scale):
    deep = name == "ten.mp4"  # where x264's CRF 0 loses something
    source, out = clips(name), tmp_path / ("out.mkv" if deep else "out.mp4")
    job = referee.job(source, out, scale=scale, crf=0, codec="ffv1" if deep else "h264")
    width, height = job.info.width * scale, job.info.height * scale
    format = "yuv420p10le" if deep else "yuv420p"
    ours = referee.raw(out, format)
    same = referee.raw(source, format, f"scale={width}:{height}:flags={LANCZOS_FLAGS}")
    assert np.array_equal(ours, same)
    plain = referee.raw(source, format, f"scale={width}:{height}:flags=lanczos")
    levels = [luma(p, width, height).astype(np.float64) for p in (ours, plain)]
    assert psnr(*([p / 4 for p in levels] if deep else levels)) > 50


def test_rgb_sources_become_limited_range_by_the_rule_and_say_so(clips, referee, tmp_path):
    source, out = clips("rgb.mp4"), tmp_path / "out.mp4"
    job = referee.job(source, out, crf=0)
    assert (job.info.color.matrix, job.info.color.full_range) == ("bt601", False)
    facts = referee.facts(out)
    assert (facts.space, facts.range) == (6, 1)
    back = referee.raw(out, "rgb24").reshape(-1, 240, 320, 3)
    large = referee.raw(source, "rgb24", "scale=320:240:flags=lanczos").reshape(-1, 240, 320, 3)
    flat = np.abs(np.diff(large[0].astype(int), axis=1)).max(axis=2)[:, :-4] < 4
    error = np.abs(back[0].astype(int) - large[0])[:, : flat.shape[1]][flat]
    assert np.median(error) <= 2


@pytest.mark.parametrize(
    ("size", "turn", "out_size", "space"),
    [
        ("640x480", None, (1280, 960), 6),  # by its size a player would take BT.709
        ("854x480", 90, (960, 1708), 6),
        ("320x240", None, (640, 480), 2),  # a player takes it for what it is
        ("1280x720", None, (2560, 1440), 2),
    ],
)
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_an_untagged_film_is_tagged_where_its_new_size_says_otherwise(
    referee, tmp_path, size, turn, out_size, space, suffix
):
    source, out = tmp_path / "in.mp4", tmp_path / f"out{suffix}"
    film = ["-f", "lavfi", "-i", f"testsrc2=s={size}:r=25:d=0.08", "-pix_fmt", "yuv420p"]
    referee.ffmpeg(*film, "-c:v", "libx264", source)
    if turn:
        upright, source = source, tmp_path / "turned.mp4"
        referee.ffmpeg("-display_rotation", turn, "-i", upright, "-c", "copy", source)
    job = referee.job(source, out)
    assert job.info.color.matrix == ("bt709" if size == "1280x720" else "bt601")
    facts = referee.facts(out)
    assert (facts.width, facts.height) == out_size
    assert (facts.space, facts.primaries, facts.transfer) == (space, 2, 2)
    assert any("no colour tag" in n for n in job.result.notices) == (space == 6)


@pytest.fixture(scope="module")
def smooth(tmp_path_factory, referee):
    """A soft, unsaturated picture: every colour lies inside RGB, so nothing is clipped."""
    folder = tmp_path_factory.mktemp("smooth")

    def make(name: str, pix_fmt: str, size: str, tags: str):
        path = folder / name
        hue = "geq=lum='120+40*sin(X/23)+15*cos(Y/17)':cb='128+20*sin(Y/31)':cr='128+20*cos(X/37)'"
        referee.ffmpeg(
            "-f", "lavfi", "-i", f"color=s={size}:r=5:d=0.4",
            "-vf", f"format=yuv444p,{hue},format={pix_fmt},{tags}", "-c:v", "ffv1", path,
        )  # fmt: skip
        return path

    return make


@pytest.mark.parametrize(
    ("pix_fmt", "size", "tags", "matrix"),
    [
        ("yuv420p", "160x120", "null", "bt601"),
        ("yuv420p", "1280x720", "null", "bt709"),
        ("yuv420p", "160x120", "setparams=colorspace=bt709:range=tv", "bt709"),
        ("yuv422p", "160x120", "setparams=colorspace=smpte170m", "bt601"),
        ("yuv420p10le", "160x120", "setparams=colorspace=bt2020nc:range=tv", "bt2020"),
        ("yuv444p10le", "160x120", "null", "bt601"),
    ],
)
def test_rgb_converts_back_to_the_sources_luma(smooth, referee, pix_fmt, size, tags, matrix):
    path = smooth(f"{pix_fmt}_{size}_{len(tags)}.mkv", pix_fmt, size, tags)
    info = probe(path)
    assert info.color.matrix == matrix
    frame = next(iter(VideoReader(info)))
    assert frame.rgb.dtype == (np.uint16 if info.bit_depth > 8 else np.uint8)
    yuv = rgb_to_yuv(frame.rgb, info.color, info.bit_depth)
    source = referee.raw(path, pix_fmt)[: info.width * info.height]
    error = np.abs(yuv[..., 0] - source.reshape(info.height, info.width))
    unit = 1 << (info.bit_depth - 8)
    assert error.mean() < 0.5 * unit
    assert np.percentile(error, 99) < 1.0 * unit


def test_full_range_is_read_as_full_range(referee, tmp_path):
    path = tmp_path / "full.mkv"
    referee.ffmpeg(
        "-f", "lavfi", "-i", "gradients=s=160x120:c0=black:c1=white:nb_colors=2:d=0.2:r=5",
        "-vf", "scale=out_range=pc,format=yuvj420p", "-c:v", "mjpeg", "-q:v", "2", path,
    )  # fmt: skip
    info = probe(path)
    assert info.color.full_range
    frame = next(iter(VideoReader(info)))
    gray = referee.raw(path, "yuvj420p")[: 160 * 120].reshape(120, 160)
    assert np.abs(rgb_to_yuv(frame.rgb, info.color, 8)[..., 0] - gray).mean() < 0.6
    assert frame.rgb.min() < 8
    assert frame.rgb.max() > 247


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le"])
def test_the_canvas_has_the_format_asked_for(clips, pix_fmt):
    info = probe(clips("odd.mkv"))
    reader = VideoReader(info, scale=2, canvas=PIXEL_FORMATS[pix_fmt], cfg=DecodeConfig())
    canvas = next(iter(reader)).canvas
    assert canvas is not None
    assert (canvas.width, canvas.height, canvas.format.name) == (322, 242, pix_fmt)
    y, u, _ = canvas.planes()
    assert (y.shape, u.shape[::-1]) == ((242, 322), canvas.format.chroma_size(322, 242))
    y[:] = 16  # the paste stage owns it


@pytest.mark.parametrize("change", [False, True])
def test_picture_canvas_and_time_stay_together(clips, referee, tmp_path, change):
    """Also where the picture's size changes in the middle, as broadcasts do."""
    import cv2

    path = clips("stream.ts")
    if change:
        later = tmp_path / "later.ts"
        referee.ffmpeg(
            "-f", "lavfi", "-i", "testsrc2=s=240x180:r=30:d=1", "-vf", "format=yuv420p",
            "-c:v", "libx264", "-output_ts_offset", "2", later,
        )  # fmt: skip
        data = path.read_bytes() + later.read_bytes()
        path = tmp_path / "changing.ts"
        path.write_bytes(data)
    info = probe(path)
    worst = 0.0
    frames = 0
    for frame in VideoReader(info, canvas=PIXEL_FORMATS["yuv420p"]):
        assert frame.canvas is not None
        large = frame.canvas.planes()[0]
        small = cv2.resize(large, (info.width, info.height), interpolation=cv2.INTER_AREA)
        luma_of_rgb = rgb_to_yuv(frame.rgb, info.color, 8)[..., 0]
        worst = max(worst, float(np.abs(small - luma_of_rgb).mean()))
        frames += 1
    assert frames == (66 if change else 36)
    assert worst < 3


@pytest.mark.parametrize("pix_fmt", list(PIXEL_FORMATS))
@pytest.mark.parametrize("size", [(48, 64), (47, 63)])
def test_from_rgb_agrees_with_ffmpegs_conversion(referee, tmp_path, pix_fmt, size):
    import cv2

    height, width = size
    rows, columns = np.mgrid[0:height, 0:width]
    rgb = np.stack([60 + columns * 2, 80 + rows * 2, 100 + (rows + columns) // 2], axis=-1).astype(
        np.uint8
    )
    cv2.imwrite(str(tmp_path / "rgb.png"), rgb[..., ::-1])
    format = PIXEL_FORMATS[pix_fmt]
    ours = from_rgb(rgb, format, ColorSpec(matrix="bt709"))
    theirs = referee.raw(
        tmp_path / "rgb.png",
        pix_fmt,
        "scale=out_color_matrix=bt709:out_range=tv:flags=bicubic+accurate_rnd+full_chroma_inp",
    )
    error = np.abs(ours.buffer.astype(int) - theirs)
    unit = 1 << (format.bit_depth - 8)
    assert error.mean() < 0.6 * unit
    assert error.max() <= 3 * unit


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("size", [(8, 10), (7, 9), (1, 1)])
def test_from_rgb_is_the_formula_at_the_chroma_sites(size, dtype):
    rgb, color = np.random.default_rng(3).random((*size, 3), np.float32), ColorSpec(matrix="bt601")
    if dtype != np.float32:
        rgb = np.rint(rgb * np.iinfo(dtype).max).astype(dtype)
    wanted = rgb_to_yuv(rgb, color, 8)
    y, u, v = from_rgb(rgb, PIXEL_FORMATS["yuv420p"], color).planes()
    assert np.abs(y - wanted[..., 0]).max() < 0.51
    for plane, full in ((u, wanted[..., 1]), (v, wanted[..., 2])):
        lines = np.pad(full, ((0, full.shape[0] % 2), (1, 1)), mode="edge")
        lines = (lines[0::2] + lines[1::2]) / 2
        sites = (lines[:, :-2] + 2 * lines[:, 1:-1] + lines[:, 2:])[:, 0::2] / 4
        assert np.abs(plane - sites).max() < 0.51


def test_from_rgb_never_leaves_the_legal_codes():
    extremes = np.array([[[0, 0, 0], [255, 255, 255]], [[255, 0, 0], [0, 0, 255]]], np.uint8)
    picture = from_rgb(extremes, PIXEL_FORMATS["yuv444p"], ColorSpec(matrix="bt601"))
    y, _, _ = picture.planes()
    assert (y[0, 0], y[0, 1]) == (16, 235)
    assert picture.buffer.min() >= 1
    assert picture.buffer.max() <= 254


@pytest.fixture(scope="module")
def full_range(tmp_path_factory, referee):
    """Black to white over the whole scale, tagged as full range, in any pixel format."""
    folder = tmp_path_factory.mktemp("full")

    def make(pix_fmt: str):
        path = folder / f"{pix_fmt}.mkv"
        if not path.exists():
            referee.ffmpeg(
                "-f", "lavfi", "-i", "gradients=s=64x48:c0=black:c1=white:nb_colors=2:d=0.4:r=5",
                "-vf", f"scale=out_range=pc,format={pix_fmt},setparams=range=pc",
                "-c:v", "libx264", "-crf", "0", path,
            )  # fmt: skip
        return path

    return make


@pytest.mark.parametrize(
    ("suffix", "codec", "pix_fmt"),
    [
        (suffix, codec, pix_fmt)
        for suffix, container in CONTAINERS.items()
        if suffix != ".m4v"  # the same as .mp4
        for codec in container.codecs
        for pix_fmt in CODECS[codec].formats
        if suffix == ".mkv" or pix_fmt in ("yuv420p", "yuv420p10le")  # which holds them all
    ],
)
def test_full_range_stays_full_range(full_range, referee, tmp_path, suffix, codec, pix_fmt):
    """In every codec, pixel format and container: the same codes as ffmpeg's own resize, tagged."""
    source, out = full_range(pix_fmt), tmp_path / f"out{suffix}"
    crf = {} if codec == "ffv1" else {"crf": 4}
    referee.job(source, out, codec=codec, pix_fmt=pix_fmt, preset="ultrafast", **crf)
    facts = referee.facts(out)
    assert facts.range == 2 or facts.pix_fmt.startswith("yuvj"), facts
    ours = referee.raw(out, pix_fmt)
    theirs = referee.raw(source, pix_fmt, f"scale=128:96:flags={LANCZOS_FLAGS}")
    if codec == "ffv1":
        assert np.array_equal(ours, theirs)
    unit = 4 if pix_fmt.endswith("le") else 1
    assert np.abs(ours.astype(int) - theirs).mean() < unit
    luma = ours[: 128 * 96]
    assert luma.min() < 8 * unit
    assert luma.max() > 247 * unit


def test_an_encoder_that_would_convert_the_picture_fails_instead(referee, tmp_path):
    """ffmpeg puts a converter before an encoder that takes another range, without a word."""
    words = part_arguments(
        tmp_path / "part.nut",
        cfg=EncodeConfig(codec="av1"),
        color=ColorSpec(),
        pixels=64 * 48,
    )
    nut = tmp_path / "in.nut"
    source = ["-f", "lavfi", "-i", "testsrc2=s=64x48:r=5:d=0.4", "-pix_fmt", "yuv444p"]
    referee.ffmpeg(*source, "-c:v", "rawvideo", nut)
    with nut.open("rb") as pictures:
        done = subprocess.run([ffmpeg_exe(), *words], stdin=pictures, capture_output=True)
    assert done.returncode != 0
