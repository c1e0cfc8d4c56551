"""What a path must be before anything is asked of it."""

from __future__ import annotations

from pathlib import Path


def fault_of(path: Path) -> str | None:
    """Why a path can't be used at all, with the remedy; None where it can.

    A name that is not UTF-8 could not be written into any record; one that is too long makes
    every question about it fail, as does a folder on the way that may not be entered.
    """
    try:
        str(path).encode("utf-8")
        path.exists()
    except UnicodeEncodeError:
        return "its name is not valid UTF-8; rename it"
    except PermissionError:
        return "may not be looked at; check the rights of its folder"
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return f"no file can have this name ({reason}); choose another one"
    return None
