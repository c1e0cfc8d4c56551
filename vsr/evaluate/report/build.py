"""From a path to a page: what lies there, its document, its HTML, its size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vsr.core.errors import InputError
from vsr.core.progress import ProgressHook, silent
from vsr.evaluate.report.document import Document
from vsr.evaluate.report.from_batch import read_batch
from vsr.evaluate.report.from_evaluation import read_evaluation
from vsr.evaluate.report.from_export import read_export
from vsr.evaluate.report.from_run import read_run
from vsr.evaluate.report.page import render
from vsr.run.output import claim_file, manifest_path, write_atomically
from vsr.run.record import read_object


@dataclass(frozen=True, kw_only=True)
class Report:
    """A page that was written."""

    path: Path
    bytes: int
    document: Document

    def to_dict(self) -> dict[str, object]:
        """What ``vsr report --json`` prints."""
        doc = self.document
        return {
            "report": str(self.path),
            "bytes": self.bytes,
            "kind": doc.kind,
            "subject": doc.subject,
            "tracks": len(doc.tracks),
            "pairs": sum(len(t.pairs) for t in doc.tracks),
            "notices": [{"tone": n.tone, "title": n.title, "text": n.text} for n in doc.notices],
        }


def claim_report(out: Path, *, overwrite: bool) -> None:
    """Refuse early a page that could not be written: OutputError."""
    claim_file(out, "report.html", overwrite=overwrite)


def is_report(path: Path) -> bool:
    """Whether a file is a page of ours: one that may be replaced without asking."""
    try:
        with path.open("rb") as file:
            return b'<meta name="generator" content="vsr ' in file.read(2000)
    except OSError:
        return False


def build_report(
    target: Path,
    out: Path,
    *,
    source: Path | None = None,
    overwrite: bool = False,
    progress: ProgressHook = silent,
) -> Report:
    """Write the page on what lies at ``target``.

    target: the output of a run or its manifest.
    source: where the run's source lies now, if not where it was.
    Raises VsrError; then nothing stands under ``out``.
    """
    claim_report(out, overwrite=overwrite)
    document = read_document(target, source, progress)
    page = render(document)
    write_atomically(out, page)
    return Report(path=out, bytes=len(page.encode("utf-8")), document=document)


def read_document(target: Path, source: Path | None, progress: ProgressHook) -> Document:
    """The document of what lies at ``target``, whatever kind it is."""
    # face videos may be called after a file that is not there itself
    if not target.exists() and not manifest_path(target).is_file():
        raise InputError(f"{target}: no such file or folder; give the output of a vsr command")
    record = _record(target)
    return _reader(record)(record, source, progress)


def _reader(record: Path) -> Callable[[Path, Path | None, ProgressHook], Document]:
    """What reads this kind of record; a run's reader also says what is wrong with others."""
    values = read_object(record, "record of a vsr command")
    if values.get("kind") == "evaluation":
        return read_evaluation
    if values.get("kind") == "export":
        return read_export
    return read_batch if {"rows", "totals"} <= values.keys() else read_run


def _record(target: Path) -> Path:
    """The JSON that describes ``target``."""
    if target.suffix.lower() == ".json":
        return target
    if target.is_dir():
        names = ("index.json", "metrics.json", "summary.json", "manifest.json")
        found = next((target / n for n in names if (target / n).is_file()), None)
        if found is None:
            raise InputError(
                f"{target}: holds no {' or '.join(names)}; give the output of a vsr command"
            )
        return found
    beside = manifest_path(target)
    if not beside.is_file():
        raise InputError(
            f"{target}: no manifest {beside.name} beside it; give a video that 'vsr run' wrote"
        )
    return beside
