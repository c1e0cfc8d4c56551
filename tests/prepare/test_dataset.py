"""Opening a data set: every fault is one line that names it."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from vsr.core.errors import DataError
from vsr.train.prepare.build import prepare
from vsr.train.prepare.config import PrepareConfig
from vsr.train.prepare.dataset import open_dataset


@pytest.fixture
def made(faces, tmp_path):
    cfg = PrepareConfig(hr=64, val=0.2, test=0)
    return prepare("folder", faces, tmp_path / "out", cfg).folder


def one_line(path, message, **options):
    with pytest.raises(DataError, match=message) as caught:
        open_dataset(path, **options)
    assert "\n" not in str(caught.value)


def first(path, pattern):
    return sorted(path.glob(pattern))[0]


def test_what_a_good_one_gives(made):
    data = open_dataset(made, scale=2, crop=64)
    assert (data.scale, data.scales, data.hr_size, data.lr_size) == (2, (2,), 64, 32)
    assert data.card["settings"]["reduce"] == "bicubic"
    pairs = data.pairs("train")
    assert len(pairs) == 16
    assert all(lr.parent.name == "lr_x2" and lr.name == hr.name for lr, hr in pairs)
    hr = data.load_hr("train")
    assert hr.shape == (16, 64, 64, 3)
    assert hr.dtype == np.uint8
    assert np.array_equal(hr[3], np.asarray(Image.open(pairs[3][1])))


def test_not_there_a_file_or_empty(tmp_path):
    one_line(tmp_path / "none", "no such folder; make a data set")
    (tmp_path / "file").touch()
    one_line(tmp_path / "file", "is a file, expected a folder")
    (tmp_path / "empty").mkdir()
    one_line(tmp_path / "empty", "is empty; make a data set")


def test_no_data_set_at_all(faces):
    one_line(faces, "no data set .*turn the images into one with 'vsr prepare folder'")


def test_another_scale(made):
    one_line(made, "made for scale x2, expected x4; prepare it with --scale 4", scale=4)


def test_smaller_than_the_crop(made):
    one_line(made, "HR images of 64 px are smaller than the crop of 96 px", crop=96)


def test_names_that_do_not_pair(made):
    path = first(made, "train/lr_x2/*.png")
    path.rename(path.with_name("zzz.png"))
    one_line(made, f"2 images do not pair, e.g. {path.name} is in hr and not in lr_x2")


def test_unreadable_image(made):
    path = first(made, "val/hr/*.png")
    path.write_bytes(b"rubbish")
    one_line(made, f"{path.name}: not a readable image; make it again")


def test_image_broken_behind_its_header_is_found_on_loading(made):
    path = first(made, "train/hr/*.png")
    path.write_bytes(path.read_bytes()[:900])
    data = open_dataset(made)
    with pytest.raises(DataError, match=f"{path.name}: cannot be decoded"):
        data.load_hr("train")


def test_wrong_size(made):
    path = first(made, "train/lr_x2/*.png")
    Image.new("RGB", (40, 32)).save(path)
    one_line(made, r"is 40x32, expected 32x32 \(HR 64, lr_x2\)")


def test_pairs_taken_away_since(made):
    name = first(made, "train/hr/*.png").name
    for folder in ("hr", "lr_x2"):
        (made / "train" / folder / name).unlink()
    one_line(made, "holds 15 pairs, its card says 16")


def test_changed_pixels_are_found_by_verify(made):
    open_dataset(made).verify()
    path = first(made, "val/lr_x2/*.png")
    Image.new("RGB", (32, 32)).save(path)
    with pytest.raises(DataError, match=f"{path.name}: was changed since it was made"):
        open_dataset(made).verify()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid JSON"),
        ("[]", "not the card of a vsr data set"),
        ('{"name": "other"}', "not the card of a vsr data set"),
        ('{"kind": "vsr-dataset", "format": 9}', "format 9, this version reads format 1"),
        ('{"kind": "vsr-dataset", "format": 1}', "lacks hr_size, scales"),
    ],
)
def test_broken_cards(made, text, message):
    (made / "dataset.json").write_text(text)
    one_line(made, message)


def test_empty_split(made):
    with pytest.raises(DataError, match=r"split 'test' holds no pairs \(train 16, val 4, test 0\)"):
        open_dataset(made).pairs("test")


def test_made_by_hand_without_a_card(made):
    for name in ("dataset.json", "index.csv", "CARD.md", "skipped.csv"):
        (made / name).unlink()
    shutil.rmtree(made / "test")
    data = open_dataset(made, scale=2)
    assert (data.hr_size, len(data.names["train"]), data.card) == (64, 16, {})
    data.verify()
    shutil.rmtree(made / "train" / "lr_x2")
    shutil.rmtree(made / "val" / "lr_x2")
    one_line(made, "no LR images")


def test_no_images_left(made):
    for path in made.rglob("*.png"):
        path.unlink()
    one_line(made, "holds no images")


def test_two_scales_take_the_smaller_by_default(faces, tmp_path):
    cfg = PrepareConfig(hr=64, scales=(4, 2))
    folder = prepare("folder", faces, tmp_path / "both", cfg).folder
    assert open_dataset(folder).scale == 2
    assert open_dataset(folder, scale=4).lr_size == 16
    assert json.loads((folder / "dataset.json").read_text())["scales"] == [4, 2]
