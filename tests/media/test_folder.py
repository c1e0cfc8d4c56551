"""Folders of numbered pictures read like videos."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import pytest

from vsr.core.color import PIXEL_FORMATS
from vsr.core.errors import InputError, UsageError
from vsr.media.decode import DecodeConfig
from vsr.media.folder import FolderReader, numbered_pictures, probe_folder
from vsr.media.images import list_images, read_image

YUV = PIXEL_FORMATS["yuv420p"]


def read(folder, **options):
    return FolderReader(probe_folder(folder, options.get("cfg")), **options)


@pytest.fixture
def folder(tmp_path):
    """Numbered frames with a gap, as camera sequences have them, and clutter."""
    for number in (100, 102, 110, 109):
        picture = np.zeros((12, 16, 3), np.uint8)
        picture[..., 2] = number  # red in BGR
        cv2.imwrite(str(tmp_path / f"{number:08d}.png"), picture)
    (tmp_path / ".directory").write_text("[Dolphin]")
    (tmp_path / "notes.txt").write_text("x")
    cv2.imwrite(str(tmp_path / "thumb.png"), np.zeros((3, 3, 3), np.uint8))
    return tmp_path


def test_numbered_pictures_keep_their_gaps(folder):
    reader = read(folder, canvas=YUV)
    frames = list(reader)
    assert [f.pts for f in frames] == [0, 2, 9, 10]
    assert [f.index for f in frames] == [0, 1, 2, 3]
    assert {f.time_base for f in frames} == {Fraction(1, 30)}
    assert [int(f.rgb[0, 0, 0]) for f in frames] == [100, 102, 109, 110]
    assert [reader.number_of(f) for f in frames] == [100, 102, 109, 110]
    assert frames[0].canvas is not None
    assert (frames[0].canvas.width, frames[0].canvas.height) == (32, 24)
    assert reader.report.frames_kept == reader.expected_frames == 4
    (told,) = reader.report.notices
    assert told == "1 of 5 pictures were left out, since their names hold no number (thumb.png)"


def test_the_facts_of_a_folder_are_those_of_a_video(folder):
    info = probe_folder(folder, DecodeConfig(folder_fps="25"))
    assert (info.width, info.height, info.codec, info.bit_depth) == (16, 12, "png", 8)
    assert (info.time_base, info.frame_rate) == (Fraction(1, 25), 25)
    assert (info.frame_count, info.start_pts, info.last_pts) == (4, 0, 10)
    assert info.duration_s == pytest.approx(11 / 25)


def test_a_fast_folder_is_thinned_and_a_window_cuts(tmp_path):
    for number in range(12):
        cv2.imwrite(str(tmp_path / f"f_{number}.bmp"), np.zeros((4, 4, 3), np.uint8))
    fast = DecodeConfig(folder_fps="60")
    assert [f.pts for f in read(tmp_path, cfg=fast)] == [0, 2, 4, 6, 8, 10]
    assert read(tmp_path, cfg=fast).frame_rate == 30
    every = DecodeConfig(folder_fps="60", fps="source")
    window = read(tmp_path, cfg=every, start_s=0.05, end_s=0.1)
    assert [f.pts for f in window] == [3, 4, 5]


def test_unreadable_and_odd_pictures_are_skipped_and_named(folder):
    whole = (folder / "00000102.png").read_bytes()
    (folder / "00000103.png").write_bytes(whole[: len(whole) // 2])
    cv2.imwrite(str(folder / "00000104.png"), np.zeros((5, 5, 3), np.uint8))
    reader = read(folder)
    assert [f.pts for f in reader] == [0, 2, 9, 10]
    assert len(reader.report.notices) == 3
    assert "thumb.png" in reader.report.notices[0]
    assert "00000103.png" in reader.report.notices[1]
    assert "5x5" in reader.report.notices[2]


def test_a_truncated_jpeg_is_skipped(tmp_path):
    rng = np.random.default_rng(1)
    for number in range(3):
        noise = rng.integers(0, 255, (64, 64, 3), np.uint8)
        cv2.imwrite(str(tmp_path / f"{number:08d}.jpg"), noise)
    cut = tmp_path / "00000001.jpg"
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    reader = read(tmp_path)
    assert [f.pts for f in reader] == [0, 2]
    assert "00000001.jpg" in reader.report.notices[0]


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_with_a_thumbnail_is_whole_to_its_own_end(progressive, tmp_path):
    noise = np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8)
    settings = [cv2.IMWRITE_JPEG_PROGRESSIVE, int(progressive)]
    plain = cv2.imencode(".jpg", noise, settings)[1].tobytes()
    small = cv2.imencode(".jpg", noise[:16, :16])[1].tobytes()
    thumbnail = b"\xff\xe3" + (len(small) + 2).to_bytes(2) + small
    data = plain[:2] + thumbnail + plain[2:]
    path = tmp_path / "face.jpg"
    for whole in (data, plain, data + b"\xff\xda and what a telephone appends"):
        path.write_bytes(whole)
        assert read_image(path).shape == (64, 64, 3)
    for end in (len(data) - 2, len(data) - 300, 2 + len(thumbnail) + 700):
        path.write_bytes(data[:end])
        with pytest.raises(InputError, match="not a picture that can be read"):
            read_image(path)


def test_a_first_picture_that_cannot_be_read_still_starts_the_clock(folder):
    (folder / "00000099.png").write_bytes(b"not a png")
    assert [f.pts for f in read(folder)] == [1, 3, 10, 11]


def test_names_without_numbers_or_with_equal_ones_count_by_position(tmp_path):
    for name in ("b.png", "c.png", "a.png"):
        cv2.imwrite(str(tmp_path / name), np.zeros((4, 4, 3), np.uint8))
    assert [p.name for p in list_images(tmp_path)] == ["a.png", "b.png", "c.png"]
    assert [f.pts for f in read(tmp_path)] == [0, 1, 2]
    for name in ("b_1.png", "a_1.png"):
        cv2.imwrite(str(tmp_path / name), np.zeros((4, 4, 3), np.uint8))
    assert [n for n, _ in numbered_pictures(tmp_path)] == [0, 1, 2, 3, 4]


def test_the_canvas_shows_the_picture_s_own_colours(tmp_path):
    rgb = np.zeros((32, 32, 3), np.uint8)
    rgb[:] = (200, 60, 30)
    cv2.imwrite(str(tmp_path / "1.png"), rgb[..., ::-1])
    (frame,) = read(tmp_path, canvas=YUV)
    y, u, v = (int(np.median(p)) for p in frame.canvas.planes())
    # BT.601, limited range, by the standard's formulas
    luma = 0.299 * 200 + 0.587 * 60 + 0.114 * 30
    assert y == pytest.approx(16 + luma * 219 / 255, abs=1)
    assert u == pytest.approx(128 + (30 - luma) / 1.772 * 224 / 255, abs=1)
    assert v == pytest.approx(128 + (200 - luma) / 1.402 * 224 / 255, abs=1)


def test_sixteen_bit_pictures_stay_deep(tmp_path):
    for number in range(2):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((4, 4, 3), 1000, np.uint16))
    cv2.imwrite(str(tmp_path / "2.png"), np.full((4, 4, 3), 7, np.uint8))
    frames = list(read(tmp_path))
    assert [int(f.rgb[0, 0, 0]) for f in frames] == [1000, 1000, 7 * 257]


def test_bad_folders_are_one_line(tmp_path):
    with pytest.raises(InputError, match="holds no picture"):
        probe_folder(tmp_path)
    (tmp_path / "1.jpg").write_bytes(b"x")
    with pytest.raises(InputError, match="not one of its 1 pictures can be read"):
        probe_folder(tmp_path)
    with pytest.raises(UsageError, match="folder_fps: got 'source'"):
        DecodeConfig(folder_fps="source")


def test_a_stretch_without_pictures_is_told_as_such(folder):
    with pytest.raises(InputError, match="no picture lies in the stretch asked for"):
        list(FolderReader(probe_folder(folder), start_s=1000.0))


def test_pictures_without_a_number_are_told_where_others_carry_one(tmp_path):
    for name in ("shot7.png", "shot8.png", *(f"{letter}.png" for letter in "abcdefghij")):
        cv2.imwrite(str(tmp_path / name), np.full((16, 24, 3), 90, np.uint8))
    reader = FolderReader(probe_folder(tmp_path))
    assert [reader.number_of(frame) for frame in reader] == [7, 8]
    (told,) = reader.report.notices
    assert told == ("10 of 12 pictures were left out, since their names hold no number (a.png, …)")
