"""docs/promises.md names tests and commands that are there, and .ci/run's are run."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import typer

from vsr.cli.app import app

pytestmark = pytest.mark.fast

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
SPANS = re.findall(r"`([^`\n]+)`", TEXT)
RUNS = [s.split()[1:] for s in SPANS if s.startswith("pytest ")]
TESTS = sorted({word for words in RUNS for word in words if word.startswith("tests/")})
CHOSEN = sorted({(run[0], run[2]) for run in RUNS if "-k" in run[1:2]})
MODULES = sorted({m for s in SPANS for m in re.findall(r"python -m ([\w.]+)", s)})
SCRIPTS = sorted({m for s in SPANS for m in re.findall(r"\.ci/[\w.]+", s)} - {".ci/dev.lock"})
COMMANDS = sorted({m for s in SPANS for m in re.findall(r"^vsr ((?:[a-z]+ ?)+)", s)})


def functions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}


def test_the_page_is_read() -> None:
    assert len(TESTS) > 15
    assert len(MODULES) >= 3
    assert {".ci/run", ".ci/bounds"} <= set(SCRIPTS)
    assert COMMANDS


@pytest.mark.parametrize("name", TESTS)
def test_a_named_test_is_there(name: str) -> None:
    path, _, function = name.partition("::")
    there = ROOT / path
    files = sorted(there.rglob("test_*.py")) if there.is_dir() else [there]
    found = set().union(*(functions(f) for f in files))
    assert any(f.startswith("test_") for f in found)
    assert not function or function in found


@pytest.mark.parametrize(("path", "word"), CHOSEN)
def test_a_word_chooses_tests(path: str, word: str) -> None:
    assert any(f.startswith("test_") and word in f for f in functions(ROOT / path))


@pytest.mark.parametrize("module", MODULES)
def test_a_named_module_runs(module: str) -> None:
    path = ROOT.joinpath(*module.split("."))
    file = path / "__main__.py" if path.is_dir() else path.with_suffix(".py")
    assert '__name__ == "__main__"' in file.read_text(encoding="utf-8")


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_named_script_is_there(script: str) -> None:
    assert (ROOT / script).is_file()


@pytest.mark.parametrize("words", COMMANDS)
def test_a_named_command_is_there(words: str) -> None:
    command = typer.main.get_command(app)
    for word in words.split():
        command = command.commands[word]  # type: ignore[attr-defined]


def test_every_promise_says_how_to_repeat_its_test() -> None:
    rows = [r for r in TEXT.splitlines() if r.startswith("| ") and not r.startswith("| promise")]
    assert len(rows) > 15
    bare = [r for r in rows if not re.search(r"`(pytest|python|bash|vsr) [^`]*`", r.split("|")[2])]
    assert bare == []
