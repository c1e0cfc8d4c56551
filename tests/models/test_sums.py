"""The list of the shipped models' hashes: complete, checked, and signed as the docs say."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vsr.cli import doctor
from vsr.cli.models import app
from vsr.core.errors import ModelError
from vsr.models import registry
from vsr.models.registry import STORE
from vsr.models.sums import SUMS, check_sums, model_files, read_sums, sums_text

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs" / "supply-chain.md"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A small store of its own."""
    folder = tmp_path / "store"
    folder.mkdir()
    for name in ("a-x2.json", "a-x2.md", "a-x2.weights.h5", "b-x4.json"):
        (folder / name).write_bytes(name.encode() * 3)
    (folder / "notes.txt").write_text("not a model")
    (folder / SUMS).write_text(sums_text(folder))
    return folder


def test_the_shipped_models_are_all_listed() -> None:
    assert (STORE / SUMS).read_text() == sums_text(STORE), "run 'bash .ci/sums'"
    assert check_sums(STORE) == len(model_files(STORE)) >= 15


def test_sha256sum_reads_the_list(store: Path) -> None:
    done = subprocess.run(["sha256sum", "--check", "--strict", SUMS], cwd=store,
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert done.stdout.count("OK") == 4


def test_every_change_is_named(store: Path) -> None:
    assert check_sums(store) == 4
    (store / "a-x2.weights.h5").write_bytes(b"exchanged")
    (store / "b-x4.json").unlink()
    (store / "c-x2.md").write_text("new")
    with pytest.raises(ModelError) as caught:
        check_sums(store)
    text = str(caught.value)
    assert "\n" not in text
    for words in ("a-x2.weights.h5 has another SHA-256", "b-x4.json is missing",
                  "c-x2.md is not listed", "reinstall"):  # fmt: skip
        assert words in text


@pytest.mark.parametrize(
    "line",
    ["no hash", "ab12  short.json", "0" * 64 + "  ../../etc/passwd", "0" * 64 + "  a-x2.json"],
)
def test_a_damaged_list_is_one_clear_error(store: Path, line: str) -> None:
    with (store / SUMS).open("a") as file:
        file.write(line + "\n")
    with pytest.raises(ModelError, match="SHA256SUMS: line 5: got"):
        read_sums(store)


def test_no_list_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        check_sums(tmp_path)
    (tmp_path / SUMS).write_bytes(b"\xff\xfe")
    with pytest.raises(ModelError, match="cannot be read"):
        check_sums(tmp_path)


def test_models_verify(user_models: Path, run_folder: Path) -> None:
    result = CliRunner().invoke(app, ["verify"], catch_exceptions=False)
    assert result.exit_code == 0
    assert "shipped files are as" in result.stdout
    assert "signature:" in result.stdout
    CliRunner().invoke(app, ["add", str(run_folder)], catch_exceptions=False)
    assert "tiny-x2" in CliRunner().invoke(app, ["verify"], catch_exceptions=False).stdout
    told = json.loads(CliRunner().invoke(app, ["verify", "--json"], catch_exceptions=False).stdout)
    assert told["files"] == len(model_files(STORE))
    assert "tiny-x2" in told["models"]
    weights = next(user_models.glob("tiny-x2*.h5"))
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    with pytest.raises(ModelError, match="the spec wants"):
        CliRunner().invoke(app, ["verify"], catch_exceptions=False)


def test_an_exchanged_model_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user_models: Path
) -> None:
    """Weights and spec exchanged together: each fits the other, neither is the released one."""
    store = tmp_path / "copy"
    shutil.copytree(STORE, store)
    values = json.loads((store / "srresnet-x2.json").read_text())
    other = json.loads((store / "srresnet-x2-free.json").read_text())
    shutil.copy(store / "srresnet-x2-free.weights.h5", store / values["weights_file"])
    other |= {"name": "srresnet-x2", "weights_file": values["weights_file"]}
    (store / "srresnet-x2.json").write_text(json.dumps(other))
    monkeypatch.setattr(registry, "STORE", store)
    registry.verify("srresnet-x2")
    with pytest.raises(ModelError, match=r"srresnet-x2\.json has another SHA-256"):
        CliRunner().invoke(app, ["verify"], catch_exceptions=False)
    finding = doctor._models()
    assert not finding.ok
    assert finding.needed
    assert "srresnet-x2.weights.h5 has another" in finding.detail


def test_the_script_lists_anew_and_drops_an_old_signature(store: Path, tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    (checkout / ".ci").mkdir(parents=True)
    (checkout / "vsr" / "models").mkdir(parents=True)
    shutil.copy(ROOT / ".ci" / "sums", checkout / ".ci" / "sums")
    there = checkout / "vsr" / "models" / "store"
    shutil.copytree(store, there)
    (there / "SHA256SUMS.sig").write_text("old")
    run = ["bash", str(checkout / ".ci" / "sums")]
    subprocess.run(run, check=True, capture_output=True)
    assert (there / "SHA256SUMS.sig").exists(), "nothing changed, so the signature still fits"
    (there / "b-x4.json").write_text("changed")
    subprocess.run(run, check=True, capture_output=True)
    assert check_sums(there) == 4
    assert (there / SUMS).read_text() == sums_text(there)
    assert not (there / "SHA256SUMS.sig").exists()


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
def test_signing_as_documented(store: Path, tmp_path: Path) -> None:
    """The commands of the docs, word for word, with a key that lives as long as this test."""
    text = DOCS.read_text(encoding="utf-8")
    sign, verify = (
        re.search(rf"^ *(ssh-keygen -Y {word} .*)$", text, re.M)[1]  # type: ignore[index]
        for word in ("sign", "verify")
    )
    key = tmp_path / "key"
    make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "maintainer", "-f", str(key)]
    subprocess.run(make, check=True)
    public = key.with_suffix(".pub").read_text()
    (tmp_path / "allowed_signers").write_text(f"{WHO} {public}")

    def run(command: str) -> int:
        for name, path in (("KEY", key), ("SIGNERS", tmp_path / "allowed_signers")):
            command = re.sub(rf"\b{name}\b", str(path), command)
        return subprocess.run(["bash", "-ec", command], cwd=store, capture_output=True).returncode

    assert run(verify) != 0, "unsigned"
    assert run(sign) == 0
    assert run(verify) == 0
    (store / SUMS).write_text((store / SUMS).read_text().replace("0", "1", 1))
    assert run(verify) != 0, "another list"
    (tmp_path / "allowed_signers").write_text(f"somebody@else {public}")
    assert run(verify) != 0, "another signer"


WHO = "maintainer@face-vsr"
