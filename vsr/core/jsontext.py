"""Reading JSON from a file that somebody else may have written."""

from __future__ import annotations

import json
from typing import Any


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text.

    Raises ValueError, and nothing else, where it is none: brackets nested so deeply that the
    parser gives up, and names that are no Unicode text, included.
    """
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    _check_names(value)
    return value


def _check_names(value: Any) -> None:
    """Refuse halves of surrogate pairs, which JSON can spell and no file can hold."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting.extend(item.keys())
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, str) and not item.isascii():
            item.encode("utf-8")  # UnicodeEncodeError is a ValueError
