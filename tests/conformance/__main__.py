"""What vsr does with every sort of video: measured, row by row, and written down.

    python -m tests.conformance                       # all rows, into docs/conformance.md
    python -m tests.conformance --only hdr --keep DIR # some rows, their files kept, no table

Each clip is made by ffmpeg, run through `vsr run`, and both files are read with PyAV. The exit
code is 1 where a row is silently wrong. About two minutes on two cores.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.conformance.clips import ROOT
from tests.conformance.rows import ROWS
from tests.conformance.table import render
from tests.conformance.verdict import judge

TABLE = ROOT / "docs" / "conformance.md"


def main() -> int:
    """Run the rows; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--only", metavar="WORD", help="rows whose name or group holds it")
    parser.add_argument("--keep", metavar="DIR", type=Path, help="keep the clips and outputs")
    options = parser.parse_args()
    rows = [
        r for r in ROWS if not options.only or options.only.lower() in f"{r.group} {r.name}".lower()
    ]
    verdicts = []
    with tempfile.TemporaryDirectory(prefix="vsr-conformance-") as name:
        for number, row in enumerate(rows):
            verdict = judge(row, (options.keep or Path(name)) / f"{number:03d}")
            verdicts.append(verdict)
            print(f"{verdict.word:9}  {row.group}: {row.name}", flush=True)
            if verdict.word == "WRONG" or options.only:
                print(f"           {verdict.differences} said: {verdict.said}", flush=True)
    if not options.only:
        TABLE.write_text(render(verdicts), encoding="utf-8")
        print(f"wrote {TABLE.relative_to(ROOT)}")
    return int(any(v.word == "WRONG" for v in verdicts))


if __name__ == "__main__":
    sys.exit(main())
