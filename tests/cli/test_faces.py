"""``vsr faces`` and ``--faces-file`` as a user types them."""

from __future__ import annotations

import json

import numpy as np
from PIL import Image


def test_faces_are_written_down_and_used(vsr, here, samples, ffmpeg, tmp_path):
    clip = tmp_path / "clip.mkv"
    sample = samples / "surveillance_800x600_30fps.mp4"
    ffmpeg("-i", sample, "-vf", "crop=320:240:80:240", "-frames:v", "15", "-c:v", "ffv1", clip)
    faces, sheet, out = tmp_path / "faces.jsonl", tmp_path / "sheet.png", tmp_path / "out.mkv"
    done = vsr("faces", clip, "-o", faces, "--sheet", sheet)
    assert done.code == 0, done.stderr
    assert "15 faces of 1 track in 15 frames; use it with: vsr run" in done.stdout
    assert np.asarray(Image.open(sheet)).std() > 10
    text = faces.read_text()
    faces.write_text(text.replace('"drop": false', '"drop": true'))
    done = here("run", clip, "-o", out, "--model", "bicubic", "--faces-file", faces, "--json")
    assert done.code == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["faces"], told["tracks"], told["frames"]["written"]) == (0, [], 15)
    assert told["recipe"]["choose"]["file"] == str(faces)
    faces.write_text(text.replace('"drop": false', '"dorp": false'))
    done = here("run", clip, "-o", tmp_path / "b.mkv", "--model", "bicubic", "--faces-file", faces)
    assert done.code == 9
    assert "unknown key 'dorp' of a track; did you mean 'drop'?" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "b.mkv").exists()
