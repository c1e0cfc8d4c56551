"""A folder of videos through the batch command."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import av
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from batch_helpers import FAST, ROOT, contents, rows_of

from vsr.batch.job import Job
from vsr.batch.plan import BatchRequest, plan
from vsr.batch.storage import open_storage
from vsr.batch.videos import plan_videos
from vsr.core.errors import UsageError
from vsr.media.binary import ffmpeg_exe
from vsr.media.probe import probe
from vsr.run.recipe import load_recipe


def short_sample(folder: Path) -> Path:
    """Fourteen frames or so of the sample without a face, copied."""
    out = folder / "no_face.mp4"
    cut = ("-i", ROOT / "sample_videos/no_face.mp4", "-t", "0.4", "-c", "copy", out)
    command = [ffmpeg_exe(), "-v", "error", *map(str, cut)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return out


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> Path:
    """Two good videos, one beside a folder of its name, two of one stem, one broken."""
    root = tmp_path_factory.mktemp("videos")
    sample = short_sample(tmp_path_factory.mktemp("sample"))
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


def test_each_run_can_be_repeated_from_where_its_manifest_lies(near, out):
    done = near("rerun", out / "hall/door/one.mp4.json")
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


def test_a_second_run_keeps_what_is_done(near, videos, out):
    before = contents(out)
    done = near("batch", videos, "-o", out, "--dataset", "videos", *FAST, "--json")
    assert done.code == 9
    totals = done.json()["totals"]
    assert (totals["sequences"], totals["kept"], totals["failed"]) == (5, 4, 1)
    assert contents(out) == before
    listed = near("batch", videos, "-o", out, "--dataset", "videos", "--list", "--json").json()
    assert len(listed["sequences"]) == 5


def planned(root: Path | str, out: Path | str, only: tuple[str, ...] = (), **more) -> list[Job]:
    request = BatchRequest(
        dataset="videos", root=open_storage(str(root)), out=str(out), only=only,
        recipe=load_recipe("restore", [("upscale", "model", "bicubic")]), **more,
    )  # fmt: skip
    return plan(request)[1]


def test_names_do_not_depend_on_what_is_chosen(tmp_path):
    for name in ("one.mp4", "one.mov", "two.mp4"):
        (tmp_path / name).write_bytes(b"video")
    assert [j.name for j in planned(tmp_path, "out")] == ["one.mov", "one.mp4", "two"]
    assert [j.name for j in planned(tmp_path, "out", ("*.mp4",))] == ["one.mp4", "two"]


def test_results_are_not_sources_however_their_place_is_spelled(tmp_path):
    for path in ("one.mp4", "out/one.mp4"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(b"video")
    for out in (tmp_path / "out", f"file://{tmp_path}/out", f"{tmp_path}/x/../out/"):
        jobs = planned(f"file://{tmp_path}", out)
        assert [j.source for j in jobs] == ["one.mp4"]
        assert jobs[0].out == str(tmp_path / "out") or ".." in str(out)
    with pytest.raises(UsageError, match="the same folder"):
        planned(tmp_path, f"file://{tmp_path}")


def test_results_in_a_bucket_are_not_sources(bucket):
    root = open_storage(f"{bucket}/videos")
    for path in ("one.mp4", "out/one.mp4"):
        root.write_text(path, "video")
    assert [j.source for j in planned(root.url, f"{root.url}/out/")] == ["one.mp4"]
    with pytest.raises(UsageError, match="the same folder"):
        planned(root.url, f"{root.url}/")


def test_videos_beside_unpacked_archives_count_too(tmp_path):
    root, into = tmp_path / "root", tmp_path / "into"
    for path in (root / "one.mp4", root / "same.mp4", into / "hall/two.mp4", into / "same.mp4"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"video")
    jobs = planned(root, tmp_path / "out", unpacked=open_storage(str(into)))
    assert [(j.name, j.root) for j in jobs] == [
        ("one", str(root)), ("same", str(root)), ("hall/two", str(into)),
    ]  # fmt: skip


def test_what_a_run_reads_is_taken_and_the_rest_is_named(tmp_path):
    """By name: a file that nothing here reads is told, not passed over in silence."""
    film = ("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=0.2")

    def make(*words):
        command = [ffmpeg_exe(), "-v", "error", *map(str, words)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)

    made = {
        "a.mp4": (), "b.vob": (), "c.mxf": ("-c:v", "mpeg2video"), "d.h264": (), "e.hevc": (),
        "f.m2v": (), "g.gif": (), "h.mjpeg": (), "i.ogv": (), "j.nut": (), "k.y4m": (),
        "l.ivf": ("-c:v", "libvpx"), "m.dav": ("-f", "h264"), "n.tod": ("-f", "mpegts"),
        "o.m2ts": ("-f", "mpegts", "-mpegts_m2ts_mode", 1),
    }  # fmt: skip
    for name, words in made.items():
        make(*film, *words, tmp_path / name)
    (tmp_path / "notes.txt").write_text("no video")
    for number in range(3):
        make(*film, "-frames:v", 1, "-update", 1, tmp_path / f"{number}.PNG")
    settings = {"recipe": {"encode": {"codec": "h264"}}}
    jobs, notices = plan_videos(open_storage(str(tmp_path)), "", settings)
    assert [job.source for job in jobs] == sorted(made)
    for job in jobs:
        assert probe(tmp_path / job.source).width == 64
    (told,) = notices
    assert "passed over" in told
    assert "3 .png (0.PNG, …), 1 .txt (notes.txt);" in told
    (tmp_path / "notes.txt").unlink()
    assert plan_videos(open_storage(str(tmp_path)), "", settings, ("*.mp4",))[1] == []


def test_frames_that_a_video_lost_are_counted_and_the_exit_code_says_so(near, tmp_path):
    """A damaged packet in the middle costs some frames; the rest is made."""
    data, out = tmp_path / "data", tmp_path / "out"
    data.mkdir()
    source = data / "hurt.mp4"
    clip = ("-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=4", "-c:v", "libx264", "-g", "10")
    subprocess.run([ffmpeg_exe(), "-v", "error", *clip, source], check=True)
    damaged = bytearray(source.read_bytes())
    at = len(damaged) // 3
    for place in range(at, at + 3000):
        damaged[place] = (damaged[place] * 7 + place) % 256
    source.write_bytes(damaged)
    short_sample(tmp_path).rename(data / "whole.mp4")
    for _ in range(2):  # made, and kept
        done = near("batch", data, "-o", out, "--dataset", "videos", *FAST)
        row = rows_of(out)["hurt"]
        assert (done.code, row["status"]) == (8, "ok")
        assert 0 < row["skipped"] == 100 - row["frames"]
        said = f"{row['skipped']} frames in 1 of 2 could not be read or fitted"
        assert said in done.stderr
