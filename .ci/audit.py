#!/usr/bin/env python3
"""Are vulnerabilities known of the packages in .ci/dev.lock? Asks pip-audit's service.

    python .ci/audit.py          # needs pip-audit: pip install '.[dev]'

Exit code 1 where a vulnerability is known that `ACCEPTED` does not name. Where the service cannot
be asked (no network, or a mirror that knows no vulnerabilities) it says so and exits 0.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

LOCK = Path(__file__).parent / "dev.lock"
WAIT_S = 120
ACCEPTED: dict[str, str] = {}
"""id of a vulnerability: why it does not concern vsr"""


def ask(lock: Path) -> list[dict[str, Any]] | str:
    """The packages of a lock file as pip-audit judges them, or why there is no answer."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "audit.json"
        command = [
            *(sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes"),
            *("--timeout", "8", "--progress-spinner", "off", "-f", "json", "-o", str(answer)),
            *("-r", str(lock)),
        ]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S)
        except subprocess.TimeoutExpired:
            return f"no answer within {WAIT_S} s"
        if not answer.is_file():
            return (done.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1][:300]
        return json.loads(answer.read_text())["dependencies"]


def judge(packages: list[dict[str, Any]]) -> tuple[int, list[str], list[str]]:
    """(how many were looked up, names of those that were not, lines on what is known)."""
    skipped = [p["name"] for p in packages if "skip_reason" in p]
    found = [
        f"{p['name']} {p['version']}: {v['id']}, mended in {', '.join(v['fix_versions']) or 'none'}"
        for p in packages
        for v in p.get("vulns", [])
        if not ACCEPTED.keys() & {v["id"], *v.get("aliases", [])}
    ]
    return len(packages) - len(skipped), skipped, found


def main() -> None:
    """Ask, print, and exit."""
    answer = ask(LOCK)
    if isinstance(answer, str):
        print(f"audit SKIPPED, nothing was checked: the service cannot be asked ({answer})")
        return
    known, skipped, found = judge(answer)
    if not known:
        print(
            f"audit SKIPPED, nothing was checked: the service knows none of {len(skipped)} packages"
        )
        return
    print(f"audit: {known} packages looked up, {len(found)} vulnerabilities")
    if skipped:
        print(f"audit: not looked up: {', '.join(skipped)}")
    print("\n".join(found))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
