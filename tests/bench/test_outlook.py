"""What a benchmark says of what is to come."""

from __future__ import annotations

import pytest

from vsr.bench.outlook import Costs, Outlook, in_words, plan_of

pytestmark = pytest.mark.fast

ALL = ("generator", "stages", "start-up", "settings")


def test_the_plan_names_the_chosen_parts_in_their_order():
    assert plan_of(ALL, 60, 3) == (
        "to come: the generator alone, then 3 rounds of each stage alone and the whole over "
        "60 frames, then detection strides and encoder presets, "
        "then the first frame of 3 new processes"
    )
    assert plan_of(("start-up",), 60, 1) == "to come: the first frame of a new process"


def outlook(*parts: str, repeats: int = 3, frames: int = 60) -> Outlook:
    said.clear()
    costs = Costs(frames=frames, alone_s=10, search_s=30, start_s=6)
    return Outlook(parts, repeats, costs, said.append, lambda: clock[0])


said: list[str] = []
clock = [0.0]


def test_the_estimate_counts_every_pass():
    def left(*parts: str, **more: int) -> float:
        return outlook(*parts, **more).seconds()

    assert left("stages") == 3 * 20 + 4 * 20  # the whole once more, which does not count
    assert left("stages", repeats=5) == 11 * 20
    assert left("settings") == 2.3 * 30 + 5 * 10
    assert left("settings", frames=240) == 2.3 * 30 + 5 * 10 / 2  # presets encode 120 frames
    assert left("start-up") == left("start-up", repeats=9) == 18
    assert left(*ALL) == left("stages") + left("settings") + left("start-up")
    assert left("generator") == 0


def test_what_was_measured_takes_the_place_of_the_estimate():
    found = outlook("stages")
    found.costs.whole_s = 35
    found.done("whole")
    assert found.seconds() == 3 * 20 + 3 * 35
    found.costs.encode_s = 25
    found.done("stages")
    assert found.seconds() == 2 * 35 + 3 * 35


def test_an_estimate_is_told_again_only_where_it_was_wrong():
    clock[0] = 0.0
    found = outlook("stages")
    found.tell()
    assert said == ["about 2 min to go"]
    clock[0], found.costs.whole_s = 20, 20
    found.done("whole")  # as it was thought
    assert len(said) == 1
    clock[0], found.costs.alone_s, found.costs.encode_s = 80, 30, 30
    found.done("stages")  # the machine has become busy: 60 s instead of 20
    assert said[1:] == ["about 3 min to go"]
    for seconds, what in ((100, "whole"), (160, "stages"), (180, "whole"), (240, "stages")):
        clock[0] = seconds
        found.done(what)
    assert len(said) == 2
    clock[0] = 260
    found.done("whole")
    assert len(said) == 2, "nothing is left"


def test_durations_in_words():
    said = [in_words(s) for s in (3, 44, 89, 95, 330)]
    assert said == ["a few seconds", "about 40 s", "about 90 s", "about 2 min", "about 6 min"]
