"""What a run comes from, data sets and the model it started from: kept, checked, and told.

Weights are bound by the terms of all that went into them, so a run folder remembers it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vsr.core.errors import UsageError
from vsr.core.jsontext import parse_json

ORIGIN = "origin.json"
NOT_STATED = "not stated"
"""terms or a licence that nobody names"""


@dataclass(frozen=True, slots=True)
class Origin:
    """A data set, or a model."""

    name: str
    sha256: str
    """of the training pictures, wherever they lie, or of the weights"""
    terms: str = ""
    """of use; empty where none are stated"""
    licence: str = ""
    """of a model"""


@dataclass(frozen=True, slots=True)
class Origins:
    """All that a run comes from."""

    data: tuple[Origin, ...]
    init: Origin | None

    @property
    def licence(self) -> str:
        """Of weights made of it, in words."""
        told = any(data.terms for data in self.data)
        own = "see the terms of the data" if told else NOT_STATED
        return (
            own
            if self.init is None
            else f"{own}; {self.init.name}: {self.init.licence or NOT_STATED}"
        )

    @property
    def terms(self) -> str:
        """Of use of such weights: those of the data, and of the model they started from."""
        told = dict.fromkeys(data.terms for data in self.data if data.terms)
        untold = [data.name for data in self.data if not data.terms]
        texts = [f"trained on {'; '.join(told)}"] if told else []
        if untold:
            texts.append(f"trained on {', '.join(untold)}, whose terms are not stated")
        if self.init is not None and self.init.terms:
            texts.append(f"started from {self.init.name}, {self.init.terms}")
        return "; ".join(texts)

    def save(self, run: Path) -> None:
        """Writes the run's record; raises OSError."""
        text = json.dumps(asdict(self), indent=2, ensure_ascii=False)
        (run / ORIGIN).write_text(text + "\n", encoding="utf-8")


def going_on(run: Path, origins: Origins) -> Origins:
    """What the run that a folder holds comes from, where it is told the same again.

    ``--init`` may be left out when a run goes on. A run without a record, which an earlier
    version left, is believed to be of what it is told.

    Raises:
        UsageError: other data, or another model.
        OSError, ValueError: the record cannot be read.
    """
    path = run / ORIGIN
    if not path.is_file():
        return origins
    known = _read(parse_json(path.read_text(encoding="utf-8")))
    if [data.sha256 for data in known.data] != [data.sha256 for data in origins.data]:
        raise UsageError(
            f"{run}: holds a run on {_listed(known.data)}, got {_listed(origins.data)}; choose "
            "another folder, or give that data set unchanged"
        )
    if origins.init is not None and origins.init.sha256 != (known.init and known.init.sha256):
        start = _listed([known.init]) if known.init is not None else "no model"
        raise UsageError(
            f"{run}: holds a run that started from {start}, got --init "
            f"{_listed([origins.init])}; choose another folder"
        )
    return known


def _read(values: Any) -> Origins:
    try:
        init = values["init"]
        data = tuple(Origin(**entry) for entry in values["data"])
        return Origins(data, None if init is None else Origin(**init))
    except (KeyError, TypeError) as error:
        raise ValueError(f"{ORIGIN} is damaged: {error!r}") from None


def _listed(origins: Sequence[Origin]) -> str:
    return " and ".join(f"{o.name} ({o.sha256[:12]})" for o in origins)
