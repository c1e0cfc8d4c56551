from __future__ import annotations

import shutil
import threading
from itertools import islice
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest

from vsr.core.errors import DataError, UsageError
from vsr.degrade.image import enlarge_image, reduce_image
from vsr.evaluate.metrics import psnr_y
from vsr.train.data import FileSource, MemorySource, open_source
from vsr.train.faces import load_folder
from vsr.train.prepare.clipconfig import ClipConfig
from vsr.train.prepare.clips import prepare_clips
from vsr.train.shown import reduced_side, side_range
from vsr.train.validate import open_validation


def array(x: object) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(x))


def first(source: object, count: int, start: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    batches = source.batches(start)  # type: ignore[attr-defined]
    got = [(array(lr), array(hr)) for lr, hr in islice(batches, count)]
    batches.close()
    return got


@pytest.mark.parametrize("kind", ["memory", "device", "files"])
def test_every_source_keeps_the_contract_and_can_go_on(tiny, dataset: Path, kind: str) -> None:
    recipe = tiny(data={"source": kind, "patch_px": 32 if kind == "files" else 16})
    source = open_source(recipe, dataset)
    assert source.pictures == 12
    whole = first(source, 5)
    for lr, hr in whole:
        assert lr.dtype == hr.dtype == np.float32
        assert hr.shape == (2, 2 * lr.shape[1], 2 * lr.shape[2], 3)
        assert min(lr.min(), hr.min()) >= -1
        assert max(lr.max(), hr.max()) <= 1
        assert hr.std() > 0.02
    later = first(open_source(recipe, dataset), 2, start=3)
    for (lr, hr), (lr_again, hr_again) in zip(whole[3:], later, strict=True):
        np.testing.assert_array_equal(lr, lr_again)
        np.testing.assert_array_equal(hr, hr_again)
    assert not np.array_equal(whole[0][1], whole[1][1])


@pytest.mark.parametrize(("kind", "rounding"), [("memory", 0), ("device", 1)])
def test_clean_patches_are_the_reduction_of_their_hr(tiny, dataset: Path, kind, rounding) -> None:
    recipe = tiny(
        data={"source": kind, "fixed_share": 0.0, "native_share": 1.0, "patch_px": 32},
        degrade={"share": 0.0, "bicubic_share": 1.0},
    )
    lr, hr = first(open_source(recipe, dataset), 1)[0]
    for small, large in zip(lr, hr, strict=True):
        levels = np.rint((large + 1) * 127.5).astype(np.uint8)
        wanted = reduce_image(levels, 2, "bicubic").astype(int)
        assert np.abs(np.rint((small + 1) * 127.5) - wanted).max() <= rounding


@pytest.mark.parametrize("kind", ["memory", "device"])
def test_patches_of_all_sizes_stay_aligned(tiny, dataset: Path, kind: str) -> None:
    recipe = tiny(
        data={"source": kind, "batch": 32, "fixed_share": 0.3, "patch_px": 16},
        degrade={"share": 0.0},
    )
    lr, hr = first(open_source(recipe, dataset), 1)[0]
    for small, large in zip(lr, hr, strict=True):
        reduced = cv2.resize(large, (16, 16), interpolation=cv2.INTER_AREA)
        inner = (slice(2, -2), slice(2, -2))
        centred = np.corrcoef(small[inner].ravel(), reduced[inner].ravel())[0, 1]
        moved = np.corrcoef(small[inner].ravel(), np.roll(reduced, 1, 0)[inner].ravel())[0, 1]
        assert centred > 0.98
        assert moved < centred


def test_extra_folders_are_mixed_in(tiny, dataset: Path, tmp_path: Path) -> None:
    extra = tmp_path / "extra"
    extra.mkdir()
    cv2.imwrite(str(extra / "white.png"), np.full((64, 64, 3), 255, np.uint8))
    recipe = tiny(data={"extra": [str(extra)], "extra_share": 0.5, "batch": 64})
    source = open_source(recipe, dataset)
    assert source.pictures == 13
    assert isinstance(source, MemorySource)
    white = (source.batch(0)[1] == 255).all(axis=(1, 2, 3)).mean()
    assert 0.3 < white < 0.7


def test_an_epoch_shows_each_pair_once(tiny, dataset: Path) -> None:
    source = open_source(tiny(data={"source": "files", "patch_px": 32}), dataset)
    assert isinstance(source, FileSource)
    for epoch in (0, 1):
        steps = range(epoch * 6, epoch * 6 + 6)
        names = [lr.stem for step in steps for lr, _ in source.names(step)]
        assert sorted(names) == [f"{i:03}" for i in range(12)]
    orders = [[source.names(s + e * 6) for s in range(6)] for e in (0, 1)]
    assert orders[0] != orders[1]
    lr, hr = source.batch(2)
    tf_lr, tf_hr = first(source, 1, start=2)[0]
    np.testing.assert_allclose(tf_lr, lr / 127.5 - 1, atol=1e-6)
    np.testing.assert_allclose(tf_hr, hr / 127.5 - 1, atol=1e-6)


def test_the_data_thread_ends_with_its_reader(tiny, dataset: Path) -> None:
    batches = open_source(tiny(), dataset).batches(0)
    next(batches)
    assert any(t.name == "vsr-train-data" for t in threading.enumerate())
    batches.close()  # type: ignore[attr-defined]
    assert not any(t.name == "vsr-train-data" for t in threading.enumerate())


def test_unreadable_pictures_are_told_and_left_out(dataset: Path, tmp_path: Path) -> None:
    folder = tmp_path / "extra"
    shutil.copytree(dataset / "train" / "hr", folder)
    (folder / "broken.png").write_bytes(b"not a picture")
    (folder / "notes.txt").write_text("ignored")
    (folder / "folder.png").mkdir()
    faces = load_folder(folder, 32)
    assert faces.pixels.shape == (12, 64, 64, 3)
    assert [p.name for p in faces.unreadable] == ["broken.png"]


@pytest.mark.parametrize("damage", ["body", "gone"])
def test_a_damaged_file_of_a_pair_is_named(tiny, dataset: Path, tmp_path: Path, damage) -> None:
    folder = tmp_path / "faces"
    shutil.copytree(dataset, folder)
    source = open_source(tiny(data={"source": "files", "patch_px": 32}), folder)
    path = folder / "train" / "lr_x2" / "003.png"
    whole = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(whole[:60] + bytes(len(whole) - 120) + whole[-60:])
    with pytest.raises(DataError, match=r"003\.png: cannot be read as a picture"):
        first(source, 6)


def test_what_is_shown_is_told_as_it_is(tiny, dataset: Path, tmp_path: Path) -> None:
    extra = tmp_path / "more"
    extra.mkdir()
    cv2.imwrite(str(extra / "a.png"), np.full((96, 96, 3), 9, np.uint8))
    (extra / "b.png").write_bytes(b"x")
    sizes = {"smallest_px": 40, "fixed_px": 48, "largest_px": 56, "native_share": 0.0}
    for kind in ("memory", "device"):
        data = {"source": kind, "patch_px": 16, **sizes}
        shown = open_source(tiny(data=data, degrade={"share": 0.25}), dataset).shown
        assert shown.sides == (20, 28)
        assert shown.face_width_px == (10, 28)
        assert shown.words.endswith("; 25% of the patches degraded")
        shown = open_source(tiny(data={**data, "extra": [str(extra)]}), dataset).shown
        assert shown.sides == (20, 48)
        assert shown.words.startswith("13 training pictures of faces")
        assert " and of more; " in shown.words
        assert [p.name for p in shown.unreadable] == ["b.png"]
    shown = open_source(tiny(data={"source": "files", "patch_px": 32}), dataset).shown
    assert shown.sides == (32, 32)
    assert "degraded" not in shown.words
    with pytest.raises(UsageError, match=r"extra: got .*expected none with source = 'files'"):
        tiny(data={"source": "files", "extra": [str(extra)]})


def test_sizes_stay_in_the_range_that_is_told(tiny) -> None:
    rng = np.random.default_rng(0)
    for fixed, native, extra in ((0.3, 0.2, False), (0.5, 0.5, False), (0.5, 0.5, True)):
        data = tiny(data={"fixed_share": fixed, "native_share": native}).data
        for full in (40, 64, 200):
            drawn = [reduced_side(data, 2, full, extra, rng) for _ in range(3000)]
            assert (min(drawn), max(drawn)) == side_range(data, 2, full, extra=extra)


def test_bad_folders_are_one_clear_line(tiny, dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is empty; make a data set"):
        open_source(tiny(), tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        load_folder(tmp_path / "nowhere", 32)
    (tmp_path / "broken.png").write_bytes(b"x")
    with pytest.raises(DataError, match="holds 1 files, none readable"):
        open_source(tiny(data={"extra": [str(tmp_path)]}), dataset)
    with pytest.raises(DataError, match="64 px are smaller than the crop of 96 px"):
        open_source(tiny(data={"patch_px": 48}), dataset)
    with pytest.raises(DataError, match="made for scale x2, expected x4"):
        open_source(tiny(data={"source": "files"}, generator={"scale": 4}), dataset)
    with pytest.raises(DataError, match=r"32 px wide, expected data.patch_px = 16; .* --hr 32"):
        open_source(tiny(data={"source": "files"}), dataset)
    with pytest.raises(DataError, match=r"holds 12 pairs, expected at least data.batch = 16"):
        open_source(tiny(data={"source": "files", "batch": 16}), dataset)
    with pytest.raises(DataError, match="patch_px: got 24, expected a multiple of 16"):
        open_source(tiny(data={"source": "device", "patch_px": 24}), dataset)


def test_odd_sized_pictures_of_a_folder(dataset: Path, tmp_path: Path) -> None:
    folder = tmp_path / "extra"
    shutil.copytree(dataset / "train" / "hr", folder)
    cv2.imwrite(str(folder / "large.png"), np.full((80, 96, 3), 7, np.uint8))
    assert load_folder(folder, 32).pixels.shape == (13, 64, 64, 3)
    with pytest.raises(DataError, match="pictures are 64x64, the patches need 65 px"):
        load_folder(folder, 65)
    cv2.imwrite(str(folder / "small.png"), np.full((50, 64, 3), 7, np.uint8))
    with pytest.raises(DataError, match=r"small\.png: is 64x50, the others 64x64"):
        load_folder(folder, 32)


def test_clips_on_the_device_are_the_same_patches(tiny, clips: Path) -> None:
    data = {"patch_px": 8, "batch": 4, "extra": [str(clips)], "extra_share": 0.5}
    memory = open_source(tiny(data=data), clips)
    device = open_source(tiny(data={**data, "source": "device"}), clips)
    for step, pair in enumerate(islice(device.batches(0), 3)):
        for made, expected in zip(pair, memory.batch(step), strict=True):
            levels = np.rint((array(made) + 1) * 127.5)
            np.testing.assert_array_equal(levels, expected)
    assert "degraded by lens, motion, noise and real video encoders" in device.shown.words


def test_validation_faces_are_cut_to_what_an_hourglass_can_halve(tiny, dataset, tmp_path) -> None:
    out = tmp_path / "clips"
    kinds = {"hr": 44, "frames": 3, "group": 4, "scales": (2,), "val": 0.4, "test": 0.0}
    prepare_clips(dataset / "train" / "hr", out, ClipConfig(**kinds))
    recipe = tiny(generator={"context": [8, 8]}, data={"fixed_px": 46})
    for path, side in ((dataset, 20), (out, 20)):  # LR sides of 23 and 22
        faces = open_validation(recipe, path)
        assert faces is not None
        assert faces.clean.shape[1:] == faces.degraded.shape[1:] == (side, side, 3)
        assert faces.hr.shape[1:] == (2 * side, 2 * side, 3)
        assert psnr_y(enlarge_image(faces.degraded[0], 2), faces.hr[0]) > 15
