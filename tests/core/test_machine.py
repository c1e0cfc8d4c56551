"""What a process may use of its machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vsr.core.machine import available_memory, core_count, cores, memory_limit, quota

V2 = "0::/kubepods/pod1/box\n"
V1 = "5:memory:/docker/1\n4:cpu,cpuacct:/docker/1\n0::/\n"


def tree(root: Path, groups: str, files: dict[str, str]) -> tuple[Path, Path]:
    """A /proc/self/cgroup and a /sys/fs/cgroup."""
    for path, text in files.items():
        (root / "sys" / path).parent.mkdir(parents=True, exist_ok=True)
        (root / "sys" / path).write_text(text)
    (root / "cgroup").write_text(groups)
    return root / "cgroup", root / "sys"


@pytest.mark.parametrize(
    ("groups", "files", "wanted"),
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000\n"}, None),
        ("0::/\n", {"cpu.max": "garbage"}, None),
        ("0::/\n", {}, None),
        ("", {"cpu.max": "150000 100000\n"}, None),
        (V2, {"kubepods/pod1/cpu.max": "200000 100000", "kubepods/cpu.max": "max 100000"}, 2),
        (V2, {"kubepods/pod1/box/cpu.max": "400000 100000", "kubepods/cpu.max": "50000 100000"},
         0.5),
        (V2, {"cpu.max": "300000 100000"}, 3),
        (V1, {"cpu/cpu.cfs_quota_us": "250000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 2.5),
        (V1, {"cpu/docker/1/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
    ],
)  # fmt: skip
def test_a_quota_counts_wherever_it_is_set(tmp_path, groups, files, wanted):
    assert quota(*tree(tmp_path, groups, files)) == wanted


@pytest.mark.parametrize(
    ("groups", "files", "wanted"),
    [
        ("0::/\n", {"memory.max": "4294967296\n"}, 4 << 30),
        ("0::/\n", {"memory.max": "max\n"}, None),
        (V2, {"kubepods/pod1/box/memory.max": "max", "kubepods/memory.max": "1048576"}, 1 << 20),
        (V1, {"memory/docker/1/memory.limit_in_bytes": "2097152\n"}, 2 << 20),
        (V1, {"memory/memory.limit_in_bytes": "9223372036854771712\n"}, 9223372036854771712),
    ],
)
def test_a_limit_of_memory_counts_wherever_it_is_set(tmp_path, groups, files, wanted):
    assert memory_limit(*tree(tmp_path, groups, files)) == wanted


def test_this_machine_has_cores_and_memory():
    assert 1 <= core_count() <= len(cores()) <= (os.cpu_count() or 1)
    assert 1 << 26 < available_memory() <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
