"""Every error vsr raises on purpose.

The library raises; only the command line prints. One leaf per cause, each with
its own exit code, so that a script can tell a bad option from a broken file.
A message says what was wrong, what was got, what was wanted and the remedy, in
one line.
"""


def one_line(text: str) -> str:
    """Text fit for one line of a terminal: no line breaks, no control characters.

    A message quotes file names, keys and ffmpeg's words, which may hold anything.
    """
    return "".join(c if c.isprintable() else " " for c in " ".join(text.split()))


class VsrError(Exception):
    """Base of all errors that are answered with one line instead of a traceback."""

    exit_code = 1

    def __init__(self, message: object = "") -> None:
        super().__init__(one_line(str(message)))


class UsageError(VsrError):
    """An option, a recipe key or a combination of them is wrong."""

    exit_code = 2


class InputError(VsrError):
    """The input is missing, unreadable, or not what it claims to be."""

    exit_code = 3


class OutputError(VsrError):
    """The output cannot be written, or already exists."""

    exit_code = 4


class ModelError(VsrError):
    """A model is unknown, its weights do not fit its spec, or it cannot run here."""

    exit_code = 5


class MissingDependencyError(VsrError):
    """An optional package or an external program is not installed."""

    exit_code = 6


class FfmpegError(VsrError):
    """ffmpeg failed, was killed, or hung; the message ends with its last words."""

    exit_code = 7


class BrokenSourceError(VsrError):
    """The source broke off in the middle; what could be decoded was written."""

    exit_code = 8


class DataError(VsrError):
    """A data set, an export or a manifest does not hold what it must."""

    exit_code = 9
