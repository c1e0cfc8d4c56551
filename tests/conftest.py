"""For all tests: Hypothesis without a time limit, real data, marks, a list of what was skipped."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy.testing  # noqa: F401  (NumPy 1's starts lscpu: now, not within the first test)
import pytest
from hypothesis import settings

settings.register_profile("vsr", deadline=None)
settings.load_profile("vsr")

TESTS = Path(__file__).parent
KINDS = ("fast", "network", "process", "data", "gpu")
"""marks of which every test has at least one; pyproject.toml says what they mean"""
_FOLDERS = {
    **dict.fromkeys(("core", "degrade", "faces", "prepare", "test_architecture.py"), "fast"),
    **dict.fromkeys(("models", "train"), "network"),
}
"""kind of a test that says nothing of itself, by folder; elsewhere it is ``process``"""
_STARTERS = {"vsr", "ffmpeg", "mount", "small_disk", "cluster", "bucket"}
"""fixtures that start processes"""
_OWN = re.compile(r"^pytestmark = pytest\.mark\.(network|process|data|gpu)$", re.MULTILINE)

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what it puts in the background with Ctrl-C ignored, and children inherit
    # that: the tests that press it would wait in vain.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real clips, faces and labels; a test that asks for it is marked ``data``.

    Nothing else in the tests looks at VSR_TEST_DATA: what passes must pass without it.
    """
    folder = os.environ.get("VSR_TEST_DATA")
    if not folder:
        pytest.skip("needs real data: set VSR_TEST_DATA")
    return Path(folder)


# === the command ===


class Ended(NamedTuple):
    """How a command ended: exit code and what it printed."""

    code: int
    stdout: str
    stderr: str


@pytest.fixture
def here(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Ended]:
    """``vsr`` in this process, from its entry point on: for calls that are refused or quickly done.

    An interpreter of its own costs a second, one with TensorFlow seven. What a call does to its
    process (signals, threads, exit) is for those tests that start one.
    """
    entry = importlib.import_module("vsr.cli.app")
    state = importlib.import_module("vsr.cli.common").state

    def leave(code: int) -> None:
        raise SystemExit(code)

    def call(*arguments: object, cwd: Path | None = None) -> Ended:
        before = signal.getsignal(signal.SIGTERM)
        capfd.readouterr()
        with monkeypatch.context() as patch:
            patch.setattr(entry, "_leave", leave)
            patch.setattr(sys, "argv", ["vsr", *map(str, arguments)])
            for name in ("told", "debug"):
                patch.setattr(state, name, False)
            if cwd is not None:  # as for `python -m vsr`, whose path begins there
                patch.chdir(cwd)
                patch.syspath_prepend(cwd)
            try:
                with pytest.raises(SystemExit) as ended:
                    entry.main()
            finally:
                signal.signal(signal.SIGTERM, before)
        printed = capfd.readouterr()
        assert isinstance(ended.value.code, int)
        return Ended(ended.value.code, printed.out, printed.err)

    return call


# === networks ===

_loaded: dict[tuple[object, ...], object] = {}


@pytest.fixture(scope="module")
def networks_once() -> Iterator[None]:
    """A shipped network is loaded and traced once for all modules that ask for this, not anew by
    each run: two CPU seconds. What loading does is for tests/models."""
    upscale = importlib.import_module("vsr.models.upscale")
    shipped = {p.stem for p in importlib.import_module("vsr.models.registry").STORE.glob("*.json")}
    begin = upscale.start_backend

    def keep() -> None:
        begin()
        network = importlib.import_module("vsr.models.network")  # and with it TensorFlow
        load = network.load_network

        def once(name: object, **how: object) -> object:
            if name not in shipped:
                return load(name, **how)
            key = (name, *sorted(how.items()))
            if key not in _loaded:
                _loaded[key] = load(name, **how)
            return _loaded[key]

        patch.setattr(upscale, "start_backend", begin)
        patch.setattr(network, "load_network", once)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(upscale, "start_backend", keep)
        yield


# === marks ===


def _kind(path: Path) -> str:
    """What a test in this file or folder is by default."""
    return _FOLDERS.get(path.relative_to(TESTS).parts[0], "process")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Each test gets the marks that follow from its fixtures and its folder."""
    fixtures = set(getattr(item, "fixturenames", ()))
    if "real_data" in fixtures:
        item.add_marker("data")
    if _STARTERS & fixtures:
        item.add_marker("process")
    if not any(item.get_closest_marker(kind) for kind in KINDS):
        item.add_marker(_kind(item.path))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """``-m fast`` imports no file that holds nothing fast: TensorFlow alone takes 5 seconds."""
    if config.getoption("markexpr").strip() != "fast" or collection_path == TESTS:
        return None
    if collection_path.is_dir():
        return None if any(map(_may_be_fast, collection_path.rglob("test_*.py"))) else True
    test = collection_path.name.startswith("test_")
    return True if test and not _may_be_fast(collection_path) else None


def _may_be_fast(path: Path) -> bool:
    text = path.read_text(encoding="utf-8")
    return "pytest.mark.fast" in text or (_kind(path) == "fast" and not _OWN.search(text))


@contextlib.contextmanager
def _kept(item: pytest.Item) -> Iterator[None]:
    """Fails a test that is marked ``fast`` but starts a process or imports TensorFlow."""
    if item.get_closest_marker("fast") is None:
        yield
        return
    before, started = "tensorflow" in sys.modules, []
    with pytest.MonkeyPatch.context() as patch:
        plain = subprocess.Popen.__init__

        def noted(self, args, *more, **how) -> None:
            started.append(args if isinstance(args, str) else " ".join(map(str, args)))
            plain(self, args, *more, **how)

        patch.setattr(subprocess.Popen, "__init__", noted)
        yield
    if started:
        pytest.fail(f"is marked fast, but starts {started[0]!r}: mark it process", pytrace=False)
    if not before and "tensorflow" in sys.modules:
        pytest.fail("is marked fast, but imports TensorFlow: mark it network", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    with _kept(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    with _kept(item):
        return (yield)


# === what was skipped ===


class _Skipped:
    """Writes the ids of skipped tests (and files), one a line, for a later ``pytest @FILE``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ids: dict[str, None] = {}

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self._ids[report.nodeid] = None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            self._ids[report.nodeid] = None

    def pytest_sessionfinish(self) -> None:
        self._path.write_text("".join(f"{name}\n" for name in self._ids))


def pytest_configure(config: pytest.Config) -> None:
    """``VSR_SKIPPED_TO=FILE pytest`` names there what it skipped."""
    path = os.environ.get("VSR_SKIPPED_TO")
    if path and not hasattr(config, "workerinput"):  # nor in a process that runs a share of them
        config.pluginmanager.register(_Skipped(Path(path)))
