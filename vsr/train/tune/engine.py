"""The search itself: Keras Tuner's Hyperband proposes, whoever calls measures and answers.

Hyperband (Li et al., JMLR 18, 2018) runs many short trials and gives only the best of each
length a longer one. It learns nothing but scores, so its whole state follows from the seed and
the scores so far: a study is taken up again by answering with the scores on record, and nothing
of the engine needs to be stored.
"""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from vsr.core.errors import MissingDependencyError, UsageError
from vsr.models.backend import start_backend
from vsr.train.tune.recipe import Parameter, TuneRecipe, Values, with_values

_DRAWS = 1000
"""of random points in a row that may be too heavy"""


@dataclass(frozen=True, slots=True)
class Proposal:
    """One trial to run."""

    number: int
    """1, 2, 3, … in the order of proposal"""
    values: Values
    steps: int
    promoted_from: int | None
    """the shorter trial with the same values that earned this one; None for a new point"""


def proposals(recipe: TuneRecipe) -> Generator[Proposal, float, None]:
    """Proposes trials one by one, without end or until the space is used up.

    ``send`` each one's score (larger is better, finite) to get the next. The first is the base
    recipe itself, so that it runs the same race as the others. A longer trial starts anew rather
    than from the shorter one's weights: its learning rate then falls once, over its own length,
    and its score is that of ``vsr train`` with the same recipe.

    Raises:
        MissingDependencyError: Keras Tuner is not installed.
        UsageError: no generator of the space is as light as wanted.
    """
    tuner_module = load_engine()
    search, measure = recipe.search, recipe.search.measure
    known: dict[str, Proposal] = {}
    with tempfile.TemporaryDirectory(prefix="vsr-tune-") as folder:
        oracle = _oracle(tuner_module, recipe)
        # gives the oracle the folder for the records that it insists on
        tuner_module.engine.base_tuner.BaseTuner(oracle, directory=folder, project_name="engine")
        oracle.verbose = 0
        while (trial := oracle.create_trial("vsr")).status == "RUNNING":
            drawn = trial.hyperparameters.values
            parent = known.get(drawn.get("tuner/trial_id", ""))
            if parent is not None:
                values = parent.values
            else:
                values = _values(drawn, recipe.space) if known else recipe.base_values
            proposal = Proposal(
                number=len(known) + 1,
                values=values,
                steps=round(search.steps * drawn["tuner/epochs"] / search.longest),
                promoted_from=None if parent is None else parent.number,
            )
            known[trial.trial_id] = proposal
            score = yield proposal
            oracle.update_trial(trial.trial_id, {measure: score})
            trial.status = "COMPLETED"
            oracle.end_trial(trial)


def is_too_heavy(recipe: TuneRecipe, values: Values) -> bool:
    """Whether a point's generator needs more operations than the search allows.

    Points whose values do not go together are not: trying them says why.
    """
    limit = recipe.search.heaviest_mflops
    return limit is not None and (mflops(recipe, values) or 0.0) > limit


def mflops(recipe: TuneRecipe, values: Values) -> float | None:
    """Million floating point operations per LR pixel; None where the values do not fit."""
    try:
        return with_values(recipe.base, values).generator.flops_per_pixel / 1e6
    except UsageError:
        return None


def load_engine() -> Any:
    """The module ``keras_tuner``; raises MissingDependencyError where it is not installed."""
    start_backend()
    try:
        import keras_tuner
    except ImportError as error:
        raise MissingDependencyError(
            f"vsr tune: needs the package keras-tuner ({error}); install it with: "
            "pip install 'face-vsr[tune]'"
        ) from None
    return keras_tuner


def _oracle(tuner_module: Any, recipe: TuneRecipe) -> Any:
    search = recipe.search

    class LightHyperband(tuner_module.oracles.HyperbandOracle):
        """Hyperband that draws no point whose generator is too heavy."""

        def _random_values(self) -> dict[str, Any] | None:
            for _ in range(_DRAWS):
                drawn = super()._random_values()
                if drawn is None or not is_too_heavy(recipe, _values(drawn, recipe.space)):
                    return drawn
            raise UsageError(
                f"search.heaviest_mflops: got {search.heaviest_mflops}, and {_DRAWS} random "
                "generators of the space were all heavier; raise it or widen the space"
            )

    space = tuner_module.HyperParameters()
    for parameter in recipe.space:
        _add(space, parameter)
    return LightHyperband(
        objective=tuner_module.Objective(search.measure, "max"),
        max_epochs=search.longest,
        factor=search.factor,
        hyperband_iterations=None,  # race after race; the caller says when it is enough
        seed=search.seed,
        hyperparameters=space,
    )


def _add(space: Any, parameter: Parameter) -> None:
    name = parameter.name
    if parameter.choices:
        # by index: the engine would turn true into 1
        space.Choice(name, list(range(len(parameter.choices))), ordered=False)
        return
    sampling = "log" if parameter.log else "linear"
    if parameter.whole:
        space.Int(name, int(parameter.low), int(parameter.high), sampling=sampling)
    else:
        space.Float(name, parameter.low, parameter.high, sampling=sampling)


def _values(drawn: dict[str, Any], space: tuple[Parameter, ...]) -> Values:
    """The engine's draw as values of the recipe; three digits are enough of a real number."""
    values: Values = {}
    for parameter in space:
        value = drawn[parameter.name]
        if parameter.choices:
            values[parameter.name] = parameter.choices[int(value)]
        else:
            values[parameter.name] = int(value) if parameter.whole else float(f"{value:.3g}")
    return values
