"""ChokePoint labels: every oddity of the real files, hostile XML, and the nine real ones."""

from collections import Counter

import pytest

from vsr.core.errors import DataError
from vsr.faces.annotations import (
    AnnotatedFrame,
    Person,
    Point,
    find_sequences,
    parse_annotations,
    read_annotations,
)

XML = b"""<dataset name="P2E_S3_C1">
 <frame number="00000124" />
 <frame number="00000125" deleted="true" />
 <frame number="00000241"><person id="0013"><leftEye x="557" y="130" /><rightEye x="569" y="130" />
 </person><person id="0013"><leftEye x="102" y="144" /><rightEye x="111" y="144" /></person></frame>
 <frame number="00002119">
  <person id="0028">
   <rightEye x="529" y="174" />
  </person>
 </frame>
 <frame number="00000136"><person id="Unknown"><leftEye x="304" y="100" />
 <rightEye x="304" y="100" /></person></frame>
 <frame number="00000200"><person id="0005"><leftEye x="110" y="80" /><rightEye x="90" y="80" />
 </person></frame>
</dataset>"""


@pytest.fixture
def frames() -> dict[int, AnnotatedFrame]:
    return parse_annotations(XML, "P2E_S3_C1.1.xml").by_number()


def test_frames_come_by_number_with_their_gaps():
    labels = parse_annotations(XML, "x")
    assert labels.name == "P2E_S3_C1"
    assert [f.number for f in labels.frames] == [124, 125, 136, 200, 241, 2119]


def test_empty_and_deleted_frames(frames):
    assert frames[124] == AnnotatedFrame(124)
    assert frames[125].deleted
    assert not frames[125].persons


def test_one_id_twice_in_a_frame_keeps_both_persons(frames):
    assert [p.left_eye for p in frames[241].persons] == [Point(557, 130), Point(102, 144)]
    assert frames[241].shared_ids() == {"0013"}
    assert not frames[2119].shared_ids()


def test_one_eye_gives_no_distance_and_no_box(frames):
    (person,) = frames[2119].persons
    assert person == Person("0028", None, Point(529, 174))
    assert person.eye_distance_px is None
    assert person.box(4.0, 0.5) is None


def test_eyes_at_one_point_give_no_box(frames):
    (person,) = frames[136].persons
    assert not person.known
    assert person.eye_distance_px == 0
    assert person.box(4.0, 0.5) is None


def test_box_does_not_mind_exchanged_eyes(frames):
    (person,) = frames[200].persons
    box = person.box(4.0, 0.25)
    assert box is not None
    assert (box.x, box.y, box.width, box.height) == (60, 60, 80, 80)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not valid XML"),
        (b"<dataset><frame number='1'>", "not valid XML"),
        (b"<svg/>", r"line 1: got <svg>, expected <dataset>"),
        (b"<dataset>\n<frame/></dataset>", "line 2: frame number: got ''"),
        (b"<dataset><frame number='x7'/></dataset>", "got 'x7', expected digits"),
        (b"<dataset><frame number='7'/><frame number='07'/></dataset>", "frame 07 is listed twice"),
        (
            b"<dataset><frame number='7'><person><leftEye x='a' y='1'/></person></frame></dataset>",
            "leftEye: got .*, expected numbers",
        ),
        (
            b"<dataset><frame number='7'><person><leftEye x='nan' y='1'/></person></frame>"
            b"</dataset>",
            "leftEye",
        ),
    ],
)
def test_faults_are_named(data, message):
    with pytest.raises(DataError, match=message) as caught:
        parse_annotations(data, "bad.xml")
    assert "bad.xml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_entity_bomb_and_file_entity_are_refused():
    bomb = b'<!DOCTYPE d [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><dataset name="&b;"/>'
    outside = b'<!DOCTYPE d [<!ENTITY a SYSTEM "file:///etc/passwd">]><dataset>&a;</dataset>'
    for data in (bomb, outside):
        with pytest.raises(DataError, match="declares an XML entity"):
            parse_annotations(data, "hostile.xml")


def test_missing_file_is_one_line(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_annotations(tmp_path / "none.xml")


@pytest.mark.parametrize("where", ["P1E_S1_C1", "P1E_S1/P1E_S1_C1", "P1E_S1/P1E_S1_C1/P1E_S1_C1"])
@pytest.mark.parametrize("labels", ["groundtruth", "groundtruth/groundtruth"])
def test_sequences_are_found_in_every_layout(tmp_path, where, labels):
    folder = tmp_path / where
    folder.mkdir(parents=True)
    for name in ("00000004.jpg", "00000002.JPG", ".directory", "Thumbs.db", "1.jpg"):
        (folder / name).touch()
    (tmp_path / labels).mkdir(parents=True)
    (tmp_path / labels / "P1E_S1_C1.xml").touch()
    (sequence,) = find_sequences(tmp_path)
    assert sequence.name == "P1E_S1_C1"
    assert [n for n, _ in sequence.frames] == [2, 4]
    assert sequence.labels == tmp_path / labels / "P1E_S1_C1.xml"


def test_each_part_is_a_sequence_of_its_own(tmp_path):
    for part in (1, 2):
        folder = tmp_path / "P2E_S1" / "P2E_S1_C2" / f"P2E_S1_C2.{part}"
        folder.mkdir(parents=True)
        (folder / "00000000.jpg").touch()
    (tmp_path / "P2E_S1_C2.2.xml").touch()
    one, two = find_sequences(tmp_path)
    assert (one.name, one.labels) == ("P2E_S1_C2.1", None)
    assert two.labels is not None


def test_the_nine_real_files(real_data):
    files = sorted((real_data / "chokepoint" / "groundtruth").glob("*.xml"))
    assert len(files) == 9
    counts: Counter[str] = Counter()
    for path in files:
        labels = read_annotations(path)
        assert path.stem.startswith(labels.name)
        # each tag counted in the text itself, by another way than the parser's
        text = path.read_text()
        assert len(labels.frames) == text.count("<frame ")
        persons = [p for f in labels.frames for p in f.persons]
        assert len(persons) == text.count("<person ")
        assert sum(p.left_eye is not None for p in persons) == text.count("<leftEye ")
        counts["deleted"] += sum(f.deleted for f in labels.frames)
        counts["one eye"] += sum(p.eye_distance_px is None for p in persons)
        counts["zero"] += sum(p.eye_distance_px == 0 for p in persons)
        counts["shared"] += sum(bool(f.shared_ids()) for f in labels.frames)
    assert counts == {"deleted": 2, "one eye": 2, "zero": 11, "shared": 1440 + 201}
