"""Recipes: shipped ones are right, faults are named, overrides win."""

import pytest

from vsr.core.config import list_recipes, parse_set, read_toml
from vsr.core.errors import UsageError
from vsr.run.recipe import STAGES, load_recipe, override, recipe_from_dict

pytestmark = pytest.mark.fast

RESTORE = [p.stem for p in list_recipes() if read_toml(p).get("kind") == "restore"]


@pytest.mark.parametrize("name", RESTORE)
def test_shipped_recipes_load_and_survive_the_way_out_and_back(name):
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe_from_dict(recipe.to_dict(), "again", name) == recipe


def test_one_table_per_stage_in_flow_order():
    stages = (
        "decode", "detect", "track", "choose", "crop", "working", "fuse", "upscale", "paste",
        "encode",
    )  # fmt: skip
    assert stages == STAGES


def test_later_overrides_win_and_the_rest_inherits():
    recipe = load_recipe("restore", [parse_set("crop.margin=0.5"), parse_set("crop.margin=0.4")])
    assert recipe.crop.margin == 0.4
    assert recipe.encode == load_recipe("restore").encode


@pytest.mark.parametrize("rate", ["10", "29.97", "30000/1001", "source"])
def test_a_rate_may_be_a_number(rate):
    assert load_recipe("restore", [parse_set(f"decode.fps={rate}")]).decode.fps == rate


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"kind": "restore", "crap": {}}, "unknown table or key 'crap'; did you mean 'crop'"),
        ({"kind": "restore", "crop": {"margn": 1}}, r"r.toml \[crop\]: unknown key 'margn'"),
        ({"kind": "restore", "crop": 3}, "expected a table"),
        ({"kind": "restore", "output": "x"}, "expected 'frame' or 'faces'"),
        ({"kind": "train"}, "got kind 'train', expected 'restore'"),
        ({}, "got kind None"),
    ],
)
def test_faults_are_named(data, message):
    with pytest.raises(UsageError, match=message):
        recipe_from_dict(data, "r.toml", "r")


@pytest.mark.parametrize(
    ("data", "output", "mode"),
    [
        ({"output": "faces"}, None, "canonical"),
        ({"output": "faces", "crop": {"mode": "native"}}, None, "native"),
        ({"output": "faces", "crop": {"mode": "native"}}, "faces", "native"),
        ({"crop": {"mode": "native"}}, "faces", "canonical"),
        ({"crop": {"mode": "native"}}, None, "native"),
        ({"output": "faces"}, "frame", "native"),
    ],
)
def test_face_videos_bring_crops_of_one_size_where_nothing_else_was_said(data, output, mode):
    recipe = recipe_from_dict({"kind": "restore", **data}, "r.toml", "r", output=output)
    assert recipe.output == (output or data.get("output", "frame"))
    assert recipe.crop.mode == mode


def test_an_override_says_how_faces_are_cut():
    recipe = load_recipe("restore", [("crop", "mode", "native")], "faces")
    assert (recipe.output, recipe.crop.mode) == ("faces", "native")


def test_unknown_tables_of_an_override_are_named():
    with pytest.raises(UsageError, match="unknown table 'decod'; did you mean 'decode'"):
        override(load_recipe("restore"), [("decod", "fps", "30")])
