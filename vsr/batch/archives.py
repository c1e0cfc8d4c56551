"""Archives of frames: listed and read as streams, archives inside archives included.

An archive counts as a folder of its own name: ``P1E_S1.tar.xz`` that holds
``P1E_S1_C1.tar.xz`` gives ``P1E_S1.tar.xz/P1E_S1_C1.tar.xz/P1E_S1_C1/00000000.jpg``.
Only plain files are taken, never links or devices; a name that leads out of its archive, too
many bytes and too deep a nesting are refused.
"""

from __future__ import annotations

import contextlib
import io
import lzma
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from vsr.core.errors import DataError, OutputError
from vsr.core.limits import limit
from vsr.core.names import hidden_beside

SUFFIXES = (".tar", ".tar.xz", ".txz", ".tar.gz", ".tgz", ".tar.bz2", ".zip")
_MAX_BYTES = limit("VSR_MAX_ARCHIVE_BYTES", 2 << 40)
"""of all files of one outermost archive"""
_MAX_FILE = limit("VSR_MAX_ARCHIVE_FILE_BYTES", 4 << 30)
"""of one file; an archive inside an archive is not bounded by it"""
_MAX_DEPTH = 3
_MAX_RATIO = limit("VSR_MAX_ARCHIVE_RATIO", 200)
"""bytes unpacked for one byte of the outermost archive; frames and labels stay below 30"""
_FREE_BYTES = 256 << 20
"""as much may be unpacked whatever the ratio"""
_ENTRY_BYTES = 512
"""what a member costs beside its content"""
_MAX_NAME_BYTES = 1 << 20
"""of the headers that hold a tar member's long name or attributes, which are read at once"""
_BUFFER = 1 << 20
_BROKEN = (tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, EOFError, OSError,
           NotImplementedError, RuntimeError)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Member:
    """A plain file inside an archive."""

    path: str
    """names of the archives and folders around it, and its own, joined by "/" """
    size: int
    """bytes"""
    stamp: str
    """changes when the content does (modification time or CRC)"""
    file: IO[bytes]
    """its content; must be read before the next member is asked for"""
    archives: tuple[str, ...]
    """paths of the archives around it, as ``path`` has them, outermost first"""

    def copy_to(self, target: IO[bytes]) -> None:
        """Write the content. Raises DataError where the archive is damaged here, OSError where
        the target cannot be written."""
        while data := self._some():
            target.write(data)

    def _some(self) -> bytes:
        try:
            return self.file.read(_BUFFER)
        except _BROKEN as error:
            raise DataError(f"{self.path}: cannot be read to its end ({error})") from None

    def read(self) -> bytes:
        """The content. Raises DataError."""
        buffer = io.BytesIO()
        self.copy_to(buffer)
        return buffer.getvalue()


def is_archive(name: str) -> bool:
    """Whether a file name says that it is an archive."""
    return name.lower().endswith(SUFFIXES)


def members(path: Path, name: str) -> Iterator[Member]:
    """The files of an archive and of the archives inside it, in stored order.

    name: what the archive is called at the head of the members' paths.
    Raises DataError in one line where the archive is damaged or unsafe, OutputError where there
    is no room for a zip inside of it.
    """
    try:
        budget = _Budget(name, _FREE_BYTES + _MAX_RATIO * path.stat().st_size)
        with path.open("rb") as file:
            yield from _walk(file, (name,), budget)
    except _BROKEN as error:
        raise DataError(f"{path}: cannot be read to its end ({error}); get it again") from None


@dataclass(slots=True)
class _Budget:
    name: str
    unpacked: int
    """bytes it may unpack to"""
    taken: int = 0

    def take(self, path: str, size: int) -> None:
        self.taken += size + _ENTRY_BYTES
        if self.taken > _MAX_BYTES:
            raise DataError(
                f"{self.name}: holds more than {_MAX_BYTES:,} bytes; take fewer files, or raise "
                "VSR_MAX_ARCHIVE_BYTES"
            )
        if self.taken > self.unpacked:
            raise DataError(
                f"{self.name}: unpacks to more than {_MAX_RATIO} times its size, as no frames do; "
                "get it elsewhere, or raise VSR_MAX_ARCHIVE_RATIO if you trust it"
            )
        if size > _MAX_FILE and not is_archive(path):
            raise DataError(
                f"{path}: has {size:,} bytes, expected a frame or label file; remove it, or raise "
                "VSR_MAX_ARCHIVE_FILE_BYTES"
            )


def _walk(file: IO[bytes], archives: tuple[str, ...], budget: _Budget) -> Iterator[Member]:
    """archives: the one that ``file`` is, behind those around it."""
    inner = _zip_members if _is_zip(archives[-1]) else _tar_members
    for member in inner(file, archives):
        budget.take(member.path, member.size)
        if not is_archive(PurePosixPath(member.path).name):
            yield member
        elif len(archives) == _MAX_DEPTH:
            raise DataError(f"{member.path}: archives nested deeper than {_MAX_DEPTH}; unpack it")
        else:
            with _opened(member) as nested:
                yield from _walk(nested, (*archives, member.path), budget)


def _is_zip(name: str) -> bool:
    return name.lower().endswith(".zip")


@contextlib.contextmanager
def _opened(member: Member) -> Iterator[IO[bytes]]:
    """The content of an archive inside another; a copy of a zip, whose table of contents stands
    at its end."""
    if not _is_zip(member.path):
        yield member.file
        return
    with contextlib.ExitStack() as stack:
        with _writing(tempfile.gettempdir()):
            copy = stack.enter_context(tempfile.TemporaryFile())
            member.copy_to(copy)
            copy.flush()
        yield copy


class _TarInfo(tarfile.TarInfo):
    """A tar header; those that are read into memory as a whole must be small."""

    def _proc_member(self, tar: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _NAME_TYPES and self.size > _MAX_NAME_BYTES:
            raise tarfile.ReadError(f"a header of {self.size} bytes")
        return super()._proc_member(tar)  # type: ignore[misc]


_NAME_TYPES = (
    tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE,
)  # fmt: skip


def _tar_members(file: IO[bytes], archives: tuple[str, ...]) -> Iterator[Member]:
    with tarfile.open(fileobj=file, mode="r|*", bufsize=_BUFFER, tarinfo=_TarInfo) as tar:
        for info in tar:
            if not info.isreg():
                continue
            path = _safe(info.name, archives[-1])
            content = tar.extractfile(info)
            if content is not None:
                yield Member(path, info.size, str(int(info.mtime)), content, archives)


def _zip_members(file: IO[bytes], archives: tuple[str, ...]) -> Iterator[Member]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            link = (info.external_attr >> 28) == 0xA
            if info.is_dir() or link:
                continue
            path = _safe(info.filename, archives[-1])
            with archive.open(info) as content:
                yield Member(path, info.file_size, f"{info.CRC:08x}", content, archives)


def _safe(name: str, at: str) -> str:
    parts = PurePosixPath(name.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or "\0" in name:
        raise DataError(f"{at}: holds '{name}', which leads out of the archive; refused")
    return f"{at}/{parts.as_posix()}"


def extract_folder(archive: Path, name: str, folder: str, names: tuple[str, ...], into: Path
                   ) -> Path:  # fmt: skip
    """Write the files ``names`` of one folder of an archive into a local folder.

    name: as in `members`; folder: the path of the folder there. Files that the archive lacks
    are left out. Returns ``into``. Raises DataError, OutputError.
    """
    wanted = set(names)
    with _writing(into):
        into.mkdir(parents=True, exist_ok=True)
    for member in members(archive, name):
        parent, _, last = member.path.rpartition("/")
        if parent == folder and last in wanted:
            _write(member, into / last)
            wanted.remove(last)
            if not wanted:
                break
    return into


def unpack(archive: Path, name: str, into: Path) -> int:
    """Write every file of an archive below ``into``; returns their number.

    The archives' own names lose their suffix. A file that stands there in the right size is
    left alone, so that an interrupted unpacking goes on. Raises DataError, OutputError.
    """
    count = 0
    for member in members(archive, name):
        target = into / _unpacked(member)
        with _writing(target):
            there = target.is_file() and target.stat().st_size == member.size
        if not there:
            _write(member, target)
        count += 1
    return count


def _unpacked(member: Member) -> PurePosixPath:
    """Where a member comes to lie: as in its archive, but the archives around it lose their
    suffix (folders that are only called like one keep it)."""
    parts = list(PurePosixPath(member.path).parts)
    for archive in member.archives:
        at = len(PurePosixPath(archive).parts) - 1
        parts[at] = bare(parts[at])
    path = PurePosixPath(*parts)
    if path.is_absolute() or ".." in path.parts or len(path.parts) != len(parts):
        raise DataError(f"{member.path}: would be unpacked as '{path}', which leads out; refused")
    return path


def bare(name: str) -> str:
    """An archive's name without its suffix; other names, and one that is all suffix and dots, as
    they are."""
    suffix = next((s for s in sorted(SUFFIXES, key=len, reverse=True)
                   if name.lower().endswith(s)), "")  # fmt: skip
    stem = name[: len(name) - len(suffix)] if suffix else name
    return stem if stem.strip(".") else name


def _write(member: Member, target: Path) -> None:
    partial = hidden_beside(target, ".partial")
    try:
        with _writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as file:
                member.copy_to(file)
            if partial.stat().st_size != member.size:
                raise DataError(f"{member.path}: ends before its {member.size} bytes; get it again")
            partial.replace(target)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


@contextlib.contextmanager
def _writing(target: Path | str) -> Iterator[None]:
    """A fault of the disk that is written to, told apart from one of the archive."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{target}: cannot be unpacked ({error.strerror or error}); free some room, or choose "
            "a folder you may write to"
        ) from None
