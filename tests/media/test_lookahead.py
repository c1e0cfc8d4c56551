"""The encoder's memory is bounded by the size of its pictures, and its output stays whole."""

from __future__ import annotations

import subprocess

import av
import cv2
import numpy as np
import psutil
import pytest

from vsr.core.color import ColorSpec
from vsr.media.binary import ffmpeg_exe
from vsr.media.codecs import EncodeConfig, encoder_options
from vsr.media.lookahead import limit_lookahead
from vsr.media.mux import part_arguments


@pytest.mark.parametrize(
    ("codec", "preset", "size", "wanted"),
    [
        ("h264", "medium", (1600, 1200), None),
        ("h264", "medium", (1920, 1080), None),
        ("h264", "medium", (3840, 2160), 8),
        ("h264", "medium", (2560, 1440), 18),
        ("h264", "slow", (1920, 1080), 40),
        ("h264", "veryfast", (3840, 2160), 8),
        ("h264", "veryfast", (1920, 1080), None),
        ("h264", "superfast", (3840, 2160), 8),
        ("h264", "superfast", (1920, 1080), None),
        ("h264", "medium", (7680, 4320), 8),
        ("hevc", "medium", (3840, 2160), 8),
        ("hevc", "medium", (1920, 1080), None),
        ("ffv1", "medium", (3840, 2160), None),
        ("av1", "medium", (3840, 2160), None),
    ],
)
def test_only_large_pictures_are_looked_ahead_less(
    codec: str, preset: str, size: tuple[int, int], wanted: int | None
):
    options: dict[str, object] = (
        {"x265-params": "log-level=error:hdr10=1"} if codec == "hevc" else {}
    )
    limit_lookahead(options, EncodeConfig(codec=codec, preset=preset), size[0] * size[1])
    if codec == "hevc":
        extra = "" if wanted is None else f":rc-lookahead={wanted}"
        assert options == {"x265-params": "log-level=error:hdr10=1" + extra}
    else:
        ahead = {"rc-lookahead": wanted, "x264-params": "sync-lookahead=0"}
        assert options == ({} if wanted is None else ahead)


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_large_hdr10_pictures_keep_their_numbers(tmp_path, codec):
    """They share an option with the lookahead."""
    display = "0.68 0.32 0.265 0.69 0.15 0.06 0.3127 0.329 0.005 1000"
    color = ColorSpec(matrix="bt2020", mastering=display, light="1000 400")
    cfg = EncodeConfig(codec=codec, pix_fmt="yuv420p10le")
    out = tmp_path / "part.nut"
    words = part_arguments(out, cfg=cfg, color=color, pixels=3840 * 2160)
    nut = tmp_path / "in.nut"
    source = ["-f", "lavfi", "-i", "color=s=192x128:r=25:d=0.2", "-pix_fmt", "yuv420p10le"]
    subprocess.run([ffmpeg_exe(), "-v", "error", *source, "-c:v", "rawvideo", nut], check=True)
    with nut.open("rb") as pictures:
        subprocess.run([ffmpeg_exe(), *words], stdin=pictures, check=True, capture_output=True)
    with av.open(str(out)) as container:
        kinds = {data.type.name for data in next(container.decode(video=0)).side_data}
    assert {"MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL"} <= kinds


def test_fewer_pictures_ahead_take_less_memory():
    """What the module's reasoning rests on, with the encoder that ships."""
    peaks = [_peak_mib(frames) for frames in (40, 10)]
    # 30 pictures of 1.5 bytes a pixel are 44 MiB; x264 keeps more than their samples alone
    assert peaks[0] - peaks[1] > 44


def test_superfast_makes_files_nearly_as_small_as_veryfast():
    ours = {preset: _size(_options(preset)) for preset in ("superfast", "veryfast")}
    plain = _options("superfast")
    del plain["mbtree"], plain["rc-lookahead"]
    assert ours["superfast"] < 1.3 * ours["veryfast"] < 0.8 * _size(plain)


def _options(preset: str) -> dict[str, str | int]:
    return encoder_options(EncodeConfig(preset=preset))


def _size(options: dict[str, str | int]) -> int:
    """Bytes of forty noisy pictures of a still scene."""
    scene = cv2.resize(np.random.default_rng(1).uniform(40, 216, (24, 32)), (320, 240))
    rng = np.random.default_rng(0)
    source = ["-f", "rawvideo", "-pix_fmt", "gray", "-s", "320x240", "-i", "pipe:0"]
    target = [text for name, value in options.items() for text in (f"-{name}", str(value))]
    command = [ffmpeg_exe(), "-v", "error", *source, *target, "-pix_fmt", "yuv420p"]
    noisy = [np.clip(scene + rng.normal(0, 4, scene.shape), 0, 255) for _ in range(40)]
    done = subprocess.run(
        [*command, "-f", "nut", "pipe:1"],
        input=np.stack(noisy).astype(np.uint8).tobytes(),
        stdout=subprocess.PIPE,
        check=True,
    )
    return len(done.stdout)


def _peak_mib(lookahead: int) -> float:
    """Largest resident memory of x264 on sixty pictures of 1280x800."""
    source = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", "1280x800", "-i", "pipe:0"]
    target = ["-c:v", "libx264", "-preset", "ultrafast", "-x264-params"]
    target += [f"mbtree=1:rc-lookahead={lookahead}", "-threads", "1", "-f", "null", "-"]
    command = [ffmpeg_exe(), "-v", "error", *source, *target]
    picture = np.random.default_rng(0).integers(0, 256, 1280 * 800 * 3 // 2).astype(np.uint8)
    peak = 0
    with subprocess.Popen(command, stdin=subprocess.PIPE) as child:
        assert child.stdin is not None
        for _ in range(60):
            child.stdin.write(picture.tobytes())
            peak = max(peak, psutil.Process(child.pid).memory_info().rss)
        child.stdin.close()
    assert child.returncode == 0
    return peak / 2**20
