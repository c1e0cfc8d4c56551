"""What older versions have written down is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from vsr.core.errors import UsageError
from vsr.run.recipe import load_recipe
from vsr.run.record import recorded_recipe


def record(**paste: float) -> dict[str, object]:
    recipe = load_recipe("restore", [("upscale", "model", "bicubic")]).to_dict()
    recipe["paste"] |= paste
    return {"recipe": recipe, "model": {"name": "bicubic", "sha256": None}}


def test_limits_of_the_check_that_compared_reduced_pictures_are_passed_over() -> None:
    recipe = recorded_recipe(record(max_deviation=6.0, max_local_deviation=12.0), Path("o.json"))
    assert recipe.paste.max_contradiction == 1.0


def test_other_unknown_keys_are_errors() -> None:
    with pytest.raises(UsageError, match="max_deviatoin"):
        recorded_recipe(record(max_deviatoin=6.0), Path("o.json"))
