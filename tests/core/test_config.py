"""Strict tables: what is wrong is named, what is right keeps its type."""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from vsr.core.config import (
    build,
    describe,
    find_recipe,
    list_recipes,
    parse_set,
    read_toml,
    to_table,
    to_toml,
)
from vsr.core.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Sample:
    margin: float = 0.3
    size: int = 64
    mode: Literal["native", "canonical"] = "native"
    model_file: Path | None = None
    sides: tuple[int, ...] = field(default=(32, 64))
    smooth: bool = True

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"size: got {self.size}, expected 1 or more")


def test_values_are_coerced_and_the_rest_keeps_its_default():
    made = build(Sample, {"margin": 1, "sides": [16], "model_file": "a.onnx"}, "x")
    assert made == Sample(margin=1.0, sides=(16,), model_file=Path("a.onnx"))
    assert isinstance(made.margin, float)


def test_a_base_keeps_what_the_table_leaves_out():
    assert build(Sample, {"size": 8}, "x", Sample(margin=0.5)) == Sample(margin=0.5, size=8)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"margn": 1}, r"r.toml \[crop\]: unknown key 'margn'; did you mean 'margin'\?"),
        ({"size": "big"}, r"size: got 'big', expected a whole number"),
        ({"size": True}, r"size: got True, expected a whole number"),
        ({"size": 1.5}, r"size: got 1.5, expected a whole number"),
        ({"mode": "diagonal"}, r"mode: got 'diagonal', expected one of 'native', 'canonical'"),
        ({"sides": 3}, r"sides: got 3, expected a list"),
        ({"size": 0}, r"\[crop\]: size: got 0, expected 1 or more"),
        ({"smooth": 1}, r"smooth: got 1, expected true or false"),
    ],
)
def test_what_is_wrong_is_named(table, message):
    with pytest.raises(UsageError, match=message):
        build(Sample, table, "r.toml [crop]")


def test_a_table_survives_the_way_out_and_back():
    sample = Sample(model_file=None, sides=(1, 2))
    assert build(Sample, to_table(sample), "x") == sample


def test_tables_survive_the_way_through_toml():
    tables = {
        "kind": "tune",
        "empty": {},
        "a": {"text": 'quote " and ü', "rate": 7e-05, "on": True, "sides": [1, 2], "b": {"c": 1}},
    }
    text = to_toml(tables)
    assert tomllib.loads(text) == tables
    assert "\n[a.b]\nc = 1\n" in text


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("crop.margin=0.4", ("crop", "margin", 0.4)),
        ("crop.mode=native", ("crop", "mode", "native")),
        ('crop.mode="native"', ("crop", "mode", "native")),
        ("decode.fps=source", ("decode", "fps", "source")),
        ("crop.sides=[1, 2]", ("crop", "sides", [1, 2])),
    ],
)
def test_set_reads_toml_values_and_falls_back_to_text(text, parsed):
    assert parse_set(text) == parsed


@pytest.mark.parametrize("text", ["crop", "crop.margin", "margin=1", "a.b.c=1", ".k=1", "t.=1"])
def test_set_refuses_other_forms(text):
    with pytest.raises(UsageError, match=r"expected TABLE\.KEY=VALUE"):
        parse_set(text)


def test_shipped_recipes_are_found_and_say_what_they_are_for():
    names = {p.stem for p in list_recipes()}
    assert {"restore", "restore-fast", "crops", "seed"} <= names
    assert all(len(describe(p)) > 20 for p in list_recipes())
    with pytest.raises(UsageError, match="did you mean 'restore'"):
        find_recipe("restor")


def test_unreadable_recipes_are_one_line(tmp_path):
    bad = tmp_path / "bad.toml"
    bad.write_text("kind = [")
    with pytest.raises(UsageError, match="not valid TOML"):
        read_toml(bad)
    with pytest.raises(UsageError, match="no recipe file"):
        find_recipe(str(tmp_path / "none.toml"))
