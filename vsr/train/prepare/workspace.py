"""Where a data set grows: ``NAME.partial`` beside its final place, renamed when complete.

So the final name never holds half a data set, and a run that was killed, or met a full disk,
is taken up again by the same command.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vsr.core.errors import OutputError
from vsr.core.jsontext import parse_json
from vsr.run.output import check_writable, write_atomically
from vsr.train.prepare.pairs import HR_FOLDER, lr_folder
from vsr.train.prepare.plan import PlannedPair
from vsr.train.prepare.source import SPLITS

CARD_FILE = "dataset.json"
"""the completion marker: a folder that holds it is a whole data set"""
STATE_FILE = "unfinished.json"
"""settings of the run that is under way; only in the partial folder"""


@dataclass(frozen=True, slots=True)
class Workspace:
    """The folder of one run."""

    final: Path
    partial: Path

    @staticmethod
    def at(out: Path) -> Workspace:
        """The workspace of a data set that is to be ``out``."""
        out = Path(os.path.realpath(out))
        return Workspace(out, out.with_name(out.name + ".partial"))

    def check(self, source: Path) -> None:
        """Refuse early what would fail late; changes nothing. Raises OutputError."""
        inside = os.path.realpath(self.final).startswith(os.path.realpath(source) + os.sep)
        if inside or os.path.realpath(self.final) == os.path.realpath(source):
            raise OutputError(
                f"{self.final}: lies inside its source {source}; choose a folder outside with -o"
            )
        if os.path.ismount(self.final):
            raise OutputError(f"{self.final}: is a mount point; choose a folder inside it with -o")
        if not self.final.parent.is_dir():
            raise OutputError(
                f"{self.final}: the folder {self.final.parent} does not exist; create it first"
            )
        if self.final.exists() and not self.is_complete():
            if not self.final.is_dir():
                raise OutputError(f"{self.final}: is a file; choose another name with -o")
            if any(self.final.iterdir()):
                raise OutputError(
                    f"{self.final}: holds other files and no data set; choose another folder"
                )
        if self.partial.exists() and self.state() is None and any(self.partial.iterdir()):
            raise OutputError(
                f"{self.partial}: holds other files, but the data set grows there; move it away"
            )
        check_writable(self.final.parent)

    def is_complete(self) -> bool:
        """Whether a whole data set stands under the final name."""
        return (self.final / CARD_FILE).is_file()

    def state(self) -> dict[str, Any] | None:
        """Settings of the unfinished run; None where there is none."""
        try:
            value = parse_json((self.partial / STATE_FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return value if isinstance(value, dict) else None

    def begin(self, settings: dict[str, Any], scales: tuple[int, ...], *, overwrite: bool) -> None:
        """Make or take up the partial folder; raises OutputError where it belongs to other
        settings (``overwrite`` starts it afresh)."""
        state = self.state()
        if state is not None and state != settings:
            if not overwrite:
                raise OutputError(
                    f"{self.partial}: unfinished with other settings "
                    f"({difference(state, settings)}); finish it with those, or add --overwrite"
                )
            self.discard()
        try:
            self.partial.mkdir(exist_ok=True)
            # the state first: whatever happens from here on, the folder is known as ours
            write_atomically(self.partial / STATE_FILE, json.dumps(settings, indent=2) + "\n")
            (self.partial / CARD_FILE).unlink(missing_ok=True)
            for split in SPLITS:
                for name in (HR_FOLDER, *map(lr_folder, scales)):
                    (self.partial / split / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"{self.partial}: cannot be made ({error.strerror or error}); choose another "
                "folder or free some room"
            ) from error

    def reopen(self, settings: dict[str, Any]) -> None:
        """Turn the whole data set back into the partial folder, to add what is new."""
        if self.partial.exists():
            raise OutputError(
                f"{self.partial}: stands beside a whole data set; remove one of them first"
            )
        # the state goes in first: broken off anywhere here, the folder is still one of ours
        write_atomically(self.final / STATE_FILE, json.dumps(settings, indent=2) + "\n")
        self.final.rename(self.partial)

    def drop_strays(self, plan: list[PlannedPair]) -> None:
        """Delete files of the partial folder that the plan does not name (its source changed)."""
        wanted = {(p.split, p.name) for p in plan}
        for split in SPLITS:
            for path in (self.partial / split).glob("*/*"):
                if path.is_file() and (split, path.name) not in wanted:
                    path.unlink()

    def drop(self, pair: PlannedPair) -> None:
        """Delete what an earlier run made of an image that is skipped now."""
        for path in (self.partial / pair.split).glob("*/"):
            (path / pair.name).unlink(missing_ok=True)

    def finish(self) -> None:
        """Move the whole data set to its final name, replacing an older one."""
        old = self.final.with_name(self.final.name + ".old")
        try:
            if self.is_complete():
                if (old / CARD_FILE).is_file():  # left by a run that broke off right here
                    shutil.rmtree(old)
                self.final.rename(old)
            self.partial.rename(self.final)
            (self.final / STATE_FILE).unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(
                f"{self.final}: cannot be put in place ({error.strerror or error}); the whole data "
                f"set stands in {self.partial}"
            ) from error
        if (old / CARD_FILE).is_file():
            shutil.rmtree(old, ignore_errors=True)

    def discard(self) -> None:
        """Remove the partial folder (only ever one that a run of this program made)."""
        shutil.rmtree(self.partial, ignore_errors=True)


def difference(old: dict[str, Any], new: dict[str, Any]) -> str:
    """The first few settings that differ, e.g. "hr 64 and now 128"."""
    changed = [k for k in {**old, **new} if old.get(k) != new.get(k)]
    parts = [f"{k} {old.get(k)} and now {new.get(k)}" for k in changed[:3]]
    return ", ".join(parts) + (", …" if len(changed) > 3 else "")
