"""The locked environment fits pyproject.toml; the audit never passes unasked as asked."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / ".ci" / "dev.lock"
LOCKED = ("dev", "eval", "mtcnn", "cluster", "browser")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def name_of(text: str) -> str:
    return re.sub(r"[-_.]+", "-", text).lower()


def pins() -> dict[str, list[tuple[Version, list[str]]]]:
    """Name: (version, hashes) of each pin; several where Pythons or platforms need their own."""
    found: dict[str, list[tuple[Version, list[str]]]] = {}
    for entry in re.split(r"\n(?=\S)", LOCK.read_text(encoding="utf-8").strip()):
        head, *hashes = entry.split(" \\\n")
        requirement = Requirement(head)
        (only,) = requirement.specifier
        assert only.operator == "=="
        wanted = [h.strip() for h in hashes]
        found.setdefault(name_of(requirement.name), []).append((Version(only.version), wanted))
    return found


def direct() -> list[Requirement]:
    """What pyproject.toml asks for in the parts that are locked, and in those they name."""
    waiting, seen = list(LOCKED), set()
    texts = list(PROJECT["dependencies"])
    while waiting:
        part = waiting.pop()
        if part in seen:
            continue
        seen.add(part)
        texts += PROJECT["optional-dependencies"][part]
        for text in PROJECT["optional-dependencies"][part]:
            if name_of(Requirement(text).name) == name_of(PROJECT["name"]):
                waiting += Requirement(text).extras
    every = [Requirement(text) for text in texts]
    return [r for r in every if name_of(r.name) != name_of(PROJECT["name"])]


def test_the_lock_pins_what_pyproject_asks_for() -> None:
    locked = pins()
    wrong = [
        f"{r}: {[str(v) for v, _ in locked.get(name_of(r.name), [])]}"
        for r in direct()
        if not locked.get(name_of(r.name))
        or not all(r.specifier.contains(v, prereleases=True) for v, _ in locked[name_of(r.name)])
    ]
    assert not wrong, f"run 'bash .ci/lock': {wrong}"
    assert len(locked) > 100


def test_each_pin_has_hashes_and_no_place() -> None:
    for name, versions in pins().items():
        for _, hashes in versions:
            assert hashes, name
            assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", h) for h in hashes), name
    text = LOCK.read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^\s*--?(?!hash=)\w", text, re.M), "an option that names an index"


def test_every_dependency_has_a_lower_bound() -> None:
    """Else 'bash .ci/bounds' would try the first version there ever was."""
    parts = PROJECT["optional-dependencies"].values()
    texts = [*PROJECT["dependencies"], *(text for part in parts for text in part)]
    loose = [
        text
        for text in texts
        if name_of(Requirement(text).name) != name_of(PROJECT["name"])
        and not any(s.operator == ">=" for s in Requirement(text).specifier)
    ]
    assert loose == []


def test_bounds_runs_tests_that_are_there() -> None:
    named = re.findall(r"tests/[\w./]+", (ROOT / ".ci" / "bounds").read_text(encoding="utf-8"))
    assert len(named) > 10
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("script", ["bounds", "lock", "run", "sums"])
def test_the_scripts_are_shell(script: str) -> None:
    subprocess.run(["bash", "-n", str(ROOT / ".ci" / script)], check=True)


@pytest.fixture
def audit() -> Any:
    spec = importlib.util.spec_from_file_location("audit", ROOT / ".ci" / "audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def say(audit: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: str) -> None:
    """Let main() judge what a pip-audit wrote, or would have: a package of that name writes it."""
    package = tmp_path / "pip_audit.py"
    package.write_text(
        "import sys\n"
        f"answer = {answer!r}\n"
        "if answer: open(sys.argv[sys.argv.index('-o') + 1], 'w').write(answer)\n"
        "else: sys.exit('ERROR: connection refused')\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    audit.main()


SKIPPED = {"name": "a", "skip_reason": "not found"}
CLEAN = {"name": "b", "version": "1.0", "vulns": []}
HURT = {"name": "c", "version": "2.0",
        "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"], "aliases": ["CVE-1"]}]}  # fmt: skip


@pytest.mark.parametrize("answer", ["", json.dumps({"dependencies": [SKIPPED]})])
def test_an_audit_that_could_not_ask_says_so(
    audit: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], answer: str,
) -> None:  # fmt: skip
    say(audit, monkeypatch, tmp_path, answer)
    assert "SKIPPED, nothing was checked" in capsys.readouterr().out


def test_a_known_vulnerability_fails_until_it_is_accepted(
    audit: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    answer = json.dumps({"dependencies": [SKIPPED, CLEAN, HURT]})
    with pytest.raises(SystemExit) as caught:
        say(audit, monkeypatch, tmp_path, answer)
    assert caught.value.code == 1
    out = capsys.readouterr().out
    assert "2 packages looked up, 1 vulnerabilities" in out
    assert "c 2.0: PYSEC-1, mended in 2.1" in out
    assert "not looked up: a" in out
    monkeypatch.setattr(audit, "ACCEPTED", {"CVE-1": "vsr never calls it"})
    with pytest.raises(SystemExit) as caught:
        say(audit, monkeypatch, tmp_path, answer)
    assert caught.value.code == 0
