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
import shutil
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

    def copy_to(self, target: IO[bytes]) -> None:
        """Write the content. Raises DataError where the archive is damaged here."""
        try:
            shutil.copyfileobj(self.file, target, _BUFFER)
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
    Raises DataError in one line where the archive is damaged or unsafe.
    """
    try:
        budget = _Budget(name, _FREE_BYTES + _MAX_RATIO * path.stat().st_size)
        with path.open("rb") as file:
            yield from _walk(file, path.name, name, budget, 1)
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
                f"{path}: has {size:,} bytes, wanted a frame or a label file; remove it, or raise "
                "VSR_MAX_ARCHIVE_FILE_BYTES"
            )


def _walk(file: IO[bytes], name: str, at: str, budget: _Budget, depth: int) -> Iterator[Member]:
    inner = _zip_members if name.lower().endswith(".zip") else _tar_members
    for member in inner(file, at):
        budget.take(member.path, member.size)
        last = PurePosixPath(member.path).name
        if not is_archive(last):
            yield member
        elif depth == _MAX_DEPTH:
            raise DataError(f"{member.path}: archives nested deeper than {_MAX_DEPTH}; unpack it")
        else:
            yield from _walk(member.file, last, member.path, budget, depth + 1)


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


def _tar_members(file: IO[bytes], at: str) -> Iterator[Member]:
    with tarfile.open(fileobj=file, mode="r|*", bufsize=_BUFFER, tarinfo=_TarInfo) as tar:
        for info in tar:
            if not info.isreg():
                continue
            path = _safe(info.name, at)
            content = tar.extractfile(info)
            if content is not None:
                yield Member(path, info.size, str(int(info.mtime)), content)


def _zip_members(file: IO[bytes], at: str) -> Iterator[Member]:
    with contextlib.ExitStack() as stack:
        if not file.seekable():  # a zip's table of contents stands at its end
            copy = stack.enter_context(tempfile.TemporaryFile())
            shutil.copyfileobj(file, copy, _BUFFER)
            file = copy
        with zipfile.ZipFile(file) as archive:
            for info in archive.infolist():
                link = (info.external_attr >> 28) == 0xA
                if info.is_dir() or link:
                    continue
                with archive.open(info) as content:
                    yield Member(_safe(info.filename, at), info.file_size, f"{info.CRC:08x}",
                                 content)  # fmt: skip


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
    into.mkdir(parents=True, exist_ok=True)
    for member in members(archive, name):
        parent, _, last = member.path.rpartition("/")
        if parent == folder and last in wanted:
            _write(member, into / last)
            wanted.remove(last)
            if not wanted:
                break
    return into


def unpack(archive: Path, name: str, into: Path, prefix: str = "") -> int:
    """Write every file of an archive below ``into``; returns their number.

    The archives' own names lose their suffix. A file that stands there in the right size is
    left alone, so that an interrupted unpacking goes on. prefix: laid before the paths.
    """
    count = 0
    for member in members(archive, name):
        parts = [bare(p) for p in PurePosixPath(member.path).parts[:-1]]
        target = into.joinpath(prefix, *parts, PurePosixPath(member.path).name)
        if not target.is_file() or target.stat().st_size != member.size:
            _write(member, target)
        count += 1
    return count


def bare(name: str) -> str:
    """An archive's name without its suffix; other names as they are."""
    suffix = next((s for s in sorted(SUFFIXES, key=len, reverse=True)
                   if name.lower().endswith(s)), "")  # fmt: skip
    return name[: len(name) - len(suffix)] if suffix else name


def _write(member: Member, target: Path) -> None:
    partial = hidden_beside(target, ".partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            member.copy_to(file)
        if partial.stat().st_size != member.size:
            raise DataError(f"{member.path}: ends before its {member.size} bytes; get it again")
        partial.replace(target)
    except FileExistsError as error:
        raise OutputError(f"{target}: cannot be unpacked ({error.strerror})") from None
    finally:
        partial.unlink(missing_ok=True)
