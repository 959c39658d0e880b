"""Control groups of both versions, from trees laid out as the kernel does."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "services" / "serve"))

import cgroup

V1_FILES = {
    "cpuacct/cpuacct.usage": "1500000000\n",
    "cpu/cpu.stat": "nr_periods 10\nnr_throttled 4\nthrottled_time 250000000\n",
    "memory/memory.usage_in_bytes": "4096\n",
    "memory/memory.limit_in_bytes": "8192\n",
    "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
}
V2_FILES = {
    "cpu.stat": "usage_usec 1500000\nuser_usec 1\nnr_periods 10\nnr_throttled 4\nthrottled_usec 250000\n",
    "memory.current": "4096\n",
    "memory.max": "8192\n",
    "memory.events": "low 0\nhigh 0\nmax 0\noom 3\noom_kill 2\n",
}
READ = cgroup.Limits(1.5, 0.25, 4, 4096, 2, 8192)


def lay_out(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def proc_self(tmp_path: Path, cgroups: str, mounts: str) -> Path:
    directory = tmp_path / "proc"
    lay_out(directory, {"cgroup": cgroups, "mountinfo": mounts})
    return directory


def v1_mounts(tmp_path: Path, root: str) -> str:
    return "".join(
        f"3{i} 25 0:2{i} {root} {tmp_path}/fs/{name} ro,nosuid - cgroup cgroup rw,{name}\n"
        for i, name in enumerate(("cpuacct", "cpu", "memory", "pids"))
    )


def test_version_2_in_a_container(tmp_path: Path) -> None:
    lay_out(tmp_path / "fs", V2_FILES)
    proc = proc_self(tmp_path, "0::/\n", f"30 25 0:26 / {tmp_path}/fs ro,nosuid - cgroup2 cgroup rw\n")
    assert cgroup.find(proc).read() == READ


def test_version_2_on_a_host_is_the_processs_own_group(tmp_path: Path) -> None:
    lay_out(tmp_path / "fs/user.slice/lab", V2_FILES)
    lay_out(tmp_path / "fs", {"cpu.stat": "usage_usec 99\n"})
    proc = proc_self(tmp_path, "0::/user.slice/lab\n", f"30 25 0:26 / {tmp_path}/fs rw - cgroup2 cgroup2 rw\n")
    assert cgroup.find(proc).read() == READ


def test_version_1_in_a_container_that_sees_only_its_own_part(tmp_path: Path) -> None:
    lay_out(tmp_path / "fs", V1_FILES)
    cgroups = "3:cpuacct:/docker/abc\n2:cpu:/docker/abc\n1:memory:/docker/abc\n"
    proc = proc_self(tmp_path, cgroups, v1_mounts(tmp_path, "/docker/abc"))
    assert cgroup.find(proc).read() == READ


def test_version_1_controllers_mounted_together(tmp_path: Path) -> None:
    lay_out(tmp_path / "fs/lab", {name.partition("/")[2]: text for name, text in V1_FILES.items()})
    mounts = f"30 25 0:26 / {tmp_path}/fs rw shared:9 master:3 - cgroup cgroup rw,cpu,cpuacct,memory\n"
    proc = proc_self(tmp_path, "4:cpu,cpuacct,memory:/lab\n", mounts)
    assert cgroup.find(proc).read() == READ


def test_both_versions_at_once_where_version_2_controls_nothing(tmp_path: Path) -> None:
    lay_out(tmp_path / "fs", V1_FILES | {"unified/cgroup.procs": ""})
    mounts = v1_mounts(tmp_path, "/") + f"40 25 0:26 / {tmp_path}/fs/unified rw - cgroup2 cgroup2 rw\n"
    proc = proc_self(tmp_path, "3:cpuacct:/\n2:cpu:/\n1:memory:/\n0::/\n", mounts)
    assert cgroup.find(proc).read() == READ


def test_a_root_group_has_cpu_time_and_no_memory(tmp_path: Path) -> None:
    lay_out(tmp_path / "fs", {"cpu.stat": "usage_usec 1500000\nuser_usec 1\nsystem_usec 2\n"})
    proc = proc_self(tmp_path, "0::/\n", f"30 25 0:26 / {tmp_path}/fs rw - cgroup2 cgroup2 rw\n")
    assert cgroup.find(proc).read() == cgroup.Limits(1.5, None, None, None, None, None)


def test_without_control_groups_everything_is_unknown(tmp_path: Path) -> None:
    assert cgroup.find(tmp_path).read() == cgroup.Limits(None, None, None, None, None, None)


@pytest.mark.parametrize("unlimited", ["max\n", "9223372036854771712\n"], ids=["version 2", "version 1"])
def test_a_limit_that_limits_nothing_is_none(tmp_path: Path, unlimited: str) -> None:
    lay_out(tmp_path / "fs", V2_FILES | {"memory.max": unlimited})
    proc = proc_self(tmp_path, "0::/\n", f"30 25 0:26 / {tmp_path}/fs ro,nosuid - cgroup2 cgroup rw\n")
    assert cgroup.find(proc).read().memory_limit_bytes is None


@pytest.mark.skipif(not Path("/proc/self/cgroup").exists(), reason="no control groups on this system")
def test_this_machines_own_group_counts_cpu_time_or_is_not_mounted() -> None:
    group = cgroup.find()
    usage_s = group.read().cpu_usage_s
    assert (usage_s is None) == (not group.v2 and "cpuacct" not in group.v1)
    assert usage_s is None or usage_s > 0
