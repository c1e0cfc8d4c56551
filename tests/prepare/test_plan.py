"""Splits keep persons apart whatever the source; names are unique and stable."""

from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsr.train.prepare.config import PrepareConfig
from vsr.train.prepare.plan import assign_splits, make_plan
from vsr.train.prepare.source import Listing, SourceImage


def image(n, identity=None, split=None, name=None):
    source = f"{n}.jpg"
    return SourceImage(Path(source), source, name or str(n), identity, split)


people = st.lists(
    st.tuples(
        st.one_of(st.none(), st.sampled_from("abcdefgh")),
        st.sampled_from([None, "train", "val", "test"]),
    ),
    max_size=60,
)


@given(people, st.integers(0, 5), st.floats(0, 0.45), st.floats(0, 0.45))
def test_no_person_is_in_two_splits_and_no_image_is_lost(rows, seed, val, test):
    images = [image(n, who, split) for n, (who, split) in enumerate(rows)]
    assigned, skipped = assign_splits(images, PrepareConfig(val=val, test=test, seed=seed))
    found = defaultdict(set)
    for i, split in assigned:
        assert i.split in (None, split)
        if i.identity is not None:
            found[i.identity].add(split)
    assert all(len(splits) == 1 for splits in found.values())
    assert len(assigned) + len(skipped) == len(images)


def test_person_in_two_official_splits_stays_with_the_judges():
    images = [image(1, "a", "train"), image(2, "a", "test"), image(3, "b", "train"), image(4, "a")]
    assigned, skipped = assign_splits(images, PrepareConfig())
    assert [(i.source, s) for i, s in assigned] == [
        ("2.jpg", "test"),
        ("3.jpg", "train"),
        ("4.jpg", "test"),
    ]
    assert [(s.source, s.reason) for s in skipped] == [("1.jpg", "person in two splits")]
    assert skipped[0].detail == "a is in train and in test"


def test_shares_are_met_where_persons_allow_it():
    images = [image(n) for n in range(400)]
    assigned, _ = assign_splits(images, PrepareConfig(val=0.1, test=0.05))
    count = defaultdict(int)
    for _, split in assigned:
        count[split] += 1
    assert count == {"train": 340, "val": 40, "test": 20}


def test_few_large_persons_still_give_three_splits():
    images = [image(f"{who}{n}", who) for who in "abc" for n in range(50)]
    assigned, _ = assign_splits(images, PrepareConfig())
    assert {s for _, s in assigned} == {"train", "val", "test"}


def test_a_single_person_is_for_training():
    assigned, _ = assign_splits([image(n, "a") for n in range(9)], PrepareConfig())
    assert {s for _, s in assigned} == {"train"}


def test_order_of_the_source_does_not_matter_but_the_seed_does():
    images = [image(n) for n in range(100)]
    plans = [
        make_plan(Listing(images=list(rows)), PrepareConfig(seed=seed)).pairs
        for rows, seed in ((images, 0), (images[::-1], 0), (images, 1))
    ]
    assert plans[0] == plans[1]
    assert plans[0] != plans[2]


def test_limit_chooses_by_seed_and_keeps_name_order():
    images = [image(f"{n:03d}") for n in range(100)]
    plan = make_plan(Listing(images=images), PrepareConfig(limit=7, val=0.5, test=0))
    for split in ("train", "val"):
        names = [p.name for p in plan.pairs if p.split == split]
        assert len(names) == 7
        assert names == sorted(names)
        assert names != [f"{n:03d}.png" for n in range(7)]


@pytest.mark.parametrize(("one", "two"), [("face", "face"), ("Face", "face")])
def test_equal_names_get_a_mark_of_their_source(one, two):
    images = [image("a/1", name=one), image("b/1", name=two), image("c", name="other")]
    plan = make_plan(Listing(images=images), PrepareConfig(val=0, test=0))
    names = [p.name.casefold() for p in plan.pairs]
    assert len(set(names)) == 3
    assert "other.png" in names
    again = make_plan(Listing(images=images[1:]), PrepareConfig(val=0, test=0))
    assert again.pairs[0].name == f"{two}.png"  # alone it keeps its own name


def test_fingerprint_sees_a_changed_file(tmp_path):
    path = tmp_path / "1.jpg"
    path.write_bytes(b"one")
    images = [SourceImage(path, "1.jpg", "1")]
    before = make_plan(Listing(images=images), PrepareConfig()).fingerprint()
    assert before == make_plan(Listing(images=images), PrepareConfig()).fingerprint()
    path.write_bytes(b"other")
    assert before != make_plan(Listing(images=images), PrepareConfig()).fingerprint()
