"""The whole machine, as every process on it sees it: CPU time by CPU, and memory."""

from __future__ import annotations

import os
from dataclasses import dataclass

from kernel_files import read
from process import PROC

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_IDLE, _IOWAIT, _STEAL = 3, 4, 7
"""Columns of a `cpuN` line in /proc/stat after its name (proc(5)); guest time, beyond them, is also in `user`."""


@dataclass(frozen=True)
class Host:
    """CPU time and memory of the whole machine; the time since it started."""

    busy_s: dict[str, float]
    """CPU time that was not idle, by CPU number. Time stolen by other virtual machines is not there for us: busy."""
    memory_bytes: int
    available_bytes: int


def read_host() -> Host:
    """The machine as it is now. Raises OSError without a /proc, ValueError where that is not what Linux writes."""
    return parse(read(f"{PROC}/stat").decode(), read(f"{PROC}/meminfo").decode())


def parse(stat: str, meminfo: str) -> Host:
    """The same from the texts of /proc/stat and /proc/meminfo. Raises ValueError."""
    memory = {name: value for name, _, value in (line.partition(":") for line in meminfo.splitlines())}
    try:
        return Host(
            busy_s={
                name[3:]: _busy_ticks([int(value) for value in values]) / _TICKS_PER_S
                for name, *values in (line.split() for line in stat.splitlines() if line.startswith("cpu"))
                if name != "cpu"
            },
            memory_bytes=_kilobytes(memory["MemTotal"]),
            available_bytes=_kilobytes(memory["MemAvailable"]),
        )
    except (KeyError, IndexError) as error:
        raise ValueError(f"no {error} in /proc/stat or /proc/meminfo") from error


def _busy_ticks(columns: list[int]) -> int:
    return sum(columns[: _STEAL + 1]) - columns[_IDLE] - columns[_IOWAIT]


def _kilobytes(text: str) -> int:
    return int(text.split()[0]) * 1024
