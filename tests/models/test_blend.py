"""Two models become one: between them weight for weight, with branches that one of them lacks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vsr.core.errors import UsageError
from vsr.models.backend import start_backend

start_backend()
import keras  # noqa: E402

from vsr.models.blend import blend_models  # noqa: E402
from vsr.models.export import add_model, write_export  # noqa: E402
from vsr.models.registry import build, load_generator  # noqa: E402
from vsr.models.spec import spec_from_dict  # noqa: E402


@pytest.fixture
def made(values: dict[str, Any], tmp_path: Path):
    """Adds a model with weights of its own; gives the path of its spec."""

    def make(name: str, seed: int, **shape: Any) -> Path:
        generator = {**values["generator"], **shape}
        fields = {**values, "name": name, "generator": generator, "scale": generator["scale"]}
        fields["multiple_of"] = 2
        keras.utils.set_random_seed(seed)
        model = build(spec_from_dict(fields, "test"))
        rng = np.random.default_rng(seed)
        for variable in model.weights:
            variable.assign(rng.normal(0, 0.05, variable.shape))
        (tmp_path / name).mkdir()
        write_export(tmp_path / name, model, {k: v for k, v in fields.items() if k != "format"})
        add_model(tmp_path / name, folder=tmp_path / "models")
        return tmp_path / "models" / f"{name}.json"

    return make


def weights(spec: Path) -> dict[str, np.ndarray]:
    return {v.path: np.asarray(v) for v in load_generator(spec).weights}


def test_it_lies_between_the_two(made, tmp_path: Path) -> None:
    one, two = made("one", 1), made("two", 2)
    spec = blend_models(one, two, 0.3, "both", folder=tmp_path / "models", command="how")
    a, b, both = weights(one), weights(two), weights(tmp_path / "models" / "both.json")
    for path, value in both.items():
        np.testing.assert_allclose(value, 0.3 * a[path] + 0.7 * b[path], atol=1e-3)
    assert spec.training is not None
    assert spec.training.command == "how"
    assert (tmp_path / "models" / "both.md").is_file()


def test_what_the_second_one_lacks_counts_as_nothing(made, tmp_path: Path) -> None:
    large, small = made("large", 1, context=[6], blocks=3), made("small", 2)
    blend_models(large, small, 0.5, "both", folder=tmp_path / "models")
    a, b, both = weights(large), weights(small), weights(tmp_path / "models" / "both.json")
    assert both.keys() == a.keys()
    for path, value in both.items():
        if path in b:
            wanted = (a[path] + b[path]) / 2
        else:
            ends = "context0_up_conv" in path or "conv2" in path
            wanted = a[path] / 2 if ends else a[path]
        np.testing.assert_allclose(value, wanted, atol=1e-3, err_msg=path)


def test_models_that_do_not_go_together_are_refused(made, tmp_path: Path) -> None:
    one, wide, other = made("one", 1), made("wide", 2, filters=12), made("other", 3, scale=4)
    for second, share, words in (
        (other, 0.5, r"other is a srresnet of x4, expected one of srresnet, x2, as one"),
        (wide, 0.5, r"head_conv/kernel of one is not in wide or has another shape"),
        (wide, 1.5, r"--share: got 1.5, expected 0..1"),
    ):
        with pytest.raises(UsageError, match=words):
            blend_models(one, second, share, "both", folder=tmp_path / "models")
    assert not (tmp_path / "models" / "both.json").exists()
