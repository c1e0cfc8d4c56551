"""A folder of videos through the batch command."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import av
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from batch_helpers import FAST, ROOT, contents, rows_of


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> Path:
    """Two good videos, one beside a folder of its name, two of one stem, one broken."""
    root = tmp_path_factory.mktemp("videos")
    sample = ROOT / "sample_videos/no_face.mp4"
    (root / "hall/door").mkdir(parents=True)
    shutil.copy(sample, root / "hall.mp4")
    shutil.copy(sample, root / "hall/door/one.mp4")
    shutil.copy(sample, root / "hall/one.mp4")
    shutil.copy(sample, root / "hall/one.mov")
    (root / "hall/broken.mkv").write_bytes(b"no video")
    (root / "hall/notes.txt").write_text("no video either")
    return root


@pytest.fixture(scope="module")
def out(vsr, videos) -> Path:
    folder = videos / "results"  # below the root: results are not taken for sources
    done = vsr("batch", videos, "-o", folder, "--dataset", "videos", *FAST)
    assert done.code == 9, done.stderr
    assert "1 of 5 failed" in done.stderr
    return folder


def test_folders_and_names_are_kept(out):
    assert set(contents(out)) == {
        f"{name}{end}"
        for name in ("hall.mp4", "hall/door/one.mp4", "hall/one.mp4.mp4", "hall/one.mov.mov")
        for end in ("", ".json")
    }


def test_each_run_can_be_repeated_from_where_its_manifest_lies(vsr, out):
    done = vsr("rerun", out / "hall/door/one.mp4.json")
    assert done.code == 0, done.stderr
    assert "one.mp4: the same file, byte for byte" in done.stdout


def test_rows_say_what_became_of_each(videos, out):
    rows = rows_of(out)
    assert rows["hall/broken"]["status"] == "failed"
    assert "hall/broken.mkv" in rows["hall/broken"]["reason"]
    with av.open(str(videos / "hall.mp4")) as container:
        count = sum(1 for _ in container.decode(video=0))
    for name in ("hall", "hall/door/one", "hall/one.mp4", "hall/one.mov"):
        assert (rows[name]["status"], rows[name]["frames"], rows[name]["faces"]) == ("ok", count, 0)


def test_timing_is_the_sources_own(videos, out):
    def times(path: Path) -> list[float]:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            return [float(f.pts * stream.time_base) for f in container.decode(stream)]

    assert times(out / "hall/door/one.mp4") == times(videos / "hall/door/one.mp4")


def test_a_second_run_keeps_what_is_done(vsr, videos, out):
    before = contents(out)
    done = vsr("batch", videos, "-o", out, "--dataset", "videos", *FAST, "--json")
    assert done.code == 9
    totals = done.json()["totals"]
    assert (totals["sequences"], totals["kept"], totals["failed"]) == (5, 4, 1)
    assert contents(out) == before
    listed = vsr("batch", videos, "-o", out, "--dataset", "videos", "--list", "--json").json()
    assert len(listed["sequences"]) == 5
