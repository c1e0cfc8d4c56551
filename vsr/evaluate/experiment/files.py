"""The folder an experiment leaves: figures, tables, and faces to look at."""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import replace
from pathlib import Path

from vsr.core.errors import OutputError
from vsr.evaluate.experiment.gallery import FOLDER, Gallery
from vsr.evaluate.experiment.results import Results, recorded_path
from vsr.evaluate.experiment.tables import markdown
from vsr.run.output import write_atomically

JSON, CSV, TABLE = "metrics.json", "metrics.csv", "table.md"


def write_results(results: Results, gallery: Gallery, source: Path, out: Path) -> Results:
    """Write figures, table and pictures; a new folder appears complete or not at all.

    In an existing folder the former pictures go and ``metrics.json`` is written last.
    Returns the results with the source's path as it was recorded. Raises OutputError.
    """
    named = {**results.source, "path": recorded_path(source, out)}
    results = replace(results, source=named)
    if out.exists():
        _fill(out, results, gallery)
        return results
    temporary = out.with_name(f".{out.name}.partial")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        _fill(temporary, results, gallery)
        os.replace(temporary, out)
    except OSError as error:
        raise OutputError(f"-o {out}: cannot be written ({error.strerror or error})") from None
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(temporary)
    return results


def _fill(folder: Path, results: Results, gallery: Gallery) -> None:
    shutil.rmtree(folder / FOLDER, ignore_errors=True)
    (folder / FOLDER).mkdir()
    gallery.write(folder)
    texts = {CSV: results.to_csv(), TABLE: markdown(results), JSON: results.to_json()}
    for name, text in texts.items():
        write_atomically(folder / name, text)
