"""Face videos: what they show, how they are called, and what they may replace."""

from __future__ import annotations

import json

import av
import numpy as np
import pytest

from vsr.core.errors import DataError, OutputError, UsageError
from vsr.core.geometry import Box
from vsr.core.types import Face, FrameFaces
from vsr.models.interpolate import InterpolationUpscaler
from vsr.run.output import replace_folder
from vsr.run.recipe import load_recipe
from vsr.run.restore import restore

QUICK = [("encode", "preset", "ultrafast"), ("encode", "crf", 0)]


def crops(*changes, model="lanczos"):
    return load_recipe("crops", [*QUICK, ("upscale", "model", model), *changes])


def shown(*tracks):
    """A finder: (track, first frame, frame after its last) each, side by side."""

    def find(frames):
        for n, frame in enumerate(frames):
            here = [t for t, first, end in tracks if first <= n < end]
            boxes = [Box(10.0 + 40 * (t % 2), 20.0, 24.0, 24.0) for t in here]
            faces = [Face(b, 1.0, track_id=t) for t, b in zip(here, boxes, strict=True)]
            yield FrameFaces(frame, tuple(faces))

    return find


def names(folder):
    return sorted(p.name for p in folder.iterdir())


@pytest.fixture(scope="module")
def clip(tmp_path_factory, ffmpeg):
    """A second of a test picture."""
    path = tmp_path_factory.mktemp("clip") / "in.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=96x64:r=30:d=1", "-c:v", "libx264", path)
    return path


@pytest.fixture(scope="module")
def longer(clip, tmp_path_factory, ffmpeg):
    """It, five times."""
    path = tmp_path_factory.mktemp("longer") / "in.mp4"
    ffmpeg("-stream_loop", "4", "-i", clip, "-c", "copy", path)
    return path


@pytest.fixture
def own(clip, tmp_path):
    """The clip in the test's own folder."""
    path = tmp_path / "videos" / "in.mp4"
    path.parent.mkdir()
    path.write_bytes(clip.read_bytes())
    return path


def test_a_folder_that_holds_the_source_is_never_replaced(own):
    for out in (own.parent, own.parent.parent):
        with pytest.raises(OutputError, match=r"holds the input .*in\.mp4; choose another name"):
            restore(own, out, crops(), overwrite=True)
    assert names(own.parent) == ["in.mp4"]
    assert names(own.parent.parent) == ["videos"]


@pytest.mark.parametrize("name", ["holiday.jpg", "manifest.json", "face_0000.mkv"])
def test_other_people_s_folders_are_not_replaced(own, tmp_path, name):
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / name).write_text('{"recipe": {"output": "frame"}}')
    with pytest.raises(OutputError, match="holds other files than face videos, which are not del"):
        restore(own, photos, crops(), overwrite=True)
    assert names(photos) == [name]


def test_a_file_is_not_replaced_by_a_folder_nor_a_folder_by_a_file(own, tmp_path):
    (tmp_path / "faces").write_text("precious")
    with pytest.raises(OutputError, match="is a file, expected a folder"):
        restore(own, tmp_path / "faces", crops(), overwrite=True)
    (tmp_path / "o.mp4").mkdir()
    for recipe in (crops(), load_recipe("restore", [("upscale", "model", "lanczos")])):
        with pytest.raises(OutputError, match=r"o\.mp4: is a folder, expected a file name"):
            restore(own, tmp_path / "o.mp4", recipe, overwrite=True)
    assert (tmp_path / "faces").read_text() == "precious"
    assert names(tmp_path) == ["faces", "o.mp4", "videos"]


def test_an_earlier_run_s_folder_goes_only_once_the_new_one_stands(clip, tmp_path):
    out = tmp_path / "faces"
    restore(clip, out, crops(), find=shown((0, 0, 3), (1, 0, 3)))
    before = {p.name: p.read_bytes() for p in out.iterdir()}

    def fails(frames):
        yield from shown((0, 0, 9))(frame for n, frame in enumerate(frames) if n < 4)
        raise DataError("stop")

    with pytest.raises(DataError, match="stop"):
        restore(clip, out, crops(), find=fails, overwrite=True)
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before
    restore(clip, out, crops(), find=shown((0, 0, 3)), overwrite=True)
    assert names(out) == ["face_0000.mp4", "manifest.json"]
    (out / "manifest.json").unlink()  # as after a loss of power
    restore(clip, out, crops(), find=shown((1, 0, 3)), overwrite=True)
    assert names(out) == ["face_0001.mp4", "manifest.json"]
    assert names(tmp_path) == ["faces"]


def test_a_folder_that_cannot_be_replaced_is_put_back(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "face_0000.mp4").touch()
    with pytest.raises(FileNotFoundError):
        replace_folder(tmp_path / "nothing", tmp_path / "out")
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["face_0000.mp4"]


def test_videos_named_after_a_file_are_kept_unless_asked(clip, tmp_path):
    out, other = tmp_path / "clip.mp4", tmp_path / "clip.face_notes.mp4"
    other.touch()
    restore(clip, out, crops(), find=shown((0, 0, 3), (1, 0, 3)))
    made = ["clip.face_0000.mp4", "clip.face_0001.mp4", "clip.face_notes.mp4", "clip.mp4.json"]
    assert names(tmp_path) == made
    with pytest.raises(OutputError, match=r"clip\..*: already exists; .* --overwrite"):
        restore(clip, out, crops())
    restore(clip, out, crops(), find=shown((0, 0, 3)), overwrite=True)
    assert names(tmp_path) == [made[0], *made[2:]]
    (tmp_path / "clip.mp4.json").unlink()
    with pytest.raises(OutputError, match=r"clip\.face_0000\.mp4: already exists"):
        restore(clip, out, crops())


def test_videos_named_after_a_file_spare_the_source_and_other_manifests(own):
    own = own.rename(own.with_name("clip.face_0000.mp4"))
    with pytest.raises(OutputError, match="is called as a face video of it would be"):
        restore(own, own.with_name("clip.mp4"), crops(), overwrite=True)
    record = own.with_name("o.mp4.json")
    record.write_text(json.dumps({"recipe": {"output": "frame"}}))
    with pytest.raises(OutputError, match="is no manifest of face videos"):
        restore(own, own.with_name("o.mp4"), crops(), overwrite=True)
    assert names(own.parent) == ["clip.face_0000.mp4", "o.mp4.json"]


def test_crops_of_changing_size_make_no_video(clip, tmp_path):
    with pytest.raises(
        UsageError, match=r"crop\.mode: got 'native' for face videos, expected 'can"
    ):
        restore(clip, tmp_path / "faces", crops(("crop", "mode", "native")))
    assert names(tmp_path) == []


class _Negative(InterpolationUpscaler):
    def __call__(self, batch):
        return 255 - super().__call__(batch)


def test_refused_faces_are_plainly_enlarged(clip, tmp_path, watch):
    """A negative contradicts its evidence, and is taken where contradictions may be huge."""

    def pictures(name, upscaler, limit):
        changes = (("paste", "max_contradiction", limit), ("paste", "correct_drift", False))
        recipe = crops(*changes, model="lanczos")
        find = shown((0, 0, 3))
        manifest = restore(clip, tmp_path / name, recipe, find=find, upscaler=upscaler)
        return watch(tmp_path / name / "face_0000.mp4")[1], manifest.tracks[0]["plain"]

    plain, none_refused = pictures("plain", InterpolationUpscaler("lanczos", 2), 1.0)
    refused, all_refused = pictures("refused", _Negative("lanczos", 2), 1.0)
    accepted, _ = pictures("accepted", _Negative("lanczos", 2), 1e9)
    assert (none_refused, all_refused) == (0, 3)
    np.testing.assert_array_equal(refused, plain)
    assert (accepted != plain).any()


@pytest.mark.parametrize("out", ["faces", "clip.mkv"])
def test_a_person_who_returns_gets_a_second_video(longer, tmp_path, watch, out):
    manifest = restore(longer, tmp_path / out, crops(), find=shown((0, 0, 4), (0, 130, 133)))
    folder = tmp_path / "faces" if out == "faces" else tmp_path
    files = [folder / entry["name"] for entry in manifest.outputs]
    assert [f.stem.removeprefix("clip.") for f in files] == ["face_0000", "face_0000_2"]
    assert [len(watch(f)[0]) for f in files] == [4, 3]
    assert float(watch(files[1])[0][0]) == pytest.approx(130 / 30, abs=1e-3)


@pytest.fixture(scope="module")
def hdr(tmp_path_factory, ffmpeg):
    """Ten frames of grey in 10 bit, BT.2020 and PQ."""
    path = tmp_path_factory.mktemp("hdr") / "hdr.mkv"
    tags = "setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc"
    ffmpeg(
        *("-f", "lavfi", "-i", "color=0x4d4d4d:s=96x64:r=30:d=0.34"),
        *("-vf", f"format=yuv420p10le,{tags}", "-c:v", "ffv1", path),
    )
    return path


@pytest.mark.parametrize(("format", "depth"), [("auto", 10), ("yuv420p", 8)])
def test_face_videos_say_the_source_s_colours(hdr, tmp_path, format, depth):
    recipe = crops(("encode", "pix_fmt", format))
    manifest = restore(hdr, tmp_path / "faces", recipe, find=shown((0, 0, 3), (1, 0, 3)))
    with av.open(str(tmp_path / "faces" / "face_0000.mp4")) as container:
        stream = container.streams.video[0]
        frame = next(container.decode(stream))
        code = stream.codec_context
        tags = (code.color_primaries, code.color_trc, code.colorspace, code.color_range)
        assert tags == (9, 16, 1, 1)  # BT.2020, PQ; BT.709's matrix, limited
        assert frame.format.name == ("yuv420p10le" if depth == 10 else "yuv420p")
    lost = [n for n in manifest.notices if "10 bit a sample became 8 bit" in n]
    assert len(lost) == (depth == 8)
