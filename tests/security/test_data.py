"""Recipes, models, labels and archives are data: they run nothing, open nothing else, and end."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import os
import pickle
import shutil
import tarfile
import zipfile
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest

from tests.fuzz.seeds import texts


class Evil:
    """Unpickling it makes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


# --- recipes


@pytest.mark.parametrize(
    "text",
    [
        'kind = "evil"',
        'kind = "restore"\n[detect]\ndetector = "evil:run"',
        'kind = "restore"\n[detect]\ndetector = "os.system"',
        'kind = "restore"\n[upscale]\nmodel = "evil:run"',
        'kind = "restore"\n[upscale]\nmodel = "evil.py"',
        'kind = "restore"\n[detect]\nmodule = "evil"',
        'kind = "restore"\ninclude = "{path}"',
        'kind = "restore"\n[encode]\ncodec = "libx264 -vf movie={path}"',
        'kind = "restore"\n[encode]\npreset = "fast -i {path}"',
        "kind = \"restore\"\n[decode]\nfps = \"__import__('os').mkdir('ran')\"",
        'kind = "train"\n[train]\noptimiser = "evil:run"',
    ],
)
def test_recipes_that_name_code(refused, trap, clip, tmp_path, text):
    (tmp_path / "evil.py").write_text("import os; os.mkdir('ran')\ndef run(*a): os.mkdir('ran')\n")
    recipe = tmp_path / "mine.toml"
    recipe.write_text(text.format(path=trap.canary) + "\n")
    refused("run", clip, "-o", "out.mp4", "--pipeline", "mine.toml", cwd=tmp_path)
    assert not (tmp_path / "ran").exists()


# --- models


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a spec and its weights that load."""
    folder = tmp_path_factory.mktemp("seeds")
    texts(folder, ("spec",))
    return folder / "model"


def poison(file: h5py.File, kind: str, trap, mark: Path) -> None:
    """Put something into a weights file that does not belong there."""
    names: list[str] = []
    file.visititems(lambda n, x: names.append(n) if isinstance(x, h5py.Dataset) else None)
    name, shape = names[0], file[names[0]].shape
    if kind in ("pickle", "text", "huge", "external", "virtual", "external link", "soft link"):
        del file[name]
    if kind == "pickle":
        data = np.frombuffer(pickle.dumps(Evil(mark)), np.uint8)
        file.create_dataset(name, data=np.void(data.tobytes()))
    elif kind == "pickle attribute":
        file.attrs["layer_names"] = np.void(pickle.dumps(Evil(mark)))
        file.create_dataset("more", data=np.void(pickle.dumps(Evil(mark))))
    elif kind == "text":
        file.create_dataset(name, (3,), h5py.string_dtype())[:] = ["x" * 100] * 3
    elif kind == "huge":
        file.create_dataset(name, (1 << 20, 1 << 20, 64), "f4", chunks=(1, 1024, 64))
    elif kind == "external":
        file.create_dataset(name, shape, "f2", external=[(str(trap.canary), 0, 1 << 10)])
    elif kind == "virtual":
        layout = h5py.VirtualLayout(shape, "f2")
        layout[...] = h5py.VirtualSource(str(trap.canary), "x", shape)
        file.create_virtual_dataset(name, layout)
    elif kind == "external link":
        file[name] = h5py.ExternalLink(str(trap.canary), "/x")
    elif kind == "soft link":
        file[name] = h5py.SoftLink(f"/{name}")


@pytest.mark.parametrize(
    "kind",
    ["pickle", "pickle attribute", "text", "huge", "external", "virtual", "external link",
     "soft link"],
)  # fmt: skip
def test_weights_that_hold_more_than_numbers(refused, trap, clip, model, tmp_path, kind):
    folder, mark = tmp_path / "model", tmp_path / "ran"
    shutil.copytree(model, folder)
    weights = folder / "tiny-x2.weights.h5"
    with h5py.File(weights, "r+") as file:
        poison(file, kind, trap, mark)
    spec = json.loads((folder / "tiny-x2.json").read_text())
    spec["weights_sha256"] = hashlib.sha256(weights.read_bytes()).hexdigest()
    (folder / "tiny-x2.json").write_text(json.dumps(spec))
    trap.opened()
    words = ("run", clip, "-o", tmp_path / "out.mp4", "--model", folder / "tiny-x2.json")
    assert weights.name in refused(*words, code=5)
    assert not mark.exists()


@pytest.mark.parametrize("kind", ["pickle", "lambda", "class", "path", "unsigned"])
def test_models_that_bring_code(refused, trap, clip, model, tmp_path, kind):
    folder, mark = tmp_path / "model", tmp_path / "ran"
    shutil.copytree(model, folder)
    path, weights = folder / "tiny-x2.json", folder / "tiny-x2.weights.h5"
    spec = json.loads(path.read_text())
    if kind == "pickle":
        path.write_bytes(pickle.dumps(Evil(mark)))
    elif kind == "lambda":
        spec["generator"] = {"class_name": "Lambda", "config": {"function": ["4wEAAAA="]}}
        path.write_text(json.dumps(spec))
    elif kind == "class":
        spec["generator"]["activation"] = "os.system"
        path.write_text(json.dumps(spec))
    elif kind == "path":
        spec["weights_file"] = "../outside/canary.mp4"
        path.write_text(json.dumps(spec))
    elif kind == "unsigned":  # weights exchanged behind the spec's back: not even opened as HDF5
        weights.write_bytes(pickle.dumps(Evil(mark)))
    refused("run", clip, "-o", tmp_path / "out.mp4", "--model", path, code=5)
    assert not mark.exists()


# --- XML


BOMB = (
    '<?xml version="1.0"?>\n<!DOCTYPE dataset [<!ENTITY a "{a}">'
    + "".join(f'<!ENTITY {b} "{f"&{a};" * 20}">' for a, b in itertools.pairwise("abcdefghi"))
    + ']>\n<dataset name="P1E_S1_C1"><frame number="00000000">&i;</frame></dataset>'
)  # fmt: skip
OUTSIDE = (
    '<?xml version="1.0"?>\n<!DOCTYPE dataset [<!ENTITY a SYSTEM "{where}">]>\n'
    '<dataset name="P1E_S1_C1"><frame number="00000000">&a;</frame></dataset>'
)
DTD = (
    '<?xml version="1.0"?>\n<!DOCTYPE dataset SYSTEM "{where}">\n'
    '<dataset name="P1E_S1_C1"><frame number="00000000">&a;</frame></dataset>'
)
PARAMETER = (
    '<?xml version="1.0"?>\n<!DOCTYPE dataset [<!ENTITY % a SYSTEM "{where}"> %a;]>\n'
    '<dataset name="P1E_S1_C1"></dataset>'
)


def sequence(root: Path, xml: str) -> None:
    """A ChokePoint of one picture."""
    frames = root / "P1E_S1_C1"
    frames.mkdir(parents=True)
    cv2.imwrite(str(frames / "00000000.jpg"), np.zeros((60, 80, 3), np.uint8))
    (root / "P1E_S1_C1.xml").write_text(xml)


@pytest.mark.parametrize("where", ["file", "http"])
@pytest.mark.parametrize("text", [OUTSIDE, DTD, PARAMETER], ids=["entity", "dtd", "parameter"])
def test_xml_that_refers_elsewhere(here, trap, tmp_path, text, where):
    target = f"file://{trap.canary}" if where == "file" else f"{trap.url}/a.dtd"
    listed(here, tmp_path, text.replace("{where}", target))
    assert (trap.opened(), trap.connected()) == (0, 0)


def test_an_xml_bomb(vsr, tmp_path):
    listed(vsr, tmp_path, BOMB.replace("{a}", "a" * 100))


def listed(command, tmp_path: Path, xml: str) -> None:
    """The batch names the sequence as faulty, with the reason in one line, and does no work."""
    sequence(tmp_path / "root", xml)
    outcome = command("batch", tmp_path / "root", "-o", tmp_path / "out", "--model", "bicubic")
    assert outcome.code == 9, outcome
    errors = [x for x in outcome.stderr.splitlines() if x.startswith("error: ")]
    assert len(errors) == 1, outcome.stderr
    assert "Traceback" not in outcome.stderr
    rows = (tmp_path / "out" / "summary.csv").read_text()
    assert "P1E_S1_C1.xml" in rows
    assert not list((tmp_path / "out").rglob("*.mp4"))


# --- archives


def tar_of(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    """A tar with these members."""
    with tarfile.open(path, "w:xz" if path.suffix == ".xz" else "w") as tar:
        for info, data in members:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize(
    "name", ["../evil.jpg", "/tmp/vsr-evil.jpg", "a/../../evil.jpg", "a\\..\\..\\evil.jpg"]
)
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_archives_whose_names_lead_outside(refused, tmp_path, name, kind):
    root = tmp_path / "root"
    root.mkdir()
    if kind == "tar":
        tar_of(root / "P1E_S1_C1.tar", (tarfile.TarInfo(name), b"evil"))
    else:
        with zipfile.ZipFile(root / "P1E_S1_C1.zip", "w") as made:
            made.writestr(name, b"evil")
    before = sorted(tmp_path.rglob("*"))
    line = refused("batch", root, "-o", tmp_path / "out", "--unpack", tmp_path / "in", code=9)
    assert "leads out of the archive" in line
    new = set(tmp_path.rglob("*")) - set(before)
    assert not [p for p in new if p.is_file()]


def test_links_and_devices_in_an_archive_are_not_made(refused, trap, tmp_path):
    """A link to a file outside, and a frame written through a link to a folder outside."""
    root, unpacked = tmp_path / "root", tmp_path / "in"
    root.mkdir()
    members = []
    for name, kind, target in (
        ("P1E_S1_C1/00000000.jpg", tarfile.SYMTYPE, str(trap.canary)),
        ("P1E_S1_C1/00000001.jpg", tarfile.LNKTYPE, str(trap.canary)),
        ("P1E_S1_C1/00000002.jpg", tarfile.CHRTYPE, ""),
        ("P1E_S1_C1/00000003.jpg", tarfile.FIFOTYPE, ""),
        ("P1E_S1_C1/out", tarfile.SYMTYPE, str(trap.canary.parent)),
    ):
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, target
        members.append((info, b""))
    members.append((tarfile.TarInfo("P1E_S1_C1/out/00000004.jpg"), b"evil"))
    tar_of(root / "P1E_S1_C1.tar", *members)
    words = ("batch", root, "-o", tmp_path / "out", "--unpack", unpacked, "--model", "bicubic")
    refused(*words, "--quiet", code=9)  # the one plain file in it is no picture
    assert [p.name for p in unpacked.rglob("*") if p.is_file()] == ["00000004.jpg"]
    assert [p.name for p in trap.canary.parent.iterdir()] == [trap.canary.name]
    assert all(p.is_dir() or (p.is_file() and not p.is_symlink()) for p in unpacked.rglob("*"))


@pytest.mark.parametrize("kind", ["xz", "zip", "sparse", "header", "nested"])
def test_archives_that_are_bombs(refused, tmp_path, kind):
    root = tmp_path / "root"
    root.mkdir()
    zeros = bytes(400 << 20)
    if kind == "xz":
        tar_of(root / "a.tar.xz", (tarfile.TarInfo("00000000.jpg"), zeros))
    elif kind == "zip":
        with zipfile.ZipFile(root / "a.zip", "w", zipfile.ZIP_DEFLATED) as made:
            made.writestr("00000000.jpg", zeros)
    elif kind == "sparse":
        info = tarfile.TarInfo("00000000.jpg")
        info.type, info.size = tarfile.GNUTYPE_SPARSE, 0
        header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
        header[483:495] = b"%011o\0" % (1 << 31)
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
        (root / "a.tar").write_bytes(bytes(header) + bytes(1024))
    elif kind == "header":
        info = tarfile.TarInfo("x")
        info.type = tarfile.GNUTYPE_LONGNAME
        tar_of(root / "a.tar.xz", (info, bytes(64 << 20)), (tarfile.TarInfo("y.jpg"), b"y"))
    else:
        data = b"x"
        for depth in range(5):
            path = tar_of(tmp_path / f"{depth}.tar", (tarfile.TarInfo(f"{depth}.tar"), data))
            data = path.read_bytes()
            path.unlink()
        (root / "a.tar").write_bytes(data)
    refused("batch", root, "-o", tmp_path / "out", "--unpack", tmp_path / "in", code=9)
    assert not [p for p in (tmp_path / "in").rglob("*") if p.is_file()]


# --- records


def test_an_export_that_names_pictures_outside(here, refused, trap, clip, tmp_path):
    """Somebody else's export must not bring a file of ours into the video."""
    look = tmp_path / "look"
    assert here("frames", clip, "-o", look, "--model", "bicubic", "--quiet").code == 0
    secret = tmp_path / "secret.png"
    cv2.imwrite(str(secret), np.full((128, 192, 3), 77, np.uint8))
    index = json.loads((look / "index.json").read_text())
    for frame in index["frames"]:
        frame["picture"] = "../secret.png"
    (look / "index.json").write_text(json.dumps(index))
    refused("assemble", look, "-o", tmp_path / "out.mp4", code=9)
