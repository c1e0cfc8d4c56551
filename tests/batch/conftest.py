"""A small ChokePoint, and a way to call the command on it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from batch_helpers import Outcome, command, environment

pytest.register_assert_rewrite("engine_contract")

BUCKET = "chokepoint-data"


@pytest.fixture(scope="session")
def vsr() -> Callable[..., Outcome]:
    """Run the command in a process of its own."""

    def call(*arguments: object, timeout: float = 280) -> Outcome:
        done = subprocess.run(
            command(*arguments),
            capture_output=True,
            text=True,
            timeout=timeout,
            env=environment(),
            stdin=subprocess.DEVNULL,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture
def near(here: Callable[..., Any]) -> Callable[..., Outcome]:
    """Run the command in this process, its workers in theirs: spares its imports."""
    return lambda *arguments: Outcome(*here(*arguments))


@pytest.fixture(scope="session")
def fixture_script() -> ModuleType:
    """tests/batch/fixture.py."""
    spec = importlib.util.spec_from_file_location("fixture", Path(__file__).with_name("fixture.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fixture"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def chokepoint(fixture_script, tmp_path_factory) -> Path:
    """All sequences of the fixture, at most 9 labelled frames each."""
    return fixture_script.build(tmp_path_factory.mktemp("data") / "ChokePoint", frames=9)


@pytest.fixture(scope="session")
def archives(fixture_script, chokepoint, tmp_path_factory) -> Path:
    """Some of them as archives."""
    return fixture_script.pack(chokepoint, tmp_path_factory.mktemp("data") / "archives")


@pytest.fixture(scope="session")
def short(fixture_script, tmp_path_factory) -> Path:
    """Four sequences of at most ten frames, in three layouts."""
    names = ("P1E_S1_C1", "P1E_S1_C2", "P1E_S3_C2", "P2E_S1_C2.1")
    root = tmp_path_factory.mktemp("data") / "short"
    return fixture_script.build(root, names=names, frames=10)


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """An empty bucket on an S3 server of this machine; the environment leads there."""
    pytest.importorskip("s3fs", reason="s3fs is not installed (extra 's3')")
    pytest.importorskip("flask_cors", reason="moto's server is not installed (extra 'test')")
    pytest.importorskip("moto", reason="moto is not installed (extra 'test')")
    import s3fs
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    with pytest.MonkeyPatch.context() as patch:
        server.start()
        try:
            host, port = server.get_host_and_port()
            for name, value in {
                "AWS_ENDPOINT_URL": f"http://{host}:{port}",
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_EC2_METADATA_DISABLED": "true",
            }.items():
                patch.setenv(name, value)
            # moto keeps its buckets for the life of the process, also those of an earlier module
            reset = urllib.request.Request(f"http://{host}:{port}/moto-api/reset", method="POST")
            urllib.request.urlopen(reset).close()
            s3fs.S3FileSystem.clear_instance_cache()
            s3fs.S3FileSystem().mkdir(BUCKET)
            yield f"s3://{BUCKET}"
        finally:
            server.stop()
