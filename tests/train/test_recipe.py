from __future__ import annotations

from pathlib import Path

import pytest

from vsr.core.config import describe, find_recipe
from vsr.core.errors import UsageError
from vsr.models.architectures.srresnet import SRResNetConfig, build_srresnet
from vsr.models.discriminator import build_discriminator
from vsr.train.recipe import TrainRecipe, load_train_recipe, train_recipe_from_dict

RECIPES = ("train-pixel", "train-fast", "train-gan", "train-seed")


@pytest.mark.parametrize("name", RECIPES)
def test_shipped_recipes_are_whole_and_say_what_they_are_for(name: str) -> None:
    recipe = load_train_recipe(name)
    assert recipe.name == name
    assert len(describe(find_recipe(name))) > 30
    again = train_recipe_from_dict(recipe.to_dict(), Path(f"{name}.toml"))
    assert again == recipe
    assert (recipe.family == "srgan") == (recipe.loss.adversarial > 0)


def test_the_gan_recipe_starts_where_the_pixel_recipe_ends() -> None:
    assert load_train_recipe("train-gan").generator == load_train_recipe("train-pixel").generator


def test_the_fast_recipe_has_a_fifth_of_the_arithmetic_at_most() -> None:
    fast, full = (load_train_recipe(n).generator for n in ("train-fast", "train-pixel"))
    assert fast.flops_per_pixel * 5 < full.flops_per_pixel
    assert fast.scale == full.scale


def test_the_seed_is_the_papers_pair_over_500_epochs_of_800_faces() -> None:
    recipe = load_train_recipe("train-seed")
    assert recipe.generator == SRResNetConfig()
    assert recipe.loop.steps == 500 * 800 // recipe.data.batch
    pair = (build_srresnet(recipe.generator), build_discriminator(recipe.discriminator))
    assert sum(m.count_params() for m in pair) == pytest.approx(14.5e6, rel=0.01)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (("loop", "step", 5), r"train-pixel.toml \[loop\]: unknown key 'step'; did you mean"),
        (("lop", "steps", 5), "unknown table 'lop'; did you mean 'loop'"),
        (("loop", "steps", 0), r"\[loop\]: steps: got 0, expected 1 or more"),
        (("loop", "steps", "many"), r"\[loop\] steps: got 'many', expected a whole number"),
        (("data", "batch", 0), "batch: got 0, expected 1 to 4096"),
        (("data", "fixed_share", 0.9), r"native_share: got 0.15, expected fixed_share \+ native"),
        (("generator", "scale", 3), r"\[generator\]: generator.scale: got 3"),
        (("degrade", "share", 2.0), r"\[degrade\]: degrade.share: got 2.0"),
        (("loss", "pixel", 0.0), "expected at least one loss"),
        (("optimiser", "ema", 1.0), "ema: got 1.0"),
        (("loss", "adversarial", 0.1), None),
    ],
)
def test_wrong_values_name_file_table_and_key(override, message: str | None) -> None:
    if message is None:
        assert load_train_recipe("train-pixel", [override]).loss.adversarial == 0.1
        return
    with pytest.raises(UsageError, match=message):
        load_train_recipe("train-pixel", [override])


def test_a_discriminator_of_another_size_is_refused() -> None:
    with pytest.raises(UsageError, match=r"discriminator.side: got 48 px, expected .* = 96 px"):
        load_train_recipe("train-gan", [("generator", "scale", 4)])
    assert isinstance(load_train_recipe("train-pixel", [("generator", "scale", 4)]), TrainRecipe)


def test_patches_that_an_hourglass_cannot_halve_are_refused() -> None:
    levels = ("generator", "context", [8, 8, 8])
    with pytest.raises(UsageError, match=r"data.patch_px: got 20, expected a multiple of 8, .*"):
        load_train_recipe("train-pixel", [levels, ("data", "patch_px", 20)])
    assert load_train_recipe("train-pixel", [levels, ("data", "patch_px", 24)])


def test_other_kinds_are_refused() -> None:
    with pytest.raises(UsageError, match="kind is 'restore', expected 'train'"):
        load_train_recipe("restore")
    with pytest.raises(UsageError, match="unknown table 'lopp'; did you mean 'loop'"):
        train_recipe_from_dict({"kind": "train", "lopp": {}}, Path("mine.toml"))
    with pytest.raises(UsageError, match="family is 'gan'"):
        train_recipe_from_dict({"kind": "train", "family": "gan"}, Path("mine.toml"))
