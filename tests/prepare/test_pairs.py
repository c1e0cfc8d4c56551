"""Cutting and reducing agree with the reference filters; odd files are read or refused."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from vsr.core.errors import OutputError
from vsr.core.geometry import Box, Window
from vsr.train.prepare.config import CropRule, PrepareConfig
from vsr.train.prepare.pairs import (
    cut_hr,
    decode_rgb,
    make_pairs,
    png_size,
    square_of,
    write_png,
)
from vsr.train.prepare.plan import make_plan
from vsr.train.prepare.source import Listing, Skipped, SourceImage, Unusable


def encoded(picture, kind, **options):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(("hr", "crop"), [(128, "178"), (64, "178"), (128, "164+7+31")])
@pytest.mark.parametrize("reduce", ["bicubic", "area"])
@pytest.mark.parametrize("jobs", [1, 3])
def test_pairs_equal_the_reference_filters(tmp_path, face, hr, crop, reduce, jobs):
    """HR is OpenCV's INTER_AREA of the crop; LR is Pillow's bicubic, or the mean, of HR."""
    cfg = PrepareConfig(hr=hr, scales=(2, 4), reduce=reduce, val=0, test=0, jobs=jobs)
    images = []
    for n in range(4):
        path = tmp_path / f"{n}.png"
        face(n).save(path)
        images.append(SourceImage(path, path.name, path.stem))
    plan = make_plan(Listing(images=images), cfg).pairs
    for name in ("hr", "lr_x2", "lr_x4"):
        (tmp_path / "out" / "train" / name).mkdir(parents=True)
    made = list(make_pairs(plan, tmp_path / "out", cfg, CropRule.parse(crop)))
    assert [m.pair.name for m in made] == ["0.png", "1.png", "2.png", "3.png"]
    for n in range(4):
        read = {
            name: np.asarray(Image.open(tmp_path / "out" / "train" / name / f"{n}.png"))
            for name in ("hr", "lr_x2", "lr_x4")
        }
        left, top, side = (7, 31, 164) if "+" in crop else (0, 20, 178)
        cut = np.asarray(face(n))[top : top + side, left : left + side]
        wanted = cv2.resize(cut, (hr, hr), interpolation=cv2.INTER_AREA)
        assert np.array_equal(read["hr"], wanted)
        for scale in (2, 4):
            low = read[f"lr_x{scale}"]
            if reduce == "bicubic":
                small = Image.fromarray(wanted).resize((hr // scale,) * 2, Image.BICUBIC)
                assert np.array_equal(low, np.asarray(small))
            else:
                blocks = wanted.reshape(hr // scale, scale, hr // scale, scale, 3)
                assert np.abs(low - blocks.mean((1, 3))).max() <= 0.51


def test_grey_palette_alpha_and_cmyk_become_rgb(face):
    picture = face(3, 40, 40)
    variants = [(picture.quantize(256), "PNG"), (picture.convert("RGBA"), "PNG")]
    variants += [(picture.convert("L"), kind) for kind in ("PNG", "PPM", "JPEG")]
    variants += [(picture.convert("CMYK"), "JPEG")]
    for variant, kind in variants:
        rgb = decode_rgb(encoded(variant, kind))
        assert rgb.shape == (40, 40, 3)
        assert rgb.dtype == np.uint8
        grey = [np.asarray(i.convert("L"), float) for i in (Image.fromarray(rgb), picture)]
        assert np.abs(grey[0] - grey[1]).mean() < 8


def test_sixteen_bit_grey_keeps_its_tones():
    ramp = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    rgb = decode_rgb(encoded(Image.fromarray(ramp), "PNG"))
    assert np.abs(rgb[..., 0] - ramp / 257.0).max() <= 0.5


def test_phone_pictures_are_turned_upright(face):
    picture = face(3, 60, 80)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter to the right
    turned, plain = (decode_rgb(encoded(picture, "JPEG", exif=e)) for e in (exif, Image.Exif()))
    assert turned.shape == (60, 80, 3)
    assert np.array_equal(turned, np.rot90(plain, -1))


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (b"", "empty file"),
        (b"no picture at all", "not an image"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "."),
        (b"P6 99999 99999 255\n", "."),
    ],
)
def test_broken_files_are_unusable(data, detail):
    with pytest.raises(Unusable, match=detail) as caught:
        decode_rgb(data)
    assert caught.value.reason == "unreadable"
    assert "\n" not in caught.value.detail


def test_truncated_files_are_unusable(face, broken_jpeg):
    for data in (broken_jpeg, encoded(face(1), "PNG")[:3000], encoded(face(1), "WEBP")[:900]):
        with pytest.raises(Unusable, match="unreadable"):
            decode_rgb(data)


def test_nothing_is_enlarged_unless_asked():
    rgb = np.zeros((60, 60, 3), np.uint8)
    with pytest.raises(Unusable, match="too small: 60 px, HR wants 64"):
        cut_hr(rgb, Window(0, 0, 60, 60), 64, False)
    assert cut_hr(rgb, Window(0, 0, 60, 60), 64, True).shape == (64, 64, 3)
    with pytest.raises(Unusable, match="60x60 does not hold the crop 178"):
        square_of(rgb, None, CropRule.parse("178"))


@pytest.mark.parametrize("box", [Box(-2, 0, 20, 20), Box(50, 10, 20, 20), Box(10, 45, 20, 20)])
def test_faces_over_the_border_are_unusable(box):
    with pytest.raises(Unusable, match="over the border"):
        square_of(np.zeros((60, 60, 3), np.uint8), box, CropRule())


def test_box_is_cut_on_whole_pixels():
    window = square_of(np.zeros((60, 60, 3), np.uint8), Box(3.6, 4.4, 20.4, 20.4), CropRule())
    assert window == Window(4, 4, 20, 20)


def test_write_leaves_nothing_where_it_fails(tmp_path):
    target = tmp_path / "a.png"
    target.mkdir()  # a folder in the way: the rename fails
    with pytest.raises(OutputError, match=r"a.png: cannot be written .*resumes where it stopped"):
        write_png(target, np.zeros((8, 8, 3), np.uint8), "x")
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_png_size_reads_headers_only(face):
    assert png_size(encoded(face(1), "PNG")[:24]) == (178, 218)
    assert png_size(encoded(face(1), "JPEG")[:24]) is None
    assert png_size(b"") is None


def test_missing_source_is_skipped(tmp_path):
    cfg = PrepareConfig(val=0, test=0)
    plan = make_plan(Listing(images=[SourceImage(tmp_path / "no.jpg", "no.jpg", "no")]), cfg).pairs
    (result,) = make_pairs(plan, tmp_path, cfg, CropRule())
    assert result == Skipped("no.jpg", "unreadable", "No such file or directory")
