"""What /proc says about the machine."""

from __future__ import annotations

import pytest
from host import Host, parse

STAT = """cpu  300 0 300 800 40 0 0 20 0 0
cpu0 100 5 100 400 20 0 0 10 0 0
cpu1 200 0 200 400 20 0 5 10 90 0
intr 1 2 3
"""
MEMINFO = "MemTotal:        8000 kB\nMemFree:          100 kB\nMemAvailable:    2000 kB\n"


def test_busy_is_all_but_idle_and_waiting_for_disks_and_guests_are_not_counted_twice() -> None:
    assert parse(STAT, MEMINFO) == Host(busy_s={"0": 2.15, "1": 4.15}, memory_bytes=8192000, available_bytes=2048000)


def test_another_format_is_no_reading() -> None:
    with pytest.raises(ValueError, match="MemAvailable"):
        parse(STAT, "MemTotal: 8000 kB\n")
