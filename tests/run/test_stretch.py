"""Stretches of a source, done alone, give the pictures and times of a whole run."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vsr.core.errors import DataError
from vsr.faces.detections import DetectionRecord
from vsr.faces.paste import paste
from vsr.faces.tracklog import TrackLog
from vsr.models.upscale import load_upscaler
from vsr.run.flow import Flow
from vsr.run.recipe import load_recipe
from vsr.run.restore import face_finder, followed_faces, frame_bytes, super_resolved
from vsr.run.sinks import canvas_format
from vsr.run.source import open_source, probe_source
from vsr.run.stretch import Stretch

SEGMENT = 16
"""long enough for faces to rest from the detector, see `vsr.faces.adaptive`"""
CANVAS_IS_LARGE = [("track", "buffer_mb", 2)]  # 320x240 with canvas: the lookahead shrinks to 3


def recipe_of(model, *changes):
    return load_recipe("restore", [("upscale", "model", model), *changes])


def _what(c):
    return c.face, c.window, c.outcome, c.deviation, c.detail_px, c.working


def made(source, recipe, record, upscaler, first=0, end=None):
    """What goes into the sink: (pts, canvas, faces) of each frame of a stretch."""
    stretch = Stretch(first=first, end=end, segment_frames=SEGMENT)
    info = probe_source(source, recipe.decode)
    scale, canvas = recipe.upscale.scale, canvas_format(info, recipe)
    reader = open_source(
        info, scale=scale, canvas=canvas, cfg=recipe.decode,
        first=first, end=stretch.read_end(recipe.track, recipe.fuse.span),
    )  # fmt: skip
    find = face_finder(
        recipe, segment_frames=SEGMENT, frame_bytes=frame_bytes(info, canvas, scale), record=record
    )
    log, faces, found = TrackLog(), [], []
    with Flow() as flow:
        followed = followed_faces(flow, reader, find, log, recipe, stretch)
        sharp = super_resolved(flow, followed, upscaler, recipe, info, log, stretch)

        def noted():
            for item in sharp:
                faces.append([(*_what(c), c.fusion) for c in item.crops])
                yield item

        pasted = paste(noted(), scale, recipe.paste)
        found.extend((f.index, f.pts, f.canvas.buffer.copy()) for f in pasted)
    return found, faces


def assert_same(source, recipe, tmp_path, cuts):
    upscaler = load_upscaler(recipe.upscale)
    record = DetectionRecord(tmp_path / "detections.jsonl")
    whole, faces = made(source, recipe, record, upscaler)
    ends = [*cuts, None]
    parts = [
        made(source, recipe, record if a else None, upscaler, a, b)
        for a, b in zip([0, *cuts], ends, strict=True)
    ]
    pictures = [p for part, _ in parts for p in part]
    assert [p[:2] for p in pictures] == [p[:2] for p in whole]
    assert [f for _, part in parts for f in part] == faces
    for got, wanted in zip(pictures, whole, strict=True):
        np.testing.assert_array_equal(got[2], wanted[2], f"frame {wanted[0]}")
    crossing = [{f[0].track_id for f in faces[c]} & {f[0].track_id for f in faces[c - 1]}
                for c in cuts]  # fmt: skip
    return crossing, faces


@pytest.fixture(scope="module")
def moving(tmp_path_factory, ffmpeg, samples):
    """Forty noisy frames of 320x240 at uneven times, a cut at frame 21."""
    path = tmp_path_factory.mktemp("stretch") / "clip.mp4"
    ffmpeg(
        *("-i", samples / "surveillance_800x600_30fps.mp4"),
        *("-vf", "crop=320:240:120:210,select='lt(n,21)+between(n,40,58)',"
          "negate=enable='gte(n,21)',hflip=enable='gte(n,21)',settb=1/15360,setpts='N*512+97*mod(N,3)',noise=alls=16:allf=t"),
        *("-fps_mode", "passthrough", "-enc_time_base:v", "1/15360"),
        *("-video_track_timescale", "15360", "-c:v", "libx264", "-crf", "8", path),
    )  # fmt: skip
    return path


@pytest.fixture(scope="module")
def samples():
    from pathlib import Path

    return Path(__file__).resolve().parents[2] / "sample_videos"


@pytest.mark.parametrize("changes", [(), CANVAS_IS_LARGE], ids=["plenty", "small buffer"])
def test_stretches_of_a_video_equal_the_whole(moving, changes, tmp_path):
    crossing, faces = assert_same(moving, recipe_of("srresnet-x2", *changes), tmp_path, [16, 32])
    assert crossing[0]
    # the last and the first frame of two stretches have their views from either side
    assert all(f[-1].views > 2 for at in (15, 16) for f in faces[at])


@pytest.mark.parametrize("views", [1, 3, 9])
def test_so_do_they_with_more_views_and_fewer(moving, views, tmp_path):
    _, faces = assert_same(moving, recipe_of("bicubic", ("fuse", "views", views)), tmp_path, [16])
    fusions = [f[-1] for frame in faces for f in frame]
    assert all((found is None) == (views == 1) for found in fusions)
    assert max((f.views for f in fusions if f), default=1) > views / 2


def test_stretches_of_a_folder_equal_the_whole(moving, tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for index, frame in enumerate(open_source(moving)):
        number = index if index < 10 else index + 7
        if index < 20:
            cv2.imwrite(str(folder / f"{number:08d}.png"), frame.rgb[..., ::-1])
    crossing, _ = assert_same(folder, recipe_of("lanczos"), tmp_path, [16])
    assert all(crossing)


def test_a_record_of_another_source_is_refused(moving, tmp_path):
    path = tmp_path / "detections.jsonl"
    path.write_text("".join(f"[{i + 5},[]]\n" for i in range(SEGMENT)))
    with pytest.raises(DataError, match="recorded at 5"):
        made(moving, recipe_of("lanczos"), DetectionRecord(path),
             load_upscaler(recipe_of("lanczos").upscale), SEGMENT)  # fmt: skip
