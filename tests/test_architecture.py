"""The plan of the house as a test: layers, lazy imports, file sizes, docstrings."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "vsr"
FILES = sorted(PACKAGE.rglob("*.py"))

LAYERS = [
    {"cli"},
    {"batch", "train"},
    {"evaluate", "bench"},
    {"run"},
    {"media", "faces", "degrade", "models"},
    {"core"},
]
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
HEAVY = ("tensorflow", "keras", "cv2", "ray", "torch", "jax")


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0]


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def rooms_used(path: Path) -> set[str]:
    parts = [name.split(".") for name in imports(path) if name.startswith("vsr.")]
    return {p[1] for p in parts if p[1] in LEVEL}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_downwards_only(path):
    room = room_of(path)
    if room not in LEVEL:
        return
    wrong = {r for r in rooms_used(path) if r != room and LEVEL[r] <= LEVEL[room]}
    assert not wrong, f"{room} must not import {wrong}"


def test_core_is_light():
    for path in (PACKAGE / "core").glob("*.py"):
        heavy = {i.split(".")[0] for i in imports(path)} & {*HEAVY, "subprocess"}
        assert not heavy, f"{path.name} imports {heavy}"


def test_only_media_talks_to_ffmpeg():
    for path in FILES:
        if room_of(path) != "media":
            used = {i.split(".")[0] for i in imports(path)} & {"ffmpeg", "imageio_ffmpeg"}
            assert not used, f"{path.relative_to(ROOT)} imports {used}"


def test_threads_start_in_flow_and_beside_ffmpegs_pipes_only():
    starters = ("threading.Thread(", "ThreadPoolExecutor(", "ProcessPoolExecutor(")
    for path in FILES:
        if any(word in path.read_text(encoding="utf-8") for word in starters):
            allowed = room_of(path) == "media" or path.name == "flow.py"
            assert allowed, f"{path.relative_to(ROOT)} starts threads"


def test_no_file_is_longer_than_400_lines():
    assert not {p.name: lines(p) for p in FILES if lines(p) > 400}


def test_command_files_stay_thin():
    # the options of `vsr run` alone take most of its lines
    assert not {p.name: lines(p) for p in (PACKAGE / "cli").glob("*.py") if lines(p) > 160}


def test_public_functions_are_documented_and_annotated():
    public = documented = 0
    bare: list[str] = []
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
                public += 1
                documented += ast.get_docstring(node) is not None
            if isinstance(node, ast.FunctionDef) and node.returns is None:
                bare.append(f"{path.name}:{node.lineno} {node.name}")
    assert documented / public >= 0.9, f"{documented} of {public}"
    assert len(bare) <= 0.02 * public, bare


def test_nothing_is_unpickled():
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        assert "pickle" not in {i.split(".")[0] for i in imports(path)}, path
        assert "safe_mode=False" not in text, path
        assert "enable_unsafe_deserialization" not in text, path


@pytest.mark.process
def test_help_imports_nothing_heavy():
    code = (
        "import sys\n"
        "from vsr.cli.app import app\n"
        "app(['--help'], standalone_mode=False)\n"
        f"heavy = [m for m in sys.modules if m.split('.')[0] in {HEAVY!r}]\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "run" in done.stdout
