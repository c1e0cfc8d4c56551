"""Names of hidden files beside an output, which fit the file system however long its name is."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

NAME_BYTES = 255
"""longest file name, in bytes, on the usual file systems"""
_ROOM = 12
"""bytes left free for what others append, such as random letters"""


def hidden_beside(path: Path, ending: str) -> Path:
    """``.NAMEending`` in the folder of ``path``; of a very long NAME its beginning and a hash."""
    name = f".{path.name}{ending}"
    if len(os.fsencode(name)) <= NAME_BYTES - _ROOM:
        return path.with_name(name)
    whole = os.fsencode(path.name)
    mark = f"-{hashlib.sha256(whole).hexdigest()[:16]}"
    room = NAME_BYTES - _ROOM - len(os.fsencode(f".{mark}{ending}"))
    return path.with_name(f".{whole[:room].decode(errors='ignore')}{mark}{ending}")
