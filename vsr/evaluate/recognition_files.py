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
from vsr.run.output import check_writable, write_atomically

JSON, TABLE, ROC = "recognition.json", "table.md", "roc.svg"


def claim_study(out: Path, *, overwrite: bool) -> None:
    """Refuse early what would fail late.

    Raises OutputError where ``out`` exists without ``overwrite`` or holds something else, or
    where its parent is missing or cannot be written to.
    """
    if not out.parent.is_dir():
        raise OutputError(f"-o {out}: the folder {out.parent} does not exist; create it first")
    if out.exists():
        if not out.is_dir():
            raise OutputError(f"-o {out}: is not a folder; choose another name")
        if any(out.iterdir()) and not (out / JSON).is_file():
            raise OutputError(f"-o {out}: holds other files; choose another folder")
        if (out / JSON).is_file() and not overwrite:
            raise OutputError(f"-o {out}: already exists; choose another name or add --overwrite")
    check_writable(out if out.exists() else out.parent)


def write_study(study: Study, out: Path) -> None:
    """Write figures, table and drawing; a new folder appears complete or not at all.

    In an existing folder ``recognition.json`` is written last. Raises OutputError.
    """
    texts = {
        TABLE: markdown(study),
        ROC: roc_svg(study),
        JSON: json.dumps(study.to_dict(), indent=1, ensure_ascii=False) + "\n",
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
