"""The run's numbers: log.csv, and TensorBoard events beside it."""

from __future__ import annotations

import csv
import importlib.util
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_log = logging.getLogger(__name__)


class RunLog:
    """Rows of named numbers by step. A resumed run drops the rows after its checkpoint."""

    def __init__(self, folder: Path, columns: list[str], start: int, tensorboard: bool) -> None:
        self.path = folder / "log.csv"
        self.columns = ["step", "seconds", *columns]
        rows = [r for r in _rows(self.path) if int(r["step"]) <= start]
        with self.path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self.columns, restval="", extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
        self._events = _event_writer(folder / "tensorboard") if tensorboard else None

    def write(self, step: int, seconds: float, values: Mapping[str, float]) -> None:
        """Adds a row; columns left out stay empty."""
        row = {"step": step, "seconds": f"{seconds:.1f}"}
        row |= {name: f"{value:.6g}" for name, value in values.items()}
        with self.path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self.columns, restval="", extrasaction="ignore")
            writer.writerow(row)
        if self._events is None:
            return
        import tensorflow as tf

        with self._events.as_default(step=step):
            for name, value in values.items():
                tf.summary.scalar(name, value)
        self._events.flush()


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        # a killed run may have left half a line
        return [r for r in csv.DictReader(file) if (r.get("step") or "").isdigit()]


def _event_writer(folder: Path) -> Any:
    """TensorFlow writes the events whatever backend trains; without TensorBoard there are none."""
    if importlib.util.find_spec("tensorboard") is None:
        _log.warning("loop.tensorboard needs 'face-vsr[train]'; only log.csv is written")
        return None
    import tensorflow as tf

    return tf.summary.create_file_writer(str(folder))
