"""Folders and buckets keep one contract."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vsr.batch.job import Job, Row
from vsr.batch.journal import begun, check, claim_outputs, log, write_marker
from vsr.batch.storage import Storage, open_storage, path_below, prepare_output
from vsr.core.errors import InputError, OutputError, UsageError


@pytest.fixture(params=["folder", "bucket"])
def storage(request, tmp_path) -> Storage:
    """An empty root, prepared for output."""
    if request.param == "folder":
        location = str(tmp_path / "root")
    else:
        location = f"{request.getfixturevalue('bucket')}/{tmp_path.name}"
    made = open_storage(location)
    prepare_output(made)
    return made


def test_text_is_written_read_and_replaced(storage):
    assert storage.read_text("a/b.json") is None
    storage.write_text("a/b.json", "één")
    storage.write_text("a/b.json", "zwei")
    assert storage.read_text("a/b.json") == "zwei"
    assert storage.read_bytes("a/b.json") == b"zwei"
    assert storage.size("a/b.json") == 4
    assert storage.size("a") in (None, storage.size("a"))
    assert storage.size("nothing") is None


def test_entries_are_the_files_below_sorted_without_hidden_ones(storage):
    for path in ("b/2.jpg", "b/1.jpg", "a.txt", ".vsr/done/x.json", "b/.hidden"):
        storage.write_text(path, path)
    entries = list(storage.entries())
    assert sorted(e.path for e in entries) == ["a.txt", "b/1.jpg", "b/2.jpg"]
    assert {e.path: e.size for e in entries} == {"a.txt": 5, "b/1.jpg": 7, "b/2.jpg": 7}
    stamps = {e.path: e.stamp for e in entries}
    assert all(stamps.values())
    storage.write_text("a.txt", "other")
    assert next(e for e in storage.entries() if e.path == "a.txt").stamp != stamps["a.txt"]


def test_files_and_folders_are_fetched(storage, tmp_path):
    for name in ("1.jpg", "2.jpg", "3.jpg"):
        storage.write_text(f"seq/{name}", name)
    into = tmp_path / "into"
    into.mkdir()
    assert storage.fetch("seq/2.jpg", into).read_text() == "2.jpg"
    folder = storage.fetch_folder("seq", ("1.jpg", "3.jpg"), tmp_path / "frames")
    assert [(folder / n).read_text() for n in ("1.jpg", "3.jpg")] == ["1.jpg", "3.jpg"]


def test_made_files_and_folders_are_placed_and_replace_what_was_there(storage):
    for names in (("1.png", "2.png"), ("2.png", "3.png")):
        with storage.scratch("P1E/S1") as folder:
            (folder / "video.mp4").write_bytes(b"video" * len(names[0]))
            for name in names:
                (folder / "faces/0001").mkdir(parents=True, exist_ok=True)
                (folder / "faces/0001" / name).write_text(name)
            storage.place(folder / "video.mp4", "P1E.mp4")
            storage.place(folder / "faces", "P1E")
        assert not folder.exists()
        assert storage.count("P1E/") == 2
        assert storage.size("P1E.mp4") == 25
    paths = [e.path for e in storage.entries()]
    assert sorted(paths) == ["P1E.mp4", "P1E/0001/2.png", "P1E/0001/3.png"]


def test_removing_takes_one_name_and_all_below_it(storage):
    for path in ("P2E.1/a.png", "P2E.1/b/c.png", "P2E.10/a.png", "P2E.1.mp4"):
        storage.write_text(path, "x")
    storage.remove("P2E.1")
    storage.remove("never there")
    assert sorted(e.path for e in storage.entries()) == ["P2E.1.mp4", "P2E.10/a.png"]
    assert storage.count("P2E.1") == 0
    storage.remove("P2E.1.mp4")
    assert storage.size("P2E.1.mp4") is None


def test_a_job_is_done_only_with_its_marker_and_all_its_outputs(storage, tmp_path):
    job = Job(name="P1E", kind="chokepoint", root="x", source="x", out=storage.url,
              settings={"a": 1}, source_print="s")  # fmt: skip
    assert check(storage, job).standing == "open"
    claim_outputs(storage, job, ["P1E.mp4", "P1E/"])
    assert check(storage, job).standing == "open"
    storage.write_text("P1E.mp4", "video")
    storage.write_text("P1E/0001/1.png", "picture")
    assert check(storage, job).standing == "open"
    row = Row(sequence="P1E", status="ok", frames=3)
    write_marker(storage, job, row, {"P1E.mp4": 5, "P1E/": 1})
    found = check(storage, job)
    assert found.standing == "done"
    assert found.row is not None
    assert (found.row.frames, found.row.kept) == (3, True)
    storage.remove("P1E/0001/1.png")
    assert check(storage, job).standing == "open"


def test_what_others_put_there_is_foreign(storage):
    storage.write_text("P1E/mine.txt", "precious")
    job = Job(name="P1E", kind="chokepoint", root="x", source="x", out=storage.url)
    assert check(storage, job).standing == "foreign"


def test_a_manifest_of_others_is_foreign(storage):
    storage.write_text("one.mp4.json", "precious")
    storage.write_text("two/three.mp4.json", "beside no video of ours")
    video = {"kind": "videos", "root": "x", "source": "x", "out": storage.url}
    assert check(storage, Job(name="one", **video)).standing == "foreign"
    assert check(storage, Job(name="two", **video)).standing == "open"


def test_an_output_is_begun_with_its_first_line(storage):
    assert not begun(storage)
    log(storage, "batch")
    assert begun(storage)


def test_the_journal_keeps_every_line_in_order(storage):
    for number in range(5):
        log(storage, "ok", f"job {number}")
    if isinstance(getattr(storage, "root", None), Path):
        lines = (storage.read_text(".vsr/journal.jsonl") or "").splitlines()
    else:
        names = sorted(storage._fs.find(storage._key(".vsr/journal.jsonl")))
        lines = [storage._fs.cat_file(n).decode() for n in names]
    assert [json.loads(line)["job"] for line in lines] == [f"job {n}" for n in range(5)]


def test_no_path_leads_out(storage):
    for path in ("../other", "/etc/passwd", "a/../../b"):
        with pytest.raises(UsageError, match="leads out of"):
            storage.write_text(path, "x")


def test_what_is_not_there_is_told_in_one_line(storage, tmp_path):
    with pytest.raises(InputError, match=r"nothing\.xml: cannot be read"):
        storage.read_bytes("nothing.xml")


def test_an_empty_or_missing_bucket_is_told(bucket):
    with pytest.raises(InputError, match="s3://chokepoint-data/empty: holds nothing"):
        list(open_storage(f"{bucket}/empty").entries())
    with pytest.raises(OutputError, match=r"s3://no-such-bucket/out/.*: cannot be written"):
        prepare_output(open_storage("s3://no-such-bucket/out"))


@pytest.mark.parametrize("location", ["s3://", "s3:///a", "s3://bucket/../a", "s3://bucket/a//b"])
def test_places_that_are_none_are_refused(location):
    pytest.importorskip("s3fs", reason="s3fs is not installed (extra 's3')")
    with pytest.raises(UsageError, match="expected s3://BUCKET/PREFIX"):
        open_storage(location)


@pytest.mark.parametrize(
    ("location", "root", "below"),
    [
        ("s3://b/videos/", "s3://b/videos", "."),
        ("s3://b/videos/out", "s3://b/videos/", "out"),
        ("s3://b/videos2", "s3://b/videos", None),
        ("s3://b/videos", "videos", None),
        ("file:///tmp/videos/a/../out", "/tmp/videos", "out"),
        ("/tmp/videos", "file:///tmp/videos", "."),
        ("/tmp", "/tmp/videos", None),
    ],
)
def test_a_place_below_another_is_recognised(location, root, below):
    pytest.importorskip("s3fs", reason="s3fs is not installed (extra 's3')")
    assert path_below(location, open_storage(root)) == below


def test_other_schemes_are_refused():
    with pytest.raises(UsageError, match="got the scheme 'gs', expected a folder or s3://"):
        open_storage("gs://bucket/a")
