"""A network that starts from another one is that one, whatever it has more."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from vsr.train.phases import build_phase
from vsr.train.warm import start_from

LEVEL = {"context": [8]}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"blocks": 3}),
        ({}, {"context": [8, 8]}),
        (LEVEL, {"context": [8], "context_blocks": [5]}),
        (LEVEL, {"context": [8, 12], "context_blocks": [3, 4]}),
    ],
)
def test_what_is_added_changes_nothing_yet(tiny, before: dict, after: dict) -> None:
    one, two = (build_phase(tiny(generator=table)) for table in (before, after))
    rng = np.random.default_rng(0)
    for variable in one.variables:  # as a trained one: no end of a branch is zero
        variable.assign(variable.value + rng.normal(0, 0.05, variable.shape))
    start = SimpleNamespace(init="before", weights={v.path: v for v in one.generator.weights})
    told = start_from(two, start)  # type: ignore[arg-type]
    count = len(one.generator.weights)
    assert told == f"starts from before: {count} of {len(two.generator.weights)} arrays"
    assert len(two.generator.weights) > count
    x = rng.uniform(-1, 1, (2, 16, 16, 3)).astype(np.float32)
    np.testing.assert_allclose(np.asarray(two.predict(x)), np.asarray(one.predict(x)), atol=1e-5)
