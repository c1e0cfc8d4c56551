"""Strict reading of TOML tables into frozen dataclasses, and where recipes lie.

Shared by every recipe kind (restore, train, evaluate): an unknown key is an error
that names file, table, key and the nearest known key; a wrong type names both types.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import json
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from vsr.core.errors import UsageError

T = TypeVar("T")

_TYPE_NAMES = {"int": "a whole number", "float": "a number", "str": "text", "bool": "true or false"}


def near(word: str, known: Iterable[str]) -> str:
    """The remedy part of a message: the closest known word, or all of them."""
    words = sorted(known)
    match = difflib.get_close_matches(word, words, n=1, cutoff=0.5)
    return f"did you mean '{match[0]}'?" if match else f"known: {', '.join(words)}"


def build(cls: type[T], table: Mapping[str, Any], where: str, base: T | None = None) -> T:
    """Make a configuration dataclass from a TOML table.

    table: keys of ``cls``; those left out keep the value of ``base`` (or the default).
    where: what messages call the place, e.g. "restore.toml [crop]".
    Raises UsageError on unknown keys, wrong types and refused values.
    """
    if not isinstance(table, Mapping):
        raise UsageError(f"{where}: got {table!r}, expected a table of keys")
    hints = _hints(cls)
    fields = {f.name: f for f in dataclasses.fields(cls) if f.init}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in fields:
            raise UsageError(f"{where}: unknown key '{key}'; {near(key, fields)}")
        values[key] = _coerce(value, hints[key], f"{where} {key}")
    try:
        return dataclasses.replace(base, **values) if base is not None else cls(**values)  # type: ignore[type-var]
    except (ValueError, TypeError) as error:
        raise UsageError(f"{where}: {error}") from error


_hints = functools.cache(typing.get_type_hints)


def _coerce(value: Any, hint: Any, where: str) -> Any:
    """Check a TOML value against a type hint.

    Whole numbers become floats, strings become paths; where text is wanted that may say a
    number ("decode.fps=10"), the number's text is taken.
    """
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if type(None) in args and (value is None or value == "none"):
            return None
        for option in args:
            if option is type(None):
                continue
            try:
                return _coerce(value, option, where)
            except UsageError:
                continue
        raise UsageError(f"{where}: got {value!r}, expected {_name(hint)}")
    if origin is typing.Literal:
        if value not in args:
            choices = ", ".join(repr(a) for a in args)
            raise UsageError(f"{where}: got {value!r}, expected one of {choices}")
        return value
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise UsageError(f"{where}: got {value!r}, expected a list")
        inner = [args[0]] * len(value) if args[-1] is Ellipsis else list(args)
        if len(inner) != len(value):
            raise UsageError(f"{where}: got {len(value)} values, expected {len(inner)}")
        return tuple(_coerce(v, h, where) for v, h in zip(value, inner, strict=True))
    if hint is Path and isinstance(value, str):
        return Path(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise UsageError(f"{where}: got {str(value)[:20]}…, expected a number") from None
    if hint is str and isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    if isinstance(hint, type) and isinstance(value, hint):
        if isinstance(value, bool) and hint is not bool:
            raise UsageError(f"{where}: got {value!r}, expected {_name(hint)}")
        return value
    raise UsageError(f"{where}: got {value!r}, expected {_name(hint)}")


def _name(hint: Any) -> str:
    return _TYPE_NAMES.get(getattr(hint, "__name__", ""), str(hint))


def to_table(config: Any) -> dict[str, Any]:
    """A configuration as plain TOML/JSON values (None as "none", paths as text)."""
    table: dict[str, Any] = {}
    for f in dataclasses.fields(config):
        value = getattr(config, f.name)
        if value is None:
            value = "none"
        elif isinstance(value, Path):
            value = str(value)
        elif isinstance(value, tuple):
            value = list(value)
        table[f.name] = value
    return table


def to_toml(tables: Mapping[str, Any], prefix: str = "") -> str:
    """Nested plain values as TOML text; `read_toml` is the reverse.

    prefix: of the tables' names, empty or ending in a dot.
    """
    # JSON's text, numbers, booleans and lists are TOML's own forms
    lines = [
        f"{key} = {json.dumps(value, ensure_ascii=False)}"
        for key, value in tables.items()
        if not isinstance(value, Mapping)
    ]
    parts = ["\n".join(lines) + "\n"] if lines else []
    for name, table in tables.items():
        if isinstance(table, Mapping):
            parts.append(f"[{prefix}{name}]\n{to_toml(table, f'{prefix}{name}.')}")
    return "\n".join(parts)


def parse_set(assignment: str) -> tuple[str, str, Any]:
    """Split ``table.key=value``; the value is read as TOML, else taken as text."""
    name, equals, text = assignment.partition("=")
    table, dot, key = name.strip().partition(".")
    if not equals or not dot or not table or not key or "." in key:
        raise UsageError(
            f"--set: got '{assignment}', expected TABLE.KEY=VALUE, e.g. crop.margin=0.4"
        )
    try:
        value = tomllib.loads(f"v = {text.strip()}")["v"]
    except (ValueError, RecursionError):  # TOMLDecodeError, and e.g. a number of 5,000 digits
        value = text.strip()
    return table, key, value


def read_toml(path: Path) -> dict[str, Any]:
    """Parse a TOML file; raises UsageError in one line."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"recipe {path}: cannot be read ({error.strerror or error})") from error
    except (ValueError, RecursionError) as error:  # not TOML, not UTF-8, a number of 5,000 digits
        raise UsageError(f"recipe {path}: not valid TOML ({error})") from error


def recipes_folder() -> Path:
    """The folder of the shipped recipes: inside the installed package, else the checkout's."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "pipelines", package.parent / "pipelines"):
        if folder.is_dir():
            return folder
    raise UsageError("recipes: none found beside the package; reinstall vsr")


def list_recipes() -> list[Path]:
    """The shipped recipe files, by name."""
    return sorted(recipes_folder().glob("*.toml"))


def find_recipe(name: str) -> Path:
    """The file of a recipe given by name ("restore") or by path ("my.toml")."""
    path = Path(name)
    if path.suffix == ".toml" or path.parent != Path("."):
        if not path.is_file():
            raise UsageError(f"--pipeline: no recipe file {name}; see 'vsr pipelines list'")
        return path
    known = {p.stem: p for p in list_recipes()}
    if name not in known:
        raise UsageError(f"--pipeline: unknown recipe '{name}'; {near(name, known)}")
    return known[name]


def describe(path: Path) -> str:
    """The purpose of a recipe: its first comment line."""
    with path.open(encoding="utf-8") as file:
        first = file.readline().strip()
    return first.lstrip("# ").strip() if first.startswith("#") else ""
