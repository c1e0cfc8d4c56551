"""A video made of an export: what its encoder is asked for."""

from __future__ import annotations

import itertools
import json

import av
import numpy as np
import pytest

from vsr.core.color import PIXEL_FORMATS
from vsr.media.hwaccel import hardware_encoder
from vsr.run.assemble import assemble
from vsr.run.export import export
from vsr.run.recipe import load_recipe
from vsr.run.restore import restore


def test_assemble_asks_a_card_for_the_pictures_own_format(tmp_path, ffmpeg):
    """Pictures of 10 bit are not tried with 8."""
    if hardware_encoder("h264", "yuv420p10le"):
        pytest.skip("this machine has a card that encodes it")
    source, out = tmp_path / "ten.mkv", tmp_path / "out"
    film = ["-f", "lavfi", "-i", "testsrc2=s=64x64:r=25:d=0.08"]
    ffmpeg(*film, "-pix_fmt", "yuv420p10le", "-c:v", "ffv1", source)
    export(source, out, load_recipe("restore", [("upscale", "model", "lanczos")]))
    manifest = assemble(out, tmp_path / "a.mp4", encode={"hwaccel": "auto"})
    assert [n for n in manifest.notices if "encodes h264 in yuv420p10le" in n]


def _planes(path):
    """PyAV's pts of each picture -> its samples, plane by plane."""
    pictures = {}
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            planes = []
            for plane, part in zip(frame.planes, frame.format.components, strict=True):
                rows = np.frombuffer(bytes(plane), np.uint16 if part.bits > 8 else np.uint8)
                planes.append(rows.reshape(plane.height, -1)[:, : plane.width].ravel())
            pictures[frame.pts] = np.concatenate(planes)
    return pictures


_HDR = "colorspace=bt2020nc:color_primaries=bt2020:color_trc"
_MASTERING = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
# each format, each matrix and each range, the ranges by turns
_SOURCES = {
    **{
        f"{pix_fmt} {range_}": (pix_fmt, f"range={range_}", "libx264")
        for pix_fmt, range_ in zip(PIXEL_FORMATS, itertools.cycle(("tv", "pc")))
    },
    **{
        f"{matrix} {range_}": ("yuv420p", f"range={range_}:colorspace={matrix}", "libx264")
        for matrix, range_ in (("smpte170m", "tv"), ("bt709", "pc"), ("bt2020nc", "tv"))
    },
    "mjpeg of a camera": ("yuvj420p", "range=pc", "mjpeg"),
    "untagged": ("yuv420p", "range=unknown", "libx264"),
    "RGB": ("gbrp", "range=pc", "ffv1"),
    "grey": ("gray", "range=tv", "ffv1"),
    "HLG": ("yuv420p10le", f"range=tv:{_HDR}=arib-std-b67", "libx265"),
    "HLG, full": ("yuv422p10le", f"range=pc:{_HDR}=arib-std-b67", "libx265"),
    "HDR10": ("yuv420p10le", f"range=tv:{_HDR}=smpte2084", "libx265"),
}


@pytest.mark.parametrize("name", _SOURCES)
def test_an_export_assembles_into_what_run_makes(tmp_path, ffmpeg, name):
    """Bit for bit, whatever the source's pixels and colours."""
    pix_fmt, tags, codec = _SOURCES[name]
    source, look = tmp_path / "in.mkv", tmp_path / "look"
    convert = f"scale=out_range={'pc' if 'range=pc' in tags else 'tv'},format={pix_fmt}"
    words = ["-q:v", 3] if codec == "mjpeg" else []
    if codec == "libx265":
        numbers = f":master-display={_MASTERING}:max-cll=1000,400" if name == "HDR10" else ""
        words = ["-x265-params", f"log-level=error{numbers}"]
    film = ["-f", "lavfi", "-i", "testsrc2=s=64x48:r=5:d=0.6"]
    ffmpeg(*film, "-vf", f"{convert},setparams={tags}", "-c:v", codec, *words, source)
    hdr = name.startswith("H")
    settings = {"codec": "hevc" if hdr else "h264", "crf": 12, "pix_fmt": "source"}
    overrides = [("encode", key, value) for key, value in settings.items()]
    recipe = load_recipe("restore", [("upscale", "model", "lanczos"), *overrides])
    export(source, look, recipe)
    assemble(look, tmp_path / "a.mp4")
    restore(source, tmp_path / "r.mp4", recipe)
    assembled, ran = _planes(tmp_path / "a.mp4"), _planes(tmp_path / "r.mp4")
    assert assembled.keys() == ran.keys()
    assert all(np.array_equal(a, b) for a, b in zip(assembled.values(), ran.values(), strict=True))
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "r.mp4").read_bytes()
    # what the export keeps are the pictures themselves, in the range that the index says
    kept = next(iter(_planes(look / "pictures.mkv").values()))[: 128 * 96]
    full = json.loads((look / "index.json").read_text())["video"]["color"]["full_range"]
    assert full == ("range=pc" in tags and name != "RGB")
    assert kept.max() > (250 if full else 180) * (4 if "10le" in pix_fmt else 1)
