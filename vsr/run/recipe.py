"""A recipe: the configuration of every stage, one TOML table each, in flow order."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from vsr.core.config import build, find_recipe, near, parse_set, read_toml, to_table
from vsr.core.errors import InputError, UsageError
from vsr.core.hashing import file_sha256
from vsr.faces.choose import ChooseConfig
from vsr.faces.crop import CropConfig
from vsr.faces.detect import DetectConfig
from vsr.faces.fuse import FuseConfig
from vsr.faces.paste import PasteConfig
from vsr.faces.track import TrackConfig
from vsr.faces.working import WorkingConfig
from vsr.media.decode import DecodeConfig
from vsr.media.encode import EncodeConfig
from vsr.models.upscale import UpscaleConfig

OutputKind = Literal["frame", "faces"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything ``vsr run`` needs to know besides input and output."""

    name: str = "restore"
    output: OutputKind = "frame"
    """"frame": the whole picture with the faces pasted back; "faces": one video per track"""
    decode: DecodeConfig = field(default_factory=DecodeConfig)
    detect: DetectConfig = field(default_factory=DetectConfig)
    track: TrackConfig = field(default_factory=TrackConfig)
    choose: ChooseConfig = field(default_factory=ChooseConfig)
    crop: CropConfig = field(default_factory=CropConfig)
    working: WorkingConfig = field(default_factory=WorkingConfig)
    fuse: FuseConfig = field(default_factory=FuseConfig)
    upscale: UpscaleConfig = field(default_factory=UpscaleConfig)
    paste: PasteConfig = field(default_factory=PasteConfig)
    encode: EncodeConfig = field(default_factory=EncodeConfig)

    def to_dict(self) -> dict[str, Any]:
        """The resolved recipe as TOML/JSON values, as written to the manifest."""
        tables = {name: to_table(getattr(self, name)) for name in STAGES}
        return {"kind": "restore", "name": self.name, "output": self.output, **tables}


STAGES = tuple(f.name for f in dataclasses.fields(Recipe) if f.name not in ("name", "output"))


def load_recipe(
    name: str = "restore",
    overrides: Iterable[tuple[str, str, Any]] = (),
    output: OutputKind | None = None,
) -> Recipe:
    """Read a restore recipe by name or file and lay overrides over it.

    overrides: (table, key, value), the last one of a key wins. output: instead of the recipe's.
    Raises UsageError naming file, table, key and near match.
    """
    path = find_recipe(name)
    return recipe_from_dict(read_toml(path), path.name, path.stem, overrides, output)


def recipe_from_dict(
    data: Mapping[str, Any],
    where: str,
    name: str,
    overrides: Iterable[tuple[str, str, Any]] = (),
    output: OutputKind | None = None,
) -> Recipe:
    """Build a recipe from parsed TOML; ``where`` is what messages call the file.

    Face videos need crops of one size: "faces" brings canonical crops with it where nothing
    else was said of them.
    """
    kind = data.get("kind")
    if kind != "restore":
        raise UsageError(
            f"{where}: got kind {kind!r}, expected 'restore'; see 'vsr pipelines list'"
        )
    own_output = data.get("output", "frame")
    if own_output not in ("frame", "faces"):
        raise UsageError(f"{where}: output: got {own_output!r}, expected 'frame' or 'faces'")
    for key in data:
        if key not in ("kind", "output", "name", *STAGES):
            raise UsageError(f"{where}: unknown table or key '{key}'; {near(key, STAGES)}")
    classes = {f.name: f.default_factory for f in dataclasses.fields(Recipe) if f.name in STAGES}
    tables: dict[str, Any] = {
        stage: build(cls, data.get(stage, {}), f"{where} [{stage}]")  # type: ignore[arg-type]
        for stage, cls in classes.items()
    }
    recipe = Recipe(name=name, output=output or own_output, **tables)
    # what a recipe for whole frames says of its crops was not said of face videos
    said = own_output == "faces" and "mode" in data.get("crop", {})
    if recipe.output == "faces" and not said:
        recipe = override(recipe, [("crop", "mode", "canonical")])
    return _with_faces_hash(override(recipe, overrides))


def _with_faces_hash(recipe: Recipe) -> Recipe:
    """The recipe with the hash of its faces file: an edit of it counts as other settings."""
    name = recipe.choose.file
    if not name or recipe.choose.sha256:
        return recipe
    if not os.path.isfile(name):
        raise InputError(f"{name}: no such faces file; make it with: vsr faces INPUT -o {name}")
    return override(recipe, [("choose", "sha256", file_sha256(Path(name)))])


def override(recipe: Recipe, changes: Iterable[tuple[str, str, Any]]) -> Recipe:
    """The recipe with single keys changed; raises UsageError on unknown tables and keys."""
    grouped: dict[str, dict[str, Any]] = {}
    for table, key, value in changes:
        if table not in STAGES:
            raise UsageError(f"--set {table}.{key}: unknown table '{table}'; {near(table, STAGES)}")
        grouped.setdefault(table, {})[key] = value
    for table, values in grouped.items():
        base = getattr(recipe, table)
        changed = build(type(base), values, f"--set [{table}]", base)
        recipe = dataclasses.replace(recipe, **{table: changed})
    return recipe


def parse_overrides(assignments: Iterable[str]) -> list[tuple[str, str, Any]]:
    """``--set`` texts as (table, key, value)."""
    return [parse_set(a) for a in assignments]


def check_recipe(path: Path) -> Recipe:
    """Read one recipe file completely; raises UsageError on the first fault."""
    return recipe_from_dict(read_toml(path), path.name, path.stem)
