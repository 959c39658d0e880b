"""The CPU time of a process with all that it started, and of CPUs that others use too."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import wait_for

from wsgilab.machine.cpu_time import CpuUse, use_of, used_s

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="this system has no /proc")
BURN = "import time\nwhile time.process_time() < 0.2: pass\n"
PARENT = f"""
import subprocess, sys
subprocess.run([sys.executable, "-S", "-c", {BURN!r}])
child = subprocess.Popen([sys.executable, "-S", "-c", {BURN + "time.sleep(600)"!r}])
print("started", flush=True)
try:
    sys.stdin.read()
finally:
    child.kill()
    child.wait()
"""


def test_children_count_those_that_have_ended_too() -> None:
    with subprocess.Popen(
        [sys.executable, "-S", "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        parent.stdout.readline()
        wait_for(lambda: (used_s(parent.pid) or 0) >= 0.38, "0.2 s of the one that has ended, 0.2 s of the other")
        assert parent.stdin
        parent.stdin.close()
        parent.wait(timeout=30)
    assert used_s(parent.pid) is None, "nobody can tell of one that is gone"


def test_what_others_use_is_told_from_what_is_our_own() -> None:
    cpu = min(os.sched_getaffinity(0))
    pinned = f"import os\nos.sched_setaffinity(0, {{{cpu}}})\n{BURN}"
    with subprocess.Popen(["sleep", "600"]) as stranger:  # to whom we are the others
        seen = [(use_of({cpu}), use_of({cpu}, stranger.pid))]
        subprocess.run([sys.executable, "-S", "-c", pinned], check=True)
        seen.append((use_of({cpu}), use_of({cpu}, stranger.pid)))
        stranger.kill()
    (before, before_to_stranger), (after, after_to_stranger) = seen
    assert before
    assert before_to_stranger
    assert after
    assert after_to_stranger
    assert after.own_s - before.own_s >= 0.18
    assert after_to_stranger.own_s == before_to_stranger.own_s
    assert after_to_stranger.busy_s - before_to_stranger.busy_s >= 0.1, "the kernel counts in ticks"


def test_a_share_is_that_of_all_the_cpus() -> None:
    assert CpuUse(2, 10.0, 8.0, 3.0).foreign_share_since(CpuUse(2, 0.0, 2.0, 1.0)) == pytest.approx(0.2)
    assert CpuUse(1, 10.0, 3.0, 3.1).foreign_share_since(CpuUse(1, 0.0, 2.0, 2.0)) == 0.0, "ticks are coarse"


def test_of_cpus_that_are_not_there_nobody_tells() -> None:
    assert use_of(set()) is None
    assert use_of({9_999}) is None
