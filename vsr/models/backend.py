"""Starting Keras' backend without its chatter.

TensorFlow's C++ side writes start-up notices straight to file descriptor 2, whatever the log
level; they would stand between a command's own lines on stderr.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator

_NOTICE = re.compile(
    rb"WARNING: All log messages before absl|To enable the following instructions|"
    rb"[IW]\d{4} \d\d:|[IW]0000 |\d{4}-\d\d-\d\d [\d:.]+: [IW] |"
    rb"(E\d{4} |\d{4}-\d\d-\d\d [\d:.]+: E )"
    rb".*(failed call to cuInit|Unable to register cu\w+ factory)"
)
"""the last: a CUDA library without a card, which `has_gpu` answers with False, and one that
TensorFlow 2.18 registers twice"""


def start_backend() -> None:
    """Imports Keras and its backend; call it before the first ``import keras``.

    Notices of the start are dropped, everything else that was written to stderr meanwhile
    appears afterwards. A second call costs nothing.
    """
    if "keras" in sys.modules:
        return
    with filtered_stderr():
        import keras  # noqa: F401


@contextlib.contextmanager
def filtered_stderr() -> Iterator[None]:
    """Holds back what goes to descriptor 2, then passes on all lines but the notices."""
    try:
        saved = os.dup(2)
    except OSError:  # no stderr at all
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
            held.seek(0)
            for line in held:
                if not _NOTICE.match(line):
                    os.write(2, line)
