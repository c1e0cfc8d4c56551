"""The cluster files are what Ray takes, and say what the README says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
FILES = sorted(DEPLOY.glob("*.yaml"))


def load(path: Path) -> dict[str, Any]:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed (comes with extra 'ray')")
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_there_are_two():
    assert [p.name for p in FILES] == ["aws-gpu.yaml", "machines.yaml"]


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_ray_takes_it(path):
    """Filled up with the provider's defaults and held against Ray's own schema."""
    pytest.importorskip("ray", reason="Ray is not installed (extra 'ray')")
    from ray.autoscaler._private.util import prepare_config, validate_config

    config = load(path)
    whole = prepare_config(config)
    validate_config(whole)
    assert whole["available_node_types"]
    broken = prepare_config({**load(path), "max_wrokers": 3})
    with pytest.raises(Exception, match="max_wrokers"):
        validate_config(broken)


def test_gpus_are_workers_only_and_bounded():
    config = load(DEPLOY / "aws-gpu.yaml")
    head, gpu = (config["available_node_types"][n] for n in ("head", "gpu"))
    assert head["resources"] == {"CPU": 0}
    assert gpu["resources"]["GPU"] == 1
    assert gpu["min_workers"] == 0
    assert gpu["max_workers"] <= config["max_workers"]


def test_listed_machines_are_all_taken():
    config = load(DEPLOY / "machines.yaml")
    count = len(config["provider"]["worker_ips"])
    assert config["min_workers"] == config["max_workers"] == count


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_it_installs_extras_that_there_are_and_reports_to_nobody(path):
    import tomllib

    text = path.read_text(encoding="utf-8")
    project = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text(encoding="utf-8"))
    extras = {e for names in re.findall(r"face-vsr\[([\w,]+)\]", text) for e in names.split(",")}
    assert {"ray", "s3"} <= extras <= set(project["project"]["optional-dependencies"])
    config = load(path)
    for commands in ("head_start_ray_commands", "worker_start_ray_commands"):
        starts = [c for c in config[commands] if "ray start" in c]
        assert len(starts) == 1
        assert "RAY_USAGE_STATS_ENABLED=0" in starts[0]


def test_the_readmes_commands_have_options_that_there_are(vsr):
    text = (DEPLOY / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"vsr batch [^`\n]+", text.replace("\\\n", " "))
    assert commands
    known = vsr("batch", "--help").stdout
    for option in {o for c in commands for o in re.findall(r"--[a-z-]+", c)}:
        assert option in known, option
