"""Inputs that cameras, phones and other programs write, and what is told of their losses."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from vsr.core.errors import InputError
from vsr.media.banner import parse_banner
from vsr.media.codecs import CODECS
from vsr.media.containers import CONTAINERS, plan_streams
from vsr.media.folder import FolderReader, probe_folder
from vsr.media.images import losses_of
from vsr.media.probe import probe

sys.path.insert(0, str(Path(__file__).parent))
from tiledphoto import tiled

_FILM = ("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=0.4")
_NOISE = ("-f", "lavfi", "-i", "color=s=320x240:r=25:d=0.4,noise=alls=60:allf=t")


@pytest.mark.parametrize("film", [_FILM, _NOISE], ids=["small", "large"])
@pytest.mark.parametrize("name", ["in.mjpeg", "in.mjpg", "camera.bin"])
def test_raw_motion_jpeg_is_taken_at_a_constant_rate_and_says_so(referee, tmp_path, film, name):
    """ffmpeg takes such a stream for MJPEG or for pictures, by the size of the first."""
    source, out = tmp_path / name, tmp_path / "out.mkv"
    referee.ffmpeg(*film, "-c:v", "mjpeg", "-q:v", 2, "-f", "mjpeg", source)
    job = referee.job(source, out)
    pts, base = referee.pts(out)
    assert [round(1000 * p * base) for p in pts] == [40 * k for k in range(10)]
    assert [n for n in job.report.notices if "a constant 25 fps was taken" in n]


@pytest.mark.parametrize("name", ["face.jpg", "face.JPEG", "face.png", "face.webp", "face.bmp",
                                  "face.tif", "jpeg.bin", "png.bin"])  # fmt: skip
def test_a_photograph_is_named_and_so_is_the_command_for_it(tmp_path, name):
    path = tmp_path / name
    suffix = f".{path.stem}" if path.suffix == ".bin" else path.suffix
    picture = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    path.write_bytes(cv2.imencode(suffix.lower(), picture)[1].tobytes())
    with pytest.raises(InputError, match=r"is a single picture, expected a video; .*'vsr images'"):
        probe(path)


@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9"])
@pytest.mark.parametrize("suffix", [".mkv", ".webm"])
def test_transparency_beside_vp8_and_vp9_is_told_and_not_promised(referee, tmp_path, codec, suffix):
    source, out = tmp_path / "in.webm", tmp_path / f"out{suffix}"
    words = ("-vf", "format=yuva420p", "-c:v", codec, "-auto-alt-ref", 0)
    referee.ffmpeg(*_FILM, *words, "-metadata:s:v", "title=a logo", source)
    job = referee.job(source, out, codec="vp9", preset="ultrafast")
    assert [n for n in job.result.notices if "transparency" in n] == ["transparency was left out"]
    with av.open(str(source)) as before, av.open(str(out)) as after:
        old = {k.lower(): v for k, v in before.streams.video[0].metadata.items()}
        new = {k.lower(): v for k, v in after.streams.video[0].metadata.items()}
    assert (old["alpha_mode"], old["title"]) == ("1", "a logo")
    assert "encoder" in old
    assert not {"alpha_mode", "encoder"} & set(new)
    assert new["title"] == "a logo"


def test_a_sources_counts_of_its_own_bytes_and_frames_are_not_copied(referee, tmp_path):
    """As mkvmerge notes them; they would be lies beside other pictures."""
    source, out = tmp_path / "in.mkv", tmp_path / "out.mkv"
    tags = ("BPS=1", "BPS-eng=1", "NUMBER_OF_FRAMES=99", "_STATISTICS_TAGS-eng=BPS")
    words = [w for tag in tags for w in ("-metadata:s:v", tag)]
    referee.ffmpeg(*_FILM, "-c:v", "libx264", *words, source)
    referee.job(source, out)
    with av.open(str(source)) as before, av.open(str(out)) as after:
        assert {t.split("=")[0] for t in tags} <= set(before.streams.video[0].metadata)
        assert set(after.streams.video[0].metadata) <= {"DURATION", "HANDLER_NAME", "language"}


@pytest.mark.parametrize("transparent", [0, 1, 3])
def test_transparency_in_a_folder_of_pictures_is_told(tmp_path, transparent):
    for number in range(3):
        picture = np.full((16, 24, 4 if number < transparent else 3), 90, np.uint8)
        cv2.imwrite(str(tmp_path / f"{number:03d}.png"), picture)
    reader = FolderReader(probe_folder(tmp_path))
    assert len(list(reader)) == 3
    told = f"transparency was left out ({transparent} of 3 pictures)"
    assert reader.report.notices == ([told] if transparent else [])


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_transparency_is_seen_in_the_header(tmp_path, suffix, depth, channels):
    if suffix == ".webp" and (depth == np.uint16 or channels == 1):
        pytest.skip("WebP has neither")
    path = tmp_path / f"a{suffix}"
    cv2.imwrite(str(path), np.full((8, 8, channels), 100, depth))
    assert losses_of(path) == (("transparency",) if channels == 4 else ())


def _profile(name="sRGB"):
    """The ICC profile of sRGB under a name of four letters."""
    data = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return data.replace("sRGB".encode("utf-16-be"), name.encode("utf-16-be"))


@pytest.mark.parametrize(("name", "mode"), [("P3 D", "RGB"), ("P3 D", "RGBA"), ("sRGB", "RGB")])
@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif", ".jpg"])
def test_a_pictures_icc_profile_is_seen_unless_it_is_srgb(tmp_path, suffix, name, mode):
    mode = "RGB" if suffix == ".jpg" else mode  # it has no transparency
    Image.new(mode, (8, 8)).save(tmp_path / f"a{suffix}", icc_profile=_profile(name))
    wanted = [text for text, there in (("transparency", mode == "RGBA"), ("the ICC profile",
              name != "sRGB")) if there]  # fmt: skip
    assert losses_of(tmp_path / f"a{suffix}") == tuple(wanted)


def test_the_icc_profiles_of_a_folder_are_told(tmp_path):
    for number in range(3):
        profile = _profile("P3 D" if number else "sRGB")
        Image.new("RGB", (24, 16)).save(tmp_path / f"{number}.png", icc_profile=profile)
    reader = FolderReader(probe_folder(tmp_path))
    assert len(list(reader)) == 3
    assert reader.report.notices == ["the ICC profile was left out (2 of 3 pictures)"]


@pytest.mark.parametrize("codec", CODECS)
def test_every_container_holds_the_codecs_that_it_is_said_to(referee, tmp_path, codec):
    """By the muxers themselves."""
    plain = tmp_path / "plain.nut"
    words = ("-pix_fmt", "yuv420p", "-c:v", CODECS[codec].encoder)
    referee.ffmpeg(*_FILM, *words, plain)
    for suffix, container in CONTAINERS.items():
        if codec in container.codecs:
            out = tmp_path / f"out{suffix}"
            referee.ffmpeg("-i", plain, "-c", "copy", "-f", container.muxer, out)
            assert referee.facts(out).width == 64
    assert any(codec in c.codecs for c in CONTAINERS.values())


def _odd_sound(referee, path):
    """A QuickTime file whose sound ffmpeg can copy only into another one (Apple's APAC)."""
    sound = ("-f", "lavfi", "-i", "sine=d=0.4")
    referee.ffmpeg(*_FILM, *sound, "-c:v", "libx264", "-c:a", "aac", path)
    data = path.read_bytes().replace(b"mp4a", b"apac").replace(b"esds", b"xsds")
    path.write_bytes(data)


@pytest.mark.parametrize("suffix", [s for s in CONTAINERS if s != ".m4v"])  # told as .mp4
def test_a_remedy_is_a_container_that_holds_the_stream(referee, tmp_path, suffix):
    source = tmp_path / "in.mov"
    _odd_sound(referee, source)
    _, notices = plan_streams(probe(source), CONTAINERS[suffix], "h264")
    if suffix == ".mov":
        assert notices == []
    else:
        (told,) = notices
        assert told.endswith(f"was left out: {suffix} cannot hold it (.mov can)")
    _, notices = plan_streams(probe(source), CONTAINERS[suffix], "vp9")
    assert not any(".mov can" in n for n in notices)  # it could not hold the pictures


@pytest.mark.parametrize("pix_fmt", ["yuv411p", "yuv440p", "yuv410p", "yuv422p", "yuv444p"])
def test_a_chroma_resolution_has_its_own_name(referee, tmp_path, pix_fmt):
    source = tmp_path / "in.mkv"
    codec = "rawvideo" if pix_fmt == "yuv440p" else "ffv1"
    referee.ffmpeg(*_FILM, "-pix_fmt", pix_fmt, "-c:v", codec, source.with_suffix(".nut"))
    job = referee.job(source.with_suffix(".nut"), tmp_path / "out.mkv")
    told = [n for n in job.result.notices if "chroma" in n]
    name = ":".join(pix_fmt[3:6])
    if pix_fmt == "yuv410p":  # less than is written
        assert told == []
    else:
        assert told == [f"chroma was reduced from {name} to 4:2:0; encode.pix_fmt=source keeps it"]


def test_a_video_stream_without_packets_is_named_as_such(referee, tmp_path):
    """As -ss behind the end with -c copy makes them; ffmpeg's statistics are no explanation."""
    whole = tmp_path / "whole.mp4"
    sound = ("-f", "lavfi", "-i", "sine=d=3")
    referee.ffmpeg(*_FILM, *sound, "-c:v", "libx264", "-c:a", "aac", whole)
    cuts = {"in.mp4": "before", "in.mov": "before", "in.ts": "after", "in.mkv": "after"}
    for name, place in cuts.items():
        source, skip = tmp_path / name, ("-ss", 2)
        before, after = (skip, ()) if place == "before" else ((), skip)
        referee.ffmpeg(*before, "-i", whole, "-c", "copy", *after, source)
        with pytest.raises(InputError) as caught:
            probe(source)
        assert re.search(r"holds no pictures \(0 pack|hides every", str(caught.value))
        assert "KiB" not in str(caught.value)


@pytest.mark.parametrize("tags", ["primaries", "transfer", "both"])
def test_a_reserved_colour_tag_counts_as_none_and_is_told(referee, tmp_path, tags):
    """H.273 gives the value 3 no meaning; players show such a film all the same."""
    plain, source, out = tmp_path / "plain.ts", tmp_path / "in.ts", tmp_path / "out.mkv"
    names = {"primaries": "colour_primaries", "transfer": "transfer_characteristics"}
    values = {name: 3 if tags in (key, "both") else 6 for key, name in names.items()}
    words = ":".join(f"{name}={value}" for name, value in values.items())
    referee.ffmpeg(*_FILM, "-pix_fmt", "yuv420p", "-c:v", "mpeg2video", plain)
    metadata = f"mpeg2_metadata={words}:matrix_coefficients=6"
    referee.ffmpeg("-i", plain, "-c", "copy", "-bsf:v", metadata, source)
    job = referee.job(source, out)
    assert len(referee.pts(out)[0]) == len(referee.pts(source)[0]) == 10
    told = "the source's colour tags have reserved values: they count as untagged"
    assert told in job.result.notices
    facts = referee.facts(out)
    for key, value in (("primaries", facts.primaries), ("transfer", facts.transfer)):
        assert value == (2 if tags in (key, "both") else 6), key
    assert facts.space == 6


@pytest.mark.parametrize("codec", ["mpeg2video", "libx264", "libx265"])
@pytest.mark.parametrize("matrix", [3, 12, 200])
def test_a_matrix_that_ffmpeg_does_not_convert(referee, tmp_path, codec, matrix):
    """3 and 200 mean nothing; 12 is derived from the primaries, here BT.709's.

    Of the former ffmpeg's readers of H.264 and HEVC tell nothing.
    """
    plain, source, out = tmp_path / "plain.ts", tmp_path / "in.ts", tmp_path / "out.mkv"
    quiet = ("-x265-params", "log-level=error") if codec == "libx265" else ()
    referee.ffmpeg(*_FILM, "-pix_fmt", "yuv420p", "-c:v", codec, *quiet, plain)
    name = {"mpeg2video": "mpeg2", "libx264": "h264", "libx265": "hevc"}[codec]
    words = f"colour_primaries=1:transfer_characteristics=1:matrix_coefficients={matrix}"
    referee.ffmpeg("-i", plain, "-c", "copy", "-bsf:v", f"{name}_metadata={words}", source)
    assert probe(source).color.matrix == ("bt709" if matrix == 12 else "bt601")
    job = referee.job(source, out)
    assert len(referee.pts(out)[0]) == len(referee.pts(source)[0]) == 10
    told = "the source's colour tags have reserved values: they count as untagged"
    assert (told in job.result.notices) == (matrix != 12 and codec == "mpeg2video")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P"])
def test_an_animated_png_whose_pictures_are_drawn_over_one_another(referee, tmp_path, mode):
    pictures = []
    for number in range(5):
        sample = np.full((48, 64, 4), 80, np.uint8)
        sample[8:24, 8 * number : 8 * number + 20] = (200, 40 * number, 60, 128)
        pictures.append(Image.fromarray(sample, "RGBA").convert(mode))
    source = tmp_path / "in.apng"
    pictures[0].save(source, format="PNG", save_all=True, append_images=pictures[1:], blend=1,
                     duration=100)  # fmt: skip
    referee.job(source, tmp_path / "out.mkv")
    assert len(referee.pts(tmp_path / "out.mkv")[0]) == 5


@pytest.mark.parametrize("luminance", ["L(0,50)", "L(4294967295,4294967295)"])
def test_a_mastering_display_out_of_range_is_told(referee, tmp_path, luminance):
    """As cameras write it that do not know their own; the light level is kept."""
    source = tmp_path / "in.mp4"
    display = f"G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450){luminance}"
    words = f"log-level=error:master-display={display}:max-cll=1000,400"
    referee.ffmpeg(
        *_FILM, "-pix_fmt", "yuv420p10le", "-c:v", "libx265", "-x265-params", words, source
    )
    job = referee.job(source, tmp_path / "out.mp4", codec="hevc", preset="ultrafast")
    told = "HDR10's mastering display (its numbers are out of range) of the source cannot be"
    assert [n for n in job.result.notices if n.startswith(told)]
    with av.open(str(tmp_path / "out.mp4")) as container:
        kinds = {data.type.name for data in next(container.decode(video=0)).side_data}
    assert "CONTENT_LIGHT_LEVEL" in kinds
    assert "MASTERING_DISPLAY_METADATA" not in kinds


def test_the_ambient_viewing_environment_of_phones_is_told(referee, tmp_path):
    plain, source = tmp_path / "plain.mp4", tmp_path / "in.mp4"
    referee.ffmpeg(*_FILM, "-vf", "setsar=2", "-c:v", "libx265", "-x265-params",
                   "log-level=error", "-tag:v", "hvc1", plain)  # fmt: skip
    data = plain.read_bytes()
    at = data.index(b"pasp")  # a box of the same size: lux/10000, then x and y of the light
    light = b"amve" + (3140000).to_bytes(4) + (15635).to_bytes(2) + (16450).to_bytes(2)
    source.write_bytes(data[:at] + light + data[at + len(light) :])
    job = referee.job(source, tmp_path / "out.mp4", preset="ultrafast")
    assert "the ambient viewing environment of the source cannot be written again" in (
        job.result.notices
    )


@pytest.mark.parametrize("name", ["in.avif", "in.mp4", "in.mov"])
def test_an_icc_profile_in_a_track_is_told(referee, tmp_path, name):
    """As phones and picture editors write it, in the place of the colour's numbers."""
    plain, source = tmp_path / f"plain-{name}", tmp_path / name
    tags = "colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv"
    codec = "libsvtav1" if name == "in.avif" else "libx264"
    referee.ffmpeg(*_FILM, "-vf", f"setparams={tags},format=yuv420p", "-c:v", codec, plain)
    data = plain.read_bytes()
    assert b"colrncl" in data
    source.write_bytes(data.replace(b"colrnclx", b"colrprof").replace(b"colrnclc", b"colrprof"))
    assert probe(source).lost == ("the ICC profile",)


def test_an_icc_profile_is_told_and_a_title_that_names_one_is_not(referee, tmp_path):
    source, titled = tmp_path / "in.apng", tmp_path / "titled.mkv"
    pictures = [Image.new("RGB", (64, 48), (k, 90, 200)) for k in (0, 60, 120)]
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    pictures[0].save(
        source, "PNG", save_all=True, append_images=pictures[1:], duration=100, icc_profile=profile
    )
    assert "the ICC profile" in probe(source).lost
    title = ("-metadata:s:v", "title=ICC profile, ambient viewing environment")
    referee.ffmpeg(*_FILM, *title, "-c:v", "libx264", titled)
    assert probe(titled).lost == ()


def test_the_moving_stream_of_an_animated_avif_is_taken(referee, tmp_path):
    source, out = tmp_path / "in.avif", tmp_path / "out.mkv"
    referee.ffmpeg(*_FILM, "-pix_fmt", "yuv420p", "-c:v", "libsvtav1", source)
    job = referee.job(source, out, preset="ultrafast")
    assert len(referee.pts(out)[0]) == 10
    assert [n for n in job.result.notices if "video stream 0 (av1) was left out" in n]


@pytest.mark.parametrize("thumbnail", [False, True])
def test_a_photograph_in_tiles_is_refused_in_a_line(referee, tmp_path, thumbnail):
    tile, source = tmp_path / "tile.avif", tmp_path / "grid.avif"
    referee.ffmpeg(*_FILM, "-frames:v", 1, "-pix_fmt", "yuv420p", "-c:v", "libsvtav1", tile)
    source.write_bytes(tiled(tile.read_bytes(), thumbnail=thumbnail))
    with pytest.raises(InputError, match=r"photograph made of tiles .*'vsr images'$"):
        probe(source)


_GRID = """Input #0, mov,mp4,m4a,3gp,3g2,mj2, from 'grid.avif':
  Duration: N/A, bitrate: N/A
  Stream group #0:0[0x6]: Tile Grid: av1 (Main) (av01 / 0x31307661), yuv420p(tv), 128x128 (default)
    Stream #0:0[0x1]: Video: av1 (av01 / 0x31307661), yuv420p(tv), 64x64, 1 fps, 1 tbr, 1 tbn
    Stream #0:1[0x2]: Video: av1 (av01 / 0x31307661), yuv420p(tv), 64x64, 1 fps, 1 tbr, 1 tbn
  Stream #0:4[0x5]: Video: av1 (av01 / 0x31307661), yuv420p(tv), 32x32, 1 fps, 1 tbr, 1 tbn
"""


def test_a_photograph_in_tiles_is_known_by_its_banner():
    banner = parse_banner(_GRID.splitlines())
    assert banner.tiled
    assert all(banner.is_still(s.index) for s in banner.streams)
    film = "  Stream #0:5[0x5]: Video: av1 (av01 / 0x31307661), yuv420p, 32x32, 10 fps, 10 tbr"
    banner = parse_banner([*_GRID.splitlines(), film])
    main = banner.main_video()
    assert main is not None
    assert main.index == 5
