from __future__ import annotations

from vsr.evaluate.report.parts import deviation_terms, poor_words

NOW = {"paste": {"max_contradiction": 1.0}}
OLD = {"paste": {"max_deviation": 6.0, "max_local_deviation": 12.0}}


def test_deviations_are_told_in_what_they_were_measured_in() -> None:
    assert deviation_terms(NOW) == (1.0, "times what the camera explains")
    assert deviation_terms(OLD) == (6.0, "grey levels from the source")
    assert deviation_terms({})[0] is None
    said = poor_words(2.5, "plain", filled=True, recipe=NOW)
    assert said == "2.5 times what the camera explains, left plain, filled in"
    assert poor_words(7.2, None, filled=False, recipe=OLD) == "7.2 grey levels from the source"
