"""The whole way: contents, reports, resuming after a kill, full disks, refusals."""

import csv
import json
import shutil
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from PIL import Image

from vsr.core.errors import DataError, InputError, OutputError, UsageError
from vsr.train.prepare.build import prepare
from vsr.train.prepare.config import PrepareConfig
from vsr.train.prepare.dataset import open_dataset

SMALL = PrepareConfig(hr=64, val=0.2, test=0.2, jobs=2)

pytestmark = pytest.mark.process


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def tree(path):
    return {p.relative_to(path).as_posix(): p.read_bytes() for p in path.rglob("*.png")}


def test_celeba_from_source_to_training_arrays(celeba, tmp_path):
    seen = []
    result = prepare(
        "celeba",
        celeba,
        tmp_path / "out",
        PrepareConfig(scales=(2, 4)),
        command="vsr prepare celeba …",
        progress=seen.append,
    )
    assert (result.made, result.kept, result.skipped) == (24, 0, 0)
    assert (seen[-1].done, seen[-1].total) == (24, 24)
    data = open_dataset(tmp_path / "out", scale=4)
    assert {s: len(n) for s, n in data.names.items()} == {"train": 16, "val": 4, "test": 4}
    assert data.load_hr("train").shape == (16, 128, 128, 3)
    assert data.load_lr("val", limit=2).shape == (2, 32, 32, 3)
    assert [hr.name for _, hr in data.pairs("val")] == [f"0000{n}.png" for n in range(17, 21)]
    data.verify()
    index = rows(tmp_path / "out" / "index.csv")
    persons = {s: {r["identity"] for r in index if r["split"] == s} for s in data.names}
    assert not persons["train"] & (persons["val"] | persons["test"])
    text = (tmp_path / "out" / "CARD.md").read_text()
    for word in (
        "non-commercial",
        "| train | 16 | 8 |",
        "x2: 64, x4: 32",
        "crop 178",
        "vsr prepare celeba …",
    ):
        assert word in text
    assert str(tmp_path) not in json.dumps(result.card)


def test_unreadable_and_small_files_are_reported_and_skipped(faces, tmp_path, face, broken_jpeg):
    (faces / "person 1" / "broken.jpg").write_bytes(broken_jpeg)
    (faces / "person 1" / "empty.png").touch()
    (faces / "person 1" / "text.jpg").write_text("no picture")
    face(5, 40, 60).save(faces / "person 1" / "small.png")
    result = prepare("folder", faces, tmp_path / "out", SMALL)
    assert result.made == 20
    report = {r["source"]: (r["reason"], r["detail"]) for r in rows(result.folder / "skipped.csv")}
    assert set(report) == {f"person 1/{n}" for n in ("broken.jpg", "empty.png", "text.jpg")} | {
        "person 1/small.png"
    }
    assert report["person 1/small.png"] == ("too small", "40 px, HR wants 64")
    assert report["person 1/empty.png"] == ("unreadable", "empty file")
    assert result.card["skipped"]["reasons"] == {"unreadable": 3, "too small": 1}
    assert "unreadable" in (result.folder / "CARD.md").read_text()


def test_upscaling_only_when_asked(faces, tmp_path):
    with pytest.raises(
        DataError,
        match=r"none of its images can be used \(too small: 20, e.g. .*: "
        r"96 px, HR wants 128\); try a smaller --hr, or --allow-upscale",
    ):
        prepare("folder", faces, tmp_path / "out", PrepareConfig())
    assert [p.name for p in tmp_path.iterdir()] == ["faces"]
    result = prepare("folder", faces, tmp_path / "out", PrepareConfig(allow_upscale=True))
    assert result.made == 20


def test_second_run_changes_nothing(faces, tmp_path):
    first = prepare("folder", faces, tmp_path / "out", SMALL)
    stamps = {p: p.stat().st_mtime_ns for p in first.folder.rglob("*")}
    again = prepare("folder", faces, tmp_path / "out", SMALL)
    assert (again.made, again.kept) == (0, 20)
    assert again.card == first.card
    assert stamps == {p: p.stat().st_mtime_ns for p in first.folder.rglob("*")}


def test_new_changed_and_lost_files_are_made_and_others_kept(faces, tmp_path, face):
    cfg = PrepareConfig(hr=64, val=0, test=0)
    before = prepare("folder", faces, tmp_path / "out", cfg)
    face(77, 96, 112).save(faces / "person 0" / "new.png")
    face(78, 96, 112).save(faces / "person 0" / "0.png")
    (faces / "person 4" / "3.png").unlink()
    (before.folder / "train" / "lr_x2" / "person_2_1.png").unlink()
    after = prepare("folder", faces, tmp_path / "out", cfg)
    assert (after.made, after.kept) == (3, 17)
    clean = prepare("folder", faces, tmp_path / "clean", cfg)
    assert tree(after.folder) == tree(clean.folder)
    assert after.card["splits"] == clean.card["splits"]
    assert not (tmp_path / "out.partial").exists()


KILLED = """
import sys
from pathlib import Path
from vsr.train.prepare.build import prepare
from vsr.train.prepare.config import PrepareConfig
cfg = PrepareConfig(hr=64, val=0.2, test=0.2, jobs=2)
prepare("folder", Path(sys.argv[1]), Path(sys.argv[2]), cfg)
"""


def test_killed_run_goes_on_and_ends_equal(tmp_path, face):
    source = tmp_path / "many"
    source.mkdir()
    pictures = [face(n, 400, 400) for n in range(4)]
    for n in range(120):
        pictures[n % 4].save(source / f"{n:03d}.bmp")
    run = subprocess.Popen([sys.executable, "-c", KILLED, source, tmp_path / "out"])
    partial = tmp_path / "out.partial"
    deadline = time.monotonic() + 60
    while len(list(partial.glob("*/hr/*.png"))) < 20 and time.monotonic() < deadline:
        assert run.poll() is None
        time.sleep(0.005)
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert not (tmp_path / "out").exists()
    with pytest.raises(DataError, match=r"out: is unfinished \(out.partial\); run the same"):
        open_dataset(tmp_path / "out")
    with pytest.raises(DataError, match="is unfinished"):
        open_dataset(partial)
    # what a power cut may leave: a file cut short under its final name, and a stray one
    victim = sorted(partial.glob("*/hr/*.png"))[0]
    victim.write_bytes(victim.read_bytes()[:-20])
    (partial / "train" / "hr" / ".1.png.77.partial").write_bytes(b"half")
    result = prepare("folder", source, tmp_path / "out", SMALL)
    assert result.made + result.kept == 120
    assert 19 <= result.kept < 120
    clean = prepare("folder", source, tmp_path / "clean", SMALL)
    assert tree(result.folder) == tree(clean.folder)
    assert not list(result.folder.rglob("*partial*"))
    assert not list(result.folder.rglob("unfinished.json"))


def test_other_settings_need_overwrite(faces, tmp_path):
    prepare("folder", faces, tmp_path / "out", SMALL)
    other = PrepareConfig(hr=32, val=0.2, test=0.2)
    with pytest.raises(OutputError, match=r"hr 64 and now 32.*--overwrite"):
        prepare("folder", faces, tmp_path / "out", other)
    assert open_dataset(tmp_path / "out").hr_size == 64
    result = prepare("folder", faces, tmp_path / "out", other, overwrite=True)
    assert open_dataset(result.folder).hr_size == 32
    assert sorted(p.name for p in tmp_path.iterdir()) == ["faces", "out"]


def test_failed_overwrite_leaves_the_old_one(faces, tmp_path):
    prepare("folder", faces, tmp_path / "out", SMALL)
    with pytest.raises(DataError, match="too small"):
        prepare("folder", faces, tmp_path / "out", PrepareConfig(hr=256), overwrite=True)
    assert open_dataset(tmp_path / "out").hr_size == 64


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("faces/out", "lies inside its source"),
        ("faces", "lies inside its source"),
        ("none/out", "the folder .*none does not exist"),
        ("file", "is a file; choose another name"),
        ("other", "holds other files and no data set"),
        ("odd", "odd.partial: holds other files"),
    ],
)
def test_bad_outputs_are_refused_before_work(faces, tmp_path, where, message):
    (tmp_path / "file").touch()
    for name in ("other", "odd.partial"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "holiday.jpg").touch()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(OutputError, match=message):
        prepare("folder", faces, tmp_path / where, SMALL, overwrite=True)
    assert sorted(tmp_path.rglob("*")) == before


def test_bad_sources_are_one_line(faces, tmp_path):
    (tmp_path / "empty").mkdir()
    for layout, source, error, message in (
        ("folder", tmp_path / "none", InputError, "no such folder"),
        ("folder", faces / "person 0" / "0.png", InputError, "is a file, expected a folder"),
        ("folder", tmp_path / "empty", DataError, "no image in it"),
        ("imfdb", tmp_path / "empty", DataError, "no image in it"),
        ("chokepoint", tmp_path / "empty", DataError, "no released crops"),
        ("celeb", faces, UsageError, "did you mean 'celeba'"),
    ):
        with pytest.raises(error, match=message) as caught:
            prepare(layout, source, tmp_path / "out", SMALL)
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "out.partial").exists()


@pytest.fixture
def mount(tmp_path):
    """Mounts a small tmpfs; skips where that is not allowed."""
    folder = tmp_path / "small disk"
    folder.mkdir()

    def call(options):
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("a tmpfs cannot be mounted here")
        return folder

    yield call
    subprocess.run(["umount", str(folder)], capture_output=True)


def test_full_disk_is_one_line_and_the_run_goes_on_later(mount, tmp_path, face):
    source = tmp_path / "noise"
    source.mkdir()
    rng = np.random.default_rng(0)
    picture = np.asarray(face(1, 300, 300)).astype(int)
    for n in range(40):
        rough = np.clip(picture + rng.integers(-60, 60, picture.shape), 0, 255)
        Image.fromarray(rough.astype(np.uint8)).save(source / f"{n:02d}.png")
    disk = mount("size=1m")
    cfg = PrepareConfig(hr=128)
    with pytest.raises(OutputError, match=r"No space left on device.* resumes where it") as caught:
        prepare("folder", source, disk / "out", cfg)
    assert "\n" not in str(caught.value)
    assert not (disk / "out").exists()
    assert not list((disk / "out.partial").rglob("*.partial"))
    left = [p for p in (disk / "out.partial").rglob("*") if p.is_file()]
    assert 5 < len(left) < 80
    for path in left:
        assert path.name == "unfinished.json" or path.read_bytes().endswith(b"IEND\xae\x42\x60\x82")
    subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)
    result = prepare("folder", source, disk / "out", cfg)
    assert result.made + result.kept == 40
    assert result.kept >= 2
    assert not list((disk / "out").rglob("*.partial"))
    open_dataset(disk / "out").verify()


def test_disk_full_from_the_start(mount, faces):
    disk = mount("size=1m")
    (disk / "filler").write_bytes(b"0" * (1 << 20))
    with pytest.raises(OutputError, match="No space left on device"):
        prepare("folder", faces, disk / "out", SMALL)
    assert not (disk / "out").exists()
    (disk / "filler").unlink()
    assert prepare("folder", faces, disk / "out", SMALL).made == 20


def test_read_only_disk_and_mount_point_are_refused(mount, faces):
    disk = mount("size=1m,ro")
    with pytest.raises(OutputError, match=r"cannot be written to \(Read-only file system\)"):
        prepare("folder", faces, disk / "out", SMALL)
    with pytest.raises(OutputError, match="is a mount point; choose a folder inside it"):
        prepare("folder", faces, disk, SMALL)


def test_real_celeba_validation_protocol(real_data, tmp_path):
    """Real images: HR is the area-reduced centre crop, LR Pillow's bicubic of it."""
    source = real_data / "celeba"
    result = prepare("celeba", source, tmp_path / "out", PrepareConfig(limit=30))
    assert result.made == 60
    data = open_dataset(tmp_path / "out", scale=2, crop=128)
    for (_, path), hr, lr in zip(
        data.pairs("val"), data.load_hr("val"), data.load_lr("val"), strict=True
    ):
        picture = np.asarray(Image.open(source / "img_align_celeba" / f"{path.stem}.jpg"))
        wanted = cv2.resize(picture[20:198], (128, 128), interpolation=cv2.INTER_AREA)
        assert np.array_equal(hr, wanted)
        assert np.array_equal(lr, np.asarray(Image.fromarray(hr).resize((64, 64), Image.BICUBIC)))


def test_ctrl_c_leaves_no_data_set_under_the_name(tmp_path, face):
    source = tmp_path / "many"
    source.mkdir()
    face(1, 400, 400).save(source / "000.bmp")
    for n in range(1, 600):
        (source / f"{n:03d}.bmp").hardlink_to(source / "000.bmp")
    run = subprocess.Popen(
        [sys.executable, "-c", KILLED, source, tmp_path / "out"], stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 60
    pattern = "out.partial/*/hr/*.png"
    while len(list(tmp_path.glob(pattern))) < 20 and time.monotonic() < deadline:
        time.sleep(0.005)
    run.send_signal(signal.SIGINT)
    start = time.monotonic()
    _, words = run.communicate(timeout=30)
    assert time.monotonic() - start < 5
    assert run.returncode == -signal.SIGINT, words
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.rglob("*.png.*"))
