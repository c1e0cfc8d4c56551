"""The one wrapper around a running ffmpeg.

One thread talks to a process: whenever it waits for a pipe it also empties ffmpeg's
stderr, so that no helper thread is needed and no pipe can fill up unseen. `kill` may be
called from any thread; the waiting thread then sees the end of its pipe.

A child can't outlive this process: it lives from pipes whose other ends are closed by
the kernel when we die, however we die.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import select
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from vsr.core.errors import FfmpegError
from vsr.media.binary import ffmpeg_exe, require_ffmpeg
from vsr.media.stall import StallWatch

_TAIL_LINES = 40
_LINE_LIMIT = 600
_PIPE_SIZE = 1 << 20
_LOOK_EVERY_S = 0.2
_F_SETPIPE_SZ = 1031  # linux/fcntl.h; a bigger pipe means fewer wake-ups per frame

_POLITE = {signal.SIGTERM, signal.SIGINT}
_POLITE_MASK = sum(1 << (s - 1) for s in _POLITE)
_CAN_SEE_PENDING = Path("/proc/self/status").exists()

_running: set[FfmpegProcess] = set()
_running_lock = threading.Lock()


class FfmpegProcess:
    """A running ffmpeg, its extra output pipes and the last lines it said.

    ``build`` gets the numbers of the extra output pipes as the child sees them (write to
    them as ``pipe:N``) and returns ffmpeg's arguments without the program's name.
    Raises MissingDependencyError where ffmpeg is missing, FfmpegError where it won't start.
    """

    def __init__(
        self,
        build: Callable[[Sequence[int]], list[str]],
        *,
        outputs: int = 0,
        stdin: bool = False,
        on_line: Callable[[str], None] | None = None,
    ) -> None:
        exe = ffmpeg_exe()
        require_ffmpeg(exe)
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._on_line = on_line
        self._partial = b""
        self._lock = threading.Lock()
        self.killed_by_us = False
        self._looked_at = 0.0
        pairs = [os.pipe() for _ in range(outputs)]
        theirs = [w for _, w in pairs]
        self._outputs: list[int] = [r for r, _ in pairs]
        try:
            # Its own process group: Ctrl-C on the terminal is ours to handle, else ffmpeg would
            # close its file in good order and a half-done video would look whole.
            with _polite_signals_blocked():
                self._popen = subprocess.Popen(
                    [exe, "-hide_banner", "-nostdin", *build(theirs)],
                    stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    bufsize=0,
                    pass_fds=theirs,
                    process_group=0,
                    env={**os.environ, "SVT_LOG": "1", "AV_LOG_FORCE_NOCOLOR": "1"},
                )
        except OSError as error:
            for fd in self._outputs:
                os.close(fd)
            raise FfmpegError(f"{exe} cannot be started ({error}); check its rights") from None
        finally:
            for fd in theirs:
                os.close(fd)
        assert self._popen.stderr is not None
        self._stderr: int | None = self._popen.stderr.fileno()
        os.set_blocking(self._stderr, False)
        for fd in self._outputs:
            _enlarge(fd)
        if self._popen.stdin is not None:
            _enlarge(self._popen.stdin.fileno())
            os.set_blocking(self._popen.stdin.fileno(), False)
        with _running_lock:
            _running.add(self)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._popen.pid

    def read_into(self, output: int, view: memoryview) -> int:
        """Fill ``view`` from an extra pipe; returns the bytes read, fewer only at its end."""
        fd, got = self._outputs[output], 0
        while got < len(view):
            self._wait_for(fd, select.POLLIN)
            n = os.readv(fd, [view[got:]])
            if n == 0:
                break
            got += n
        return got

    def read_some(self, output: int, limit: int = _PIPE_SIZE) -> bytes:
        """Whatever is there, at least one byte; empty at the pipe's end."""
        fd = self._outputs[output]
        self._wait_for(fd, select.POLLIN)
        return os.read(fd, limit)

    def write(self, *parts: bytes | memoryview) -> None:
        """Write all parts to stdin. Raises BrokenPipeError where ffmpeg went away."""
        if self._popen.stdin is None or self._popen.stdin.closed:
            raise BrokenPipeError("stdin of ffmpeg is closed")
        fd = self._popen.stdin.fileno()
        for part in parts:
            view = memoryview(part).cast("B")
            while len(view):
                self._wait_for(fd, select.POLLOUT)
                with contextlib.suppress(BlockingIOError):
                    view = view[os.write(fd, view) :]

    def close_stdin(self) -> None:
        """Tell ffmpeg that nothing more comes."""
        if self._popen.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._popen.stdin.close()

    def wait(self, timeout_s: float | None = None) -> int:
        """Exit code (negative: the signal that killed it), once the process has ended.

        Raises TimeoutError where it still runs after ``timeout_s``, FfmpegError where it hangs.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        watch = StallWatch(self.pid)
        while self._stderr is not None and self._popen.poll() is None:
            poller = select.poll()
            poller.register(self._stderr, select.POLLIN)
            if poller.poll(50):
                self._drain()
            self._heed_signals()
            watch.waited(0.05)
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"ffmpeg still runs after {timeout_s} s")
        try:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            code = self._popen.wait(left)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"ffmpeg still runs after {timeout_s} s") from None
        self._drain()
        return code

    def poll(self) -> int | None:
        """Exit code where the process has ended, None where it runs; never waits."""
        self._drain()
        self._heed_signals()
        return self._popen.poll()

    def kill(self) -> None:
        """End the process at once (SIGKILL); safe from any thread, and more than once."""
        with self._lock:
            self.killed_by_us = True
            with contextlib.suppress(ProcessLookupError):
                self._popen.kill()  # checks first whether it was reaped

    def close(self) -> int:
        """Kill it if it still runs, close every pipe, reap it; returns the exit code."""
        if self._popen.poll() is None:
            self.kill()
        self.close_stdin()
        for fd in self._outputs:
            os.close(fd)
        self._outputs = []
        code = self._popen.wait()
        if self._popen.stderr is not None and not self._popen.stderr.closed:
            self._drain()
            self._popen.stderr.close()
            self._stderr = None
        with _running_lock:
            _running.discard(self)
        return code

    @property
    def tail(self) -> list[str]:
        """The last lines of stderr, oldest first."""
        return list(self._tail)

    def last_words(self) -> str:
        """stderr's tail condensed to one line, for an error message."""
        return condense(self.tail)

    def _wait_for(self, fd: int, event: int) -> None:
        """Block until ``fd`` is ready, emptying stderr. Raises FfmpegError if ffmpeg hangs."""
        watch = StallWatch(self.pid)
        poller = select.poll()
        poller.register(fd, event)
        if self._stderr is not None:
            poller.register(self._stderr, select.POLLIN)
        while True:
            self._heed_signals()
            ready = dict(poller.poll(int(_LOOK_EVERY_S * 1000)))
            if self._stderr is not None and self._stderr in ready:
                self._drain()
                if self._stderr is None:
                    return  # ffmpeg is gone; the next read or write says so
            if fd in ready:
                return
            if not ready:
                watch.waited(_LOOK_EVERY_S)

    def _heed_signals(self) -> None:
        """End the process if somebody asked it to end.

        ffmpeg answers SIGTERM by encoding all it has first, and not at all while it waits for
        us; so the polite signals are blocked in it, and seen here while they are pending.
        """
        now = time.monotonic()
        if not _CAN_SEE_PENDING or now - self._looked_at < _LOOK_EVERY_S:
            return
        self._looked_at = now
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{self._popen.pid}/status").read_text()
            pending = re.search(r"^ShdPnd:\s*([0-9a-f]+)", text, re.MULTILINE)
            if pending and int(pending.group(1), 16) & _POLITE_MASK:
                self._popen.kill()

    def _drain(self) -> None:
        """Take what is in stderr now; never blocks."""
        while self._stderr is not None:
            try:
                data = os.read(self._stderr, 1 << 16)
            except BlockingIOError:
                return
            if not data:
                self._stderr = None
                data = b"\n"
            *lines, rest = re.split(rb"[\r\n]+", self._partial + data)
            self._partial = rest[-_LINE_LIMIT:]
            for raw in lines:
                line = raw[:_LINE_LIMIT].decode("utf-8", "replace").rstrip()
                if line:
                    self._tail.append(line)
                    if self._on_line is not None:
                        self._on_line(line)


def run_ffmpeg(
    build: Callable[[Sequence[int]], list[str]],
    *,
    take: Callable[[bytes], None] | None = None,
    on_line: Callable[[str], None] | None = None,
    timeout_s: float | None = None,
) -> tuple[int, FfmpegProcess]:
    """Run ffmpeg to its end; ``take`` gets the bytes of its one output pipe, if given.

    Returns the exit code and the (closed) process, whose ``tail`` tells the rest.
    Raises FfmpegError where it was killed from outside or ran longer than ``timeout_s``.
    """
    process = FfmpegProcess(build, outputs=1 if take else 0, on_line=on_line)
    try:
        if take is not None:
            while data := process.read_some(0):
                take(data)
        code = process.wait(timeout_s)
    except TimeoutError as error:
        raise FfmpegError(f"{error}; the file may make it loop: try to convert it first") from None
    finally:
        process.close()
    if was_killed(code):
        raise FfmpegError(f"ffmpeg was killed ({describe_exit(code)}); run the command again")
    return code, process


def was_killed(code: int) -> bool:
    """Whether an exit code says that a signal ended ffmpeg (it answers SIGTERM with 255)."""
    return code < 0 or code in (255, 123)


def describe_exit(code: int) -> str:
    """Exit code in words."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {-code}, {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"


_PREFIX = re.compile(r"^(\[[^\]]*\]\s*)*")
_NOISE = re.compile(
    r"^(Conversion failed|Error opening (in|out)put files?\b|Press \[q\]|frame=|size=|"
    r"Task finished with error code|Terminating thread with return code|Last message repeated|"
    r"video:\S+ audio:|Output file is empty|"
    r"Nothing was written into output|Could not open encoder before EOF|Exiting normally)"
)


def condense(lines: Sequence[str], limit: int = 200) -> str:
    """The telling last lines of ffmpeg's stderr as one line."""
    words: list[str] = []
    for line in reversed(lines):
        text = _PREFIX.sub("", line).strip()
        if not text or _NOISE.match(text) or text in words:
            continue
        if words and sum(map(len, words)) + len(text) > limit:
            break
        words.append(text)
        if len(words) == 2:
            break
    return "; ".join(reversed(words))[: limit * 2] or "it said nothing"


def kill_all() -> None:
    """Kill every ffmpeg that this process started and that still runs."""
    with _running_lock:
        running = list(_running)
    for process in running:
        process.kill()


def running_count() -> int:
    """How many started processes have not been closed yet."""
    with _running_lock:
        return len(_running)


def _enlarge(fd: int) -> None:
    import fcntl

    with contextlib.suppress(OSError):
        fcntl.fcntl(fd, _F_SETPIPE_SZ, _PIPE_SIZE)


@contextlib.contextmanager
def _polite_signals_blocked() -> Iterator[None]:
    """Start a child with SIGTERM and SIGINT blocked; this thread's mask is put back after."""
    if not _CAN_SEE_PENDING:
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _POLITE)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


atexit.register(kill_all)
