"""Recipes: shipped ones are right, faults are named, overrides win."""

import pytest

from vsr.core.config import list_recipes, parse_set, read_toml
from vsr.core.errors import UsageError
from vsr.run.recipe import STAGES, load_recipe, override, recipe_from_dict, with_output

RESTORE = [p.stem for p in list_recipes() if read_toml(p).get("kind") == "restore"]


@pytest.mark.parametrize("name", RESTORE)
def test_shipped_recipes_load_and_survive_the_way_out_and_back(name):
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe_from_dict(recipe.to_dict(), "again", name) == recipe


def test_one_table_per_stage_in_flow_order():
    stages = ("decode", "detect", "track", "crop", "upscale", "paste", "encode")
    assert stages == STAGES


def test_later_overrides_win_and_the_rest_inherits():
    recipe = load_recipe("restore", [parse_set("crop.margin=0.5"), parse_set("crop.margin=0.4")])
    assert recipe.crop.margin == 0.4
    assert recipe.encode == load_recipe("restore").encode


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"kind": "restore", "crap": {}}, "unknown table or key 'crap'; did you mean 'crop'"),
        ({"kind": "restore", "crop": {"margn": 1}}, r"r.toml \[crop\]: unknown key 'margn'"),
        ({"kind": "restore", "crop": 3}, "wanted a table"),
        ({"kind": "restore", "output": "x"}, "wanted 'frame' or 'faces'"),
        ({"kind": "train"}, "got kind 'train', wanted 'restore'"),
        ({}, "got kind None"),
    ],
)
def test_faults_are_named(data, message):
    with pytest.raises(UsageError, match=message):
        recipe_from_dict(data, "r.toml", "r")


def test_face_videos_bring_crops_of_one_size():
    recipe = with_output(load_recipe("restore"), "faces")
    assert recipe.output == "faces"
    assert recipe.crop.mode == "canonical"


def test_unknown_tables_of_an_override_are_named():
    with pytest.raises(UsageError, match="unknown table 'decod'; did you mean 'decode'"):
        override(load_recipe("restore"), [("decod", "fps", "30")])
