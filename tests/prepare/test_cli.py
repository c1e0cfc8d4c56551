"""`vsr prepare` as a user meets it: output, exit codes, one error line."""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.process


def vsr(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "vsr", *map(str, arguments)], capture_output=True, text=True
    )


def test_makes_a_data_set_and_says_so(faces, tmp_path):
    done = vsr("prepare", "folder", faces, "-o", tmp_path / "out", "--hr", 64, "--scale", 2)
    assert done.returncode == 0, done.stderr
    assert "20 made now, 0 kept" in done.stdout
    assert "making pairs: 20/20" in done.stderr
    card = json.loads((tmp_path / "out" / "dataset.json").read_text())
    assert card["command"].startswith("vsr prepare folder ")
    done = vsr("prepare", "folder", faces, "-o", tmp_path / "out", "--hr", 64, "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_json_is_the_only_thing_on_stdout(celeba, tmp_path):
    options = ("--hr", 64, "--scale", 2, "--scale", 4, "--reduce", "area", "--limit", 5, "--json")
    done = vsr("prepare", "celeba", celeba, "-o", tmp_path / "out", *options)
    card = json.loads(done.stdout)
    assert card["scales"] == [2, 4]
    assert {s: v["pairs"] for s, v in card["splits"].items()} == {"train": 5, "val": 4, "test": 4}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("celebs", "{faces}"), 2, "did you mean 'celeba'"),
        (("folder", "{faces}", "--hr", "65"), 2, "a divisor of --hr 65"),
        (("folder", "{faces}", "--reduce", "nearest"), 2, "expected one of 'bicubic', 'area'"),
        (("folder", "{faces}", "--crop", "x"), 2, "crop: got 'x'"),
        (("folder", "{faces}/none"), 3, "no such folder"),
        (("celeba", "{faces}"), 9, "no folder img_align_celeba"),
        (("folder", "{faces}", "--hr", "512"), 9, "try a smaller --hr"),
    ],
)
def test_faults_are_one_line_with_their_code(here, faces, tmp_path, arguments, code, message):
    filled = [a.format(faces=faces) for a in arguments]
    done = here("prepare", *filled, "-o", tmp_path / "out", "--quiet")
    assert done.code == code
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert message in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["faces"]


def test_help_shows_examples_and_loads_nothing_heavy():
    done = vsr("prepare", "--help")
    assert "vsr prepare celeba celeba/ -o celeba-128-64" in done.stdout
    code = (
        "import sys, vsr.cli.prepare\n"
        "sys.exit(bool({'cv2', 'PIL', 'numpy', 'keras', 'tensorflow'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
