"""The folder that a study of recognition leaves."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path

from vsr.core.errors import OutputError
from vsr.evaluate.recognition_show import markdown, roc_svg
from vsr.evaluate.recognition_study import Study
from vsr.run.output import write_atomically

JSON, TABLE, ROC = "recognition.json", "table.md", "roc.svg"


def write_study(study: Study, out: Path) -> None:
    """Write figures, table and drawing; a new folder appears complete or not at all.

    In an existing folder ``recognition.json`` is written last. Raises OutputError.
    """
    texts = {
        TABLE: markdown(study),
        ROC: roc_svg(study),
        JSON: json.dumps(study.to_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n",
    }
    folder = out if out.exists() else out.with_name(f".{out.name}.partial")
    try:
        if folder != out:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        for name, text in texts.items():
            write_atomically(folder / name, text)
        if folder != out:
            os.replace(folder, out)
    except OSError as error:
        raise OutputError(f"-o {out}: cannot be written ({error.strerror or error})") from None
    finally:
        if folder != out:
            with contextlib.suppress(OSError):
                shutil.rmtree(folder)
