"""``SHA256SUMS``: the hashes of every shipped model file, in the form of coreutils' sha256sum.

A spec holds the hash of its weights, which finds damage. Whoever exchanges the weights can
exchange the spec too; this list is the one small file that a maintainer signs for all of them.
"""

from __future__ import annotations

import re
from pathlib import Path

from vsr.core.errors import ModelError
from vsr.core.hashing import file_sha256

SUMS = "SHA256SUMS"
SIGNATURE = "SHA256SUMS.sig"

_PATTERNS = ("*.json", "*.md", "*.weights.h5")
_LINE = re.compile(r"([0-9a-f]{64}) [ *]([^/\\\0]+)")


def model_files(folder: Path) -> list[str]:
    """Names of the specs, cards and weights in ``folder``, sorted by their code points."""
    return sorted(p.name for pattern in _PATTERNS for p in folder.glob(pattern))


def sums_text(folder: Path) -> str:
    """What ``SHA256SUMS`` of ``folder`` must hold: one line ``HASH  NAME`` a file."""
    return "".join(f"{file_sha256(folder / name)}  {name}\n" for name in model_files(folder))


def read_sums(folder: Path) -> dict[str, str]:
    """The list of a folder: file names to hexadecimal SHA-256.

    Raises:
        ModelError: it is missing, unreadable, or a line is not ``HASH  NAME``.
    """
    path = folder / SUMS
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise ModelError(f"{path}: cannot be read ({why}); reinstall vsr") from None
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        match = _LINE.fullmatch(line)
        if match is None or match[2] in found:
            raise ModelError(
                f"{path}: line {number}: got {line[:90]!r}, expected 'HASH  NAME', each name once; "
                "reinstall vsr"
            )
        found[match[2]] = match[1]
    return found


def check_sums(folder: Path) -> int:
    """Compare every spec, card and weights file of a folder with its ``SHA256SUMS``.

    Returns:
        How many files were compared; all are as listed.

    Raises:
        ModelError: the list cannot be read, or files are missing, changed or not listed.
    """
    listed, present = read_sums(folder), set(model_files(folder))
    wrong = [f"{name} is missing" for name in listed if name not in present]
    wrong += [f"{name} is not listed" for name in sorted(present) if name not in listed]
    wrong += [
        f"{name} has another SHA-256"
        for name, wanted in listed.items()
        if name in present and file_sha256(folder / name) != wanted
    ]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise ModelError(
            f"{folder / SUMS}: {', '.join(wrong[:3])}{more}; reinstall vsr from a source you trust"
        )
    return len(listed)
