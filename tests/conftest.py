"""For all tests: Hypothesis without a time limit, and on request a list of what was skipped."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("vsr", deadline=None)
settings.load_profile("vsr")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real clips, faces and labels; a test that asks for it is marked ``data``.

    Nothing else in the tests looks at VSR_TEST_DATA: what passes must pass without it.
    """
    folder = os.environ.get("VSR_TEST_DATA")
    if not folder:
        pytest.skip("needs real data: set VSR_TEST_DATA")
    return Path(folder)


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what it puts in the background with Ctrl-C ignored, and children inherit
    # that: the tests that press it would wait in vain.
    signal.signal(signal.SIGINT, signal.default_int_handler)


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
