"""The reader: layouts and oddities, archives and their dangers, names from label files."""

from __future__ import annotations

import io
import json
import os
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from batch_helpers import contents

from vsr.batch.archives import extract_folder, members, unpack
from vsr.batch.chokepoint import count_labels, find
from vsr.batch.job import Job, Row, fingerprint
from vsr.batch.making import labels_of
from vsr.batch.persons import Labels, safe_name
from vsr.batch.plan import BatchRequest, plan, unpack_archives
from vsr.batch.storage import LocalStorage, open_storage
from vsr.core.errors import DataError, InputError, OutputError, UsageError
from vsr.faces.annotations import parse_annotations, read_annotations
from vsr.run.recipe import load_recipe

XML = b"""<?xml version="1.0"?><dataset name="P1E_S1_C1">
<frame number="00000000"/>
<frame number="00000001"><person id="0003"><leftEye x="100" y="90"/><rightEye x="120" y="90"/>
</person><person id="0003"><leftEye x="300" y="90"/><rightEye x="330" y="90"/></person></frame>
<frame number="00000002" deleted="true"/>
<frame number="00000007"><person id="Unknown"><leftEye x="5" y="9"/></person>
<person id="0004"><leftEye x="5" y="9"/><rightEye x="5" y="9"/></person></frame>
</dataset>"""


def touch(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(XML if path.endswith(".xml") else b"x")
    return root


def test_layouts_and_stray_files(tmp_path):
    touch(
        tmp_path,
        "P1E_S1_C1/00000000.jpg", "P1E_S1_C1/00000007.JPG", "P1E_S1_C1/.directory",
        "P1E_S1_C1/Thumbs.db", "P1E_S1_C1/0000001.jpg", "P1E_S1_C1/copy of 00000001.jpg",
        "P1E_S2/P1E_S2_C1/P1E_S2_C1/00000100.jpg",
        "P2E_S1/P2E_S1_C2/P2E_S1_C2.1/00000300.jpeg", "P2E_S1/P2E_S1_C2/P2E_S1_C2.2/00000000.jpg",
        "groundtruth/groundtruth/P1E_S1_C1.xml", "groundtruth/P9E_S9_C9.xml",
        "groundtruth/P2L_S1_C1.xml", ".hidden/P1L_S1_C1/00000000.jpg",
    )  # fmt: skip
    (tmp_path / "P1L_S2_C2").mkdir()
    found = find(open_storage(str(tmp_path)))
    by_name = {s.name: s for s in found.sequences}
    assert list(by_name) == ["P1E_S1_C1", "P1E_S2_C1", "P1L_S2_C2", "P2E_S1_C2.1", "P2E_S1_C2.2"]
    first = by_name["P1E_S1_C1"]
    assert first.files == ("00000000.jpg", "00000007.JPG")
    assert (first.gaps, first.labels) == (1, "groundtruth/groundtruth/P1E_S1_C1.xml")
    assert "is empty" in by_name["P1L_S2_C2"].problem
    assert by_name["P2E_S1_C2.1"].folder == "P2E_S1/P2E_S1_C2/P2E_S1_C2.1"
    assert found.notices == ["labels without frames: P2L_S1_C1, P9E_S9_C9"]


def test_the_root_itself_may_be_a_sequence(tmp_path):
    root = touch(tmp_path / "P1E_S1_C1", "00000000.jpg")
    assert [s.name for s in find(open_storage(str(root))).sequences] == ["P1E_S1_C1"]


def test_labels_may_lie_elsewhere(tmp_path):
    data = touch(tmp_path / "data", "P1E_S1_C1/00000001.jpg")
    labels = touch(tmp_path / "labels", "P1E_S1_C1.xml")
    (sequence,) = find(open_storage(str(data)), open_storage(str(labels))).sequences
    assert sequence.labels == "P1E_S1_C1.xml"
    assert sequence.counts is not None
    assert sequence.counts.faces == 2


OTHER = XML.replace(b"0003", b"0005").replace(b"0004", b"0006")


@pytest.mark.parametrize("packed", [False, True])
def test_labels_elsewhere_are_the_only_ones(tmp_path, packed):
    """Also where the root has some of the same name, and where they lie in an archive."""
    data = touch(tmp_path / "data", "P1E_S1_C1/00000001.jpg", "P1E_S1_C1.xml")
    touch(data, "P1E_S1_C2/00000001.jpg", "P1E_S1_C2.xml")
    labels = touch(tmp_path / "labels", "deep/P1E_S1_C1.xml")
    (labels / "deep/P1E_S1_C1.xml").write_bytes(OTHER)
    if packed:
        with zipfile.ZipFile(labels / "groundtruth.zip", "w") as file:
            file.write(labels / "deep/P1E_S1_C1.xml", "deep/P1E_S1_C1.xml")
        (labels / "deep/P1E_S1_C1.xml").unlink()
    request = BatchRequest(
        dataset="chokepoint", root=open_storage(str(data)), labels=open_storage(str(labels)),
        out=str(tmp_path / "out"), recipe=load_recipe("chokepoint"),
    )  # fmt: skip
    first, second = plan(request)[1]
    assert (first.problem, first.labels_root) == ("", str(labels))
    read = labels_of(first, open_storage(first.root), tmp_path / "scratch")
    assert read is not None
    assert {p.person_id for f in read.frames for p in f.persons} == {"0005", "0006", "Unknown"}
    assert second.labels is None


def test_what_lies_beside_unpacked_archives_counts_too(tmp_path):
    data = touch(tmp_path / "data", "P1E_S1_C1.xml", "P1E_S2_C1/00000001.jpg")
    tar_with(data / "P1E_S1.tar", "P1E_S1_C1/00000001.jpg")
    for into in (tmp_path / "into", data / "into"):
        root = open_storage(str(data))
        request = BatchRequest(
            dataset="chokepoint", root=root, unpacked=unpack_archives(root, into),
            out=str(tmp_path / "out"), recipe=load_recipe("chokepoint"),
        )  # fmt: skip
        first, second = plan(request)[1]
        assert (first.name, second.name) == ("P1E_S1_C1", "P1E_S2_C1")
        assert first.archive is None
        assert (Path(first.root) / first.source / first.files[0]).is_file()
        assert (Path(second.root) / second.source / second.files[0]).is_file()
        assert labels_of(first, open_storage(first.root), tmp_path / "scratch") is not None


def test_of_two_folders_with_one_name_the_first_counts(tmp_path):
    touch(tmp_path, "a/P1E_S1_C1/00000000.jpg", "b/P1E_S1_C1/00000000.jpg")
    found = find(open_storage(str(tmp_path)))
    assert [s.folder for s in found.sequences] == ["a/P1E_S1_C1"]
    assert "b/P1E_S1_C1: there is also a/P1E_S1_C1" in found.notices[0]


def test_labels_are_counted_for_the_frames_that_are_there():
    counts = count_labels(parse_annotations(XML, "x"), [0, 1, 7])
    assert (counts.frames, counts.labels, counts.faces, counts.persons) == (4, 4, 2, 3)
    assert (counts.one_eye, counts.same_point, counts.unknown, counts.shared) == (1, 1, 1, 1)
    assert (counts.deleted, counts.without_picture) == (1, 0)
    assert count_labels(parse_annotations(XML, "x"), [0]).without_picture == 2


def test_a_changed_source_is_noticed(tmp_path):
    root = touch(tmp_path, "P1E_S1_C1/00000001.jpg", "P1E_S1_C1.xml")

    def prints() -> str:
        return find(open_storage(str(root))).sequences[0].source_print

    before = prints()
    assert prints() == before
    (root / "P1E_S1_C1/00000001.jpg").write_bytes(b"other")
    changed = prints()
    assert changed != before
    (root / "P1E_S1_C1.xml").write_bytes(XML.replace(b"0003", b"0005"))
    assert prints() != changed


def test_the_second_of_one_id_is_told_apart():
    labels = Labels(parse_annotations(XML, "x"), 2.3, 0.42)
    first, second = labels.of(1)
    assert (first.person, first.nth, second.nth) == ("0003", 1, 2)
    assert first.track_id != second.track_id
    assert labels.of(7) == []
    assert labels.of(12345) == []


@pytest.mark.parametrize("name", ["../../etc", "..", ".", "a/b", "C:\\x", "", "\0", "0003.", "é"])
def test_ids_cannot_lead_anywhere(name, tmp_path):
    made = tmp_path / safe_name(name)
    made.mkdir()
    assert made.parent == tmp_path
    assert made.resolve().parent == tmp_path.resolve()
    assert safe_name("0003") == "0003"


def test_jobs_and_rows_go_through_json():
    job = Job(name="a", kind="videos", root="r", source="a.mp4", out="o", files=("1", "2"),
              settings={"x": [1, 2], "y": {"z": None}})  # fmt: skip
    assert Job.from_dict(json.loads(json.dumps(job.to_dict()))) == job
    row = Row(sequence="a", status="ok", notes=("one", "two"))
    assert Row.from_dict(json.loads(json.dumps({**row.to_dict(), "new": 1}))) == row
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})


# === archives ===


def tar_with(path: Path, name: str, *, link: str | None = None) -> Path:
    with tarfile.open(path, "w") as tar:
        info = tarfile.TarInfo(name)
        if link is not None:
            info.type, info.linkname = tarfile.SYMTYPE, link
            tar.addfile(info)
        else:
            info.size = 1
            tar.addfile(info, io.BytesIO(b"x"))
    return path


@pytest.mark.parametrize("name", ["../out.jpg", "/etc/out.jpg", "a/../../out.jpg"])
def test_names_that_lead_out_are_refused(tmp_path, name):
    archive = tar_with(tmp_path / "a.tar", name)
    with pytest.raises(DataError, match=r"leads out of the archive; refused"):
        unpack(archive, "a.tar", tmp_path / "into")
    assert not (tmp_path / "out.jpg").exists()
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr(name, "x")
    with pytest.raises(DataError, match="leads out"):
        unpack(tmp_path / "a.zip", "a.zip", tmp_path / "into")


def test_links_are_not_taken(tmp_path):
    archive = tar_with(tmp_path / "a.tar", "P1E_S1_C1/00000000.jpg", link="/etc/passwd")
    assert list(members(archive, "a.tar")) == []


def test_a_damaged_archive_says_so(tmp_path):
    whole = tmp_path / "a.tar.xz"
    with tarfile.open(whole, "w:xz") as tar:
        info = tarfile.TarInfo("S/00000000.jpg")
        info.size = 200_000
        tar.addfile(info, io.BytesIO(os.urandom(200_000)))
    half = tmp_path / "half.tar.xz"
    half.write_bytes(whole.read_bytes()[:90_000])
    with pytest.raises(DataError, match="cannot be read to its end"):
        extract_folder(half, "half.tar.xz", "half.tar.xz/S", ("00000000.jpg",), tmp_path / "x")
    assert not list((tmp_path / "x").glob("*.jpg"))


def test_a_sequence_in_which_an_archive_breaks_off_has_a_problem(fixture_script, tmp_path):
    names = ("P2E_S1_C2.1", "P2E_S1_C2.2")
    whole = fixture_script.build(tmp_path / "whole", names=names, frames=8)
    with tarfile.open(tmp_path / "whole.tar", "w") as tar:
        tar.add(whole / "P2E_S1", "P2E_S1")
    data = (tmp_path / "whole.tar").read_bytes()
    tmp_path = tmp_path / "cut"
    tmp_path.mkdir()
    (tmp_path / "P2E_S1.tar").write_bytes(data[: int(len(data) * 0.8)])
    found = {s.name: s for s in find(open_storage(str(tmp_path))).sequences}
    assert any("cannot be read to its end" in s.problem for s in found.values())
    assert not all(s.problem for s in found.values())


def test_a_folder_called_like_an_archive_keeps_its_name(tmp_path):
    """Three folders "...tar" without their suffix would be three times ".."."""
    archive = tar_with(tmp_path / "a.tar", "...tar/...tar/...tar/escaped/x.jpg")
    assert unpack(archive, "deep/down/a.tar", tmp_path / "into/here") == 1
    made = [p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("x.jpg")]
    assert made == ["into/here/deep/down/a/...tar/...tar/...tar/escaped/x.jpg"]


@pytest.mark.parametrize("name", [".tar", "...tar", "..zip"])
def test_an_archive_whose_name_is_all_suffix_is_unpacked_under_it(tmp_path, name):
    inner = tmp_path / name
    if name.endswith("zip"):
        with zipfile.ZipFile(inner, "w") as file:
            file.writestr("x.jpg", "x")
    else:
        tar_with(inner, "x.jpg")
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.add(inner, f"f/{name}")
    unpack(tmp_path / "a.tar", "a.tar", tmp_path / "into")
    assert [p for p in tmp_path.rglob("x.jpg")] == [tmp_path / "into/a/f" / name / "x.jpg"]


@pytest.mark.parametrize("outer", ["a.tar", "a.tar.xz", "a.zip"])
def test_a_zip_inside_an_archive_is_read(tmp_path, outer):
    inner = tmp_path / "inner/P1E_S1_C1.zip"
    inner.parent.mkdir()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as file:
        for number in range(3):
            file.writestr(f"P1E_S1_C1/{number:08d}.jpg", bytes(1000))
    root = tmp_path / "root"
    root.mkdir()
    if outer.endswith(".zip"):
        with zipfile.ZipFile(root / outer, "w") as file:
            file.write(inner, inner.name)
    else:
        with tarfile.open(root / outer, "w:xz" if outer.endswith("xz") else "w") as tar:
            tar.add(inner, inner.name)
    (sequence,) = find(open_storage(str(root))).sequences
    assert (sequence.name, len(sequence.files), sequence.problem) == ("P1E_S1_C1", 3, "")
    into = extract_folder(root / outer, outer, sequence.folder, sequence.files, tmp_path / "x")
    assert [p.read_bytes() for p in sorted(into.iterdir())] == [bytes(1000)] * 3


def test_what_cannot_be_written_is_no_fault_of_the_archive(tmp_path):
    archive = tar_with(tmp_path / "a.tar", "S/00000000.jpg")
    (tmp_path / "file").write_text("precious")
    with pytest.raises(OutputError, match="cannot be unpacked"):
        unpack(archive, "a.tar", tmp_path / "file")
    with pytest.raises(OutputError, match="cannot be unpacked"):
        extract_folder(archive, "a.tar", "a.tar/S", ("00000000.jpg",), tmp_path / "file")


def test_a_full_disk_is_no_fault_of_the_archive(tmp_path):
    resource = pytest.importorskip("resource")
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        info = tarfile.TarInfo("S/00000000.jpg")
        info.size = 200_000
        tar.addfile(info, io.BytesIO(bytes(200_000)))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(OutputError, match=r"00000000\.jpg: cannot be unpacked"):
            unpack(tmp_path / "a.tar", "a.tar", tmp_path / "into")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not [p for p in (tmp_path / "into").rglob("*") if p.is_file()]


def test_archives_nested_too_deep_are_refused(tmp_path):
    inner = tar_with(tmp_path / "0.tar", "x.jpg")
    for depth in range(1, 5):
        outer = tmp_path / f"{depth}.tar"
        with tarfile.open(outer, "w") as tar:
            tar.add(inner, inner.name)
        inner = outer
    with pytest.raises(DataError, match="nested deeper"):
        list(members(inner, inner.name))


# === storage ===


def test_places_completely_and_replaces(tmp_path):
    storage = LocalStorage(tmp_path)
    for text in ("one", "two"):
        with storage.scratch("a/b") as folder:
            (folder / "f").mkdir()
            (folder / f"f/{text}.txt").write_text(text)
            storage.place(folder / "f", "a/b")
        assert contents(tmp_path).keys() == {f"a/b/{text}.txt"}
    assert storage.count("a/b") == 1
    assert storage.size("a/b/two.txt") == 3
    storage.remove("a/b")
    storage.remove("a/b")
    assert storage.count("a/b") == 0
    assert storage.read_text("a/b") is None


def test_a_scratch_folder_fits_whatever_it_is_for(tmp_path):
    with LocalStorage(tmp_path).scratch("/".join(["a folder of a long name"] * 20)) as folder:
        (folder / "f").write_text("x")


def test_paths_stay_inside(tmp_path):
    storage = LocalStorage(tmp_path)
    for path in ("../x", "/etc/passwd", "a/../../x"):
        with pytest.raises(UsageError, match="leads out"):
            storage.size(path)


def test_a_missing_root_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        list(LocalStorage(tmp_path / "x").entries())


def test_links_in_a_circle_end(tmp_path):
    touch(tmp_path, "P1E_S1_C1/00000000.jpg")
    (tmp_path / "P1E_S1_C1/again").symlink_to(tmp_path)
    assert [e.path for e in LocalStorage(tmp_path).entries()] == ["P1E_S1_C1/00000000.jpg"]


def test_real_label_files_are_read_completely(real_data):
    folder = real_data / "chokepoint/groundtruth"
    for path in sorted(folder.glob("*.xml")):
        annotations = read_annotations(path)
        counts = count_labels(annotations, [f.number for f in annotations.frames])
        labels = Labels(annotations, 2.3, 0.42)
        assert counts.faces == sum(len(labels.of(f.number)) for f in annotations.frames)
        assert counts.faces > 500
