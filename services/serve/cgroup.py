"""The control group this process lives in: CPU, throttling, memory, OOM kills. Version 1, version 2, or both at once.

In a container that is the container. Among plain processes on one machine it is whatever they share, often the whole
machine: then these figures say nothing about a single server.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

from kernel_files import read

Value = TypeVar("Value", int, float, str)

PROC_SELF = Path("/proc/self")
_V1_NO_LIMIT = 1 << 62
_V1_CONTROLLERS = ("cpuacct", "cpu", "memory")


@dataclass(frozen=True)
class Limits:
    """What the control group has counted. None: the kernel does not say."""

    cpu_usage_s: float | None
    throttled_s: float | None
    throttled_periods: int | None
    memory_bytes: int | None
    oom_kills: int | None
    memory_limit_bytes: int | None
    """None also where nothing limits it."""


@dataclass(frozen=True)
class ControlGroup:
    """Directories of this process's control group."""

    v1: dict[str, Path]
    """By controller."""
    v2: Path | None

    def read(self) -> Limits:
        """What the kernel says at this moment, version 1 first: where both are mounted, it has the controllers."""
        v1_cpu = _fields(self.v1.get("cpu"), "cpu.stat")
        v2_cpu = _fields(self.v2, "cpu.stat")
        v1_usage = _number(self.v1.get("cpuacct"), "cpuacct.usage")
        return Limits(
            cpu_usage_s=_first(_scaled(v1_usage, 1e-9), _scaled(v2_cpu.get("usage_usec"), 1e-6)),
            throttled_s=_first(
                _scaled(v1_cpu.get("throttled_time"), 1e-9), _scaled(v2_cpu.get("throttled_usec"), 1e-6)
            ),
            throttled_periods=_first(v1_cpu.get("nr_throttled"), v2_cpu.get("nr_throttled")),
            memory_bytes=_first(
                _number(self.v1.get("memory"), "memory.usage_in_bytes"), _number(self.v2, "memory.current")
            ),
            oom_kills=_first(
                _fields(self.v1.get("memory"), "memory.oom_control").get("oom_kill"),
                _fields(self.v2, "memory.events").get("oom_kill"),
            ),
            memory_limit_bytes=_limit(
                _first(_read(self.v1.get("memory"), "memory.limit_in_bytes"), _read(self.v2, "memory.max"))
            ),
        )


def find(proc_self: Path = PROC_SELF) -> ControlGroup:
    """This process's control group; without cgroups (macOS) one that reads as nothing but None."""
    try:
        memberships = (proc_self / "cgroup").read_text().splitlines()
        mounts = (proc_self / "mountinfo").read_text().splitlines()
    except FileNotFoundError:
        return ControlGroup({}, None)
    # Lines read `ID:controllers:/path`; version 2 is ID 0 with no controllers. See cgroups(7).
    paths = {controller: line.split(":", 2)[2] for line in memberships for controller in line.split(":")[1].split(",")}
    v1: dict[str, Path] = {}
    v2: Path | None = None
    for line in mounts:
        # `36 35 98:0 /root /mount/point options - type source superoptions`, see proc_pid_mountinfo(5).
        before, _, after = line.partition(" - ")
        root, mount_point = before.split()[3:5]
        kind, _, super_options = after.split(" ", 2)
        if kind == "cgroup2" and "" in paths:
            v2 = _directory(Path(mount_point), root, paths[""])
        elif kind == "cgroup":
            for controller in set(super_options.split(",")) & set(_V1_CONTROLLERS) & paths.keys():
                v1[controller] = _directory(Path(mount_point), root, paths[controller])
    return ControlGroup(v1, v2)


def _directory(mount_point: Path, root: str, path: str) -> Path:
    """Where `path` shows under a mount of `root`. A container that sees only its own part has it at the mount point."""
    try:
        directory = mount_point / PurePosixPath(path).relative_to(root)
    except ValueError:
        return mount_point
    return directory if directory.is_dir() else mount_point


def _read(directory: Path | None, name: str) -> str | None:
    if directory is None:
        return None
    try:
        return read(f"{directory}/{name}").decode()
    except OSError:  # the root group lacks some files, and a controller may be switched off
        return None


def _number(directory: Path | None, name: str) -> int | None:
    text = _read(directory, name)
    return None if text is None else int(text)


def _fields(directory: Path | None, name: str) -> dict[str, int]:
    pairs = (line.split() for line in (_read(directory, name) or "").splitlines())
    return {key: int(value) for key, value in pairs}


def _scaled(value: int | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _limit(text: str | None) -> int | None:
    """Version 2 says `max` where there is no limit, version 1 the largest number of whole pages."""
    if text is None or not text.strip().isdecimal():
        return None
    return int(text) if int(text) < _V1_NO_LIMIT else None


def _first(*values: Value | None) -> Value | None:
    return next((value for value in values if value is not None), None)
