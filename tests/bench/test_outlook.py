"""What a benchmark says of what is to come."""

from __future__ import annotations

import pytest

from vsr.bench.outlook import in_words, plan_of, seconds_to_come

pytestmark = pytest.mark.fast

ALL = ("generator", "stages", "start-up", "settings")


def test_the_plan_names_the_chosen_parts_in_their_order():
    assert plan_of(ALL, 60, 3) == (
        "to come: the generator alone, then 3 rounds of each stage alone and the whole over "
        "60 frames, then detection strides and encoder presets, "
        "then the first frame of 3 new processes"
    )
    assert plan_of(("start-up",), 60, 1) == "to come: the first frame of a new process"


def test_the_estimate_counts_every_pass():
    def left(*parts: str, repeats: int = 3) -> float:
        return seconds_to_come(parts, repeats, prepared_s=10, loaded_s=5)

    assert left("stages") == 70  # one that does not count, three of each stage, three wholes
    assert left("stages", repeats=5) == 110
    assert left("settings") == 20
    assert left("start-up") == left("start-up", repeats=9) == 18
    assert left(*ALL) == left("stages") + left("settings") + left("start-up")
    assert left("generator") == 0


def test_durations_in_words():
    said = [in_words(s) for s in (3, 44, 89, 95, 330)]
    assert said == ["a few seconds", "about 40 s", "about 90 s", "about 2 min", "about 6 min"]
