"""``vsr prepare clips``: stills and videos to degraded clips, and what training reads of them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from vsr.core.errors import DataError, OutputError
from vsr.train.clips import open_clip_source
from vsr.train.prepare import clips as builder
from vsr.train.prepare.clipconfig import ClipConfig
from vsr.train.prepare.clips import prepare_clips
from vsr.train.prepare.clipset import open_clipset
from vsr.train.prepare.dataset import open_dataset
from vsr.train.recipe import DataConfig

pytestmark = pytest.mark.process

SMALL = {"hr": 32, "frames": 3, "group": 4, "scales": (2,), "val": 0.25, "test": 0.0}


def still(path: Path, seed: int, side: int = 48) -> None:
    noise = np.random.default_rng(seed).integers(0, 256, (side, side, 3)).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.GaussianBlur(noise, (0, 0), 1.5))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten stills of five persons, one too small, one broken."""
    root = tmp_path_factory.mktemp("stills")
    for index in range(10):
        still(root / f"person{index // 2}" / f"{index}.png", index)
    still(root / "person0" / "small.png", 99, 20)
    (root / "person1" / "broken.png").write_bytes(b"no image")
    return root


@pytest.fixture(scope="module")
def made(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sets") / "clips"
    prepare_clips(source, out, ClipConfig(**SMALL), command="vsr prepare clips")
    return out


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*.npy"))}


def test_a_data_set_holds_clips_their_versions_and_where_they_come_from(made: Path) -> None:
    clips = open_clipset(made, scale=2, crop=32)
    assert clips.count("train") + clips.count("val") == 10
    shards = clips.shards("train")
    assert sum(len(s.hr) for s in shards) == clips.count("train")
    assert shards[0].hr.shape[1:] == (3, 32, 32, 3)
    assert shards[0].lr.shape[1:] == (1, 3, 16, 16, 3)
    for shard in shards:  # LR is the same clip: nearer to its own HR than to another's
        small = np.stack([[cv2.resize(f, (16, 16), interpolation=3) for f in c] for c in shard.hr])
        near = np.abs(shard.lr[:, 0].astype(float) - small).mean(axis=(1, 2, 3, 4))
        far = np.abs(shard.lr[:, 0].astype(float) - small[::-1]).mean(axis=(1, 2, 3, 4))
        assert len(shard.hr) < 2 or near.mean() < far.mean()
    with (made / "index.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 10
    splits = {
        split: {r["identity"] for r in rows if r["split"] == split} for split in ("train", "val")
    }
    assert not splits["train"] & splits["val"]
    assert all(json.loads(r["degradations"])["lr_x2"][0]["preset"] for r in rows)
    with (made / "skipped.csv").open() as file:
        reasons = {r["source"]: r["reason"] for r in csv.DictReader(file)}
    assert reasons == {"person0/small.png": "too small", "person1/broken.png": "unreadable"}
    assert "by real encoders" in (made / "CARD.md").read_text()


def test_a_stopped_run_resumes_to_the_same_files(
    source: Path, made: Path, tmp_path: Path, monkeypatch
) -> None:
    whole = builder._shard
    seen: list[int] = []

    def broken(group, *rest):
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(group.index)
        return whole(group, *rest)

    monkeypatch.setattr(builder, "_shard", broken)
    cfg = ClipConfig(**SMALL, jobs=1)
    with pytest.raises(KeyboardInterrupt):
        prepare_clips(source, tmp_path / "clips", cfg)
    assert not (tmp_path / "clips").exists()
    monkeypatch.setattr(builder, "_shard", whole)
    stamps = {p: p.stat().st_mtime_ns for p in (tmp_path / "clips.partial").rglob("*.npy")}
    assert stamps
    prepare_clips(source, tmp_path / "clips", cfg)
    assert files(tmp_path / "clips") == files(made)
    for path, stamp in stamps.items():  # what stood was not made again
        moved = tmp_path / "clips" / path.relative_to(tmp_path / "clips.partial")
        assert moved.stat().st_mtime_ns == stamp


def test_other_settings_are_refused_and_another_seed_differs(
    source: Path, made: Path, tmp_path: Path
) -> None:
    with pytest.raises(OutputError, match=r"exists with other settings \(seed 0 and now 5"):
        prepare_clips(source, made, ClipConfig(**SMALL, seed=5))
    prepare_clips(source, tmp_path / "other", ClipConfig(**SMALL, seed=5))
    assert files(tmp_path / "other") != files(made)


def test_patches_depend_on_seed_and_step_alone(made: Path) -> None:
    data = DataConfig(patch_px=8, batch=4)
    one, two = (open_clip_source(made, data, 2, seed=1) for _ in range(2))
    lr, hr = one.batch(7)
    assert lr.shape == (4, 8, 8, 3)
    assert hr.shape == (4, 16, 16, 3)
    np.testing.assert_array_equal(lr, two.batch(7)[0])
    assert (lr != one.batch(8)[0]).any()
    small = np.stack([cv2.resize(h, (8, 8), interpolation=cv2.INTER_AREA) for h in hr])
    assert np.corrcoef(small.ravel(), lr.ravel())[0, 1] > 0.5


def test_what_does_not_fit_is_one_line(made: Path, source: Path, tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match="made for scale x2, expected x4; prepare it with --scale 4"
    ):
        open_clipset(made, scale=4, crop=32)
    with pytest.raises(DataError, match="32 px are smaller than the patches of 64 px"):
        open_clip_source(made, DataConfig(patch_px=32), 2, seed=0)
    with pytest.raises(DataError, match="not the card of a vsr data set"):
        open_dataset(made)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no image and no video"):
        prepare_clips(tmp_path / "empty", tmp_path / "out", ClipConfig(**SMALL))
    with pytest.raises(DataError, match=r"not one clip could be made of it \(.*too small"):
        prepare_clips(source, tmp_path / "out", ClipConfig(**{**SMALL, "hr": 512}))
    assert not (tmp_path / "out").exists()


def test_a_video_gives_clips_of_its_faces(tmp_path: Path) -> None:
    video = next(iter((Path(__file__).parents[2] / "sample_videos").glob("surveillance*.mp4")))
    (tmp_path / "source" / "someone").mkdir(parents=True)
    (tmp_path / "source" / "someone" / video.name).write_bytes(video.read_bytes())
    cfg = ClipConfig(hr=48, frames=4, group=4, val=0.0, test=0.0, per_video=2)
    card = prepare_clips(tmp_path / "source", tmp_path / "clips", cfg)
    assert card["splits"]["train"] == card["splits"]["train"] | {"clips": 2, "identities": 1}
    with (tmp_path / "clips" / "index.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [r["identity"] for r in rows] == ["someone"] * 2
    assert all(r["place"].startswith("track ") for r in rows)
