"""Where data lies and outputs go: the seam between a folder and a bucket.

Planner, journal and runner see locations only through `Storage`; paths are relative to its
root, with "/" between their parts, and never leave it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath
from typing import Literal, Protocol

from vsr.core.errors import InputError, OutputError, UsageError
from vsr.core.names import hidden_beside
from vsr.run.output import check_writable, write_atomically

STATE = ".vsr"
"""folder below an output's root: markers, journal, and what is being made"""

_LOCK_WAIT_S = 5.0
"""workers of a run that was killed need a moment to end"""


@dataclass(frozen=True, slots=True)
class Entry:
    """Something below a root."""

    path: str
    """relative, posix"""
    size: int = 0
    """bytes"""
    stamp: str = ""
    """changes when the content does (modification time, ETag)"""
    kind: Literal["file", "empty folder", "unreadable"] = "file"
    reason: str = ""
    """why it is unreadable"""


class Storage(Protocol):
    """A root that is read from or written to."""

    url: str

    def entries(self) -> Iterator[Entry]:
        """Every file below the root, sorted by path, hidden ones left out; folders that are
        empty or cannot be read are entries of their own."""
        ...

    def fetch(self, path: str, into: Path) -> Path:
        """A file as a local one: the file itself where it is local, else a copy below ``into``."""
        ...

    def fetch_folder(self, path: str, names: tuple[str, ...], into: Path) -> Path:
        """A folder's files ``names`` as a local folder, as `fetch` does."""
        ...

    def scratch(self, name: str) -> contextlib.AbstractContextManager[Path]:
        """A local folder to build outputs in, removed afterwards."""
        ...

    def place(self, made: Path, path: str) -> None:
        """Put a local file or folder of `scratch` under its final path, replacing what is there."""
        ...

    def remove(self, path: str) -> None:
        """Remove a file or folder; nothing happens where there is none."""
        ...

    def read_bytes(self, path: str) -> bytes:
        """A small file; raises InputError where it cannot be read."""
        ...

    def read_text(self, path: str) -> str | None:
        """A small text file, None where there is none."""
        ...

    def write_text(self, path: str, text: str) -> None:
        """Write a small text file, complete or not at all."""
        ...

    def append_line(self, path: str, line: str) -> None:
        """Add a line to a log (in a bucket: an object below ``path`` of which a later one has a
        later name)."""
        ...

    def size(self, path: str) -> int | None:
        """Bytes of a file, None where there is none."""
        ...

    def count(self, path: str) -> int:
        """Number of files below a folder, 0 where there is none."""
        ...

    def lock(self) -> contextlib.AbstractContextManager[tuple[int, ...]]:
        """Keep other runs out of this root. Gives file descriptors which workers on this machine
        keep open: the lock holds until the last of them has ended. Raises OutputError."""
        ...

    def sweep(self) -> None:
        """Remove what interrupted runs have left in the making; nobody else may be at work."""
        ...

    def where(self, path: str) -> str:
        """The full name of a path, for messages."""
        ...


def open_storage(location: str) -> Storage:
    """The storage of a folder or URL. Raises UsageError on a scheme that is not known."""
    scheme, colon, _ = location.partition("://")
    if colon and scheme == "s3":
        from vsr.batch.bucket import BucketStorage

        return BucketStorage(location)
    if colon and scheme != "file":
        raise UsageError(f"{location}: got the scheme '{scheme}', expected a folder or s3://")
    return LocalStorage(Path(location.removeprefix("file://")))


def path_below(location: str, root: Storage) -> str | None:
    """Where a location lies below a root, "." where it is the root; None where it lies elsewhere.

    Raises UsageError on a scheme that is not known.
    """
    here, there = _full(root), _full(open_storage(location))
    if type(here) is not type(there) or not there.is_relative_to(here):
        return None
    return there.relative_to(here).as_posix()


def _full(storage: Storage) -> PurePath:
    if isinstance(storage, LocalStorage):
        return storage.root.resolve()
    return PurePosixPath(storage.url)


class LocalStorage:
    """A folder of a file system."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self.url = str(root)

    def entries(self) -> Iterator[Entry]:
        """See `Storage`. Raises InputError where the root itself cannot be read."""
        if not self.root.is_dir():
            raise InputError(f"{self.root}: no such folder; check the path of the data")
        problems: list[OSError] = []
        seen: set[str] = set()
        for text, folders, names in os.walk(self.root, onerror=problems.append, followlinks=True):
            while problems:
                yield self._unreadable(problems.pop())
            real = os.path.realpath(text)
            if real in seen:  # a link may lead back to a folder above it
                folders.clear()
                continue
            seen.add(real)
            folders[:] = sorted(f for f in folders if not f.startswith("."))
            here = Path(text)
            shown = sorted(n for n in names if not n.startswith("."))
            if not folders and not shown and here != self.root:
                yield Entry(self._relative(here), kind="empty folder")
            for name in shown:
                try:
                    facts = (here / name).stat()
                except OSError as error:  # a dangling link
                    yield self._unreadable(error)
                    continue
                path = self._relative(here / name)
                yield Entry(path, facts.st_size, str(facts.st_mtime_ns))
        while problems:
            yield self._unreadable(problems.pop())

    def _relative(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def _unreadable(self, error: OSError) -> Entry:
        path = Path(os.fsdecode(error.filename))
        if path == self.root:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from error
        return Entry(self._relative(path), kind="unreadable", reason=error.strerror or str(error))

    def fetch(self, path: str, into: Path) -> Path:
        """See `Storage`."""
        return self._at(path)

    def fetch_folder(self, path: str, names: tuple[str, ...], into: Path) -> Path:
        """See `Storage`."""
        return self._at(path)

    @contextlib.contextmanager
    def scratch(self, name: str) -> Iterator[Path]:
        """See `Storage`; on the same file system, so that placing is a renaming."""
        making = self.root / STATE / "making"
        folder = hidden_beside(making / name.replace("/", "_"), f".{uuid.uuid4().hex[:8]}")
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise OutputError(f"{folder}: cannot be made ({error.strerror or error})") from None
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def place(self, made: Path, path: str) -> None:
        """See `Storage`."""
        target = self._at(path)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if made.is_dir() or target.is_dir():
                self.remove(path)
            made.replace(target)
            _sync_folder(target.parent)
        except OSError as error:
            raise OutputError(f"{target}: cannot be placed ({error.strerror or error})") from None

    def remove(self, path: str) -> None:
        """See `Storage`. A folder vanishes at once, then its content."""
        target = self._at(path)
        if target.is_dir():
            grave = self.root / STATE / "making" / f"old.{uuid.uuid4().hex[:8]}"
            grave.parent.mkdir(parents=True, exist_ok=True)
            target.replace(grave)
            shutil.rmtree(grave, ignore_errors=True)
        else:
            target.unlink(missing_ok=True)

    def read_bytes(self, path: str) -> bytes:
        """See `Storage`."""
        try:
            return self._at(path).read_bytes()
        except OSError as error:
            raise InputError(f"{self._at(path)}: cannot be read ({error.strerror})") from None

    def read_text(self, path: str) -> str | None:
        """See `Storage`."""
        try:
            return self._at(path).read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise OutputError(f"{self._at(path)}: cannot be read ({error.strerror})") from None

    def write_text(self, path: str, text: str) -> None:
        """See `Storage`."""
        target = self._at(path)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{target}: cannot be written ({error.strerror})") from None
        write_atomically(target, text)

    def append_line(self, path: str, line: str) -> None:
        """See `Storage`."""
        target = self._at(path)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            raise OutputError(f"{target}: cannot be written ({error.strerror})") from None

    def size(self, path: str) -> int | None:
        """See `Storage`."""
        try:
            return self._at(path).stat().st_size
        except OSError:
            return None

    def count(self, path: str) -> int:
        """See `Storage`."""
        return sum(len(names) for _, _, names in os.walk(self._at(path)))

    @contextlib.contextmanager
    def lock(self) -> Iterator[tuple[int, ...]]:
        """See `Storage`."""
        import fcntl

        path = self.root / STATE / "lock"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise OutputError(f"{path}: cannot be written ({error.strerror})") from None
        try:
            deadline = time.monotonic() + _LOCK_WAIT_S
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except OSError:
                    if time.monotonic() > deadline:
                        raise OutputError(
                            f"{self.root}: another vsr batch is at work there; wait for it, "
                            "or choose another folder with -o"
                        ) from None
                    time.sleep(0.1)
            yield (handle,)
        finally:
            os.close(handle)

    def sweep(self) -> None:
        """See `Storage`."""
        shutil.rmtree(self.root / STATE / "making", ignore_errors=True)

    def where(self, path: str) -> str:
        """See `Storage`."""
        return str(self._at(path))

    def _at(self, path: str) -> Path:
        parts = PurePosixPath(path)
        if parts.is_absolute() or ".." in parts.parts:
            raise UsageError(f"{path}: leads out of {self.root}")
        return self.root / parts


def prepare_output(storage: Storage) -> None:
    """Make an output's root; raises OutputError where it can't be made or written to."""
    if not isinstance(storage, LocalStorage):
        storage.write_text(f"{STATE}/probe", "")
        storage.remove(f"{STATE}/probe")
        return
    try:
        storage.root.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise OutputError(f"{storage.root}: is not a folder; choose another with -o") from None
    except OSError as error:
        raise OutputError(f"{storage.root}: cannot be made ({error.strerror})") from None
    check_writable(storage.root)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
