"""A video made of an export: what its encoder is asked for."""

from __future__ import annotations

import pytest

from vsr.media.hwaccel import hardware_encoder
from vsr.run.assemble import assemble
from vsr.run.export import export
from vsr.run.recipe import load_recipe


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
