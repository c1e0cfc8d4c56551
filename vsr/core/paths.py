"""What a path must be before anything is asked of it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_STREAMS = ("/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/fd/", "/proc/self/fd/")
"""files of our own process, which mean others to the ffmpeg that we start"""


def fault_of(path: Path) -> str | None:
    """Why a path can't be used at all, with the remedy; None where it can.

    A name that is not UTF-8 could not be written into any record; one that is too long makes
    every question about it fail, as does a folder on the way that may not be entered.
    """
    try:
        str(path).encode("utf-8")
        path.exists()
    except UnicodeEncodeError:
        return _fault_of_name(path)
    except PermissionError:
        return "may not be looked at; check the rights of its folder"
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return f"no file can have this name ({reason}); choose another one"
    if str(path) == "-" or str(path).startswith(_STREAMS):
        return "is a stream, expected the name of a file, which is read or written more than once"
    return None


def _fault_of_name(path: Path) -> str:
    """Of a name that Python could not decode: whether it, or the locale, is at fault."""
    try:
        os.fsencode(path).decode("utf-8")
    except UnicodeDecodeError:
        return "its name is not valid UTF-8; rename it"
    return (
        f"its name cannot be read in this locale (which is {sys.getfilesystemencoding()}), "
        "expected UTF-8; set LC_ALL=C.UTF-8, or PYTHONUTF8=1"
    )
