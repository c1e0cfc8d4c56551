"""Limits on what an input may ask of us, which the environment can raise."""

from __future__ import annotations

import os

from vsr.core.errors import UsageError


def limit(variable: str, default: int) -> int:
    """A limit: ``default``, or the whole number that an environment variable holds.

    Raises UsageError where the variable is set to anything but a number from 1 on.
    """
    text = os.environ.get(variable, "")
    if not text:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 19 and int(text) > 0):
        raise UsageError(f"{variable}: got {text!r}, expected a whole number from 1; unset it")
    return int(text)
