"""Each layout reader on its official form, its variants and its oddities."""

import os
import shutil
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from vsr.core.errors import DataError
from vsr.train.prepare.celeba import list_celeba
from vsr.train.prepare.chokepoint import list_chokepoint
from vsr.train.prepare.config import PrepareConfig
from vsr.train.prepare.folder import list_folder
from vsr.train.prepare.imfdb import list_imfdb

CFG = PrepareConfig()


# === CelebA ===


def test_celeba_official_layout(celeba):
    listing = list_celeba(celeba, CFG)
    assert len(listing.images) == 24
    first, last = listing.images[0], listing.images[-1]
    assert (first.name, first.identity, first.split) == ("000001", "100", "train")
    assert (last.name, last.identity, last.split) == ("000024", "111", "test")
    assert listing.crop == "178"
    assert "non-commercial" in listing.terms
    assert not listing.notices


def test_celeba_with_nested_folders_and_csv_lists(celeba):
    inner = celeba / "img_align_celeba" / "img_align_celeba"
    (celeba / "img_align_celeba").rename(celeba / "tmp")
    inner.parent.mkdir()
    (celeba / "tmp").rename(inner)
    (celeba / "Eval").mkdir()
    rows = (celeba / "list_eval_partition.txt").read_text().replace(" ", ",")
    (celeba / "list_eval_partition.txt").unlink()
    (celeba / "Eval" / "list_eval_partition.csv").write_text("image_id,partition\n" + rows)
    listing = list_celeba(celeba, CFG)
    assert [i.split for i in listing.images].count("val") == 4


def test_celeba_given_by_its_image_folder(celeba):
    listing = list_celeba(celeba / "img_align_celeba", CFG)
    assert [i.split for i in listing.images].count("test") == 4


def test_celeba_in_part_and_without_lists(celeba):
    for n in range(1, 11):
        (celeba / "img_align_celeba" / f"{n:06d}.jpg").unlink()
    (celeba / "identity_CelebA.txt").unlink()
    listing = list_celeba(celeba, CFG)
    assert len(listing.images) == 14
    assert "14 of the 24 images" in listing.notices[0]
    assert "cannot be checked" in listing.notices[1]
    (celeba / "list_eval_partition.txt").unlink()
    listing = list_celeba(celeba, CFG)
    assert {i.split for i in listing.images} == {None}
    assert "drawn by seed" in listing.notices[0]


def test_celeba_image_outside_the_partition_is_reported(celeba, face):
    face(99).save(celeba / "img_align_celeba" / "999999.jpg")
    listing = list_celeba(celeba, CFG)
    assert [(s.source, s.reason) for s in listing.skipped] == [
        ("img_align_celeba/999999.jpg", "not in the partition list")
    ]


def test_celeba_broken_list_names_file_and_line(celeba):
    with (celeba / "list_eval_partition.txt").open("a") as file:
        file.write("000025.jpg two\n")
    with pytest.raises(DataError, match=r"list_eval_partition.txt, line 25: got '000025.jpg two'"):
        list_celeba(celeba, CFG)


def test_celeba_without_images(tmp_path):
    with pytest.raises(DataError, match="no folder img_align_celeba in it; give the folder"):
        list_celeba(tmp_path, CFG)


# === IMFDB ===


@pytest.fixture
def imfdb(tmp_path, face):
    root = tmp_path / "IMFDB_final"
    for actor in ("AamirKhan", "Kajol"):
        for film in ("Film1", "Film2"):
            folder = root / actor / film / "images"
            folder.mkdir(parents=True)
            rows = []
            for n in range(3):
                name = f"{actor}_{film}_{n}.jpg"
                face(n, 70, 80).save(folder / name)
                rows.append(f"{n}\t1\t{name}\t{film}  {actor}\tMALE HAPPINESS BAD FRONTAL YOUNG\n")
            if film == "Film1":
                (folder.parent / f"{film}.txt").write_text("".join(rows), encoding="latin-1")
    return root


def test_imfdb_reads_actors_films_and_annotations(imfdb):
    with (imfdb / "Kajol" / "Film1" / "Film1.txt").open("ab") as file:
        file.write("\n9 1 Gone.jpg Film1 Kajol F\xe9male\n".encode("latin-1"))
    listing = list_imfdb(imfdb, CFG)
    assert len(listing.images) == 12
    assert {i.identity for i in listing.images} == {"aamirkhan", "kajol"}
    assert listing.images[0].name == "AamirKhan_Film1_AamirKhan_Film1_0"
    assert listing.annotations["expression"] == {"happiness": 6}
    assert listing.annotations["pose"] == {"frontal": 6}
    assert listing.skipped[0].source == "Kajol/Film1/gone.jpg"
    assert listing.skipped[0].reason == "annotated but missing"
    assert listing.notices == ["6 of 12 images have no annotation"]


def test_imfdb_one_more_folder_around_it(imfdb):
    listing = list_imfdb(imfdb.parent, CFG)
    assert {i.identity for i in listing.images} == {"aamirkhan", "kajol"}


def test_imfdb_images_directly_in_the_films_or_actors_folder(tmp_path, face):
    for place in ("Simran/Film", "Kajol", "kajol/Film"):
        (tmp_path / place).mkdir(parents=True)
        face(1, 40, 40).save(tmp_path / place / "1.jpg")
    (tmp_path / "Simran" / "Film" / "notes.txt").write_text("0 1 1.jpg FEMALE\n")
    listing = list_imfdb(tmp_path, CFG)
    assert [i.identity for i in listing.images] == ["kajol", "simran", "kajol"]


# === ChokePoint ===

FRAMES = """<dataset name="P1E_S1_C1">
 <frame number="00000002"><person id="0003"><leftEye x="100" y="90"/><rightEye x="120" y="90"/>
 </person></frame>
 <frame number="00000004"><person id="0003"><leftEye x="100" y="90"/></person></frame>
 <frame number="00000005" deleted="true" />
 <frame number="00000007"><person id="Unknown"><leftEye x="60" y="90"/><rightEye x="80" y="90"/>
 </person><person id="0005"><leftEye x="200" y="120"/><rightEye x="200" y="120"/></person></frame>
 <frame number="00000008"><person id="0005"><leftEye x="60" y="90"/><rightEye x="80" y="90"/>
 </person><person id="0005"><leftEye x="200" y="90"/><rightEye x="230" y="90"/></person></frame>
 <frame number="00000009"><person id="0005"><leftEye x="60" y="90"/><rightEye x="80" y="90"/>
 </person><person id="0006"><leftEye x="200" y="90"/><rightEye x="230" y="90"/></person></frame>
 <frame number="00000099" />
</dataset>"""


@pytest.fixture
def chokepoint(tmp_path, face):
    root = tmp_path / "ChokePoint"
    folder = root / "P1E_S1" / "P1E_S1_C1"
    folder.mkdir(parents=True)
    for number in (0, 2, 4, 5, 7, 8, 9):
        face(number, 320, 240).save(folder / f"{number:08d}.jpg")
    (folder / ".directory").touch()
    (root / "groundtruth").mkdir()
    (root / "groundtruth" / "P1E_S1_C1.xml").write_text(FRAMES)
    return root


def test_chokepoint_takes_certain_faces_only(chokepoint):
    listing = list_chokepoint(chokepoint, CFG)
    assert [(i.name, i.identity) for i in listing.images] == [
        ("P1E_S1_C1_00000002_0003", "0003"),
        ("P1E_S1_C1_00000009_0005", "0005"),
        ("P1E_S1_C1_00000009_0006", "0006"),
    ]
    assert [(s.source[-17:], s.reason) for s in listing.skipped] == [
        ("00000004.jpg#0003", "one eye only"),
        ("C1_C1/00000005.jpg"[-17:], "frame marked deleted"),
        ("00007.jpg#Unknown", "unknown person"),
        ("00000007.jpg#0005", "eyes at one point"),
        ("00000008.jpg#0005", "one id for two persons"),
        ("00000008.jpg#0005", "one id for two persons"),
    ]
    assert listing.notices == ["P1E_S1_C1: 1 labelled frames have no picture"]


def test_chokepoint_square_stands_around_the_eyes(chokepoint):
    box = list_chokepoint(chokepoint, PrepareConfig(face_side=4.0)).images[0].box
    assert box is not None
    assert (box.width, box.x) == (80, 70)
    assert box.y == pytest.approx(90 - 0.51 * 80)


def test_chokepoint_every_nth_frame(chokepoint):
    listing = list_chokepoint(chokepoint, PrepareConfig(every=6))  # frames 0 and 9
    assert [i.name[:18] for i in listing.images] == ["P1E_S1_C1_00000009"] * 2


def test_chokepoint_sequence_without_labels_is_noted(chokepoint):
    shutil.copytree(chokepoint / "P1E_S1" / "P1E_S1_C1", chokepoint / "P1E_S1_C2")
    assert "P1E_S1_C2: no labels, left out" in list_chokepoint(chokepoint, CFG).notices


def test_chokepoint_released_crops(tmp_path):
    for sequence in ("P1E_S1_C1", "P2L_S5_C3.2"):
        for person in ("0001", "0004"):
            folder = tmp_path / sequence / person
            folder.mkdir(parents=True)
            for n in range(3):
                grey = np.full((96, 96), 40 * n, np.uint8)
                Image.fromarray(grey).save(folder / f"{n:08d}.pgm")
    listing = list_chokepoint(tmp_path, PrepareConfig(every=2))
    assert len(listing.images) == 8
    assert listing.images[0].name == "P1E_S1_C1_00000000_0001"
    assert {i.identity for i in listing.images} == {"0001", "0004"}


def test_chokepoint_without_anything(tmp_path):
    with pytest.raises(DataError, match=r"0 frame folders .* put groundtruth/ beside"):
        list_chokepoint(tmp_path, CFG)


def test_chokepoint_real_labels(real_data, tmp_path, face):
    """The real XML of three sequences over drawn frames at their real numbers."""
    labels = real_data / "chokepoint" / "groundtruth"
    picture = face(1, 800, 600)
    wanted = set()
    for name in ("P1E_S1_C2", "P1E_S3_C2", "P2E_S3_C1.1"):
        folder = tmp_path / name
        folder.mkdir()
        shutil.copy(labels / f"{name}.xml", tmp_path)
        picture.save(folder / "00000240.jpg")
        for number in range(247, 2600, 7):
            (folder / f"{number:08d}.jpg").hardlink_to(folder / "00000240.jpg")
        # the same choice, made with another XML reader
        for frame in ElementTree.parse(labels / f"{name}.xml").getroot():
            ids = [p.get("id") for p in frame]
            for person in frame:
                who, eyes = person.get("id"), [tuple(e.attrib.values()) for e in person]
                certain = who != "Unknown" and ids.count(who) == 1 and len(set(eyes)) == 2
                if certain and (folder / f"{frame.get('number')}.jpg").exists():
                    wanted.add(f"{name}_{frame.get('number')}_{who}")
    listing = list_chokepoint(tmp_path, CFG)
    assert {i.name for i in listing.images} == wanted
    assert len(wanted) > 300
    assert all(i.box is not None and i.box.width > 0 for i in listing.images)
    assert {s.reason for s in listing.skipped} >= {"unknown person", "one id for two persons"}
    assert "Unknown" not in {i.identity for i in listing.images}


# === any folder ===


def test_folder_takes_sub_folders_as_persons(faces):
    (faces / ".hidden").mkdir()
    (faces / ".hidden" / "x.png").touch()
    (faces / "readme.txt").touch()
    listing = list_folder(faces, CFG)
    assert len(listing.images) == 20
    assert {i.identity for i in listing.images} == {f"person {n}" for n in range(5)}
    assert listing.images[0].name == "person_0_0"
    alone = list_folder(faces, PrepareConfig(identity="file"))
    assert {i.identity for i in alone.images} == {None}


def test_folder_with_its_own_splits(faces):
    for n, name in enumerate(("train", "Validation", "test")):
        (faces / name).mkdir()
        (faces / f"person {n}").rename(faces / name / f"person {n}")
    listing = list_folder(faces, CFG)
    found = {i.identity: i.split for i in listing.images}
    assert found["person 0"] == "train"
    assert found["person 1"] == "val"
    assert found["person 2"] == "test"
    assert found["person 3"] is None


def test_flat_folder_says_that_persons_are_unknown(tmp_path, face):
    face(1, 40, 40).save(tmp_path / "a.png")
    listing = list_folder(tmp_path, CFG)
    assert "cannot be checked" in listing.notices[0]


def test_links_are_followed_once_and_never_in_circles(faces, tmp_path):
    root = tmp_path / "linked"
    root.mkdir()
    (root / "anna").symlink_to(faces / "person 0")
    (root / "anna again").symlink_to(faces / "person 0")
    (root / "circle").symlink_to(root)
    assert len(list_folder(root, CFG).images) == 4


def test_odd_file_names_become_plain_stems(tmp_path, face):
    face(1, 40, 40).save(tmp_path / "a b (1)\n.png")
    face(1, 40, 40).save(tmp_path / "été.PNG")
    os.rename(tmp_path / "été.PNG", os.fsencode(tmp_path) + b"/\xff\xfe.PNG")
    names = [i.name for i in list_folder(tmp_path, CFG).images]
    assert names[0] == "a_b_1"
    for image in list_folder(tmp_path, CFG).images:
        image.source.encode()
        image.name.encode()
