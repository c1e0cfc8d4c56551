"""What a search varies and how long it may take: the recipe of ``vsr tune``."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from vsr.core.config import build, find_recipe, near, read_toml, to_table
from vsr.core.errors import UsageError
from vsr.train.recipe import STAGES, TrainRecipe, load_train_recipe

Values = dict[str, Any]
"""one point of the space: value by "table.key\""""

_FIXED = {
    "generator.scale": "gains at two scales cannot be compared",
    "data.validation": "trials are compared on the same faces",
    "data.validation_reduction": "trials are compared on the same faces",
    "data.fixed_px": "it is the size of the validation faces, too",
}
_TUNABLE = tuple(name for name in STAGES if name != "loop")


@dataclass(frozen=True, kw_only=True)
class SearchConfig:
    """The race: Hyperband (Li et al., JMLR 18, 2018) over short training runs."""

    measure: Literal["mean_gain", "gain", "gain_degraded", "psnr", "ssim"] = "mean_gain"
    """of the validation faces; what is made large. "mean_gain": mean of the gains over bicubic,
    in dB, on clean and on degraded input"""
    steps: int = 1800
    """of a trial that runs to the end"""
    rungs: int = 3
    """lengths of trials: ``steps``, a ``factor``-th of it, and so on; 1: nothing is cut short"""
    factor: int = 3
    """only one in so many trials of a length goes on to the next longer one"""
    trials: int = 13
    """trials in all, each one training run; 13 = 9 short + 3 longer + 1 whole"""
    minutes: float | None = None
    """end after this time even if trials remain; the next start goes on from there"""
    seed: int = 1
    """of the choice of values and of every trial"""
    heaviest_mflops: float | None = None
    """million floating point operations per LR pixel; heavier generators are left out, or the
    search would find that large is good"""

    def __post_init__(self) -> None:
        for name, low in (("rungs", 1), ("factor", 2), ("trials", 1), ("seed", 1)):
            value = getattr(self, name)
            if value < low:
                raise ValueError(f"{name}: got {value}, expected {low} or more; correct the recipe")
        for name in ("minutes", "heaviest_mflops"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"{name}: got {value}, expected more than 0, or none")
        if self.steps < self.longest:
            raise ValueError(
                f"steps: got {self.steps}, expected factor ** (rungs - 1) = {self.longest} or "
                "more; raise it or lower rungs"
            )

    @property
    def longest(self) -> int:
        """Length of a whole trial in units of the shortest one's."""
        return self.factor ** (self.rungs - 1)

    @property
    def first_race(self) -> int:
        """Trials until the first one runs to the end."""
        return sum(self.factor**rung for rung in range(self.rungs))


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One key of the training recipe and the values it may take."""

    table: str
    key: str
    choices: tuple[Any, ...] = ()
    """either these, or a range from ``low`` to ``high``"""
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    """ranges only: as many draws from 0.1 to 1 as from 1 to 10"""
    whole: bool = False
    """ranges only: whole numbers"""

    @property
    def name(self) -> str:
        """As in ``--set``: "table.key"."""
        return f"{self.table}.{self.key}"

    def to_value(self) -> list[Any] | dict[str, Any]:
        """As TOML has it."""
        if self.choices:
            return list(self.choices)
        kind = int if self.whole else float
        ends: dict[str, Any] = {"low": kind(self.low), "high": kind(self.high)}
        return ends | ({"log": True} if self.log else {})


@dataclass(frozen=True, kw_only=True)
class TuneRecipe:
    """Everything ``vsr tune`` needs to know besides data and study folder."""

    name: str
    base: TrainRecipe
    """what all trials have in common, and the first trial itself"""
    search: SearchConfig = field(default_factory=SearchConfig)
    space: tuple[Parameter, ...]

    def __post_init__(self) -> None:
        if not self.space:
            raise ValueError("space: got nothing to vary, expected at least one key")
        if self.base.data.validation == 0:
            raise ValueError("data.validation: got 0, expected faces to compare the trials on")

    @property
    def base_values(self) -> Values:
        """The base recipe's own point of the space."""
        return {p.name: getattr(getattr(self.base, p.table), p.key) for p in self.space}

    def to_dict(self) -> dict[str, Any]:
        """The resolved recipe as TOML/JSON values."""
        space: dict[str, dict[str, Any]] = {}
        for parameter in self.space:
            space.setdefault(parameter.table, {})[parameter.key] = parameter.to_value()
        search = to_table(self.search)
        return {"kind": "tune", "base": self.base.name, "search": search, "space": space}


def load_tune_recipe(
    name: str = "tune", overrides: Iterable[tuple[str, str, Any]] = ()
) -> TuneRecipe:
    """Reads a search recipe by name or file.

    overrides: (table, key, value); of "search", or of a table of the base recipe.
    Raises UsageError naming file, table, key and near match.
    """
    path = find_recipe(name)
    return tune_recipe_from_dict(read_toml(path), path, overrides)


def check_recipe(path: Path) -> TuneRecipe:
    """Reads and checks the recipe in a file; raises UsageError."""
    return tune_recipe_from_dict(read_toml(path), path)


def tune_recipe_from_dict(
    values: Mapping[str, Any], path: Path, overrides: Iterable[tuple[str, str, Any]] = ()
) -> TuneRecipe:
    """A recipe out of parsed TOML; ``path`` is for messages, and where a base file may lie."""
    where = path.name
    if values.get("kind") != "tune":
        raise UsageError(
            f"{where}: kind is {values.get('kind')!r}, expected 'tune'; "
            "list the recipes with 'vsr pipelines list'"
        )
    known = ("kind", "name", "base", "search", "space")
    for key in values:
        if key not in known:
            raise UsageError(f"{where}: unknown table or key '{key}'; {near(key, known)}")
    changes = list(overrides)
    for table, key, _ in changes:
        if table not in ("search", *STAGES):
            raise UsageError(
                f"--set {table}.{key}: unknown table '{table}'; {near(table, ('search', *STAGES))}"
            )
    base = _base(values.get("base", "train-pixel"), path, [c for c in changes if c[0] != "search"])
    search = dict(_table(values.get("search", {}), f"{where} [search]"))
    search |= {key: value for table, key, value in changes if table == "search"}
    try:
        return TuneRecipe(
            name=path.stem,
            base=base,
            search=build(SearchConfig, search, f"{where} [search]"),
            space=tuple(_space(values.get("space", {}), base, f"{where} [space]")),
        )
    except ValueError as error:
        raise UsageError(f"{where}: {error}") from None


def _base(name: Any, path: Path, overrides: list[tuple[str, str, Any]]) -> TrainRecipe:
    if not isinstance(name, str):
        raise UsageError(f"{path.name} base: got {name!r}, expected the name of a training recipe")
    beside = path.parent / name
    file = str(beside) if beside.suffix == ".toml" and beside.is_file() else name
    try:
        return load_train_recipe(file, overrides)
    except UsageError as error:
        raise UsageError(f"{path.name} base: {error}") from None


def _table(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise UsageError(f"{where}: got {value!r}, expected a table of keys")
    return value


def _space(tables: Any, base: TrainRecipe, where: str) -> Iterable[Parameter]:
    for table, keys in _table(tables, where).items():
        if table not in _TUNABLE:
            raise UsageError(f"{where}: unknown table '{table}'; {near(table, _TUNABLE)}")
        config = getattr(base, table)
        types = typing.get_type_hints(type(config))
        for key, given in _table(keys, f"{where} {table}").items():
            place = f"{where} {table}.{key}"
            if key not in types:
                raise UsageError(f"{place}: unknown key '{key}'; {near(key, types)}")
            if f"{table}.{key}" in _FIXED:
                raise UsageError(f"{place}: cannot be varied: {_FIXED[f'{table}.{key}']}")
            yield _parameter(table, key, given, config, types[key] is int, place)


def _parameter(table: str, key: str, given: Any, config: Any, whole: bool, place: str) -> Parameter:
    if isinstance(given, Mapping):
        made = _range(table, key, given, whole, place)
        tried: tuple[Any, ...] = tuple(int(x) if whole else x for x in (made.low, made.high))
    elif isinstance(given, list) and len(given) > 1:
        if any(not isinstance(v, int | float | str | bool) for v in given):
            raise UsageError(f"{place}: got {given!r}, expected numbers, texts or true/false")
        made = Parameter(table=table, key=key, choices=tuple(given))
        tried = made.choices
    else:
        raise UsageError(
            f"{place}: got {given!r}, expected two or more choices, or a range "
            "{ low = …, high = …, log = true }"
        )
    for value in tried:  # each must fit the base recipe by itself
        build(type(config), {key: value}, place, config)
    return made


def _range(table: str, key: str, given: Mapping[str, Any], whole: bool, place: str) -> Parameter:
    allowed = ("low", "high", "log")
    for name in given:
        if name not in allowed:
            raise UsageError(f"{place}: unknown key '{name}'; {near(name, allowed)}")
    if "low" not in given or "high" not in given:
        raise UsageError(f"{place}: got {dict(given)}, expected low and high")
    ends = {"table": table, "key": key, "whole": whole, **given}
    made = build(Parameter, ends, place)
    if whole and not all(float(x).is_integer() for x in (made.low, made.high)):
        raise UsageError(f"{place}: got {made.low} to {made.high}, expected whole numbers")
    if not made.low < made.high:
        raise UsageError(f"{place}: got {made.low} to {made.high}, expected low below high")
    if made.log and made.low <= 0:
        raise UsageError(f"{place}: got low = {made.low}, expected more than 0 with log = true")
    return made


def with_values(recipe: TrainRecipe, values: Values) -> TrainRecipe:
    """A training recipe with a point of the space laid over it.

    Raises UsageError where the values do not go together.
    """
    tables: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        table, _, key = name.partition(".")
        tables.setdefault(table, {})[key] = value
    made = {t: build(type(getattr(recipe, t)), keys, f"[{t}]", getattr(recipe, t))
            for t, keys in tables.items()}  # fmt: skip
    try:
        return dataclasses.replace(recipe, **made)
    except ValueError as error:
        raise UsageError(str(error)) from None
