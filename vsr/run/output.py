"""Claiming an output before work starts: the checks that cost nothing come first."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from vsr.core.errors import InputError, OutputError
from vsr.core.names import NAME_BYTES, hidden_beside
from vsr.core.paths import fault_of


def manifest_path(out: Path) -> Path:
    """Where the manifest of an output lies: ``out.mp4.json``, or inside an output folder."""
    return out / "manifest.json" if os.path.isdir(out) else out.with_name(out.name + ".json")


def claim(source: Path, out: Path, *, overwrite: bool) -> None:
    """Refuse early what would fail late.

    Raises InputError where the source is missing, OutputError where the output equals the
    source, exists without ``overwrite``, or its folder is missing or not writable.
    """
    if fault := fault_of(source):
        raise InputError(f"{source}: {fault}")
    if fault := fault_of(out):
        raise OutputError(f"{out}: {fault}")
    if not source.exists():
        raise InputError(f"{source}: no such file; check the path of the input")
    if out.name in ("", ".."):
        raise OutputError(f"-o {out}: has no name of its own; expected that of a file or folder")
    if out.exists() and source.exists() and os.path.samefile(source, out):
        raise OutputError(f"{out}: output and input are the same file; choose another name with -o")
    if out.exists() and not overwrite:
        raise OutputError(f"{out}: already exists; choose another name or add --overwrite")
    if len(os.fsencode(out.name)) + len(".json") > NAME_BYTES:
        raise OutputError(
            f"{out}: its name has {len(os.fsencode(out.name))} bytes, expected at most "
            f"{NAME_BYTES - len('.json')}, with room for its manifest; choose a shorter one"
        )
    parent = out.parent
    if not parent.exists():
        raise OutputError(f"{out}: the folder {parent} does not exist; create it first")
    if not parent.is_dir():
        raise OutputError(f"{out}: {parent} is not a folder; choose another name with -o")
    check_writable(parent)


def claim_replaceable(source: Path, out: Path, what: str, is_earlier: Callable[[], bool]) -> None:
    """Refuse early to replace a folder that holds something else than an earlier result.

    what: the kind of result, for messages. is_earlier: whether the folder that stands there is
    one, asked where it is not empty. Raises OutputError where it is none, holds the source, or
    is a file.
    """
    if not out.exists():
        return
    if not out.is_dir():
        raise OutputError(f"{out}: is a file, expected a folder; choose another name with -o")
    if source.resolve().is_relative_to(out.resolve()):
        raise OutputError(f"{out}: holds the input {source}; choose another name with -o")
    if any(out.iterdir()) and not is_earlier():
        raise OutputError(
            f"{out}: holds other files than {what}, which are not deleted; choose another name"
        )


def replace_folder(made: Path, out: Path) -> None:
    """Give the finished folder ``made`` its name; one that bears it goes only after that.

    Raises OSError; then the old folder is back under its name.
    """
    if not out.is_dir():
        made.replace(out)
        return
    aside = Path(tempfile.mkdtemp(prefix=hidden_beside(out, ".old").name, dir=out.parent))
    old = aside / "old"
    try:
        out.replace(old)
        made.replace(out)
    except OSError:
        with contextlib.suppress(OSError):
            old.replace(out)
        with contextlib.suppress(OSError):  # what could not be put back stays there
            aside.rmdir()
        raise
    shutil.rmtree(aside, ignore_errors=True)


def claim_file(out: Path, example: str, *, overwrite: bool) -> None:
    """Refuse early what would fail late, for a small file such as ``example``: OutputError."""
    if fault := fault_of(out):
        raise OutputError(f"{out}: {fault}")
    if out.is_dir():
        raise OutputError(f"{out}: is a folder, expected a file name such as {example}")
    if out.exists() and not overwrite:
        raise OutputError(f"{out}: already exists; choose another name or add --overwrite")
    if not out.parent.is_dir():
        raise OutputError(f"{out}: the folder {out.parent} does not exist; create it first")
    check_writable(out.parent)


def claim_folder(out: Path, record: str, *, overwrite: bool) -> None:
    """Refuse early what would fail late, for a folder of results.

    record: name of the file that says a folder holds such results.
    Raises OutputError where ``out`` exists without ``overwrite`` or holds something else, or
    where its parent is missing or cannot be written to.
    """
    if not out.parent.is_dir():
        raise OutputError(f"-o {out}: the folder {out.parent} does not exist; create it first")
    if out.exists():
        if not out.is_dir():
            raise OutputError(f"-o {out}: is not a folder; choose another name")
        if any(out.iterdir()) and not (out / record).is_file():
            raise OutputError(f"-o {out}: holds other files and no {record}; choose another folder")
        if (out / record).is_file() and not overwrite:
            raise OutputError(f"-o {out}: already exists; choose another name or add --overwrite")
    check_writable(out if out.exists() else out.parent)


def check_writable(folder: Path) -> None:
    """Raise OutputError where no file can be made in ``folder``."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(
            f"{folder}: cannot be written to ({reason}); choose another folder or free some room"
        ) from error


def write_atomically(path: Path, text: str) -> None:
    """Write a small text file under a temporary name, sync it and rename it into place."""
    temporary = hidden_beside(path, ".partial")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error
