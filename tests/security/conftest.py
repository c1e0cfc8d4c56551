"""A canary file and a listening socket, which must both be left alone by the command."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the tests share helpers

from vsr.media.binary import ffmpeg_exe

ROOT = Path(__file__).resolve().parents[2]
_IN_ACCESS, _IN_OPEN = 0x1, 0x20


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str


@pytest.fixture(scope="session")
def vsr() -> Callable[..., Outcome]:
    """Run the command as a user does, in a process of its own."""

    def call(*arguments: object, cwd: Path | None = None) -> Outcome:
        done = subprocess.run(
            [sys.executable, "-m", "vsr", *map(str, arguments)],
            capture_output=True,
            timeout=240,
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
            stdin=subprocess.DEVNULL,
        )
        return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())

    return call


@pytest.fixture(scope="session")
def ffmpeg() -> Callable[..., str]:
    """Run the ffmpeg that the product uses; returns its log, whatever the exit code."""

    def call(*arguments: object) -> str:
        done = subprocess.run(
            [ffmpeg_exe(), "-hide_banner", "-y", *map(str, arguments)],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
        )
        return done.stderr.decode("utf-8", "replace")

    return call


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory, ffmpeg: Callable[..., str]) -> Path:
    """Ten frames of a test picture."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=96x64:d=0.4", "-c:v", "libx264", path)
    return path


class Trap:
    """Sees whether any process opens a file, or connects to a port of this machine."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._watch = self._libc.inotify_init1(os.O_NONBLOCK)
        words = (self._watch, os.fsencode(canary), _IN_ACCESS | _IN_OPEN)
        assert self._watch >= 0
        assert self._libc.inotify_add_watch(*words) >= 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self.port = self._socket.getsockname()[1]

    @property
    def url(self) -> str:
        """Where the socket listens."""
        return f"http://127.0.0.1:{self.port}"

    def opened(self) -> int:
        """How often the canary was opened or read since the last question."""
        count = 0
        while True:
            try:
                data = os.read(self._watch, 4096)
            except BlockingIOError:
                return count
            while data:
                count += 1
                data = data[16 + struct.unpack("IIII", data[:16])[3] :]

    def connected(self) -> int:
        """How many connections came since the last question."""
        count = 0
        while True:
            try:
                self._socket.accept()[0].close()
                count += 1
            except BlockingIOError:
                return count

    def close(self) -> None:
        """Give the watch and the port back."""
        os.close(self._watch)
        self._socket.close()


@pytest.fixture
def trap(tmp_path: Path, clip: Path) -> Iterator[Trap]:
    """A playable video as canary, and a port that nobody may connect to."""
    if not sys.platform.startswith("linux"):
        pytest.skip("inotify is Linux's")
    folder = tmp_path / "outside"
    folder.mkdir()
    canary = folder / "canary.mp4"
    canary.write_bytes(clip.read_bytes())
    made = Trap(canary)
    yield made
    made.close()


@pytest.fixture
def refused(here: Callable[..., Any], trap: Trap, tmp_path: Path) -> Callable[..., str]:
    """Run a command that must be refused in one line and touch nothing; returns the line."""

    def call(*arguments: object, code: int | None = None, cwd: Path | None = None) -> str:
        out = tmp_path / "out"
        outcome = here(*arguments, cwd=cwd)
        lines = [line for line in outcome.stderr.splitlines() if line.strip()]
        assert outcome.code not in (0, 1), outcome
        assert code is None or outcome.code == code, outcome
        assert len(lines) == 1, outcome.stderr
        assert lines[0].startswith("error: ")
        assert trap.opened() == 0, "the canary was opened"
        assert trap.connected() == 0, "a connection was made"
        assert not list(tmp_path.glob("out*.mp4*")), "something stands under the output's name"
        assert not out.exists() or not [p for p in out.rglob("*") if p.suffix == ".mp4"]
        return lines[0]

    return call
