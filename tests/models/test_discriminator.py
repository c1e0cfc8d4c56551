import numpy as np
import pytest

from vsr.models.architectures.srresnet import SRResNetConfig, build_srresnet
from vsr.models.discriminator import DiscriminatorConfig, build_discriminator


def test_the_seeds_pair_has_about_14_million_parameters() -> None:
    pair = (build_srresnet(SRResNetConfig()), build_discriminator(DiscriminatorConfig()))
    assert sum(m.count_params() for m in pair) == 1_407_107 + 13_083_457


def test_it_gives_one_logit_per_face() -> None:
    model = build_discriminator(DiscriminatorConfig(side=32, filters=8, dense=16, blocks=4))
    faces = np.random.default_rng(0).uniform(-1, 1, (3, 32, 32, 3)).astype("float32")
    logits = np.asarray(model(faces))
    assert logits.shape == (3, 1)
    assert logits.std() > 0
    assert [la.strides for la in model.layers if la.name.endswith("conv")] == [
        (1, 1), (2, 2), (1, 1), (2, 2),
    ]  # fmt: skip
    assert not [la for la in model.layers if la.name == "block0_norm"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"side": 40}, "side: got 40, expected a multiple of 16 px"),
        ({"blocks": 3}, "blocks: got 3, expected an even number"),
        ({"filters": 1}, "filters: got 1"),
    ],
)
def test_wrong_shapes_are_refused(wrong: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DiscriminatorConfig(**wrong)
