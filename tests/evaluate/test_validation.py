"""The protocol: which pictures, which crop, which reduction, which noise."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from vsr.core.errors import DataError
from vsr.evaluate.validation import PROTOCOLS, batches, find_faces, make_pair, read_hr


def test_only_the_split_is_taken_in_order(celeba: Path) -> None:
    assert [p.stem for p in find_faces(celeba)] == [f"{i:06d}" for i in range(6)]
    assert len(find_faces(celeba, split="train")) == 4
    assert [p.stem for p in find_faces(celeba, limit=3)] == ["000000", "000002", "000005"]
    assert len(find_faces(celeba, limit=99)) == 6


def test_any_folder_of_pictures(tmp_path: Path, face: np.ndarray) -> None:
    Image.fromarray(face).save(tmp_path / "b.png")
    Image.fromarray(face).save(tmp_path / "a.JPG")
    (tmp_path / "notes.txt").write_text("x")
    assert [p.name for p in find_faces(tmp_path)] == ["a.JPG", "b.png"]


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_crop_and_reduction_are_the_published_ones(
    tmp_path: Path, face: np.ndarray, scale: int
) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(face).save(path)
    crop = face[31:195, 7:171] if scale == 8 else face[20:198]
    hr = cv2.resize(crop, (128, 128), interpolation=cv2.INTER_AREA)
    side = 128 // scale
    pair = make_pair(path, PROTOCOLS[scale])
    np.testing.assert_array_equal(pair.hr, hr)
    if scale == 4:
        want = cv2.resize(hr, (side, side), interpolation=cv2.INTER_AREA)
    else:
        want = np.asarray(Image.fromarray(hr).resize((side, side), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(pair.lr["clean"], want)
    assert pair.lr["degraded"].shape == (side, side, 3)
    assert PROTOCOLS[scale].border == (8 if scale == 8 else 0)


def test_degraded_faces_are_worse_by_blur_noise_and_jpeg(celeba: Path) -> None:
    path = find_faces(celeba)[0]
    pair = make_pair(path, PROTOCOLS[2])
    blurred = cv2.GaussianBlur(pair.hr, (0, 0), 0.8)
    low = np.asarray(Image.fromarray(blurred).resize((64, 64), Image.Resampling.BICUBIC))
    noise = pair.lr["degraded"].astype(float) - low
    assert 3 < noise.std() < 9  # sigma 6, partly removed by JPEG
    assert abs(noise.mean()) < 1


def test_noise_belongs_to_the_picture_not_to_its_place_in_the_list(celeba: Path) -> None:
    paths = find_faces(celeba)
    first = make_pair(paths[3], PROTOCOLS[2]).lr["degraded"]
    again = next(batches(paths[3:], PROTOCOLS[2], 2, []))[0].lr["degraded"]
    np.testing.assert_array_equal(first, again)
    other = make_pair(paths[3], PROTOCOLS[2], seed=1).lr["degraded"]
    assert (first != other).any()


def test_other_sizes_are_cropped_to_their_middle(tmp_path: Path) -> None:
    picture = np.zeros((160, 300, 3), np.uint8)
    picture[:, 70:230] = 200
    Image.fromarray(picture).save(tmp_path / "a.png")
    hr = read_hr(tmp_path / "a.png", PROTOCOLS[2])
    assert hr.shape == (128, 128, 3)
    assert hr.min() == 200


def test_bad_pictures_are_skipped_and_named(celeba: Path) -> None:
    folder = celeba / "img_align_celeba"
    (folder / "000001.jpg").write_bytes(b"no picture")
    (folder / "000003.jpg").write_bytes(b"")
    Image.new("RGB", (90, 90)).save(folder / "000005.jpg")
    skipped: list[str] = []
    found = list(batches(find_faces(celeba), PROTOCOLS[2], 2, skipped))
    assert [[pair.name for pair in batch] for batch in found] == [
        ["000000.jpg", "000002.jpg"],
        ["000004.jpg"],
    ]
    assert [("is not a picture that can be read" in s, "90x90" in s) for s in skipped] == [
        (True, False),
        (True, False),
        (False, True),
    ]


def test_no_data(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no face pictures"):
        find_faces(tmp_path)
    with pytest.raises(DataError, match="is not a folder"):
        find_faces(tmp_path / "none")
    (tmp_path / "list_eval_partition.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"list_eval_partition\.txt: cannot be read"):
        find_faces(tmp_path)
